// SPDX-License-Identifier: Apache-2.0
// Cluster addresses and node ports for Services. What is taken is read from the Services (and IPAddresses) there are, plus
// what running requests hold: there is no bitmap to repair. Each address also gets an IPAddress object, as upstream 1.36 makes.
import { ipaddresses, services } from '#api';
import type { Service } from '#api/core/v1';
import type { IPAddress } from '#api/networking/v1';
import { type DeepReadonly, type FieldCause, invalid, invalidValue, isAlreadyExists } from '#machinery';
import { ServiceRange } from './service-range.ts';
import type { Allocation, ObjectReader } from './strategy.ts';

/** Writes IPAddress objects, as the API server itself. */
export interface AddressBook {
  /** @throws {ApiError} AlreadyExists if the address is taken. */
  create(address: IPAddress): Promise<void>;
  /** Fine if it is gone already. */
  remove(name: string): Promise<void>;
}

export interface AllocatorOptions {
  /** One CIDR per family, the first is the default family. */
  readonly ranges: readonly string[];
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly addresses: AddressBook;
  readonly reader: ObjectReader;
  /** A whole number below the bound. */
  readonly pick: (below: number) => number;
}

type Path = 'spec.clusterIPs' | `spec.ports[${number}].nodePort` | 'spec.healthCheckNodePort';

function refuse(name: string, causes: readonly FieldCause[]): never {
  throw invalid({ group: '', kind: 'Service' }, name, causes);
}

export class ServiceAllocator {
  readonly #options: AllocatorOptions;
  readonly ranges: readonly ServiceRange[];
  readonly #heldAddresses = new Set<string>();
  readonly #heldPorts = new Set<string>();

  constructor(options: AllocatorOptions) {
    this.#options = options;
    this.ranges = options.ranges.map((cidr) => new ServiceRange(cidr));
  }

  /** The families that the cluster has addresses of, the default first. */
  get families(): readonly ('IPv4' | 'IPv6')[] {
    return this.ranges.map(({ family }) => family);
  }

  /** Takes what `service` lacks and `previous` had not, and writes it into `service`. @throws {ApiError} 422 if it is taken or spent. */
  async allocate(service: Service, previous: DeepReadonly<Service> | undefined, dryRun: boolean): Promise<Allocation> {
    const addresses: string[] = [];
    const ports: string[] = [];
    const undo = async () => {
      for (const port of ports) this.#heldPorts.delete(port);
      for (const address of addresses) this.#heldAddresses.delete(address);
      if (!dryRun) for (const address of addresses) await this.#options.addresses.remove(address);
    };
    try {
      await this.#addresses(service, previous, addresses, dryRun);
      this.#ports(service, previous, ports);
    } catch (error) {
      await undo();
      throw error;
    }
    const gone = previous === undefined ? [] : lost(previous, service);
    return {
      commit: async () => {
        for (const port of ports) this.#heldPorts.delete(port);
        for (const address of addresses) this.#heldAddresses.delete(address);
        for (const address of gone) await this.#options.addresses.remove(address);
      },
      revert: undo,
    };
  }

  /** Gives back the addresses of a Service that is gone. */
  async release(service: DeepReadonly<Service>): Promise<void> {
    for (const address of addressesOf(service)) await this.#options.addresses.remove(address);
  }

