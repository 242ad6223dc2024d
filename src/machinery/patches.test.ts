// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { recorded, testSchema, testSchemas } from './_test-schemas.ts';
import { deepEqual } from './deep-equal.ts';
import { applyJsonPatch, checkJsonPatch, PatchError } from './json-patch.ts';
import { applyMergePatch, createMergePatch } from './merge-patch.ts';
import { normalize } from './normalize.ts';
import { applyStrategicPatch, StrategicPatchError } from './strategic-patch.ts';

const base = { a: { b: [1, 2, 3], 'c/d': 'x' } };
const jsonPatches: readonly (readonly [string, object, unknown])[] = [
  ['adds a member', { op: 'add', path: '/a/n', value: 1 }, { a: { ...base.a, n: 1 } }],
  ['inserts an item', { op: 'add', path: '/a/b/1', value: 9 }, { a: { ...base.a, b: [1, 9, 2, 3] } }],
  ['appends an item', { op: 'add', path: '/a/b/-', value: 9 }, { a: { ...base.a, b: [1, 2, 3, 9] } }],
  ['removes an item', { op: 'remove', path: '/a/b/0' }, { a: { ...base.a, b: [2, 3] } }],
  ['unescapes paths', { op: 'replace', path: '/a/c~1d', value: 'y' }, { a: { b: [1, 2, 3], 'c/d': 'y' } }],
  ['replaces what is missing', { op: 'replace', path: '/z', value: 1 }, { ...base, z: 1 }],
  ['moves', { op: 'move', from: '/a/b', path: '/m' }, { a: { 'c/d': 'x' }, m: [1, 2, 3] }],
  ['copies', { op: 'copy', from: '/a/c~1d', path: '/m' }, { ...base, m: 'x' }],
  ['replaces the whole', { op: 'replace', path: '', value: { q: 1 } }, { q: 1 }],
  ['counts negative indexes from the end', { op: 'remove', path: '/a/b/-1' }, { a: { ...base.a, b: [1, 2] } }],
  ['reads paths from their first slash', { op: 'replace', path: 'x/a/b/0', value: 9 }, { a: { ...base.a, b: [9, 2, 3] } }],
  ['copies what is missing as null', { op: 'copy', from: '/none', path: '/m' }, { ...base, m: null }],
  ['keeps on a test', { op: 'test', path: '/a/b/0', value: 1 }, base],
];
for (const [what, operation, result] of jsonPatches) {
  test(`a JSON patch ${what}`, () => assert.deepEqual(applyJsonPatch(base, checkJsonPatch([operation])), result));
}

const INVALID = 'invalid index referenced';
const refusedPatches: readonly (readonly [object, string])[] = [
  [{ op: 'remove', path: '/zz' }, "error in remove for path: '/zz': Unable to remove nonexistent key: zz: missing value"],
  [{ op: 'add', path: '/q/r', value: 1 }, 'add operation does not apply: doc is missing path: "/q/r": missing value'],
  [{ op: 'add', path: 'a', value: 1 }, 'add operation does not apply: doc is missing path: "a": missing value'],
  [{ op: 'add', value: 1 }, 'missing value: add operation: path'],
  [{ op: 'fly', path: '/a' }, 'Unexpected kind: fly'],
  [{ op: 'test', path: '/a/c~1d', value: 'no' }, 'testing value /a/c~1d failed: test failed'],
  [{ op: 'test', path: '/q/r', value: 'no' }, 'test operation does not apply: is missing path: /q/r: missing value'],
  [{ op: 'test', path: '/a/b/3', value: 1 }, `error in test for path: '/a/b/3': Unable to access invalid index: 3: ${INVALID}`],
  [{ op: 'add', path: '/a/b/9', value: 1 }, `error in add for path: '/a/b/9': Unable to access invalid index: 9: ${INVALID}`],
  [
    { op: 'add', path: '/a/b/x', value: 1 },
    `error in add for path: '/a/b/x': value was not a proper array index: 'x': strconv.Atoi: parsing "x": invalid syntax`,
  ],
  [{ op: 'remove', path: '/a/b/-4' }, `error in remove for path: '/a/b/-4': Unable to access invalid index: -4: ${INVALID}`],
  [{ op: 'add', path: '', value: {} }, 'add operation does not apply: doc is missing path: "": missing value'],
  [{ op: 'remove', path: '' }, 'remove operation does not apply: doc is missing path: "": missing value'],
  [{ op: 'replace', path: '', value: 1 }, 'replace operation value must be object or array'],
  [{ op: 'replace', path: '/q/r', value: 1 }, 'replace operation does not apply: doc is missing path: /q/r: missing value'],
  [{ op: 'replace', path: '/a/b/-', value: 1 }, 'replace operation does not apply: doc is missing key: /a/b/-: missing value'],
  [{ op: 'replace', path: '/a/b/3', value: 1 }, 'replace operation does not apply: doc is missing key: /a/b/3: missing value'],
  [{ op: 'move', from: '/q/r', path: '/z' }, 'move operation does not apply: doc is missing from path: /q/r: missing value'],
  [{ op: 'move', from: '/q', path: '/z' }, "error in move for path: 'q': Unable to remove nonexistent key: q: missing value"],
  [{ op: 'move', from: '/a/c~1d', path: '/q/r' }, 'move operation does not apply: doc is missing destination path: /q/r: missing value'],
  [{ op: 'copy', from: '/a/b/7', path: '/z' }, `error in copy for from: '/a/b/7': Unable to access invalid index: 7: ${INVALID}`],
  [{ op: 'copy', from: '/a/b/0', path: '/a/b/7' }, `error while adding value during copy: Unable to access invalid index: 7: ${INVALID}`],
];
for (const [operation, why] of refusedPatches) {
  test(`the JSON patch ${JSON.stringify(operation)} is refused`, () => {
    assert.throws(
      () => applyJsonPatch(base, checkJsonPatch([operation])),
      (error) => error instanceof PatchError && error.message === why,
    );
  });
}

