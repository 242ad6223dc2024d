// SPDX-License-Identifier: Apache-2.0
// Cells of printer columns: what each type makes of which value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MutableObject } from '../registry/strategy.ts';
import { customTable } from './table.ts';

const NOW = Date.parse('2026-01-02T12:30:00Z');

const CASES: readonly (readonly [type: string, value: unknown, cell: unknown])[] = [
  ['string', 'a', 'a'],
  ['string', 3, '3'],
  ['string', true, 'true'],
  ['string', null, '<no value>'],
  ['string', undefined, null],
  ['string', { b: 1, a: '<' }, '{"a":"\\u003c","b":1}'],
  ['string', ['x', 1], '["x",1]'],
  ['integer', 3.7, 3],
  ['integer', 'x', null],
  ['integer', null, null],
  ['number', 3.5, 3.5],
  ['number', true, null],
  ['boolean', false, false],
  ['boolean', 'true', null],
  ['date', '2026-01-02T00:00:00Z', '12h'],
  ['date', '2027-01-01T00:00:00Z', '<invalid>'],
  ['date', 'soon', '<invalid>'],
  ['date', '', '<unknown>'],
  ['date', 5, null],
];

const objectWith = (value: unknown) => ({ metadata: { name: 'n' }, v: value }) as unknown as MutableObject;

for (const [type, value, cell] of CASES) {
  test(`customTable() shows ${JSON.stringify(value)} in a column of type ${type}`, () => {
    const table = customTable([{ name: 'V', type, jsonPath: '.v' }]);

    assert.deepEqual(table.cells(objectWith(value), NOW), ['n', cell]);
  });
}

test('customTable() ends before the first column that has no path', () => {
  const columns = ['.v', '.v[', '.metadata.name'].map((jsonPath) => ({ name: jsonPath, type: 'string', jsonPath }));

  const table = customTable(columns);

  assert.deepEqual(
    table.columns.map(({ name }) => name),
    ['Name', '.v'],
  );
  assert.deepEqual(table.cells(objectWith('a'), NOW), ['n', 'a']);
});
