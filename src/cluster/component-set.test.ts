// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { settle, silentLogger } from '#component';
import { ComponentSet, type ComponentSpec } from './component-set.ts';
import { askControl, serveControl } from './control-socket.ts';

function recorded(name: string, log: string[]): ComponentSpec {
  return {
    name,
    async run(signal) {
      log.push(`${name} runs`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      log.push(`${name} drained`);
    },
  };
}

test('stopAll() stops in the reverse order, each after the other has drained', async () => {
  const log: string[] = [];
  const set = new ComponentSet([recorded('a', log), recorded('b', log)], silentLogger);

  set.startAll();
  await set.stopAll();

  assert.deepEqual(log, ['a runs', 'b runs', 'b drained', 'a drained']);
  assert.deepEqual(set.states, { a: 'stopped', b: 'stopped' });
});

test('a component that throws shows as failed and can be started again', async () => {
  let attempts = 0;
  const flaky: ComponentSpec = {
    name: 'flaky',
    async run(signal) {
      attempts += 1;
      if (attempts === 1) throw new Error('first time');
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  };
  const set = new ComponentSet([flaky], silentLogger);

  void set.start('flaky');
  await settle();
  assert.equal(set.states['flaky'], 'failed');
  void set.start('flaky');
  assert.equal(set.states['flaky'], 'running');
  await set.stop('flaky');
  assert.equal(set.states['flaky'], 'stopped');
});

test('the control socket starts, stops and reports, and answers nonsense with an error', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sagong-control-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'x.sock');
  const set = new ComponentSet([recorded('kubelet', [])], silentLogger);
  await using _server = await serveControl(path, set);

  assert.deepEqual((await askControl(path, { op: 'start', component: 'kubelet' })).components, { kubelet: 'running' });
  assert.deepEqual((await askControl(path, { op: 'stop', component: 'kubelet' })).components, { kubelet: 'stopped' });
  await assert.rejects(askControl(path, { op: 'stop', component: 'nothing' }), /there is no component "nothing"/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  for (const nonsense of ['\n', '{"op":"reboot"}\n', '[]\n', '{"op":\n']) assert.match(await send(path, nonsense), /"error"/);
});

test('askControl() says that the process does not run when nobody listens', async () => {
  await assert.rejects(askControl(join(tmpdir(), 'no-such.sock'), { op: 'status' }), /does not run/);
});

function send(path: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(text));
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
    });
    socket.on('end', () => resolve(received));
    socket.on('error', reject);
  });
}

test('start() of a component that announces itself waits until it works, and tells why it does not', async () => {
  const gate = Promise.withResolvers<void>();
  const slow: ComponentSpec = {
    name: 'slow',
    announces: true,
    async run(signal, ready) {
      await gate.promise;
      ready();
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  };
  const broken: ComponentSpec = { name: 'broken', announces: true, run: () => Promise.reject(new Error('no such file')) };
  const set = new ComponentSet([slow, broken], silentLogger);
  let works = false;
  const started = set.start('slow').then(() => {
    works = true;
  });

  await assert.rejects(set.start('broken'), /broken failed: no such file/);
  assert.equal(works, false);
  gate.resolve();
  await started;
  await set.stopAll();
});
