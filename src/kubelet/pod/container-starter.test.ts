// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container } from '#runtime';
import { pidTargetOf } from './container-starter.ts';
import type { EphemeralSpec } from './pod.ts';

const observed = (state: Container['state']) => ({
  sandboxes: [],
  containers: [],
  byName: new Map([['app', [{ id: 'id-of-app', state } as Container]]]),
});
const ephemeral = (targetContainerName?: string) => ({ name: 'debugger', targetContainerName }) as EphemeralSpec;

test('an ephemeral container joins the processes of the container it targets', () => {
  assert.deepEqual(pidTargetOf(ephemeral('app'), observed('running')), { pidTarget: 'id-of-app' });
  assert.deepEqual(pidTargetOf(ephemeral(), observed('running')), {});
});

test('a target that does not run or is not there is refused', () => {
  assert.throws(() => pidTargetOf(ephemeral('app'), observed('exited')), /unable to find target container app/);
  assert.throws(() => pidTargetOf(ephemeral('other'), observed('running')), /unable to find target container other/);
});
