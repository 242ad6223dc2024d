// SPDX-License-Identifier: Apache-2.0
// The subsets of an Endpoints object: addresses with the same ports together, each in one canonical order. Pure.
import type { EndpointAddress, EndpointSubset } from '#api/core/v1';
import { isReady, isTerminating } from '../pods/conditions.ts';
import { type EndpointPortFacts, hasEndpoint, hostnameFor, isHeadless, portsOn, type ReadPod, type ReadService } from './service-pods.ts';

/** @source upstream: more addresses than this are cut */
export const MOST_ADDRESSES = 1000;

interface Entry {
  readonly address: EndpointAddress;
  readonly ready: boolean;
  readonly port: EndpointPortFacts | undefined;
}

export interface PlannedSubsets {
  readonly subsets: EndpointSubset[];
  readonly isCut: boolean;
}

export function planSubsets(service: ReadService, pods: readonly ReadPod[]): PlannedSubsets {
  const publishAll = service.spec.publishNotReadyAddresses === true;
  const entries = pods.flatMap((pod) => {
    if (!hasEndpoint(pod) || (isTerminating(pod) && !publishAll)) return [];
    const address = addressOf(pod, service);
    const ready = publishAll || isReady(pod);
    if ((service.spec.ports ?? []).length === 0) return isHeadless(service) ? [{ address, ready, port: undefined }] : [];
    return portsOn(pod, service).map((port): Entry => ({ address, ready, port }));
  });
  return cut(repack(entries));
}

function addressOf(pod: ReadPod, service: ReadService): EndpointAddress {
  const { namespace, name, uid } = pod.metadata;
  const hostname = hostnameFor(pod, service);
  const family = service.spec.ipFamilies?.[0];
  const ips = pod.status.podIPs?.map(({ ip }) => ip) ?? [];
  const ip = ips.find((candidate) => candidate.includes(':') === (family === 'IPv6')) ?? pod.status.podIP ?? '';
  return {
    ip,
    ...(hostname === undefined ? {} : { hostname }),
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: 'Pod', ...(namespace === undefined ? {} : { namespace }), name, uid },
  };
}

/** Addresses with the same set of ports become one subset. */
function repack(entries: readonly Entry[]): EndpointSubset[] {
  const byAddress = Map.groupBy(entries, ({ address, ready }) => `${address.ip}\n${address.targetRef?.uid}\n${ready}`);
  const subsets = new Map<string, { ports: EndpointPortFacts[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const group of byAddress.values()) {
    const ports = group.flatMap(({ port }) => port ?? []).sort((a, b) => (portKey(a) < portKey(b) ? -1 : 1));
    const key = ports.map(portKey).join('|');
    let subset = subsets.get(key);
    if (subset === undefined) {
      subset = { ports, ready: [], notReady: [] };
      subsets.set(key, subset);
    }
    const [first] = group;
    if (first !== undefined) (first.ready ? subset.ready : subset.notReady).push(first.address);
  }
  return [...subsets.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { ports, ready, notReady }]) => ({
      ...(ready.length === 0 ? {} : { addresses: ready.sort(byIp) }),
      ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.sort(byIp) }),
      ...(ports.length === 0 ? {} : { ports: ports as EndpointSubset['ports'] & object }),
    }));
}

function portKey({ name = '', protocol, port, appProtocol = '' }: EndpointPortFacts): string {
  return `${name}/${protocol}/${port}/${appProtocol}`;
}

function byIp(a: EndpointAddress, b: EndpointAddress): number {
  if (a.ip !== b.ip) return a.ip < b.ip ? -1 : 1;
  return (a.targetRef?.uid ?? '') < (b.targetRef?.uid ?? '') ? -1 : 1;
}

/** Ready addresses are kept before others. */
function cut(subsets: EndpointSubset[]): PlannedSubsets {
  const total = subsets.reduce((sum, { addresses = [], notReadyAddresses = [] }) => sum + addresses.length + notReadyAddresses.length, 0);
  if (total <= MOST_ADDRESSES) return { subsets, isCut: false };
  let left = MOST_ADDRESSES;
  const take = (list: readonly EndpointAddress[]) => {
    const taken = list.slice(0, left);
    left -= taken.length;
    return taken;
  };
  const ready = subsets.map(({ addresses = [] }) => take(addresses));
  const notReady = subsets.map(({ notReadyAddresses = [] }) => take(notReadyAddresses));
  const shortened = subsets.map(({ ports }, index) => ({
    ...((ready[index]?.length ?? 0) === 0 ? {} : { addresses: ready[index] ?? [] }),
    ...((notReady[index]?.length ?? 0) === 0 ? {} : { notReadyAddresses: notReady[index] ?? [] }),
    ...(ports === undefined ? {} : { ports }),
  }));
  return {
    subsets: shortened.filter(({ addresses, notReadyAddresses }) => addresses !== undefined || notReadyAddresses !== undefined),
    isCut: true,
  };
}
