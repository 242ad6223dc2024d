// SPDX-License-Identifier: Apache-2.0
// From a Service to an address that answers: one of its ready endpoints, since cluster IPs need not be routed where the API server
// runs. A Service that nobody has made endpoints of is reached by its cluster IP, an ExternalName by that name.
// @source upstream apiserver pkg/util/proxy/proxy.go ResolveEndpoint, kube-aggregator --enable-aggregator-routing
import { endpointslices, services } from '#api';
import type { EndpointSlice } from '#api/discovery/v1';
import { type DeepReadonly, notFound, serviceUnavailable } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  /** A number of the Service's ports, not of its endpoints. */
  readonly port: number;
}

export interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

export interface ServiceResolver {
  /** @throws {ApiError} 404 without the Service, 503 without the port or a ready endpoint. */
  resolve(reference: ServiceReference): NetworkAddress;
}

const NAME_LABEL = 'kubernetes.io/service-name';
type Slice = DeepReadonly<EndpointSlice>;

/** @param pick A whole number below the bound: which of the endpoints. */
export function createServiceResolver(reader: ObjectReader, pick: (below: number) => number): ServiceResolver {
  return {
    resolve({ namespace, name, port }) {
      const service = reader.find(services, { namespace, name });
      if (service === undefined) throw notFound({ group: '', resource: 'service' }, name);
      const { type, externalName = '', clusterIP = '', ports = [] } = service.spec;
      if (type === 'ExternalName') return { host: externalName, port };
      const wanted = ports.find((candidate) => candidate.port === port);
      if (wanted === undefined) throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
      const slices = reader.list(endpointslices, namespace).filter(({ metadata }) => metadata.labels?.[NAME_LABEL] === name);
      if (slices.length === 0 && clusterIP !== '' && clusterIP !== 'None') return { host: clusterIP, port };
      const ready = slices.flatMap((slice) => readyAddresses(slice, wanted.name ?? ''));
      const chosen = ready[ready.length > 1 ? pick(ready.length) : 0];
      if (chosen === undefined) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
      return chosen;
    },
  };
}

function readyAddresses(slice: Slice, portName: string): NetworkAddress[] {
  const port = slice.ports?.find((candidate) => (candidate.name ?? '') === portName)?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.map((host) => ({ host, port })));
}
