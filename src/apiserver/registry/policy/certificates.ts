// SPDX-License-Identifier: Apache-2.0
// CertificateSigningRequests: who asks is written by the server; conditions are changed by the approval endpoint alone, the
// certificate by the status endpoint alone.
import { certificatesigningrequests, validateObjectUpdate } from '#api';
import type { CertificateSigningRequest } from '#api/certificates/v1';
import { type DeepReadonly, deepCopy } from '#machinery';
import { defaultStrategy, keepAllButStatus, restore } from '../default-strategy.ts';
import type { MutableObject, Strategy, SubresourceRules } from '../strategy.ts';

const OF = { group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest' };
const DECISIONS = new Set(['Approved', 'Denied']);
const asRequest = (object: MutableObject | DeepReadonly<MutableObject>) => object as unknown as CertificateSigningRequest;

/** New conditions get their times; a changed status moves the transition time. */
function stampConditions(next: CertificateSigningRequest, previous: DeepReadonly<CertificateSigningRequest>, now: number): void {
  const time = `${new Date(now).toISOString().slice(0, 19)}Z`;
  for (const condition of next.status.conditions ?? []) {
    condition.status ||= 'True';
    condition.lastUpdateTime ??= time;
    const before = previous.status?.conditions?.find(({ type }) => type === condition.type);
    condition.lastTransitionTime ??=
      before !== undefined && before.status === condition.status ? (before.lastTransitionTime ?? time) : time;
  }
}

const approval: SubresourceRules = {
  resetFields: ['spec', 'status'],
  prepareForUpdate(object, previous, scope) {
    const [next, before] = [asRequest(object), asRequest(previous)];
    restore(object, previous, 'spec');
    const wanted = next.status?.conditions;
    next.status = { ...(deepCopy(before.status ?? {}) as CertificateSigningRequest['status']) };
    if (wanted === undefined) delete next.status.conditions;
    else next.status.conditions = wanted;
    stampConditions(next, before, scope.now);
  },
  validateUpdate: (next, previous) => validateObjectUpdate(OF, next, previous, 'approval'),
};

/** Approval and denial cannot be changed by `status`. Whether they were taken away or added is for validation to say. */
function keepDecision(next: CertificateSigningRequest, before: DeepReadonly<CertificateSigningRequest>, type: string): void {
  const kept = before.status?.conditions?.find((condition) => condition.type === type);
  const at = next.status.conditions?.findIndex((condition) => condition.type === type) ?? -1;
  if (kept !== undefined && at >= 0 && next.status.conditions !== undefined) next.status.conditions[at] = { ...kept };
}

const status: SubresourceRules = {
  resetFields: ['spec', 'status'],
  prepareForUpdate(object, previous, scope) {
    const [next, before] = [asRequest(object), asRequest(previous)];
    keepAllButStatus(object, previous);
    next.status ??= {};
    for (const type of DECISIONS) keepDecision(next, before, type);
    stampConditions(next, before, scope.now);
  },
  validateUpdate: (next, previous) => validateObjectUpdate(OF, next, previous, 'status'),
};

export function certificateSigningRequestStrategy(): Strategy {
  return defaultStrategy(certificatesigningrequests, {
    selectableFields: ['spec.signerName'],
    fieldValue: (object, name) => (name === 'spec.signerName' ? (asRequest(object).spec.signerName ?? '') : undefined),
    resetFields: ['spec', 'status'],
    afterPrepareForCreate(object, { user }) {
      const { spec } = asRequest(object);
      delete spec.uid;
      delete spec.extra;
      spec.username = user.name;
      spec.groups = [...user.groups];
      if (user.uid !== '') spec.uid = user.uid;
      if (Object.keys(user.extra).length > 0) {
        spec.extra = Object.fromEntries(Object.entries(user.extra).map(([key, values]) => [key, [...values]]));
      }
    },
    afterPrepareForUpdate(next, previous) {
      restore(next, previous, 'spec');
    },
    subresources: { status, approval },
  });
}
