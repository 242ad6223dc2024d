// SPDX-License-Identifier: Apache-2.0
// Cluster addresses and node ports for Services. What is taken is read from the Services (and IPAddresses) there are, plus
// what running requests hold: there is no bitmap to repair. Each address also gets an IPAddress object, as upstream 1.36 makes.
import { ipaddresses, services } from '#api';
import type { Service } from '#api/core/v1';
import type { IPAddress } from '#api/networking/v1';
import { type DeepReadonly, internalError, invalid, invalidValue, isAlreadyExists } from '#machinery';
import { staysPreferDualStack } from './core/service-families.ts';
import { createNodePorts, NodePortOperation, updateNodePorts } from './node-ports.ts';
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

export class ServiceAllocator {
  readonly #options: AllocatorOptions;
  readonly ranges: readonly ServiceRange[];
  readonly #heldAddresses = new Set<string>();
  readonly #heldPorts = new Set<number>();

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
    const ports = new NodePortOperation(this.#options.nodePorts, this.#usedPorts(), this.#heldPorts, this.#options.pick);
    const undo = async () => {
      ports.finish();
      for (const address of addresses) this.#heldAddresses.delete(address);
      if (!dryRun) for (const address of addresses) await this.#options.addresses.remove(address);
    };
    try {
      await this.#addresses(service, previous, addresses, dryRun);
      if (previous === undefined) createNodePorts(service, ports);
      else updateNodePorts(service, previous, ports);
    } catch (error) {
      await undo();
      throw error;
    }
    const gone = previous === undefined ? [] : lost(previous, service);
    return {
      commit: async () => {
        ports.finish();
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
    if (previous !== undefined && staysPreferDualStack(spec, previous.spec)) return;
    const had = previous === undefined ? [] : addressesOf(previous);
    const families = spec.ipFamilies ?? [];
    const addresses = families.map((_, index) => spec.clusterIPs?.[index] ?? '');
    spec.clusterIPs = addresses;
    for (const [index, family] of families.entries()) {
      const asked = addresses[index] ?? '';
      if (asked !== '' && had.includes(asked)) continue;
      const address = await this.#takeAddress(service, family, asked, dryRun);
      taken.push(address);
      addresses[index] = address;
    }
    spec.clusterIP = addresses[0] ?? '';
  }

  async #takeAddress(service: Service, family: string, asked: string, dryRun: boolean): Promise<string> {
    const range = this.ranges.find((candidate) => candidate.family === family);
    const refused = (why: string) =>
      invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', [
        invalidValue('spec.clusterIPs', service.spec.clusterIPs, `failed to allocate IP ${asked}: ${why}`),
      ]);
    if (range === undefined) throw internalError(`failed to allocate a serviceIP: no range of ${family}`);
    if (asked !== '') {
      if (!range.contains(asked)) throw refused('the provided network does not match the current range');
      const isFree = !this.#isTaken(asked) && (await this.#hold(service, asked, family, dryRun));
      if (!isFree) throw refused('provided IP is already allocated');
      return asked;
    }
    for (const candidate of range.candidates(this.#options.pick)) {
      if (!this.#isTaken(candidate) && (await this.#hold(service, candidate, family, dryRun))) return candidate;
    }
    throw internalError('failed to allocate a serviceIP: range is full');
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

  #usedPorts(): Set<number> {
    const used = new Set(this.#heldPorts);
    for (const { spec } of this.#options.reader.list(services)) {
      for (const port of spec.ports ?? []) if (port.nodePort) used.add(port.nodePort);
      if (spec.healthCheckNodePort) used.add(spec.healthCheckNodePort);
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
