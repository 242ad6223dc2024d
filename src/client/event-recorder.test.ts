// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { events } from '#api/resources';
import { FakeClock, settle, silentLogger } from '#component';
import { TransportError } from './client.ts';
import { EventRecorder } from './event-recorder.ts';
import { FakeApi } from './testing/mod.ts';

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'default', name: 'a', uid: 'u', resourceVersion: '5', creationTimestamp: '' },
};

function setUp() {
  const clock = new FakeClock();
  const api = new FakeApi({ clock });
  const recorder = new EventRecorder({ client: api, component: 'kubelet', host: 'n1', logger: silentLogger, clock });
  const stop = new AbortController();
  return { clock, api, recorder, stop, running: recorder.run(stop.signal) };
}

test('event() writes an Event, and the same again raises its count', async () => {
  const { clock, api, recorder, stop, running } = setUp();
  recorder.event(pod, 'Normal', 'Started', 'Started container c', { fieldPath: 'spec.containers{c}' });
  await settle();
  await clock.advance(60_000);
  recorder.event(pod, 'Normal', 'Started', 'Started container c', { fieldPath: 'spec.containers{c}' });
  stop.abort();
  await running;

  const [event, ...others] = api.peekAll(events);

  assert.equal(others.length, 0);
  assert.equal(event?.count, 2);
  assert.match(event?.metadata.name ?? '', /^a\.[0-9a-f]+$/);
  assert.deepEqual(event?.involvedObject, {
    kind: 'Pod',
    namespace: 'default',
    name: 'a',
    uid: 'u',
    apiVersion: 'v1',
    resourceVersion: '5',
    fieldPath: 'spec.containers{c}',
  });
  assert.deepEqual([event?.source, event?.reportingComponent], [{ component: 'kubelet', host: 'n1' }, 'kubelet']);
  assert.notEqual(event?.firstTimestamp, event?.lastTimestamp);
});

test('an object that says too much is cut off after 25', async () => {
  const { api, recorder, stop, running } = setUp();
  for (let index = 0; index < 40; index++) recorder.event(pod, 'Warning', `Reason${index}`, 'm');
  stop.abort();
  await running;

  assert.equal(api.peekAll(events).length, 25);
});

test('events that differ only in their message are combined from the tenth on', async () => {
  const { api, recorder, stop, running } = setUp();
  for (let index = 0; index < 12; index++) recorder.event(pod, 'Warning', 'Failed', `m${index}`);
  stop.abort();
  await running;

  const combined = api.peekAll(events).filter(({ message }) => message?.startsWith('(combined from similar events): '));
  assert.equal(combined.length, 1);
  assert.equal(combined[0]?.count, 3);
});

test('a server that cannot be reached is tried again', async () => {
  const { clock, api, recorder, stop, running } = setUp();
  const off = api.intercept(() => new TransportError('refused'));
  recorder.event(pod, 'Normal', 'R', 'm');
  await clock.advance(5000);
  off[Symbol.dispose]();

  await clock.advance(10_000);

  assert.equal(api.peekAll(events).length, 1);
  stop.abort();
  await running;
});
