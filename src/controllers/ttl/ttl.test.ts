// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes } from '#api/resources';
import { Lab } from '../_harness.ts';
import { nextStep } from './mod.ts';

test('steps go up beyond their most and down below their least, one at a time', () => {
  assert.deepEqual([nextStep(0, 100), nextStep(0, 101), nextStep(0, 5000)], [0, 1, 1]);
  assert.deepEqual([nextStep(1, 90), nextStep(1, 89), nextStep(1, 501)], [1, 0, 2]);
  assert.deepEqual([nextStep(5, 100_000), nextStep(5, 8_999)], [5, 4]);
});

const ttlOf = (lab: Lab, name: string) => lab.api.peek(nodes, { name })?.metadata.annotations?.['node.alpha.kubernetes.io/ttl'];

test('a node says how long things may be kept, and a later one of many longer', async () => {
  await using lab = new Lab(['ttl-controller']);
  for (let index = 1; index <= 100; index++) await lab.api.create(nodes, { metadata: { name: `n${index}` } });
  await lab.settle();
  assert.equal(ttlOf(lab, 'n1'), '0');

  await lab.api.create(nodes, { metadata: { name: 'n101' } });
  await lab.settle();

  assert.equal(ttlOf(lab, 'n101'), '15');
});
