// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { field, type ManagedFieldsEntry } from '../../machinery/mod.ts';
import { managedFieldsCauses } from './managed-fields.ts';

const entry = (more: object) =>
  ({ manager: 'm', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', ...more }) as ManagedFieldsEntry;

const rows: readonly (readonly [more: object, cause: string | undefined])[] = [
  [{}, undefined],
  [{ manager: 'ü'.repeat(64), fieldsType: '' }, undefined],
  [{ operation: 'Patch' }, 'operation: Invalid value: "Patch": must be `Apply` or `Update`'],
  [{ fieldsType: 'FieldsV2' }, 'fieldsType: Invalid value: "FieldsV2": must be `FieldsV1`'],
  [{ manager: 'ü'.repeat(65) }, 'manager: Too long: may not be more than 128 bytes'],
  [{ manager: 'ab\n' }, 'manager: Invalid value: "ab\\n": invalid character U+000A (at position 2)'],
  [{ subresource: 's'.repeat(257) }, 'subresource: Too long: may not be more than 256 bytes'],
];

for (const [more, cause] of rows)
  test(`managedFieldsCauses() of ${JSON.stringify(more).slice(0, 40)}`, () => {
    const causes = managedFieldsCauses([entry({}), entry(more)], field('metadata', 'managedFields'));

    assert.deepEqual(
      causes.map(({ field: path, message }) => `${path}: ${message}`),
      cause === undefined ? [] : [`metadata.managedFields[1].${cause}`],
    );
  });