  async #addresses(service: Service, previous: DeepReadonly<Service> | undefined, taken: string[], dryRun: boolean): Promise<void> {
    const { spec } = service;
    if (spec.type === 'ExternalName' || spec.clusterIPs?.[0] === 'None') return;
    const had = previous === undefined ? [] : addressesOf(previous);
    const result: string[] = [];
    for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
      const asked = spec.clusterIPs?.[index] ?? '';
      if (asked !== '' && had.includes(asked)) {
        result.push(asked);
        continue;
      }
      const address = await this.#takeAddress(service, family, asked, dryRun);
      taken.push(address);
      result.push(address);
    }
    spec.clusterIPs = result;
    spec.clusterIP = result[0] ?? '';
  }

  async #takeAddress(service: Service, family: string, asked: string, dryRun: boolean): Promise<string> {
    const name = service.metadata.name ?? '';
    const range = this.ranges.find((candidate) => candidate.family === family);
    const path: Path = 'spec.clusterIPs';
    const shown = service.spec.clusterIPs ?? [];
    if (range === undefined || (asked !== '' && !range.contains(asked))) {
      refuse(name, [invalidValue(path, shown, `failed to allocate IP ${asked}: the provided network does not match the current range`)]);
    }
    if (asked !== '') {
      const free = !this.#isTaken(asked) && (await this.#hold(service, asked, family, dryRun));
      if (!free) refuse(name, [invalidValue(path, shown, `failed to allocate IP ${asked}: provided IP is already allocated`)]);
      return asked;
    }
    for (const candidate of range.candidates(this.#options.pick)) {
      if (!this.#isTaken(candidate) && (await this.#hold(service, candidate, family, dryRun))) return candidate;
    }
    return refuse(name, [invalidValue(path, shown, `failed to allocate a serviceIP: range is full`)]);
  }

  #isTaken(address: string): boolean {
    if (this.#heldAddresses.has(address)) return true;
    const { reader } = this.#options;
    if (reader.find(ipaddresses, { name: address }) !== undefined) return true;
    return reader.list(services).some((service) => service.spec.clusterIPs?.includes(address) === true);
  }

  async #hold(service: Service, address: string, family: string, dryRun: boolean): Promise<boolean> {
    this.#heldAddresses.add(address);
    if (dryRun) return true;
    try {
      await this.#options.addresses.create(addressObject(service, address, family));
      return true;
    } catch (error) {
      this.#heldAddresses.delete(address);
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }

  #ports(service: Service, previous: DeepReadonly<Service> | undefined, taken: string[]): void {
    const { spec } = service;
    const name = service.metadata.name ?? '';
    const used = this.#usedPorts(service);
    const had = new Set(previous === undefined ? [] : portKeys(previous));
    const wanted = spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
    const exposes = spec.type === 'NodePort' || spec.type === 'LoadBalancer';
    const own = new Map<number, Set<string>>();
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (!exposes || !port.nodePort) continue;
      const protocol = port.protocol ?? 'TCP';
      const key = `${protocol}/${port.nodePort}`;
      if (own.get(port.nodePort)?.has(protocol)) {
        refuse(name, [invalidValue(`spec.ports[${index}].nodePort`, port.nodePort, 'provided port is already allocated')]);
      }
      // One number for several protocols of one Service is one allocation.
      if (!had.has(key) && !own.has(port.nodePort)) this.#takePort(name, `spec.ports[${index}].nodePort`, port.nodePort, used, taken, had);
      const protocols = own.get(port.nodePort) ?? new Set<string>();
      own.set(port.nodePort, protocols.add(protocol));
    }
    for (const [index, port] of (spec.ports ?? []).entries()) {
      if (!wanted || port.nodePort) continue;
      const protocol = port.protocol ?? 'TCP';
      const shared = (spec.ports ?? []).find(
        (other) => other.nodePort && other.port === port.port && !own.get(other.nodePort)?.has(protocol),
      );
      port.nodePort = shared?.nodePort ?? this.#nextPort(name, `spec.ports[${index}].nodePort`, used, taken);
      own.set(port.nodePort, (own.get(port.nodePort) ?? new Set<string>()).add(protocol));
    }
    if (spec.type !== 'LoadBalancer' || spec.externalTrafficPolicy !== 'Local') return;
    if (spec.healthCheckNodePort) {
      if (previous?.spec.healthCheckNodePort !== spec.healthCheckNodePort) {
        this.#takePort(name, 'spec.healthCheckNodePort', spec.healthCheckNodePort, used, taken, had);
      }
    } else {
      spec.healthCheckNodePort = this.#nextPort(name, 'spec.healthCheckNodePort', used, taken);
    }
  }

  #takePort(name: string, path: Path, port: number, used: Set<number>, taken: string[], had: ReadonlySet<string>): void {
    const { first, last } = this.#options.nodePorts;
    if (port < first || port > last) {
      refuse(name, [invalidValue(path, port, `provided port is not in the valid range. The range of valid ports is ${first}-${last}`)]);
    }
    const isOwn = [...had].some((key) => key.endsWith(`/${port}`));
    if (used.has(port) && !isOwn) refuse(name, [invalidValue(path, port, 'provided port is already allocated')]);
    this.#keepPort(port, used, taken);
  }

  #nextPort(name: string, path: Path, used: Set<number>, taken: string[]): number {
    const { first, last } = this.#options.nodePorts;
    const size = last - first + 1;
    const start = this.#options.pick(size);
    for (let step = 0; step < size; step++) {
      const port = first + ((start + step) % size);
      if (used.has(port)) continue;
      this.#keepPort(port, used, taken);
      return port;
    }
    return refuse(name, [{ reason: 'InternalError', field: path, message: 'failed to allocate a nodePort: range is full' }]);
  }

  #keepPort(port: number, used: Set<number>, taken: string[]): void {
    used.add(port);
    this.#heldPorts.add(String(port));
    taken.push(String(port));
  }

  #usedPorts(except: Service): Set<number> {
    const used = new Set([...this.#heldPorts].map(Number));
    for (const service of this.#options.reader.list(services)) {
      if (service.metadata.namespace === except.metadata.namespace && service.metadata.name === except.metadata.name) continue;
      for (const port of service.spec.ports ?? []) if (port.nodePort) used.add(port.nodePort);
      if (service.spec.healthCheckNodePort) used.add(service.spec.healthCheckNodePort);
    }
    return used;
  }
}

function addressesOf({ spec }: DeepReadonly<Service>): string[] {
  return (spec.clusterIPs ?? []).filter((address) => address !== '' && address !== 'None');
}

function lost(previous: DeepReadonly<Service>, next: Service): string[] {
  const kept = new Set(addressesOf(next));
  return addressesOf(previous).filter((address) => !kept.has(address));
}

function portKeys({ spec }: DeepReadonly<Service>): string[] {
  return (spec.ports ?? []).flatMap((port) => (port.nodePort ? [`${port.protocol ?? 'TCP'}/${port.nodePort}`] : []));
}

function addressObject(service: Service, address: string, family: string): IPAddress {
  return {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: {
      name: address,
      labels: { 'ipaddress.kubernetes.io/ip-family': family, 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' },
    } as unknown as IPAddress['metadata'],
    spec: {
      parentRef: { resource: 'services', namespace: service.metadata.namespace ?? '', name: service.metadata.name ?? '' },
    },
  };
}
