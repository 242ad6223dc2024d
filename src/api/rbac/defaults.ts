// SPDX-License-Identifier: Apache-2.0
// SetDefaults of rbac.authorization.k8s.io/v1.
import { setDefault, structAt } from '../defaulting.ts';
import type { RoleRef, Subject } from '../generated/rbac/v1.ts';

const GROUP = 'rbac.authorization.k8s.io';

export function defaultBinding(binding: { roleRef: RoleRef; subjects?: Subject[] }): void {
  setDefault(structAt(binding, 'roleRef'), 'apiGroup', GROUP);
  for (const subject of binding.subjects ?? []) {
    if (subject.kind === 'User' || subject.kind === 'Group') setDefault(subject, 'apiGroup', GROUP);
  }
}
