// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '#api/core/v1';
import type { ServiceAllocator } from '../service-allocation.ts';
import type { MutableObject, RequestScope } from '../strategy.ts';
import { type IpFamily, initFamilies } from './service-families.ts';
import { serviceStrategy } from './services.ts';

const strategy = serviceStrategy({ families: ['IPv4'] } as unknown as ServiceAllocator);

function serviceOf(spec: object): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'd' }, spec } as unknown as Service;
}

/** What is left of `next` as an update of `previous`, before addresses and ports are taken. */
function updated(previous: object, next: object): Service['spec'] {
  const service = serviceOf(structuredClone(next));
  strategy.prepareForUpdate(service as unknown as MutableObject, serviceOf(previous) as never, {} as RequestScope);
  return service.spec;
}

const nodePorts = ({ ports }: Service['spec']) => (ports ?? []).map(({ nodePort }) => nodePort);
const port = (name: string, number: number, nodePort?: number) => ({ name, port: number, ...(nodePort === undefined ? {} : { nodePort }) });

describe('an update of a Service', () => {
  test('inherits node ports by the name of the port, unless they were given to another', () => {
    const had = { type: 'NodePort', ports: [port('a', 80, 30080), port('b', 81, 30081)] };

    assert.deepEqual(nodePorts(updated(had, { type: 'NodePort', ports: [port('b', 8081), port('a', 8080)] })), [30081, 30080]);
    assert.deepEqual(nodePorts(updated(had, { type: 'NodePort', ports: [port('a', 80), port('c', 82, 30080)] })), [undefined, 30080]);
    assert.deepEqual(nodePorts(updated(had, { type: 'LoadBalancer', ports: [port('c', 80)] })), [undefined]);
  });

  test('that takes the type away takes what it had, unless something was added', () => {
    const had = { type: 'NodePort', ports: [port('a', 80, 30080), port('b', 81, 30081)] };

    assert.deepEqual(nodePorts(updated(had, { type: 'ClusterIP', ports: [port('a', 80, 30080)] })), [undefined]);
    assert.deepEqual(nodePorts(updated(had, { type: 'ClusterIP', ports: [port('a', 80, 30082)] })), [30082]);
  });

  test('that takes the last external address takes the policy for external traffic', () => {
    const had = { type: 'ClusterIP', clusterIP: '10.0.0.1', externalIPs: ['1.2.3.4'], externalTrafficPolicy: 'Cluster' };

    assert.equal(updated(had, { ...had, externalIPs: [] }).externalTrafficPolicy, undefined);
    assert.equal(updated(had, had).externalTrafficPolicy, 'Cluster');
  });

  test('inherits addresses; another first address takes the place of all', () => {
    const had = { type: 'ClusterIP', clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] };
    const addresses = (next: object) => updated(had, next).clusterIPs;

    assert.deepEqual(addresses({ type: 'ClusterIP' }), ['10.0.0.1', 'fd00::1']);
    assert.deepEqual(addresses({ type: 'ClusterIP', clusterIP: '10.0.0.2' }), ['10.0.0.2']);
    assert.deepEqual(addresses({ type: 'ClusterIP', clusterIP: '10.0.0.2', clusterIPs: ['10.0.0.3'] }), ['10.0.0.3']);
    assert.equal(addresses({ type: 'ExternalName', clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] }), undefined);
  });
});

describe('initFamilies()', () => {
  const BOTH: readonly IpFamily[] = ['IPv4', 'IPv6'];
  const filled = (spec: object, families: readonly IpFamily[], previous?: object) => {
    const service = serviceOf({ type: 'ClusterIP', ...spec });
    const causes = initFamilies(service, previous as Service['spec'] | undefined, families);
    const { ipFamilies, ipFamilyPolicy } = service.spec;
    return causes.length > 0 ? causes.map(({ field, message }) => `${field}: ${message}`) : [ipFamilyPolicy, ...(ipFamilies ?? [])];
  };

  for (const [what, spec, families, expected] of [
    ['nothing, one family', {}, ['IPv6'], ['SingleStack', 'IPv6']],
    ['nothing, two families', {}, BOTH, ['SingleStack', 'IPv4']],
    ['a preference that cannot be met', { ipFamilyPolicy: 'PreferDualStack' }, ['IPv4'], ['PreferDualStack', 'IPv4']],
    [
      'a preference that can be met',
      { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] },
      BOTH,
      ['PreferDualStack', 'IPv6', 'IPv4'],
    ],
    ['an address of the second family', { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] }, BOTH, ['SingleStack', 'IPv6']],
    ['no address and no selector', { clusterIP: 'None', clusterIPs: ['None'] }, ['IPv4'], ['RequireDualStack', 'IPv4', 'IPv6']],
    ['no address with a selector', { clusterIP: 'None', clusterIPs: ['None'], selector: { a: 'b' } }, BOTH, ['SingleStack', 'IPv4']],
    ['an external name', { type: 'ExternalName' }, BOTH, [undefined]],
    [
      'a demand that cannot be met',
      { ipFamilyPolicy: 'RequireDualStack' },
      ['IPv4'],
      ['spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'],
    ],
    [
      'a family there is not',
      { ipFamilies: ['IPv6'] },
      ['IPv4'],
      ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    ],
  ] as const) {
    test(`of ${what}`, () => {
      assert.deepEqual(filled(spec, families), expected);
    });
  }

  test('goes to one family where that is said, and asks for it where it is not', () => {
    const had = { type: 'ClusterIP', clusterIPs: ['10.0.0.1', 'fd00::1'], ipFamilies: BOTH, ipFamilyPolicy: 'RequireDualStack' };
    const first = { clusterIP: '10.0.0.1' };

    assert.deepEqual(filled({ ...had, ...first, ipFamilyPolicy: 'SingleStack' }, BOTH, had), ['SingleStack', 'IPv4']);
    assert.deepEqual(filled({ ...first, clusterIPs: ['10.0.0.1'], ipFamilies: ['IPv4'] }, BOTH, had), [
      `spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be 'SingleStack' to release the secondary cluster IP`,
      `spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be 'SingleStack' to release the secondary IP family`,
    ]);
  });

  test('leaves a preference alone that nobody changes, whatever the cluster has now', () => {
    const had = {
      type: 'ClusterIP',
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'PreferDualStack',
    };

    assert.deepEqual(filled(had, BOTH, had), ['PreferDualStack', 'IPv4']);
    assert.deepEqual(filled({ ...had, type: 'NodePort' }, BOTH, had), ['PreferDualStack', 'IPv4', 'IPv6']);
  });
});
