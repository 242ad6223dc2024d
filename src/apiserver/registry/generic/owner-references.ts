// SPDX-License-Identifier: Apache-2.0
// Owner references that an object has twice are kept once, and the client is warned.
// @source upstream apiserver pkg/endpoints/handlers/rest.go dedupOwnerReferencesAndAddWarning
import { deepEqual, type OwnerReference } from '#machinery';
import type { MutableObject } from '../strategy.ts';

/** @param isAdmitted Whether mutating admission has been, which may have put them there. */
export function dropRepeatedOwners({ metadata }: MutableObject, warn: (text: string) => void, isAdmitted: boolean): void {
  const { ownerReferences: owners } = metadata;
  if (owners === undefined || owners.length < 2) return;
  const kept: OwnerReference[] = [];
  const repeated: string[] = [];
  for (const owner of owners) {
    if (kept.some((other) => other.uid === owner.uid && deepEqual(other, owner))) repeated.push(owner.uid);
    else kept.push(owner);
  }
  if (repeated.length === 0) return;
  metadata.ownerReferences = kept;
  const when = isAdmitted ? ' after mutating admission happens' : '';
  warn(
    `.metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${repeated.join(', ')}`,
  );
}
