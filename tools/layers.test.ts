// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { importsOf, judge, LAYERS } from './layers.ts';
import { functionsOf } from './measure.ts';

test('importsOf() finds static, type and dynamic imports and re-exports', () => {
  const text =
    "import { a } from '#store';\nimport type { B } from '#api/core/v1';\nexport * from './c.ts';\nconst d = await import('#client');\n";

  assert.deepEqual(
    importsOf('x.ts', text).map(({ from, typeOnly }) => [from, typeOnly]),
    [
      ['#store', false],
      ['#api/core/v1', true],
      ['./c.ts', false],
      ['#client', false],
    ],
  );
});

const cases: readonly [from: string, file: string, allowed: boolean][] = [
  ['#store', 'apiserver/server.ts', true],
  ['#store', 'controllers/mod.ts', false],
  ['#machinery', 'store/store.ts', true],
  ['#apiserver', 'client/mod.ts', false],
  ['../store/store.ts', 'apiserver/server.ts', false],
  ['../cacher/cacher.ts', 'apiserver/handlers/get.ts', true],
  ['#kubelet', 'cluster/agent.ts', true],
  ['node:fs', 'kubelet/kubelet.ts', true],
];

for (const [from, file, allowed] of cases) {
  test(`judge() ${allowed ? 'allows' : 'refuses'} ${from} in ${file}`, () => {
    assert.equal(judge({ file, from, typeOnly: false }) === undefined, allowed);
  });
}

test('the layer table has no cycle', () => {
  const visit = (folder: string, path: readonly string[]): void => {
    assert.ok(!path.includes(folder) || (path.includes('network') && path.includes('runtime')), [...path, folder].join(' -> '));
    if (path.includes(folder)) return;
    for (const next of LAYERS[folder] ?? []) visit(next, [...path, folder]);
  };
  for (const folder of Object.keys(LAYERS)) visit(folder, []);
});

test('functionsOf() counts functions and methods, not control flow', () => {
  const text = 'export function a(): void {\n  if (x) {\n    y();\n  }\n}\n\nclass B {\n  #c(): void {\n    z();\n  }\n}\n';

  assert.deepEqual(functionsOf(text), [
    { name: 'a', lines: 5 },
    { name: '#c', lines: 3 },
  ]);
});
