// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { referenceFolder, testSchema, testSchemas } from '../_test-schemas.ts';
import { normalize } from '../normalize.ts';
import type { StructSchema } from '../schema.ts';
import { compareObjects } from './compare.ts';
import { createdFields } from './created.ts';
import { STRIPPED, stripMeta } from './entries.ts';
import { EMPTY_SET, type FieldSet, formatFieldsV1, isEmptySet, recursiveDifference, setOfPaths, union } from './field-set.ts';

/** The long way: every change as a set of paths. */
function compared(object: unknown, schema: StructSchema, resetFields: FieldSet): unknown {
  const { added, modified } = compareObjects(normalize({}, schema), object, schema);
  const set = stripMeta(recursiveDifference(union(added, modified), resetFields));
  return isEmptySet(set) ? undefined : formatFieldsV1(set);
}

function check(object: Record<string, unknown>, schema: StructSchema, resetFields: FieldSet = EMPTY_SET): void {
  const direct = createdFields(normalize({}, schema), object, schema, resetFields, STRIPPED);
  assert.equal(JSON.stringify(direct), JSON.stringify(compared(object, schema, resetFields)));
}

const RESET = [
  EMPTY_SET,
  setOfPaths([['f:status']]),
  setOfPaths([
    ['f:spec', 'f:nodeName'],
    ['f:metadata', 'f:labels'],
  ]),
];

const keys = fc.constantFrom('a', 'b-1', '.', '10', '9');
const words = fc.constantFrom('', 'x', 'y');
const maps = fc.dictionary(keys, words, { maxKeys: 3 });
const ports = fc.array(
  fc.record({ containerPort: fc.constantFrom(0, 80, 443), protocol: fc.constantFrom('TCP', 'UDP') }, { requiredKeys: [] }),
);
const containers = fc.array(
  fc.record({ name: words, image: words, ports, args: fc.array(words), env: fc.constant([]) }, { requiredKeys: ['name'] }),
);
const pods = fc.record(
  {
    metadata: fc.record({ name: words, labels: maps, annotations: maps, finalizers: fc.array(words) }, { requiredKeys: [] }),
    spec: fc.record({ containers, nodeName: words, nodeSelector: maps, securityContext: fc.constant({}) }, { requiredKeys: [] }),
    status: fc.record({ phase: words, conditions: fc.array(fc.record({ type: words })) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

test('a creator owns what comparing with an empty object says', () => {
  const pod = testSchema('v1', 'Pod');
  fc.assert(fc.property(pods, fc.constantFrom(...RESET), (object, reset) => check(normalize(object, pod), pod, reset)));
});

const folder = referenceFolder('../shared/kubernetes/roundtrip');

test(`a creator owns so of every kind${folder === undefined ? ' (skipped: no objects of every kind at hand)' : ''}`, {
  skip: folder === undefined,
}, () => {
  const find = testSchemas();
  for (const file of readdirSync(folder ?? '').filter((name) => name.endsWith('.json'))) {
    const object = JSON.parse(readFileSync(join(folder ?? '', file), 'utf8')) as { apiVersion: string; kind: string };
    const schema = find(object.apiVersion, object.kind);
    if (schema !== undefined) for (const reset of RESET) check(normalize(object, schema), schema, reset);
  }
});
