// SPDX-License-Identifier: Apache-2.0
// What a node must do for each Service port, from Services and EndpointSlices. Pure. Follows upstream's pkg/proxy: which endpoints
// are usable (ready, else serving and terminating), traffic policies, session affinity, zone and node hints.
import { isIPv6 } from 'node:net';
import type { ServicePort as ApiPort, Service } from '#api/core/v1';
import type { Endpoint as ApiEndpoint, EndpointSlice } from '#api/discovery/v1';
import type { DeepReadonly } from '#machinery';

export type Family = 'ip' | 'ip6';
export type Protocol = 'tcp' | 'udp' | 'sctp';

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  readonly local: boolean;
}

/** One port of one Service in one IP family. */
export interface ServicePort {
  readonly namespace: string;
  readonly name: string;
  readonly portName: string;
  readonly protocol: Protocol;
  readonly family: Family;
  readonly clusterIp: string;
  readonly port: number;
  /** 0: none. */
  readonly nodePort: number;
  readonly externalIps: readonly string[];
  readonly loadBalancerIps: readonly string[];
  /** Empty: everybody. */
  readonly sourceRanges: readonly string[];
  /** Undefined: none. */
  readonly affinitySeconds: number | undefined;
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
  /** 0: none. */
  readonly healthCheckNodePort: number;
  /** For policy `Cluster`. */
  readonly clusterEndpoints: readonly Endpoint[];
  /** For policy `Local`. */
  readonly localEndpoints: readonly Endpoint[];
  /** There is a usable endpoint somewhere: a local policy without local ones drops instead of rejecting. */
  readonly hasAnyEndpoints: boolean;
}

export interface NodeFacts {
  readonly name: string;
  readonly zone: string | undefined;
}

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';
const HEADLESS_LABEL = 'service.kubernetes.io/headless';
const DEFAULT_AFFINITY_SECONDS = 10_800;

interface Candidate extends Endpoint {
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

/** Ports of all Services this proxy is for, in no order. */
export function planServices(
  services: readonly DeepReadonly<Service>[],
  slicesOf: (namespace: string, name: string) => readonly DeepReadonly<EndpointSlice>[],
  node: NodeFacts,
): ServicePort[] {
  return services.filter(isProxied).flatMap((service) => {
    const { namespace = '', name = '' } = service.metadata;
    return planService(service, slicesOf(namespace, name), node);
  });
}

interface Planned {
  readonly slices: readonly DeepReadonly<EndpointSlice>[];
  readonly zone: string | undefined;
  readonly ports: readonly ServicePort[];
}

/** `planServices` for one node that keeps the ports of Services that have not changed: the same objects, so that others can, too. */
export class ServicePlanner {
  readonly #known = new WeakMap<DeepReadonly<Service>, Planned>();

  plan(
    services: readonly DeepReadonly<Service>[],
    slicesOf: (namespace: string, name: string) => readonly DeepReadonly<EndpointSlice>[],
    node: NodeFacts,
  ): ServicePort[] {
    return services.filter(isProxied).flatMap((service) => {
      const slices = slicesOf(service.metadata.namespace ?? '', service.metadata.name ?? '');
      const known = this.#known.get(service);
      if (known !== undefined && known.zone === node.zone && sameItems(known.slices, slices)) return known.ports;
      const ports = planService(service, slices, node);
      this.#known.set(service, { slices: [...slices], zone: node.zone, ports });
      return ports;
    });
  }
}

function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

export function isProxied(service: DeepReadonly<Service>): boolean {
  const { labels = {} } = service.metadata;
  const { clusterIP = '', type } = service.spec ?? {};
  return (
    type !== 'ExternalName' && clusterIP !== '' && clusterIP !== 'None' && !(PROXY_NAME_LABEL in labels) && !(HEADLESS_LABEL in labels)
  );
}

export function planService(
  service: DeepReadonly<Service>,
  slices: readonly DeepReadonly<EndpointSlice>[],
  node: NodeFacts,
): ServicePort[] {
  const { clusterIP = '', clusterIPs = [clusterIP], ports = [] } = service.spec ?? {};
  return clusterIPs.flatMap((ip) => ports.map((port) => planPort(service, port, ip, slices, node)));
}

function planPort(
  service: DeepReadonly<Service>,
  port: DeepReadonly<ApiPort>,
  clusterIp: string,
  slices: readonly DeepReadonly<EndpointSlice>[],
  node: NodeFacts,
): ServicePort {
  const { spec = {} } = service;
  const family = familyOf(clusterIp);
  const protocol = (port.protocol ?? 'TCP').toLowerCase() as Protocol;
  const candidates = candidatesOf(slices, port.name ?? '', protocol, family, node.name);
  const everywhere = usable(candidates);
  const loadBalancer = spec.type === 'LoadBalancer';
  const ingress = loadBalancer ? (service.status?.loadBalancer?.ingress ?? []) : [];
  return {
    namespace: service.metadata.namespace ?? '',
    name: service.metadata.name ?? '',
    portName: port.name ?? '',
    protocol,
    family,
    clusterIp,
    port: port.port,
    nodePort: port.nodePort ?? 0,
    externalIps: (spec.externalIPs ?? []).filter((ip) => familyOf(ip) === family),
    loadBalancerIps: ingress
      .filter(({ ip, ipMode }) => ip !== undefined && ip !== '' && (ipMode ?? 'VIP') === 'VIP' && familyOf(ip) === family)
      .map(({ ip = '' }) => ip),
    sourceRanges: loadBalancer
      ? (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()).filter((range) => rangeFamily(range) === family)
      : [],
    affinitySeconds:
      spec.sessionAffinity === 'ClientIP' ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS) : undefined,
    internalLocal: spec.internalTrafficPolicy === 'Local',
    externalLocal: spec.externalTrafficPolicy === 'Local',
    healthCheckNodePort: loadBalancer && spec.externalTrafficPolicy === 'Local' ? (spec.healthCheckNodePort ?? 0) : 0,
    clusterEndpoints: plain(usable(nearest(candidates, node))),
    localEndpoints: plain(usable(candidates.filter((candidate) => candidate.local))),
    hasAnyEndpoints: everywhere.length > 0,
  };
}

