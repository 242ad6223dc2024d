// SPDX-License-Identifier: Apache-2.0
// What the cluster's names mean: the Kubernetes DNS specification 1.1 over Services and EndpointSlices, with CoreDNS'
// choices where it leaves some. Synchronous, from caches; knows nothing of packets.
import { isIPv6 } from 'node:net';
import type { Service } from '#api/core/v1';
import type { Endpoint, EndpointSlice } from '#api/discovery/v1';
import { endpointslices, services } from '#api/resources';
import type { Informer, InformerFactory } from '#client';
import type { DeepReadonly } from '#machinery';
import { addressOfReverseName, dashed } from './addresses.ts';

export type RecordData =
  | { readonly type: 'A' | 'AAAA' | 'CNAME' | 'PTR' | 'TXT'; readonly name: string; readonly data: string }
  | { readonly type: 'SRV'; readonly name: string; readonly data: { priority: number; weight: number; port: number; target: string } };

export type Lookup =
  /** The name exists; `answers` may be empty for this type. */
  | { readonly outcome: 'found'; readonly answers: readonly RecordData[]; readonly additionals: readonly RecordData[] }
  /** A name of the cluster that does not exist. */
  | { readonly outcome: 'missing' }
  /** Not a name of the cluster. */
  | { readonly outcome: 'foreign' };

const SERVICE_LABEL = 'kubernetes.io/service-name';
const BY_SERVICE = 'dns.service';
const BY_ADDRESS = 'dns.address';
const BY_NAMESPACE = 'dns.namespace';
const SPECIFICATION = '1.1.0';
const MISSING: Lookup = { outcome: 'missing' };
const SRV_WEIGHT = 100;

interface EndpointOf {
  readonly endpoint: DeepReadonly<Endpoint>;
  readonly slice: DeepReadonly<EndpointSlice>;
}

export class ClusterRecords {
  readonly #zone: string;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;

  /** Registers with the informers; their owner starts them. */
  constructor(informers: InformerFactory, clusterDomain: string) {
    this.#zone = clusterDomain.toLowerCase().replace(/\.$/, '');
    this.#services = informers.informer(services);
    this.#slices = informers.informer(endpointslices);
    this.#services.addIndex(BY_NAMESPACE, (service) => [service.metadata.namespace ?? '']);
    this.#services.addIndex(BY_ADDRESS, (service) => service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? '']);
    this.#slices.addIndex(BY_SERVICE, (slice) => [`${slice.metadata.namespace ?? ''}/${slice.metadata.labels?.[SERVICE_LABEL] ?? ''}`]);
    this.#slices.addIndex(BY_ADDRESS, (slice) => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses));
  }

  get zone(): string {
    return this.#zone;
  }

  get hasSynced(): boolean {
    return this.#services.hasSynced && this.#slices.hasSynced;
  }

  /** `name` in lower case without the final dot. */
  find(name: string, type: string): Lookup {
    if (name === this.#zone) return found([]);
    if (name.endsWith(`.${this.#zone}`)) return this.#inZone(name, name.slice(0, -this.#zone.length - 1).split('.'), type);
    const address = addressOfReverseName(name);
    return address === undefined ? { outcome: 'foreign' } : this.#reverse(name, address, type);
  }

  #inZone(name: string, labels: readonly string[], type: string): Lookup {
    const [kind, namespace, ...rest] = [...labels].reverse();
    if (kind === 'dns-version' && namespace === undefined) return found(type === 'TXT' ? [{ type, name, data: SPECIFICATION }] : []);
    if (kind !== 'svc' && kind !== 'pod') return MISSING;
    if (namespace === undefined) return found([]);
    if (kind === 'pod') return rest.length === 0 ? found([]) : this.#pod(name, rest, type);
    // A namespace is known by its Services: reading namespaces would need a permission more, for names nobody asks.
    if (this.#services.lister.byIndex(BY_NAMESPACE, namespace).length === 0) return MISSING;
    if (rest.length === 0) return found([]);
    return this.#service(name, namespace, rest, type);
  }

  /** `10-1-2-3.ns.pod`: any address, as CoreDNS with `pods insecure`. */
  #pod(name: string, [label = '', ...more]: readonly string[], type: string): Lookup {
    const v4 = /^\d{1,3}(-\d{1,3}){3}$/.test(label) ? label.replaceAll('-', '.') : undefined;
    const v6 = v4 === undefined ? label.replaceAll('-', ':') : undefined;
    if (more.length > 0 || (v4 === undefined && !isIPv6(v6 ?? ''))) return MISSING;
    if (v4?.split('.').some((part) => Number(part) > 255)) return MISSING;
    return found(addressRecords(name, [v4 ?? v6 ?? ''], type));
  }

