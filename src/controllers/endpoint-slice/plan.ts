// SPDX-License-Identifier: Apache-2.0
// Which EndpointSlices a Service must have, given those it has: as few writes as possible, at most 100 endpoints in each. Pure.
//
// Flow: endpoints are grouped by address family and ports; in each group slices keep what is still wanted, changed ones are updated,
// new endpoints fill slices that are written anyway, then any that have room for all, then new ones; empty ones are deleted.

import type { Node } from '#api/core/v1';
import type { Endpoint, EndpointSlice } from '#api/discovery/v1';
import { type DeepReadonly, deepEqual, semanticEqual } from '#machinery';
import {
  type EndpointPortFacts,
  hasEndpoint,
  hostnameFor,
  isHeadless,
  portsOn,
  type ReadPod,
  type ReadService,
} from '../endpoints/service-pods.ts';
import { isReady } from '../pods/conditions.ts';

export const MOST_ENDPOINTS = 100;
const ZONE = 'topology.kubernetes.io/zone';

type ReadSlice = DeepReadonly<EndpointSlice>;
type Family = 'IPv4' | 'IPv6';

export interface SlicePlan {
  /** Contents of slices to make. */
  readonly create: readonly SliceContent[];
  readonly update: readonly { readonly slice: ReadSlice; readonly content: SliceContent }[];
  readonly remove: readonly ReadSlice[];
}

export interface SliceContent {
  readonly addressType: Family;
  readonly ports: readonly EndpointPortFacts[];
  readonly endpoints: readonly DeepReadonly<Endpoint>[];
}

export interface PlanInput {
  readonly service: ReadService;
  readonly pods: readonly ReadPod[];
  /** The slices that the controller has made for the Service. */
  readonly slices: readonly ReadSlice[];
  readonly findNode: (name: string) => DeepReadonly<Node> | undefined;
  /** Labels that every slice must bear. */
  readonly labels: Readonly<Record<string, string>>;
}

export function planSlices(input: PlanInput): SlicePlan {
  const create: SliceContent[] = [];
  const update: { slice: ReadSlice; content: SliceContent }[] = [];
  const remove: ReadSlice[] = [];
  const groups = groupEndpoints(input);
  const unused = new Set(input.slices);
  for (const group of groups.values()) {
    const own = input.slices.filter((slice) => slice.addressType === group.addressType && semanticEqual(slice.ports ?? [], group.ports));
    for (const slice of own) unused.delete(slice);
    planGroup(group, own, { input, create, update, remove });
  }
  remove.push(...unused);
  return keepPlaceholders(input, { create, update, remove });
}

/** A Service without endpoints has one empty slice per family, so that readers know it was seen. */
function keepPlaceholders(
  { service, slices, labels }: PlanInput,
  plan: { create: SliceContent[]; update: { slice: ReadSlice; content: SliceContent }[]; remove: ReadSlice[] },
): SlicePlan {
  for (const addressType of familiesOf(service)) {
    const stays = slices.some((slice) => slice.addressType === addressType && !plan.remove.includes(slice));
    if (stays || plan.create.some((content) => content.addressType === addressType)) continue;
    const empty: SliceContent = { addressType, ports: [], endpoints: [] };
    const reused = plan.remove.find((slice) => slice.addressType === addressType);
    if (reused === undefined) {
      plan.create.push(empty);
      continue;
    }
    plan.remove.splice(plan.remove.indexOf(reused), 1);
    if ((reused.endpoints ?? []).length > 0 || (reused.ports ?? []).length > 0 || !deepEqual(reused.metadata.labels, labels))
      plan.update.push({ slice: reused, content: empty });
  }
  return plan;
}

interface Group {
  readonly addressType: Family;
  readonly ports: readonly EndpointPortFacts[];
  readonly endpoints: Map<string, Endpoint>;
}

function familiesOf({ spec }: ReadService): readonly Family[] {
  const families = (spec.ipFamilies ?? []) as readonly Family[];
  return families.length === 0 ? ['IPv4'] : families;
}

