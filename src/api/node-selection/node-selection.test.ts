// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeSelectorRequirement, PodSpec, Taint, Toleration } from '../generated/core/v1.ts';
import { requiredNodes, tolerates, untolerated } from './mod.ts';

const taint: Taint = { key: 'k', value: 'v', effect: 'NoExecute' };
const TOLERATIONS: readonly (readonly [toleration: Toleration, tolerated: boolean])[] = [
  [{ operator: 'Exists' }, true],
  [{ key: 'k', operator: 'Exists' }, true],
  [{ key: 'k', value: 'v' }, true],
  [{ key: 'k', operator: 'Equal', value: 'w' }, false],
  [{ key: 'j', operator: 'Exists' }, false],
  [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }, false],
];
for (const [toleration, tolerated] of TOLERATIONS) {
  test(`tolerates() is ${tolerated} for ${JSON.stringify(toleration)}`, () => {
    assert.equal(tolerates(toleration, taint), tolerated);
  });
}

test('untolerated() looks at the effects that it is asked about', () => {
  const soft: Taint = { key: 'soft', effect: 'PreferNoSchedule' };

  assert.equal(untolerated([soft, taint], [], ['NoExecute']), taint);
  assert.equal(untolerated([soft, taint], [{ key: 'k', operator: 'Exists' }], ['NoExecute']), undefined);
});

const NODE = { disk: 'ssd', cores: '8', zone: '' };
const REQUIREMENTS: readonly (readonly [requirement: NodeSelectorRequirement, fits: boolean])[] = [
  [{ key: 'disk', operator: 'In', values: ['hdd', 'ssd'] }, true],
  [{ key: 'rack', operator: 'In', values: ['a'] }, false],
  [{ key: 'disk', operator: 'NotIn', values: ['ssd'] }, false],
  [{ key: 'rack', operator: 'NotIn', values: ['a'] }, true],
  [{ key: 'zone', operator: 'Exists' }, true],
  [{ key: 'rack', operator: 'DoesNotExist' }, true],
  [{ key: 'cores', operator: 'Gt', values: ['7'] }, true],
  [{ key: 'cores', operator: 'Lt', values: ['8'] }, false],
  [{ key: 'disk', operator: 'Gt', values: ['1'] }, false],
];
const affine = (...nodeSelectorTerms: object[]) =>
  ({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } } }) as unknown as PodSpec;

for (const [requirement, fits] of REQUIREMENTS) {
  test(`a node with ${JSON.stringify(NODE)} ${fits ? 'fits' : 'does not fit'} ${JSON.stringify(requirement)}`, () => {
    assert.equal(requiredNodes(affine({ matchExpressions: [requirement] }))?.('n', NODE), fits);
  });
}

test('any term will do, a term without requirements is for no node, and all of one term count', () => {
  const disk = { key: 'disk', operator: 'In', values: ['ssd'] };
  const named = { key: 'metadata.name', operator: 'In', values: ['n'] };
  const fits = (...terms: object[]) => requiredNodes(affine(...terms))?.('n', NODE);

  assert.equal(fits({}), false);
  assert.equal(fits({}, { matchExpressions: [disk] }), true);
  assert.equal(fits({ matchExpressions: [disk], matchFields: [{ ...named, values: ['m'] }] }), false);
  assert.equal(fits({ matchExpressions: [disk], matchFields: [named] }), true);
});

test('nodeSelector counts beside the affinity; a Pod that asks for nothing has no matcher', () => {
  const spec = (nodeSelector: Record<string, string>) => ({ nodeSelector }) as unknown as PodSpec;

  assert.equal(requiredNodes(spec({ disk: 'ssd' }))?.('n', NODE), true);
  assert.equal(requiredNodes(spec({ disk: 'hdd' }))?.('n', NODE), false);
  assert.equal(requiredNodes(spec({})), undefined);
});