/** The ready ones; if there are none, those that still serve while they terminate. */
function usable(candidates: readonly Candidate[]): readonly Candidate[] {
  const ready = candidates.filter((candidate) => candidate.ready);
  return ready.length > 0 ? ready : candidates.filter((candidate) => candidate.serving && candidate.terminating);
}

/** Hints count only if every ready endpoint has them and one is for here; else all endpoints are used. */
function nearest(candidates: readonly Candidate[], node: NodeFacts): readonly Candidate[] {
  const ready = candidates.filter((candidate) => candidate.ready);
  if (ready.length === 0) return candidates;
  const here = ready.filter((candidate) => candidate.nodes.includes(node.name));
  if (here.length > 0 && ready.every((candidate) => candidate.nodes.length > 0)) return here;
  const { zone } = node;
  if (zone === undefined || zone === '' || !ready.every((candidate) => candidate.zones.length > 0)) return candidates;
  const near = ready.filter((candidate) => candidate.zones.includes(zone));
  return near.length > 0 ? near : candidates;
}

function candidatesOf(
  slices: readonly DeepReadonly<EndpointSlice>[],
  portName: string,
  protocol: Protocol,
  family: Family,
  nodeName: string,
): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== (family === 'ip' ? 'IPv4' : 'IPv6')) continue;
    const port = slice.ports?.find((each) => (each.name ?? '') === portName && (each.protocol ?? 'TCP').toLowerCase() === protocol);
    if (port?.port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const candidate = candidateOf(endpoint, port.port, nodeName);
      if (candidate !== undefined) found.set(`${candidate.ip} ${candidate.port}`, candidate);
    }
  }
  return [...found.values()].sort((a, b) => (a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : a.port - b.port));
}

function candidateOf(endpoint: DeepReadonly<ApiEndpoint>, port: number, nodeName: string): Candidate | undefined {
  const [ip] = endpoint.addresses;
  if (ip === undefined) return undefined;
  const { ready = true, serving = ready, terminating = false } = endpoint.conditions ?? {};
  return {
    ip,
    port,
    local: endpoint.nodeName === nodeName,
    ready,
    serving,
    terminating,
    zones: (endpoint.hints?.forZones ?? []).map(({ name }) => name),
    nodes: (endpoint.hints?.forNodes ?? []).map(({ name }) => name),
  };
}

function plain(candidates: readonly Candidate[]): Endpoint[] {
  return candidates.map(({ ip, port, local }) => ({ ip, port, local }));
}

export function familyOf(ip: string): Family {
  return isIPv6(ip) ? 'ip6' : 'ip';
}

function rangeFamily(range: string): Family {
  return range.includes(':') ? 'ip6' : 'ip';
}

/** How logs and chains name a port: `default/web:http`. */
export function portKey(port: ServicePort): string {
  return `${port.namespace}/${port.name}${port.portName === '' ? '' : `:${port.portName}`}`;
}