test('a patch that is no list is malformed', () => {
  assert.throws(
    () => checkJsonPatch({ op: 'add' }),
    /^PatchSyntaxError: json: cannot unmarshal object into Go value of type \[\]handlers\.jsonPatchOp$/,
  );
});

for (const [field, value, kind] of [
  ['op', 1, 'number'],
  ['path', true, 'bool'],
  ['from', [], 'array'],
] as const) {
  test(`a JSON patch whose ${field} is no string is malformed`, () => {
    assert.throws(() => checkJsonPatch([{ op: 'add', path: '/a', [field]: value }]), {
      message: `json: cannot unmarshal ${kind} into Go struct field jsonPatchOp.${field} of type string`,
    });
  });
}

test('any JSON patch gives a result or a PatchError and leaves its target alone', () => {
  const path = fc.constantFrom('/a', '/a/b', '/a/b/0', '/a/b/-', '/a/b/x', '', '/__proto__', '/constructor/prototype', '/z/y');
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
    path,
    from: path,
    value: fc.jsonValue(),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 5 }), (patch) => {
      const before = JSON.stringify(base);
      try {
        applyJsonPatch(base, patch as never);
      } catch (error) {
        assert.ok(error instanceof PatchError, String(error));
      }
      assert.equal(JSON.stringify(base), before);
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    }),
    { numRuns: 300 },
  );
});

test('createMergePatch() makes what applyMergePatch() needs', () => {
  const plain = fc.dictionary(
    fc.string({ maxLength: 3 }),
    fc.oneof(fc.string(), fc.integer(), fc.dictionary(fc.string({ maxLength: 2 }), fc.integer())),
  );
  fc.assert(
    fc.property(plain, plain, (before, after) => {
      const patch = createMergePatch(before, after);
      assert.ok(deepEqual(patch === undefined ? before : applyMergePatch(before, patch), after));
    }),
    { numRuns: 200 },
  );
});

