// SPDX-License-Identifier: Apache-2.0
// Images: pull policy, credentials, and what is cleaned away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FakeClock, silentLogger } from '#component';
import { noEvents } from '../recorder.ts';
import { FakeRuntime } from '../testing/fake-runtime.ts';
import { containerOf } from '../testing/objects.ts';
import { deadContainers } from './container-gc.ts';
import { ImageGc } from './image-gc.ts';
import { defaultPolicy, formatDuration } from './image-puller.ts';
import { credentialsFor } from './pull-secrets.ts';

test('defaultPolicy() is Always only for latest and untagged names', () => {
  const table = {
    nginx: 'Always',
    'nginx:latest': 'Always',
    'nginx:1': 'IfNotPresent',
    'host:5000/nginx': 'Always',
    'nginx@sha256:0': 'IfNotPresent',
  };
  for (const [name, wanted] of Object.entries(table)) assert.equal(defaultPolicy(name), wanted, name);
});

test('formatDuration() prints as Go does', () => {
  assert.deepEqual([0, 56, 1234, 62_500, 3_600_000].map(formatDuration), ['0s', '56ms', '1.234s', '1m2.5s', '1h0m0s']);
});

const secretOf = (auths: object) => ({ data: { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') } }) as never;

test('credentialsFor() matches the registry, the longest path first', () => {
  const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
  const secrets = [
    secretOf({
      'reg.io': auth('a:1'),
      'https://reg.io/team': auth('b:2'),
      '*.corp.io': { username: 'c', password: '3' },
      'https://index.docker.io/v1/': auth('d:4'),
    }),
  ];
  const users = (image: string) => credentialsFor(image, secrets).map((found) => found.username);
  assert.deepEqual(users('reg.io/team/app:1'), ['b', 'a']);
  assert.deepEqual(users('reg.io/other'), ['a']);
  assert.deepEqual(users('x.corp.io/app'), ['c']);
  assert.deepEqual(users('nginx'), ['d']);
  assert.deepEqual(users('else.io/nginx'), []);
});

test('whatever a pull secret holds, it gives credentials or none', () => {
  fc.assert(
    fc.property(fc.string(), fc.json(), (text, json) => {
      for (const body of [text, json])
        credentialsFor('reg.io/a', [{ data: { '.dockerconfigjson': Buffer.from(body).toString('base64') } } as never]);
    }),
  );
});

test('deadContainers() keeps the newest ended instance and those too young', () => {
  const all = ['web:1@0', 'web:1@1', 'web:1@2', 'web:running@3', 'db:0'].map((text) => containerOf(text));
  assert.deepEqual(
    deadContainers(all, 120_000).map((container) => container.id),
    ['web-1', 'web-0'],
  );
  assert.deepEqual(deadContainers(all, 100), []);
});

test('a full disk loses the images nobody uses', async () => {
  const clock = new FakeClock();
  const runtime = new FakeRuntime(clock, ['a:1', 'b:1']);
  Object.assign(runtime.images, { usage: async () => ({ usedBytes: 90, capacityBytes: 100 }) });
  const policy = { highThresholdPercent: 85, lowThresholdPercent: 80, minimumAgeMs: 0 };
  const gc = new ImageGc({ runtime, clock, logger: silentLogger, recorder: noEvents, policy, node: () => ({}) });
  runtime.containers.set('c', { ...containerOf('web:running'), imageId: 'sha256:a:1' } as never);
  const stop = new AbortController();
  const run = gc.run(stop.signal);
  await clock.advance(1);
  stop.abort();
  await run;
  assert.deepEqual([...runtime.imageList.keys()], ['a:1']);
});