function groupEndpoints({ service, pods, findNode }: PlanInput): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    if (!hasEndpoint(pod)) continue;
    for (const addressType of familiesOf(service)) {
      const ips = pod.status.podIPs?.map(({ ip }) => ip) ?? [pod.status.podIP ?? ''];
      const addresses = ips.filter((ip) => ip.includes(':') === (addressType === 'IPv6'));
      if (addresses.length === 0) continue;
      const ports = portsOn(pod, service).map(({ name = '', ...port }) => ({ name, ...port }));
      if (ports.length === 0 && !isHeadless(service) && (service.spec.ports ?? []).length > 0) continue;
      const key = `${addressType}|${ports
        .map(({ name, protocol, port, appProtocol = '' }) => `${name}/${protocol}/${port}/${appProtocol}`)
        .sort()
        .join('|')}`;
      let group = groups.get(key);
      if (group === undefined) {
        group = { addressType, ports, endpoints: new Map() };
        groups.set(key, group);
      }
      group.endpoints.set(pod.metadata.uid, endpointOf(pod, service, { addresses, node: findNode(pod.spec.nodeName ?? '') }));
    }
  }
  return groups;
}

function endpointOf(
  pod: ReadPod,
  service: ReadService,
  { addresses, node }: { addresses: string[]; node: DeepReadonly<Node> | undefined },
): Endpoint {
  const { namespace, name, uid } = pod.metadata;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const serving = isReady(pod);
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameFor(pod, service);
  const zone = node?.metadata.labels?.[ZONE];
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: { kind: 'Pod', ...(namespace === undefined ? {} : { namespace }), name, uid },
    ...(pod.spec.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    ...(zone === undefined ? {} : { zone }),
  };
}

interface Sink {
  readonly input: PlanInput;
  readonly create: SliceContent[];
  readonly update: { slice: ReadSlice; content: SliceContent }[];
  readonly remove: ReadSlice[];
}

function planGroup({ addressType, ports, endpoints }: Group, own: readonly ReadSlice[], { input, create, update, remove }: Sink): void {
  const left = new Map(endpoints);
  const kept = own.map((slice) => {
    let changed = !deepEqual(slice.metadata.labels, input.labels);
    const list = (slice.endpoints ?? []).flatMap((endpoint) => {
      const uid = endpoint.targetRef?.uid ?? '';
      const wanted = left.get(uid);
      left.delete(uid);
      if (wanted === undefined || !semanticEqual(wanted, endpoint)) changed = true;
      return wanted ?? [];
    });
    return { slice, list, changed };
  });
  const rest = [...left.values()];
  // Fill what is written anyway, the fullest first.
  for (const entry of kept.filter(({ changed, list }) => changed && list.length > 0).sort((a, b) => b.list.length - a.list.length)) {
    entry.list.push(...rest.splice(0, MOST_ENDPOINTS - entry.list.length));
  }
  if (rest.length > 0 && rest.length < MOST_ENDPOINTS) {
    const roomy = kept
      .filter(({ changed, list }) => !changed && list.length + rest.length <= MOST_ENDPOINTS)
      .sort((a, b) => b.list.length - a.list.length)[0];
    if (roomy !== undefined) {
      roomy.list.push(...rest.splice(0));
      roomy.changed = true;
    }
  }
  const emptied = kept.filter(({ list }) => list.length === 0);
  // A slice that lost everything takes new endpoints before it is given up.
  for (const entry of emptied) {
    if (rest.length === 0) break;
    entry.list.push(...rest.splice(0, MOST_ENDPOINTS));
    entry.changed = true;
  }
  while (rest.length > 0) create.push({ addressType, ports, endpoints: rest.splice(0, MOST_ENDPOINTS) });
  for (const { slice, list, changed } of kept) {
    if (list.length === 0) remove.push(slice);
    else if (changed) update.push({ slice, content: { addressType, ports, endpoints: list } });
  }
}
