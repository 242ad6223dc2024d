// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as api from '#api';
import { Metrics } from '#component';
import type { Resource } from '#machinery';
import { createStrategies } from './strategies.ts';
import type { MutableObject } from './strategy.ts';

const reader = { find: () => undefined, list: () => [] } as never;
const strategies = createStrategies({
  serviceClusterIpRange: '10.96.0.0/16',
  serviceNodePortRange: '30000-32767',
  reader,
  addresses: {} as never,
  pick: () => 0,
  metrics: new Metrics(),
});
const of = (resource: unknown) => strategies.strategyOf(resource as Resource);
const scope = { now: 0, reader, namespace: 'n' } as never;
const updated = (resource: unknown, previous: object, next: object) => {
  const object = structuredClone(next) as MutableObject;
  of(resource).prepareForUpdate(object, previous as MutableObject, scope);
  return object.metadata;
};

describe('the generation', () => {
  it('of an EndpointSlice counts changes of labels', () => {
    const slice = { metadata: { name: 's', generation: 3, labels: { a: 'b' } }, addressType: 'IPv4', endpoints: [] };

    assert.equal(updated(api.endpointslices, slice, { ...slice, metadata: { ...slice.metadata, labels: {} } }).generation, 4);
    assert.equal(updated(api.endpointslices, slice, { ...slice, metadata: { ...slice.metadata, annotations: { a: 'b' } } }).generation, 3);
  });

  it('of a CSIDriver begins with its first change', () => {
    const driver = { metadata: { name: 'd' }, spec: { requiresRepublish: false } };

    assert.equal(updated(api.csidrivers, driver, { ...driver, spec: { requiresRepublish: true } }).generation, 1);
    assert.equal(updated(api.csidrivers, driver, driver).generation, undefined);
  });

  it('of the template of a DaemonSet begins where its creator says', () => {
    const key = 'deprecated.daemonset.template.generation';
    const made = (annotations?: object) => {
      const set = { metadata: { name: 'd', ...(annotations && { annotations }) }, spec: {} } as unknown as MutableObject;
      of(api.daemonsets).prepareForCreate(set, scope);
      return set.metadata.annotations?.[key];
    };

    assert.deepEqual([made(), made({ [key]: '5' }), made({ [key]: '0' })], ['1', '5', '1']);
  });
});

describe('a PUT without a resourceVersion', () => {
  const { csinodes, csidrivers, csistoragecapacities, volumeattachments, leases, runtimeclasses, poddisruptionbudgets } = api;
  const { storageclasses, volumeattributesclasses, priorityclasses, resourceslices, ipaddresses, flowschemas } = api;
  for (const resource of [csinodes, csidrivers, csistoragecapacities, volumeattachments, leases, runtimeclasses, poddisruptionbudgets])
    it(`is refused for ${resource.resource}`, () => assert.equal(of(resource).allowUnconditionalUpdate, false));
  for (const resource of [storageclasses, volumeattributesclasses, priorityclasses, resourceslices, ipaddresses, flowschemas])
    it(`is taken for ${resource.resource}`, () => assert.equal(of(resource).allowUnconditionalUpdate, true));
});
