// SPDX-License-Identifier: Apache-2.0
// managed-fields: who owns which field of an object, and server-side apply on top of it.
export { type ApplyParts, applyPatch } from './apply.ts';
export { type Comparison, compareObjects, fieldSetOf } from './compare.ts';
export { decodeManagers, encodeManagers, type ManagerEntry, type ManagerId, type Managers, managerKey, stripMeta } from './entries.ts';
export {
  difference,
  EMPTY_SET,
  equalSets,
  type FieldSet,
  FieldSetError,
  formatFieldsV1,
  intersection,
  isEmptySet,
  leaves,
  parseFieldsV1,
  pathsOf,
  recursiveDifference,
  setOfPaths,
  union,
} from './field-set.ts';
export { LAST_APPLIED, LAST_APPLIER } from './last-applied.ts';
export { mergeConfiguration } from './merge.ts';
export type { ToVersion, Versioned } from './remove.ts';
export { findTypeProblem } from './typed.ts';
export { type UpdateParts, updateManagedFields } from './update.ts';
export type { WriteParts } from './write.ts';