  /** `rest` is what stands before the namespace, nearest first: service, then endpoint, or protocol and port. */
  #service(name: string, namespace: string, rest: readonly string[], type: string): Lookup {
    const [serviceName = '', second, third] = rest;
    const service = this.#services.lister.find(`${namespace}/${serviceName}`);
    if (service === undefined || rest.length > 3) return MISSING;
    if (service.spec?.type === 'ExternalName') {
      return second === undefined ? found([{ type: 'CNAME', name, data: service.spec.externalName ?? '' }]) : MISSING;
    }
    if (second === undefined)
      return type === 'SRV' ? this.#ports(name, service, undefined, undefined) : this.#addresses(name, service, type);
    if (second === '_tcp' || second === '_udp' || second === '_sctp') {
      const protocol = second.slice(1).toUpperCase();
      const exists = service.spec?.ports?.some((port) => (port.protocol ?? 'TCP') === protocol) === true;
      if (third === undefined) return exists ? found([]) : MISSING;
      const answer = this.#ports(name, service, third.slice(1), protocol);
      if (!third.startsWith('_') || answer.outcome !== 'found' || answer.answers.length === 0) return MISSING;
      return type === 'SRV' || type === 'ANY' ? answer : found([]);
    }
    return third === undefined ? this.#endpoint(name, service, second, type) : MISSING;
  }

  #addresses(name: string, service: DeepReadonly<Service>, type: string): Lookup {
    if (!isHeadless(service)) return found(addressRecords(name, clusterIps(service), type));
    const all = this.#endpointsOf(service);
    return all.length === 0 ? MISSING : found(addressRecords(name, unique(all.flatMap(({ endpoint }) => endpoint.addresses)), type));
  }

  #endpoint(name: string, service: DeepReadonly<Service>, label: string, type: string): Lookup {
    if (!isHeadless(service)) return MISSING;
    const all = this.#endpointsOf(service).filter(({ endpoint }) => endpointLabels(endpoint).includes(label));
    return all.length === 0 ? MISSING : found(addressRecords(name, unique(all.flatMap(({ endpoint }) => endpoint.addresses)), type));
  }

  /** SRV for one named port, or for all. */
  #ports(name: string, service: DeepReadonly<Service>, portName: string | undefined, protocol: string | undefined): Lookup {
    const own = this.#nameOf(service);
    const wanted = (port: { readonly name?: string | undefined; readonly protocol?: string | undefined }): boolean =>
      (portName === undefined || (port.name ?? '').toLowerCase() === portName) &&
      (protocol === undefined || (port.protocol ?? 'TCP') === protocol);
    const targets = isHeadless(service)
      ? this.#endpointsOf(service).flatMap(({ endpoint, slice }) =>
          (slice.ports ?? [])
            .filter(wanted)
            .map((port) => ({ port: port.port ?? 0, target: `${endpointLabel(endpoint)}.${own}`, ips: endpoint.addresses })),
        )
      : (service.spec?.ports ?? []).filter(wanted).map((port) => ({ port: port.port, target: own, ips: clusterIps(service) }));
    const weight = Math.max(1, Math.floor(SRV_WEIGHT / Math.max(1, targets.length)));
    const answers = targets.map(({ port, target }): RecordData => ({ type: 'SRV', name, data: { priority: 0, weight, port, target } }));
    const additionals = new Map<string, RecordData>();
    for (const { target, ips } of targets)
      for (const record of addressRecords(target, ips, 'ANY')) additionals.set(`${target} ${record.data}`, record);
    return { outcome: 'found', answers, additionals: [...additionals.values()] };
  }

  #reverse(name: string, address: string, type: string): Lookup {
    const pointers = [
      ...this.#services.lister.byIndex(BY_ADDRESS, address).map((service) => this.#nameOf(service)),
      ...this.#slices.lister.byIndex(BY_ADDRESS, address).flatMap((slice) => this.#pointersOf(slice, address)),
    ];
    if (pointers.length === 0) return { outcome: 'foreign' };
    return found(type === 'PTR' || type === 'ANY' ? unique(pointers).map((data) => ({ type: 'PTR', name, data })) : []);
  }

  #pointersOf(slice: DeepReadonly<EndpointSlice>, address: string): string[] {
    const service = this.#services.lister.find(`${slice.metadata.namespace ?? ''}/${slice.metadata.labels?.[SERVICE_LABEL] ?? ''}`);
    if (service === undefined || !isHeadless(service)) return [];
    const endpoint = slice.endpoints.find(({ addresses }) => addresses.includes(address));
    return endpoint === undefined ? [] : [`${endpointLabel(endpoint)}.${this.#nameOf(service)}`];
  }

  /** Ready ones; `publishNotReadyAddresses` makes all ready in the slices already. */
  #endpointsOf(service: DeepReadonly<Service>): EndpointOf[] {
    const slices = this.#slices.lister.byIndex(BY_SERVICE, `${service.metadata.namespace ?? ''}/${service.metadata.name ?? ''}`);
    return slices
      .filter((slice) => slice.addressType !== 'FQDN')
      .flatMap((slice) => (slice.endpoints ?? []).map((endpoint) => ({ endpoint, slice })))
      .filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  }

  #nameOf(service: DeepReadonly<Service>): string {
    return `${service.metadata.name ?? ''}.${service.metadata.namespace ?? ''}.svc.${this.#zone}`;
  }
}

function found(answers: readonly RecordData[]): Lookup {
  return { outcome: 'found', answers, additionals: [] };
}

function isHeadless(service: DeepReadonly<Service>): boolean {
  return service.spec?.clusterIP === 'None' || clusterIps(service).length === 0;
}

function clusterIps(service: DeepReadonly<Service>): readonly string[] {
  return (service.spec?.clusterIPs ?? [service.spec?.clusterIP ?? '']).filter((ip) => ip !== '' && ip !== 'None');
}

function addressRecords(name: string, ips: readonly string[], type: string): { type: 'A' | 'AAAA'; name: string; data: string }[] {
  return ips
    .map((data) => ({ type: isIPv6(data) ? ('AAAA' as const) : ('A' as const), name, data }))
    .filter((record) => type === record.type || type === 'ANY');
}

/** Its hostname, or its address with dashes. */
function endpointLabel(endpoint: DeepReadonly<Endpoint>): string {
  return endpoint.hostname !== undefined && endpoint.hostname !== '' ? endpoint.hostname : dashed(endpoint.addresses[0] ?? '');
}

function endpointLabels(endpoint: DeepReadonly<Endpoint>): string[] {
  return [endpointLabel(endpoint).toLowerCase(), ...endpoint.addresses.map(dashed)];
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
