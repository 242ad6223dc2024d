// SPDX-License-Identifier: Apache-2.0
// managed-fields: who owns which field of an object, and server-side apply on top of it.
export { type Comparison, compareObjects, fieldSetOf } from './compare.ts';
export { decodeManagers, encodeManagers, type ManagerEntry, type ManagerId, type Managers, stripMeta } from './entries.ts';
export {
  difference,
  EMPTY_SET,
  equalSets,
  type FieldSet,
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
export { mergeConfiguration } from './merge.ts';
export { findTypeProblem } from './typed.ts';
export { type ApplyParts, applyPatch, otherVersionProblem, type UpdateParts, updateManagedFields, type WriteParts } from './update.ts';
