// SPDX-License-Identifier: Apache-2.0
// Namespaces: two-phase deletion. `spec.finalizers` is a list of its own, changed only at `finalize`; a delete marks the
// namespace and turns its phase; the object goes when both lists of finalizers are empty.
import { namespaces, validateObjectUpdate } from '#api';
import type { Namespace } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { defaultStrategy, restore, restoreMeta } from '../default-strategy.ts';
import type { MutableObject, Strategy, SubresourceRules } from '../strategy.ts';

const asNamespace = (object: MutableObject | DeepReadonly<MutableObject>) => object as unknown as Namespace;
export const KUBERNETES_FINALIZER = 'kubernetes';
const OF = { group: '', version: 'v1', kind: 'Namespace' };

const status: SubresourceRules = {
  resetFields: ['spec'],
  prepareForUpdate(next, previous) {
    restore(next, previous, 'spec');
  },
  validateUpdate: (next, previous) => validateObjectUpdate(OF, next, previous, 'status'),
};

const finalize: SubresourceRules = {
  resetFields: ['status'],
  prepareForUpdate(next, previous) {
    restore(next, previous, 'status');
    restoreMeta(next.metadata, previous.metadata, ['deletionTimestamp']);
  },
  validateUpdate: (next, previous) => validateObjectUpdate(OF, next, previous, 'finalize'),
};

export function namespaceStrategy(): Strategy {
  return defaultStrategy(namespaces, {
    selectableFields: ['status.phase'],
    fieldValue: (object, name) => (name === 'status.phase' ? (asNamespace(object).status?.phase ?? '') : undefined),
    initialStatus: () => ({ phase: 'Active' }),
    afterPrepareForCreate(object) {
      const namespace = asNamespace(object);
      namespace.spec ??= {};
      const finalizers = namespace.spec.finalizers ?? [];
      if (!finalizers.includes(KUBERNETES_FINALIZER)) namespace.spec.finalizers = [...finalizers, KUBERNETES_FINALIZER];
    },
    afterPrepareForUpdate(next, previous) {
      asNamespace(next).spec ??= {};
      const finalizers = asNamespace(previous).spec?.finalizers;
      if (finalizers === undefined) delete asNamespace(next).spec.finalizers;
      else asNamespace(next).spec.finalizers = [...finalizers];
    },
    subresources: { status, finalize },
  });
}
