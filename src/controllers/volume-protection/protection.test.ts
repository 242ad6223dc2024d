// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#api/core/v1';
import { persistentvolumeclaims, persistentvolumes, pods, volumeattributesclasses } from '#api/resources';
import type { Draft } from '#machinery';
import { Lab } from '../_harness.ts';

const KEY = { namespace: 'default', name: 'data' };
const protectedClaim = (spec: object = {}) =>
  ({ metadata: { ...KEY, finalizers: ['kubernetes.io/pvc-protection'] }, spec }) as unknown as Draft<PersistentVolumeClaim>;
const user = (nodeName?: string) =>
  ({
    metadata: { namespace: 'default', name: 'user' },
    spec: { containers: [], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }], ...(nodeName ? { nodeName } : {}) },
  }) as unknown as Draft<Pod>;

test('a claim in use stays until its last Pod is gone', async () => {
  await using lab = new Lab(['persistentvolumeclaim-protection-controller']);
  lab.api.seed(persistentvolumeclaims, protectedClaim());
  lab.api.seed(pods, user('node'));
  await lab.api.delete(persistentvolumeclaims, KEY);
  await lab.settle();
  assert.deepEqual(lab.api.peek(persistentvolumeclaims, KEY)?.metadata.finalizers, ['kubernetes.io/pvc-protection']);

  await lab.api.delete(pods, { namespace: 'default', name: 'user' }, { gracePeriodSeconds: 0 });
  await lab.settle();
  assert.equal(lab.api.peek(persistentvolumeclaims, KEY), undefined);
});

test('a claim that only a Pod without a node names goes at once', async () => {
  await using lab = new Lab(['persistentvolumeclaim-protection-controller']);
  lab.api.seed(persistentvolumeclaims, protectedClaim());
  lab.api.seed(pods, user());
  await lab.api.delete(persistentvolumeclaims, KEY);
  await lab.settle();
  assert.equal(lab.api.peek(persistentvolumeclaims, KEY), undefined);
});

test('a claim without protection is given it', async () => {
  await using lab = new Lab(['persistentvolumeclaim-protection-controller']);
  lab.api.seed(persistentvolumeclaims, { ...protectedClaim(), metadata: KEY });
  await lab.settle();
  assert.deepEqual(lab.api.peek(persistentvolumeclaims, KEY)?.metadata.finalizers, ['kubernetes.io/pvc-protection']);
});

test('a volume stays while it is bound', async () => {
  await using lab = new Lab(['persistentvolume-protection-controller']);
  const volume = (name: string, phase: string) =>
    ({
      metadata: { name, finalizers: ['kubernetes.io/pv-protection'] },
      spec: {},
      status: { phase },
    }) as unknown as Draft<PersistentVolume>;
  lab.api.seed(persistentvolumes, volume('bound', 'Bound'), volume('free', 'Available'));
  await lab.api.delete(persistentvolumes, { name: 'bound' });
  await lab.api.delete(persistentvolumes, { name: 'free' });
  await lab.settle();
  assert.notEqual(lab.api.peek(persistentvolumes, { name: 'bound' }), undefined);
  assert.equal(lab.api.peek(persistentvolumes, { name: 'free' }), undefined);
});

test('a volume attributes class stays while a claim names it', async () => {
  await using lab = new Lab(['volumeattributesclass-protection-controller']);
  const fast = { name: 'fast' };
  lab.api.seed(volumeattributesclasses, { metadata: { ...fast, finalizers: ['kubernetes.io/vac-protection'] }, driverName: 'd' });
  lab.api.seed(persistentvolumeclaims, protectedClaim({ volumeAttributesClassName: 'fast' }));
  await lab.api.delete(volumeattributesclasses, fast);
  await lab.settle();
  assert.notEqual(lab.api.peek(volumeattributesclasses, fast), undefined);

  await lab.api.patch(persistentvolumeclaims, KEY, 'merge', { spec: { volumeAttributesClassName: null } });
  await lab.settle();
  assert.equal(lab.api.peek(volumeattributesclasses, fast), undefined);
});
