// SPDX-License-Identifier: Apache-2.0
// The simulated runtime keeps the contract, and ends containers on demand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '#component';
import { containerConfig, runtimeContract, sandboxConfig } from '../runtime.contract.ts';
import { createSimulatedRuntime } from './mod.ts';

const never = new AbortController().signal;

runtimeContract('simulated', {
  async open() {
    const runtime = createSimulatedRuntime({ clock: new FakeClock(), ips: () => '10.0.0.1' });
    await runtime.images.pull('busybox', undefined, never);
    return { runtime, image: 'busybox', logs: '/nonexistent', [Symbol.asyncDispose]: async () => {} };
  },
});

test('exitContainer() ends a container with the code given, and a Pod network has an address', async () => {
  const runtime = createSimulatedRuntime({ clock: new FakeClock(), ips: () => '10.0.0.7' });
  await runtime.images.pull('busybox', undefined, never);
  const sandbox = await runtime.runSandbox(sandboxConfig({ namespaces: { network: 'pod', pid: 'container', ipc: 'pod' } }), never);
  const id = await runtime.createContainer(sandbox.id, containerConfig('busybox'), never);
  await runtime.startContainer(id);

  runtime.exitContainer(id, 0);

  assert.deepEqual(sandbox.ips, ['10.0.0.7']);
  assert.equal(runtime.findContainer(id)?.reason, 'Completed');
});
