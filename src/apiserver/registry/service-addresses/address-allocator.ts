// SPDX-License-Identifier: Apache-2.0
// Cluster addresses of Services: an address is taken by whoever creates the IPAddress object of its name, and free again when that
// object is gone. There is no bitmap to repair; what got out of step is mended by repair.ts.
// @source upstream registry/core/service/ipallocator/{cidrallocator,ipallocator}.go
import { ipaddresses } from '#api';
import type { Service } from '#api/core/v1';
import type { IPAddress } from '#api/networking/v1';
import { type DeepReadonly, internalError, invalid, invalidValue, isAlreadyExists } from '#machinery';
import type { AllocationCount, AllocationMetrics } from '../../metrics/allocation-metrics.ts';
import type { ObjectReader } from '../strategy.ts';
import type { ServiceCidrs } from './service-cidrs.ts';
import type { Pick, ServiceRange } from './service-range.ts';

/** Writes IPAddress objects, as the API server itself. */
export interface AddressBook {
  /** @throws {ApiError} AlreadyExists if the address is taken. */
  create(address: IPAddress): Promise<void>;
  /** Fine if it is gone already. */
  remove(name: string): Promise<void>;
}

export interface AddressAllocatorOptions {
  readonly cidrs: ServiceCidrs;
  readonly addresses: AddressBook;
  readonly reader: ObjectReader;
  readonly pick: Pick;
  readonly metrics: AllocationMetrics;
}

const FULL = 'range is full';
const MISMATCHED = 'the provided network does not match the current range';
const TAKEN = 'provided IP is already allocated';
const NOT_READY = 'allocator not ready';

export class AddressAllocator {
  readonly #options: AddressAllocatorOptions;
  /** Of requests that run: the cache may not show their objects yet. */
  readonly #held = new Set<string>();

  constructor(options: AddressAllocatorOptions) {
    this.#options = options;
  }

  /**
   * @param asked '' for any.
   * @throws {ApiError} 422 if the one that is asked for cannot be had, 500 if there are no more.
   */
  async take(service: Service, family: string, asked: string): Promise<string> {
    if (asked !== '') {
      const why = await this.#takeThis(service, family, asked);
      if (why === undefined) return asked;
      throw refused(service, asked, why);
    }
    for (const { range, ready } of this.#options.cidrs.ofFamily(family)) {
      const address = ready ? await this.#takeAny(service, range) : undefined;
      if (address !== undefined) return address;
    }
    throw internalError(`failed to allocate a serviceIP: ${FULL}`);
  }

  /** What a dry run shows. It takes nothing, and so does not look whether an address is free: one of any range has to do. */
  pretend(service: Service, family: string, asked: string): string {
    const [first] = this.#options.cidrs.ofFamily(family);
    if (first?.ready !== true) {
      if (asked !== '') throw refused(service, asked, NOT_READY);
      throw internalError(`failed to allocate a serviceIP: ${NOT_READY}`);
    }
    if (asked === '') return first.range.network;
    if (first.range.contains(asked)) return asked;
    const why = `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${first.range.cidr}`;
    throw refused(service, asked, why);
  }

  /** The request that took it is over: its Service holds it now, or nobody. */
  settle(addresses: readonly string[]): void {
    for (const address of addresses) this.#held.delete(address);
  }

  async release(addresses: readonly string[]): Promise<void> {
    this.settle(addresses);
    for (const address of addresses) await this.#options.addresses.remove(address);
  }

  /** What is taken and left of each range. */
  counts(): (AllocationCount & { readonly cidr: string })[] {
    const { cidrs, reader } = this.#options;
    const taken = reader.list(ipaddresses).map(({ metadata }) => metadata.name);
    return cidrs.ranges().map(({ range }) => {
      const allocated = taken.filter((address) => range.contains(address)).length;
      return { cidr: range.cidr, allocated, available: Math.max(0, Number(range.size) - allocated) };
    });
  }

  /** @returns Why not. */
  async #takeThis(service: Service, family: string, address: string): Promise<string | undefined> {
    const { cidrs, metrics } = this.#options;
    const found = cidrs.ofFamily(family).find(({ range, ready }) => ready && range.contains(address));
    if (found === undefined) return MISMATCHED;
    if (await this.#hold(service, address, found.range, 'static')) return undefined;
    metrics.addressFailed(found.range.cidr, 'static');
    return TAKEN;
  }

  async #takeAny(service: Service, range: ServiceRange): Promise<string | undefined> {
    const { pick, metrics } = this.#options;
    for (const candidate of range.candidates(pick)) if (await this.#hold(service, candidate, range, 'dynamic')) return candidate;
    metrics.addressFailed(range.cidr, 'dynamic');
    return undefined;
  }

  async #hold(service: Service, address: string, range: ServiceRange, scope: 'static' | 'dynamic'): Promise<boolean> {
    const { addresses, reader, metrics } = this.#options;
    if (this.#held.has(address) || reader.find(ipaddresses, { name: address }) !== undefined) return false;
    this.#held.add(address);
    const startedAt = performance.now();
    try {
      await addresses.create(addressObject(service, address, range.family));
      metrics.addressTaken(range.cidr, scope, performance.now() - startedAt);
      return true;
    } catch (error) {
      this.#held.delete(address);
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }
}

function refused({ metadata, spec }: Service, asked: string, why: string) {
  return invalid({ group: '', kind: 'Service' }, metadata.name ?? '', [
    invalidValue('spec.clusterIPs', spec.clusterIPs, `failed to allocate IP ${asked}: ${why}`),
  ]);
}

export const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
export const IP_FAMILY = 'ipaddress.kubernetes.io/ip-family';
export const ALLOCATOR = 'ipallocator.k8s.io';

/** What says that a Service has the address. */
export function addressObject({ metadata }: DeepReadonly<Service>, address: string, family: string): IPAddress {
  return {
    kind: 'IPAddress',
    apiVersion: 'networking.k8s.io/v1',
    metadata: { name: address, labels: { [IP_FAMILY]: family, [MANAGED_BY]: ALLOCATOR } } as unknown as IPAddress['metadata'],
    spec: { parentRef: { resource: 'services', namespace: metadata.namespace ?? '', name: metadata.name ?? '' } },
  };
}

/** Those a Service has, none if it is headless. */
export function addressesOf({ spec }: DeepReadonly<Service>): string[] {
  return (spec.clusterIPs ?? []).filter((address) => address !== '' && address !== 'None');
}