const pod = testSchema('v1', 'Pod');
const containers = (...list: readonly object[]) => ({ spec: { containers: list } });
const strategic: readonly (readonly [string, object, object, object])[] = [
  ['merges by key', containers({ name: 'a', image: 'i' }), containers({ name: 'a', image: 'j' }), containers({ name: 'a', image: 'j' })],
  ['puts new items first', containers({ name: 'a' }), containers({ name: 'n' }), containers({ name: 'n' }, { name: 'a' })],
  ['deletes an item', containers({ name: 'a' }, { name: 'b' }), containers({ name: 'a', $patch: 'delete' }), containers({ name: 'b' })],
  ['replaces a list', containers({ name: 'a' }), containers({ name: 'b' }, { $patch: 'replace' }), containers({ name: 'b' })],
  [
    'replaces a map',
    { metadata: { labels: { a: '1' } } },
    { metadata: { labels: { $patch: 'replace', b: '2' } } },
    { metadata: { labels: { b: '2' } } },
  ],
  [
    'removes nulls',
    { metadata: { labels: { a: '1', b: '2' } } },
    { metadata: { labels: { a: null } } },
    { metadata: { labels: { b: '2' } } },
  ],
  ['drops nulls of new values', {}, { metadata: { labels: { a: null, b: '2' } } }, { metadata: { labels: { b: '2' } } }],
  [
    'orders as told',
    containers({ name: 'a' }, { name: 's' }),
    { spec: { '$setElementOrder/containers': [{ name: 's' }, { name: 'a' }] } },
    containers({ name: 's' }, { name: 'a' }),
  ],
  [
    'deletes from a list of scalars',
    { metadata: { finalizers: ['a', 'b'] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } },
    { metadata: { finalizers: ['b'] } },
  ],
  [
    'retains keys',
    { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
    { spec: { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/' } }] } },
    { spec: { volumes: [{ name: 'v', hostPath: { path: '/' } }] } },
  ],
  ['deletes a map', { metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'delete' } } }, { metadata: { labels: {} } }],
  [
    'deletes from a list that else is replaced',
    { spec: { containers: [{ name: 'a', command: ['x', 'y'] }] } },
    { spec: { containers: [{ name: 'a', '$deleteFromPrimitiveList/command': ['y'] }] } },
    { spec: { containers: [{ name: 'a', command: ['x'] }] } },
  ],
];
for (const [what, before, patch, after] of strategic) {
  test(`a strategic patch ${what}`, () => {
    assert.deepEqual(applyStrategicPatch(before as never, patch as never, pod), after);
  });
}

const refusedStrategic: readonly (readonly [object, string, number?])[] = [
  [{ spec: { $patch: 'merge' } }, 'unknown patch type: merge in map: map[$patch:merge]'],
  [containers({ name: 'b', $patch: 'merge' }), 'merging lists cannot yet be specified in the patch'],
  [{ spec: { $retainKeys: 'name' } }, 'invalid patch format of retainKeys', 400],
  [{ spec: { $retainKeys: ['name'], nodeName: 'n' } }, 'invalid patch format of retainKeys', 400],
  [{ spec: { '$setElementOrder/containers': {} } }, 'expected a []interface {}, but received a map[string]interface {}'],
  [{ spec: { containers: ['a', {}] } }, 'list element types are not identical: [[map[name:a]] [a map[]]]'],
  [{ spec: { containers: [[]] } }, 'list element types are not identical: [[map[name:a]] [[]]]'],
  [containers({ name: 'b', $patch: 'explode' }), 'unknown patch type: explode in map: map[$patch:explode name:b]'],
  [containers({ image: 'x' }), 'map: map[image:x] does not contain declared merge key: name'],
  [
    { spec: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'b', image: 'z' }] } },
    "The order in patch list:\n[map[image:z name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
  ],
];
for (const [patch, message, status = 500] of refusedStrategic) {
  test(`the strategic patch ${JSON.stringify(patch)} is refused`, () => {
    assert.throws(
      () => applyStrategicPatch(containers({ name: 'a' }) as never, patch as never, pod),
      (error) => {
        assert.ok(error instanceof StrategicPatchError);
        assert.deepEqual([error.message, error.status], [message, status]);
        return true;
      },
    );
  });
}

test('a strategic patch merges objects only where structs are', () => {
  const before = { spec: { volumes: {} }, metadata: { labels: { a: {} } } };
  for (const [patch, message] of [
    [{ nope: { a: 1 } }, 'unable to find api field in struct Pod for the json field "nope"'],
    [{ metadata: { labels: { a: { b: '1' } } } }, 'merging an object in json but data type is not struct, instead is: map'],
  ] as const) {
    assert.throws(() => applyStrategicPatch({ ...before, nope: {} }, patch, pod), { message });
  }
});

const steps = recorded('patch/strategic-deployment');
test(`recorded strategic patches give the recorded objects${steps === undefined ? ' (skipped: no recordings)' : ''}`, {
  skip: steps === undefined,
}, () => {
  const schema = testSchemas()('apps/v1', 'Deployment');
  assert.ok(schema);
  let live: Record<string, unknown> | undefined;
  let compared = 0;
  // Those after which no defaults fill in more than the patch said.
  const plain = new Set(['env-merge', 'env-delete', 'order', 'pull-secrets', 'args', 'args-2', 'node-selector', 'node-selector-null']);
  for (const { step, answer } of steps ?? []) {
    const patch = step.request?.body;
    if (live !== undefined && patch !== undefined && step.request?.method === 'PATCH' && plain.has(step.id)) {
      assert.deepEqual(normalize(applyStrategicPatch(live, patch, schema), schema)['spec'], answer?.body?.['spec'], step.id);
      compared += 1;
    }
    if (answer !== undefined && answer.status < 300) live = answer.body;
  }
  assert.ok(compared >= 1);
});
