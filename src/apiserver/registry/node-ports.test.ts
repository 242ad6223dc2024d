// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Service } from '#api/core/v1';
import { Metrics } from '#component';
import { ApiError } from '#machinery';
import { AllocationMetrics } from '../metrics/allocation-metrics.ts';
import { createNodePorts, NodePorts, updateNodePorts } from './node-ports.ts';

type Ports = readonly [port: number, protocol: string, nodePort?: number][];

function serviceOf(ports: Ports, spec: object = {}): Service {
  const listed = ports.map(([port, protocol, nodePort]) => ({
    name: `${protocol}-${port}`,
    port,
    protocol,
    ...(nodePort ? { nodePort } : {}),
  }));
  return { metadata: { name: 's' }, spec: { type: 'NodePort', ports: listed, ...spec } } as unknown as Service;
}

/** Hands out 100, 101, …; 150 is taken by another Service. */
const portsWith = (used: readonly number[]) =>
  new NodePorts({ first: 100, last: 199, used: () => used, pick: () => 0, metrics: new AllocationMetrics(new Metrics()) });
const operation = (used: readonly number[] = [150]) => portsWith(used).operation(false);
const nodePorts = ({ spec }: Service) => (spec.ports ?? []).map(({ nodePort }) => nodePort);

function refusal(call: () => void): string {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof ApiError);
    const { code, details } = error.status;
    return `${code} ${code === 422 ? details?.causes?.map(({ field, message }) => `${field}: ${message}`).join() : error.message}`;
  }
  return 'none';
}

describe('createNodePorts()', () => {
  const made = (ports: Ports, spec?: object) => {
    const service = serviceOf(ports, spec);
    createNodePorts(service, operation());
    return nodePorts(service);
  };

  test('gives ports of one number one node port, whatever their protocols, and looks ahead for one that is asked for', () => {
    assert.deepEqual(
      made([
        [53, 'TCP'],
        [80, 'TCP'],
        [53, 'UDP'],
      ]),
      [100, 101, 100],
    );
    assert.deepEqual(
      made([
        [53, 'TCP'],
        [53, 'UDP', 120],
      ]),
      [120, 120],
    );
    assert.deepEqual(
      made([
        [53, 'TCP', 120],
        [53, 'UDP', 121],
      ]),
      [120, 121],
    );
  });

  test('gives none where a load balancer wants none, but takes those that are asked for', () => {
    assert.deepEqual(
      made(
        [
          [80, 'TCP'],
          [443, 'TCP', 120],
        ],
        { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false },
      ),
      [undefined, 120],
    );
    assert.deepEqual(made([[80, 'TCP']], { type: 'ClusterIP' }), [undefined]);
  });

  test('refuses what is taken, out of range, or asked for by ports of two numbers', () => {
    const refused = (ports: Ports) => refusal(() => createNodePorts(serviceOf(ports), operation()));
    const taken = 'Invalid value: 150: provided port is already allocated';
    assert.equal(refused([[80, 'TCP', 150]]), `422 spec.ports[0].nodePort: ${taken}`);
    assert.equal(
      refused([
        [80, 'TCP', 120],
        [81, 'UDP', 120],
      ]),
      `422 spec.ports[1].nodePort: ${taken.replace('150', '120')}`,
    );
    assert.equal(
      refused([[80, 'TCP', 99]]),
      '422 spec.ports[0].nodePort: Invalid value: 99: provided port is not in the valid range. The range of valid ports is 100-199',
    );
  });

  test('takes a port for health checks', () => {
    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
    const service = serviceOf([[80, 'TCP']], local);
    createNodePorts(service, operation());

    assert.deepEqual([nodePorts(service), service.spec.healthCheckNodePort], [[100], 101]);
    assert.equal(
      refusal(() => createNodePorts(serviceOf([], { ...local, healthCheckNodePort: 150 }), operation())),
      '500 Internal error occurred: failed to allocate requested HealthCheck NodePort 150: provided port is already allocated',
    );
  });

  test('tells when there are no more', () => {
    const all = Array.from({ length: 100 }, (_, index) => 100 + index);

    assert.equal(
      refusal(() => createNodePorts(serviceOf([[80, 'TCP']]), operation(all))),
      '500 Internal error occurred: failed to allocate a nodePort: range is full',
    );
  });
});

describe('updateNodePorts()', () => {
  const changed = (next: Service, previous: Service) => {
    updateNodePorts(next, previous, operation());
    return nodePorts(next);
  };

  test('gives every port without a node port one of its own, and keeps those the Service had', () => {
    assert.deepEqual(
      changed(
        serviceOf([
          [53, 'TCP'],
          [53, 'UDP'],
        ]),
        serviceOf([[80, 'TCP', 150]]),
      ),
      [100, 101],
    );
    assert.deepEqual(changed(serviceOf([[81, 'TCP', 150]]), serviceOf([[80, 'TCP', 150]])), [150]);
    assert.deepEqual(
      changed(
        serviceOf([
          [80, 'TCP', 120],
          [81, 'UDP', 120],
        ]),
        serviceOf([]),
      ),
      [120, 120],
    );
  });

  test('refuses one node port for two ports of a protocol, as no validation', () => {
    const next = serviceOf([
      [80, 'TCP', 120],
      [81, 'TCP', 120],
    ]);

    assert.equal(
      refusal(() => updateNodePorts(next, serviceOf([]), operation())),
      '500 duplicate nodePort: {TCP 120}',
    );
  });

  test('takes a port for health checks once they are needed', () => {
    const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', allocateLoadBalancerNodePorts: false };
    const next = serviceOf([[80, 'TCP']], local);
    changed(next, serviceOf([[80, 'TCP']], { type: 'LoadBalancer' }));
    assert.equal(next.spec.healthCheckNodePort, 100);

    const again = serviceOf([[80, 'TCP']], { ...local, healthCheckNodePort: 150 });
    changed(again, again);
    assert.equal(again.spec.healthCheckNodePort, 150);
  });
});

test('an operation holds its ports until it is finished', () => {
  const ports = portsWith([]);
  const first = ports.operation(false);
  assert.equal(first.take(120), undefined);
  assert.equal(ports.operation(false).take(120), 'provided port is already allocated');

  first.finish();

  assert.equal(ports.operation(false).take(120), undefined);
});

describe('a dry run', () => {
  test('makes ports up, and holds none', () => {
    const ports = portsWith([]);
    const service = serviceOf([
      [80, 'TCP'],
      [81, 'TCP'],
    ]);
    createNodePorts(service, ports.operation(true));

    assert.deepEqual(nodePorts(service), [32_769, 32_770]);
    const asked = serviceOf([
      [80, 'TCP', 120],
      [81, 'TCP'],
    ]);
    createNodePorts(asked, ports.operation(true));
    assert.deepEqual(nodePorts(asked), [120, 121]);
    assert.equal(ports.operation(false).take(120), undefined);
  });

  test('takes a port of any range, unless a Service has it', () => {
    const pretended = portsWith([150]).operation(true);

    assert.equal(pretended.take(9), undefined);
    assert.equal(pretended.take(9), 'provided port is already allocated');
    assert.equal(pretended.take(150), 'provided port is already allocated');
  });
});

test('counts what is taken and left', () => {
  assert.deepEqual(portsWith([150, 151]).counts(), { allocated: 2, available: 98 });
});
