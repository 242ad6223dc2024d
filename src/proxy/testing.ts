// SPDX-License-Identifier: Apache-2.0
// For tests: Services, EndpointSlices and Nodes written briefly.
import type { Node, Service, ServiceSpec } from '#api/core/v1';
import type { Endpoint, EndpointPort, EndpointSlice } from '#api/discovery/v1';

export function service(name: string, spec: Partial<ServiceSpec>): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { clusterIPs: [spec.clusterIP ?? ''], ports: [{ port: 80 }], ...spec },
  } as unknown as Service;
}

export function slice(service: string, endpoints: readonly Partial<Endpoint>[], port: EndpointPort = { port: 80 }): EndpointSlice {
  const v6 = endpoints[0]?.addresses?.[0]?.includes(':') === true;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `${service}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': service } },
    addressType: v6 ? 'IPv6' : 'IPv4',
    endpoints: endpoints.map((endpoint) => ({ conditions: { ready: true }, ...endpoint })),
    ports: [{ name: '', protocol: 'TCP', ...port }],
  } as unknown as EndpointSlice;
}

export function node(name: string, address: string): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: {},
    status: { addresses: [{ type: 'InternalIP', address }] },
  } as unknown as Node;
}
