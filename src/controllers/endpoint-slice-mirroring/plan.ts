// SPDX-License-Identifier: Apache-2.0
// Which EndpointSlices mirror an Endpoints object (upstream's pkg/controller/endpointslicemirroring): one group per address family and
// set of ports, at most 1,000 endpoints of each subset and in each slice. Pure.
import type { EndpointAddress, Endpoints } from '#api/core/v1';
import type { Endpoint, EndpointPort, EndpointSlice } from '#api/discovery/v1';
import { type DeepReadonly, deepEqual, semanticEqual } from '#machinery';

type ReadEndpoints = DeepReadonly<Endpoints>;
type ReadSlice = DeepReadonly<EndpointSlice>;

export const MOST_ENDPOINTS = 1000;

export interface MirrorContent {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: readonly DeepReadonly<EndpointPort>[];
  readonly endpoints: readonly DeepReadonly<Endpoint>[];
}

/** What every slice bears. */
export interface MirrorMarks {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface MirrorPlan {
  readonly create: readonly MirrorContent[];
  readonly update: readonly { readonly slice: ReadSlice; readonly content: MirrorContent }[];
  readonly remove: readonly ReadSlice[];
}

/** @param slices Those that mirror the object now. */
export function planMirror(endpoints: ReadEndpoints, slices: readonly ReadSlice[], marks: MirrorMarks): MirrorPlan {
  const contents = contentsOf(endpoints);
  const left = new Set(slices);
  const take = (fits: (slice: ReadSlice) => boolean) => {
    const found = [...left].find(fits);
    if (found !== undefined) left.delete(found);
    return found;
  };
  const plan = { create: [] as MirrorContent[], update: [] as { slice: ReadSlice; content: MirrorContent }[] };
  const changed = contents.filter((content) => take((slice) => holds(slice, content, marks)) === undefined);
  for (const content of changed) {
    // The address family of a slice cannot change.
    const slice =
      take((other) => other.addressType === content.addressType && semanticEqual(other.ports ?? [], content.ports)) ??
      take((other) => other.addressType === content.addressType);
    if (slice === undefined) plan.create.push(content);
    else plan.update.push({ slice, content });
  }
  return { ...plan, remove: [...left] };
}

function holds(slice: ReadSlice, content: MirrorContent, { labels, annotations }: MirrorMarks): boolean {
  return (
    slice.addressType === content.addressType &&
    semanticEqual(slice.ports ?? [], content.ports) &&
    semanticEqual(slice.endpoints ?? [], content.endpoints) &&
    deepEqual(slice.metadata.labels ?? {}, labels) &&
    deepEqual(slice.metadata.annotations ?? {}, annotations)
  );
}

function contentsOf({ subsets = [] }: ReadEndpoints): MirrorContent[] {
  const groups = new Map<string, { addressType: 'IPv4' | 'IPv6'; ports: EndpointPort[]; endpoints: Endpoint[] }>();
  for (const { addresses = [], notReadyAddresses = [], ports: given = [] } of subsets) {
    const ports = given.map(({ name = '', ...port }) => ({ name, ...port }));
    const key = JSON.stringify(ports.map(({ name, port, protocol, appProtocol }) => [name, port, protocol, appProtocol]).sort());
    const all = [
      ...addresses.map((address) => endpointOf(address, true)),
      ...notReadyAddresses.map((address) => endpointOf(address, false)),
    ];
    for (const endpoint of all.slice(0, MOST_ENDPOINTS)) {
      const addressType = endpoint.addresses[0]?.includes(':') ? 'IPv6' : 'IPv4';
      const group = groups.get(addressType + key) ?? { addressType, ports, endpoints: [] };
      groups.set(addressType + key, group);
      group.endpoints.push(endpoint);
    }
  }
  return [...groups.values()].flatMap(({ addressType, ports, endpoints }) => {
    const parts = Array.from({ length: Math.ceil(endpoints.length / MOST_ENDPOINTS) }, (_, at) => at * MOST_ENDPOINTS);
    return parts.map((from) => ({ addressType, ports, endpoints: endpoints.slice(from, from + MOST_ENDPOINTS) }));
  });
}

function endpointOf({ ip, hostname, nodeName, targetRef }: DeepReadonly<EndpointAddress>, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(targetRef === undefined ? {} : { targetRef }),
  };
}
