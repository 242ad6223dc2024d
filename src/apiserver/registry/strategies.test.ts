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

describe('a status endpoint', () => {
  const [previous, next] = [
    { metadata: { name: 'x', labels: { a: 'b' }, finalizers: ['a.b/c'] }, spec: { a: 1 } },
    { metadata: { name: 'x', labels: {}, annotations: { a: 'b' } }, spec: { a: 2 }, status: { b: 3 } },
  ];
  const written = (resource: unknown) => {
    const object = structuredClone(next) as unknown as MutableObject;
    of(resource).subresources['status']?.prepareForUpdate(object, previous as unknown as MutableObject, scope);
    return object;
  };
  const { volumeattachments, servicecidrs, apiservices, validatingadmissionpolicies, deployments, resourcequotas } = api;

  for (const resource of [volumeattachments, servicecidrs, apiservices, validatingadmissionpolicies])
    it(`keeps the metadata of ${resource.resource}`, () => {
      assert.deepEqual(written(resource).metadata, previous?.metadata);
    });

  it('keeps the labels of Deployments alone', () => {
    assert.deepEqual(written(deployments).metadata, { ...next?.metadata, labels: { a: 'b' } });
  });

  it('takes the metadata of others', () => assert.deepEqual(written(resourcequotas).metadata, next?.metadata));

  it('keeps the spec', () => {
    for (const resource of [volumeattachments, deployments, resourcequotas]) assert.deepEqual(written(resource)['spec'], { a: 1 });
  });

  it('of a Node takes no configuration', () => {
    const next = { metadata: { name: 'n' }, status: { config: {}, capacity: {} } } as unknown as MutableObject;
    of(api.nodes).subresources['status']?.prepareForUpdate(next, { metadata: { name: 'n' } } as MutableObject, scope);

    assert.deepEqual(next['status'], { capacity: {} });
  });

  it('says nothing of the spec', () => assert.equal(of(deployments).subresources['status']?.warnings, undefined));
});

describe('the time of the phase of a PersistentVolume', () => {
  const [first, second, third] = ['2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z', '2022-01-01T00:00:00Z'];
  interface Status {
    readonly phase: string;
    readonly lastPhaseTransitionTime?: string | undefined;
  }
  const at = (phase: string, lastPhaseTransitionTime?: string): Status => ({ phase, lastPhaseTransitionTime });
  const CASES: Readonly<Record<string, readonly [before: Status, sent: Status, expected: string | undefined]>> = {
    'is now where the phase changes and no time is sent': [at('Available', first), at('Bound'), third],
    'is now where the phase changes and the time does not': [at('Available', first), at('Bound', first), third],
    'is what the client says of another phase': [at('Available', first), at('Bound', second), second],
    'stays where the phase does': [at('Bound', first), at('Bound'), first],
    'is what the client says of the same phase': [at('Bound', first), at('Bound', second), second],
    'is not made up where the phase stays': [at('Bound'), at('Bound'), undefined],
  };
  for (const [what, [before, sent, expected]] of Object.entries(CASES))
    it(what, () => {
      const object = (status: Status) => ({ metadata: { name: 'v' }, spec: {}, status: { ...status } }) as unknown as MutableObject;
      const next = object(sent);
      const now = { ...(scope as object), now: Date.parse(third ?? '') } as never;
      of(api.persistentvolumes).subresources['status']?.prepareForUpdate(next, object(before), now);

      assert.equal((next['status'] as Status).lastPhaseTransitionTime, expected);
    });
});

describe('labels of an endpoint of an EndpointSlice', () => {
  const HOST = 'kubernetes.io/hostname';
  const slice = (...endpoints: object[]) =>
    ({ metadata: { name: 's' }, addressType: 'IPv4', endpoints }) as unknown as MutableObject & { endpoints: object[] };
  const before = { addresses: ['10.0.0.1'], deprecatedTopology: { [HOST]: 'n1', zone: 'z' } };
  const after = (...endpoints: object[]) => {
    const next = slice(...endpoints);
    of(api.endpointslices).prepareForUpdate(next, slice(before), scope);
    return next.endpoints;
  };

  it('stay while no endpoint changes', () => assert.deepEqual(after(structuredClone(before)), [before]));

  it('go with a change; the name of the node they told becomes the field', () => {
    const changed = { addresses: ['10.0.0.2'], deprecatedTopology: { [HOST]: 'n1' } };

    assert.deepEqual(after(changed), [{ addresses: ['10.0.0.2'], nodeName: 'n1' }]);
  });

  it('go without a trace if they tell a node that was not told before', () => {
    assert.deepEqual(after({ addresses: ['10.0.0.2'], deprecatedTopology: { [HOST]: 'n2' } }), [{ addresses: ['10.0.0.2'] }]);
  });

  it('are not taken for new slices', () => {
    const made = slice(structuredClone(before));
    of(api.endpointslices).prepareForCreate(made, scope);

    assert.deepEqual(made.endpoints, [{ addresses: ['10.0.0.1'] }]);
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
