// SPDX-License-Identifier: Apache-2.0
// Keeps the addresses of Services and the IPAddress objects of the allocator in step: an address without its object gets one, an
// object that nobody has the address of goes. All are looked at once at the start, afterwards those that something happens to.
// @source upstream registry/core/service/ipallocator/controller/repairip.go
import { ipaddresses, services } from '#api';
import type { Service } from '#api/core/v1';
import type { IPAddress } from '#api/networking/v1';
import { type Client, DONE, EventRecorder, RateLimitedQueue, type Result, requeueAfter, runController } from '#client';
import type { Clock, Logger } from '#component';
import { type DeepReadonly, isNotFound, keyOf } from '#machinery';
import type { Cacher } from '../../cacher/cacher.ts';
import type { CacheEvent } from '../../cacher/resource-cache.ts';
import { prefixOf } from '../generic/keys.ts';
import type { ObjectReader } from '../strategy.ts';
import { ALLOCATOR, addressesOf, addressObject, IP_FAMILY, MANAGED_BY } from './address-allocator.ts';
import { ServiceCidrs } from './service-cidrs.ts';

export interface ServiceAddressRepairOptions {
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NAME = 'ipallocator-repair-controller';
const EVERYTHING = { namespace: '', name: '', nodeName: '' };
/** An address is taken before its Service is written: so long that may last. */
const GRACE_MS = 60_000;

type Key = `service ${string}` | `address ${string}`;

export class ServiceAddressRepair {
  readonly #options: ServiceAddressRepairOptions;
  readonly #cidrs: ServiceCidrs;
  readonly #queue: RateLimitedQueue<Key>;
  readonly #recorder: EventRecorder;

  constructor(options: ServiceAddressRepairOptions) {
    const { client, clock, logger, reader } = options;
    this.#options = options;
    this.#cidrs = new ServiceCidrs(reader);
    this.#queue = new RateLimitedQueue({ clock });
    this.#recorder = new EventRecorder({ client, component: NAME, clock, logger });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { cacher, reader, logger } = this.#options;
    const subscribe = (prefix: string, follow: (event: CacheEvent) => void) =>
      cacher.cache(prefix).subscribe({ interest: EVERYTHING, offer: follow, close: () => undefined });
    using _services = subscribe(prefixOf(services), (event) => this.#followService(event));
    using _addresses = subscribe(prefixOf(ipaddresses), (event) => this.#followAddress(event));
    for (const { metadata } of reader.list(services)) this.#queue.add(`service ${keyOf(metadata)}`);
    for (const { metadata } of reader.list(ipaddresses)) this.#queue.add(`address ${metadata.name}`);
    const reconcile = (key: Key) => this.#reconcile(key);
    await Promise.all([
      runController({ name: NAME, workers: 1, queue: this.#queue, reconcile, logger, signal }),
      this.#recorder.run(signal),
    ]);
  }

  #followService({ type, current }: CacheEvent): void {
    if (type === 'put') this.#queue.add(`service ${current.key}`);
  }

  /** A new one is the allocator's, which will use it or give it back. */
  #followAddress({ type, current, previous }: CacheEvent): void {
    const { parentRef } = (current.object as unknown as IPAddress).spec ?? {};
    if (parentRef?.resource === 'services') this.#queue.add(`service ${keyOf(parentRef)}`);
    if (type === 'put' && previous !== undefined) this.#queue.add(`address ${current.key}`);
  }

  async #reconcile(key: Key): Promise<Result> {
    const { reader } = this.#options;
    const [kind, name = ''] = key.split(' ');
    if (kind === 'address') return this.#checkAddress(reader.find(ipaddresses, { name }));
    const service = findService(reader, name);
    for (const address of service === undefined ? [] : addressesOf(service)) await this.#checkService(service as Owner, address);
    return DONE;
  }

  async #checkService(service: Owner, address: string): Promise<void> {
    const { reader } = this.#options;
    const family = familyOf(address);
    const warn = (reason: string, message: string) =>
      this.#recorder.event(service, 'Warning', reason, message, { action: 'ClusterIPAllocation' });
    if (!this.#cidrs.ranges().some(({ range }) => range.contains(address))) {
      const message = `Cluster IP [${family}]: ${address} is not within any configured Service CIDR; please recreate service`;
      return warn('ClusterIPOutOfRange', message);
    }
    const found = reader.find(ipaddresses, { name: address });
    if (found === undefined) {
      warn('ClusterIPNotAllocated', `Cluster IP [${family}]: ${address} is not allocated; repairing`);
      return this.#create(service, address);
    }
    const { namespace, name } = service.metadata;
    if (isOf(found, service)) return isLabeled(found) ? undefined : this.#recreate(service, address);
    const other = isOfService(found) ? findService(reader, keyOf(found.spec?.parentRef ?? { name: '' })) : undefined;
    if (other !== undefined && addressesOf(other).includes(address)) {
      const message = `Cluster IP [${family}]:${address} was assigned to multiple services; please recreate service`;
      return warn('ClusterIPAlreadyAllocated', message);
    }
    const message = `the ClusterIP [${family}]: ${address} for Service ${namespace}/${name} has a wrong reference; repairing`;
    warn('ClusterIPNotAllocated', message);
    return this.#recreate(service, address);
  }

