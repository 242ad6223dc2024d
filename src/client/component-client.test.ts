// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FlagError, parseFlags } from '#component';
import { CLIENT_FLAGS, connectComponent } from './component-client.ts';

const connect = (...args: string[]) => connectComponent('kube-scheduler', parseFlags('kube-scheduler', args, CLIENT_FLAGS));

test('a component needs to be told where the API server is, and cannot have a port of its own', () => {
  assert.throws(() => connect(), new FlagError('flag --kubeconfig is required: it says how to reach the API server'));
  assert.throws(
    () => connect('--secure-port=10259'),
    new FlagError("flag --secure-port: sagong's kube-scheduler has no server of its own: leave it out or give 0"),
  );
});
