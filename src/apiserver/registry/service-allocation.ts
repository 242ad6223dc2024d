// SPDX-License-Identifier: Apache-2.0
// What a Service takes that must be unique in the cluster: addresses and node ports, in one allocation that is kept or undone whole.
// @source upstream registry/core/service/storage/alloc.go
import { services } from '#api';
import type { Service } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { AllocationMetrics } from '../metrics/allocation-metrics.ts';
import { type IpFamily, staysPreferDualStack } from './core/service-families.ts';
import { createNodePorts, NodePorts, updateNodePorts } from './node-ports.ts';
import { AddressAllocator, type AddressBook, addressesOf } from './service-addresses/address-allocator.ts';
import { ServiceCidrs } from './service-addresses/service-cidrs.ts';
import { type Pick, ServiceRange } from './service-addresses/service-range.ts';
import type { Allocation, ObjectReader } from './strategy.ts';

export interface AllocatorOptions {
  /** One CIDR per family, the first is of the default family. Addresses come of ServiceCIDR objects, the first of which has these. */
  readonly ranges: readonly string[];
  readonly nodePorts: { readonly first: number; readonly last: number };
  readonly addresses: AddressBook;
  readonly reader: ObjectReader;
  readonly pick: Pick;
  readonly metrics: AllocationMetrics;
}

export class ServiceAllocator {
  /** The families that the cluster has addresses of, the default first. */
  readonly families: readonly IpFamily[];
  readonly #addresses: AddressAllocator;
  readonly #nodePorts: NodePorts;

  constructor({ ranges, nodePorts, addresses, reader, pick, metrics }: AllocatorOptions) {
    this.families = ranges.map((cidr) => new ServiceRange(cidr).family);
    this.#addresses = new AddressAllocator({ cidrs: new ServiceCidrs(reader), addresses, reader, pick, metrics });
    this.#nodePorts = new NodePorts({ ...nodePorts, used: () => usedPorts(reader), pick, metrics });
    metrics.show({ addresses: () => this.#addresses.counts(), ports: () => this.#nodePorts.counts() });
  }

  /** Takes what `service` lacks and `previous` had not, and writes it into `service`. @throws {ApiError} 422 if it is taken or spent. */
  async allocate(service: Service, previous: DeepReadonly<Service> | undefined, dryRun: boolean): Promise<Allocation> {
    const taken: string[] = [];
    const ports = this.#nodePorts.operation(dryRun);
    const undo = async () => {
      ports.finish();
      await this.#addresses.release(taken);
    };
    try {
      await this.#takeAddresses(service, previous, dryRun, taken);
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
        this.#addresses.settle(taken);
        await this.#addresses.release(gone);
      },
      revert: undo,
    };
  }

  /** Gives back the addresses of a Service that is gone. */
  release(service: DeepReadonly<Service>): Promise<void> {
    return this.#addresses.release(addressesOf(service));
  }

  /** @param taken Filled in, so that they can be given back if the next one fails. */
  async #takeAddresses(service: Service, previous: DeepReadonly<Service> | undefined, dryRun: boolean, taken: string[]): Promise<void> {
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
      const address = dryRun ? this.#addresses.pretend(service, family, asked) : await this.#addresses.take(service, family, asked);
      if (!dryRun) taken.push(address);
      addresses[index] = address;
    }
    spec.clusterIP = addresses[0] ?? '';
  }
}

function* usedPorts(reader: ObjectReader): Generator<number> {
  for (const { spec } of reader.list(services)) {
    for (const { nodePort } of spec.ports ?? []) if (nodePort) yield nodePort;
    if (spec.healthCheckNodePort) yield spec.healthCheckNodePort;
  }
}

function lost(previous: DeepReadonly<Service>, next: Service): string[] {
  const kept = new Set(addressesOf(next));
  return addressesOf(previous).filter((address) => !kept.has(address));
}