  async #checkAddress(address: DeepReadonly<IPAddress> | undefined): Promise<Result> {
    if (address?.metadata.labels?.[MANAGED_BY] !== ALLOCATOR) return DONE;
    const { reader, clock } = this.#options;
    const { name, creationTimestamp } = address.metadata;
    const ref = address.spec?.parentRef;
    const cleanUp = async (reason: string, message: string) => {
      this.#recorder.event(address, 'Warning', reason, message, { action: 'IPAddressAllocation' });
      await this.#remove(name);
      return DONE;
    };
    if (ref === undefined || !isOfService(address)) {
      const message = `IPAddress ${name} appears to have been modified, not referencing a Service ${JSON.stringify(ref)}: cleaning up`;
      return cleanUp('IPAddressNotAllocated', message);
    }
    const service = findService(reader, keyOf(ref));
    const said = `IPAddress: ${name} for Service ${ref.namespace}/${ref.name}`;
    if (service === undefined) {
      const graceMs = GRACE_MS - (clock.now() - Date.parse(creationTimestamp ?? ''));
      return graceMs > 0 ? requeueAfter(graceMs) : cleanUp('IPAddressNotAllocated', `${said} appears to have leaked: cleaning up`);
    }
    if (addressesOf(service).includes(name)) return DONE;
    return cleanUp('IPAddressWrongReference', `${said} has a wrong reference; cleaning up`);
  }

  async #recreate(service: Owner, address: string): Promise<void> {
    await this.#remove(address);
    await this.#create(service, address);
  }

  async #create(service: Owner, address: string): Promise<void> {
    await this.#options.client.create(ipaddresses, addressObject(service, address, familyOf(address)));
  }

  async #remove(name: string): Promise<void> {
    await this.#options.client.delete(ipaddresses, { name }).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }
}

type Owner = DeepReadonly<Service>;
type Address = DeepReadonly<IPAddress>;

const familyOf = (address: string) => (address.includes(':') ? 'IPv6' : 'IPv4');
const isOfService = ({ spec }: Address) => !spec?.parentRef?.group && spec?.parentRef?.resource === 'services';

function isOf(address: Address, { metadata }: Owner): boolean {
  const ref = address.spec?.parentRef;
  return isOfService(address) && ref?.namespace === metadata.namespace && ref?.name === metadata.name;
}

function isLabeled({ metadata: { name, labels } }: Address): boolean {
  return labels?.[IP_FAMILY] === familyOf(name) && labels[MANAGED_BY] === ALLOCATOR;
}

/** @param key `namespace/name` */
function findService(reader: ObjectReader, key: string): Owner | undefined {
  const [namespace = '', name = ''] = key.split('/');
  return reader.find(services, { namespace, name });
}
