// SPDX-License-Identifier: Apache-2.0
// Tables of what validation says: a valid object, one change per case, and the causes that follow, as `field: message` lines.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FieldCause } from '../../machinery/mod.ts';
import { validateObject, validateObjectUpdate } from './mod.ts';

// biome-ignore lint/suspicious/noExplicitAny: cases change objects in ways that their types forbid
type Draft = any;
/** What a case does to the valid object. */
type Change = (object: Draft) => void;
export type CaseTable = Readonly<Record<string, readonly [change: Change, ...expected: string[]]>>;
type OfKind = { readonly group: string; readonly version: string; readonly kind: string };

export const linesOf = (causes: readonly FieldCause[]) => causes.map(({ field, message }) => `${field}: ${message}`);

function changed(valid: object, change: Change): Draft {
  const object = structuredClone(valid);
  change(object);
  return object;
}

/** Cases of `create`. The valid object itself has to pass. */
export function describeCreate(of: OfKind, valid: object, cases: CaseTable): void {
  describe(`a new ${of.kind}`, () => {
    it('passes as it should be', () => assert.deepEqual(linesOf(validateObject(of, valid as Draft)), []));
    for (const [name, [change, ...expected]] of Object.entries(cases))
      it(name, () => assert.deepEqual(linesOf(validateObject(of, changed(valid, change))), expected));
  });
}

/** Cases of `update` from the valid object. */
export function describeUpdate(of: OfKind, valid: object, cases: CaseTable, subresource = ''): void {
  describe(`a changed ${of.kind}${subresource === '' ? '' : `/${subresource}`}`, () => {
    for (const [name, [change, ...expected]] of Object.entries(cases)) {
      it(name, () => {
        const causes = validateObjectUpdate(of, changed(valid, change), structuredClone(valid) as Draft, subresource);
        assert.deepEqual(linesOf(causes), expected);
      });
    }
  });
}
