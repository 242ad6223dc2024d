// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leases } from '#api';
import { FakeApi } from '#client/testing';
import { FakeClock, silentLogger } from '#component';
import { identityOf, keepIdentityLease } from './identity-lease.ts';

test('the identity is a lower-case hash that differs by host', () => {
  assert.match(identityOf('one'), /^apiserver-[a-z2-7]{26}$/);
  assert.notEqual(identityOf('one'), identityOf('two'));
});

test('the lease is renewed, and those of servers long gone are swept away', async () => {
  const clock = new FakeClock();
  const client = new FakeApi({ clock });
  const stop = new AbortController();
  const ref = { namespace: 'kube-system', name: identityOf('here') };
  const gone = { namespace: 'kube-system', name: identityOf('gone') };
  client.seed(leases, {
    metadata: { ...gone, labels: { 'apiserver.kubernetes.io/identity': 'kube-apiserver' } },
    spec: { holderIdentity: 'x', leaseDurationSeconds: 3600, renewTime: new Date(clock.now()).toISOString().replace('Z', '000Z') },
  });
  const running = keepIdentityLease({ client, clock, logger: silentLogger, hostname: 'here' }, stop.signal);
  await clock.advance(0);
  const first = client.peek(leases, ref);
  assert.deepEqual(first?.metadata.labels, { 'apiserver.kubernetes.io/identity': 'kube-apiserver', 'kubernetes.io/hostname': 'here' });
  assert.equal(first?.spec?.leaseDurationSeconds, 3600);

  await clock.advance(10_000);
  const second = client.peek(leases, ref);
  assert.notEqual(second?.spec?.renewTime, first?.spec?.renewTime);
  assert.equal(second?.spec?.holderIdentity, first?.spec?.holderIdentity);
  assert.notEqual(client.peek(leases, gone), undefined);

  for (let minute = 0; minute <= 120; minute++) await clock.advance(60_000);
  assert.equal(client.peek(leases, gone), undefined);
  assert.notEqual(client.peek(leases, ref), undefined);
  stop.abort();
  await running;
});
