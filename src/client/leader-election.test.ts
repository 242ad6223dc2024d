// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases } from '#api/resources';
import { FakeClock, settle, silentLogger } from '#component';
import { LeaderElector, LeadershipLostError } from './leader-election.ts';
import { FakeApi } from './testing/mod.ts';

const lease = { namespace: 'kube-system', name: 'c' };

function elector(api: FakeApi, clock: FakeClock, identity: string) {
  const events: string[] = [];
  const lead = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      events.push('lead');
      signal.addEventListener('abort', () => {
        events.push('stop');
        resolve();
      });
    });
  return { events, elector: new LeaderElector({ client: api, ...lease, identity, lead, clock, logger: silentLogger, random: () => 0 }) };
}

test('one leads, the other takes over when the lease is given back', async () => {
  const clock = new FakeClock();
  const api = new FakeApi({ clock });
  const [a, b] = [elector(api, clock, 'a'), elector(api, clock, 'b')];
  const [stopA, stopB] = [new AbortController(), new AbortController()];
  const runA = a.elector.run(stopA.signal);
  await settle();
  const runB = b.elector.run(stopB.signal);
  await clock.advance(30_000);
  assert.deepEqual([a.events, b.events], [['lead'], []]);

  stopA.abort();
  await runA;
  await clock.advance(4400);

  assert.deepEqual([a.events, b.events], [['lead', 'stop'], ['lead']]);
  assert.equal(api.peek(leases, lease)?.spec.leaseTransitions, 1);
  stopB.abort();
  await runB;
  assert.equal(api.peek(leases, lease)?.spec.holderIdentity, '');
});

test('a leader that cannot renew stops before the lease can be taken', async () => {
  const clock = new FakeClock();
  const api = new FakeApi({ clock });
  const a = elector(api, clock, 'a');
  const run = a.elector.run(new AbortController().signal);
  const ended = assert.rejects(run, LeadershipLostError);
  await clock.advance(1000);
  using _off = api.intercept(() => new Error('down'));

  await clock.advance(13_000);

  assert.deepEqual(a.events, ['lead', 'stop']);
  await ended;
});

test('a lease of a silent holder is taken after its duration, by the own clock', async () => {
  const clock = new FakeClock();
  const spec = { holderIdentity: 'gone', leaseDurationSeconds: 15, renewTime: '2001-01-01T00:00:00.000000Z', leaseTransitions: 4 };
  const api = new FakeApi({ clock, objects: [{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: lease, spec } as object] });
  const a = elector(api, clock, 'a');
  const stop = new AbortController();
  const run = a.elector.run(stop.signal);

  await clock.advance(14_000);
  assert.deepEqual(a.events, []);
  await clock.advance(4000);

  assert.deepEqual(a.events, ['lead']);
  assert.equal(api.peek(leases, lease)?.spec.leaseTransitions, 5);
  stop.abort();
  await run;
});
