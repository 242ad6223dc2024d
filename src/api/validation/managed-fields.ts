// SPDX-License-Identifier: Apache-2.0
// Validation of `metadata.managedFields`: clients may write entries themselves.
// @source upstream apimachinery pkg/apis/meta/v1/validation ValidateManagedFields
import { type DeepReadonly, type FieldCause, type FieldPath, invalidValue, type ManagedFieldsEntry, tooLong } from '../../machinery/mod.ts';

const MOST_MANAGER_BYTES = 128;
const MOST_SUBRESOURCE_BYTES = 256;
const PLAIN = /^[ -~]*$/;
const UNPRINTABLE = /\p{C}|(?! )\p{Z}/gu;

export function managedFieldsCauses(entries: readonly DeepReadonly<ManagedFieldsEntry>[], path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, { operation = '', fieldsType = '', manager = '', subresource = '' }] of entries.entries()) {
    if (isPlain(operation, fieldsType, manager, subresource)) continue;
    const at = path.index(index);
    if (operation !== 'Apply' && operation !== 'Update')
      causes.push(invalidValue(at.child('operation'), operation, 'must be `Apply` or `Update`'));
    if (fieldsType !== '' && fieldsType !== 'FieldsV1') causes.push(invalidValue(at.child('fieldsType'), fieldsType, 'must be `FieldsV1`'));
    causes.push(...managerCauses(manager, at.child('manager')));
    if (Buffer.byteLength(subresource) > MOST_SUBRESOURCE_BYTES) causes.push(tooLong(at.child('subresource'), MOST_SUBRESOURCE_BYTES));
  }
  return causes;
}

/** Nearly all entries are the server's own: nothing is made for them. */
function isPlain(operation: string, fieldsType: string, manager: string, subresource: string): boolean {
  return (
    (operation === 'Update' || operation === 'Apply') &&
    fieldsType === 'FieldsV1' &&
    manager.length <= MOST_MANAGER_BYTES &&
    PLAIN.test(manager) &&
    subresource.length < MOST_SUBRESOURCE_BYTES / 3
  );
}

function managerCauses(manager: string, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (Buffer.byteLength(manager) > MOST_MANAGER_BYTES) causes.push(tooLong(path, MOST_MANAGER_BYTES));
  for (const { 0: char, index } of manager.matchAll(UNPRINTABLE)) {
    const code = (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const position = Buffer.byteLength(manager.slice(0, index));
    causes.push(invalidValue(path, manager, `invalid character U+${code} (at position ${position})`));
  }
  return causes;
}
