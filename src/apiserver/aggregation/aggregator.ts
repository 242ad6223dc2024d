// SPDX-License-Identifier: Apache-2.0
// The aggregator: keeps an extension server for every APIService that names a Service, checks it, and shows what it serves in
// discovery; registers and removes the APIServices of custom resources. Driven by the cache's changes; failing servers are asked
// again with backoff, and all of them every half minute, since the network between can fail without an event.
// @source upstream kube-aggregator pkg/apiserver/apiserver.go, controllers/{status,autoregister}
import { apiservices, customresourcedefinitions, endpointslices, services } from '#api';
import type { APIService } from '#api/apiregistration/v1';
import { type Client, DONE, RateLimitedQueue, type Result, requeueAfter, runController } from '#client';
import { type Clock, formatTime, type Logger } from '#component';
import { type DeepReadonly, deepCopy, isAlreadyExists, isNotFound, type Resource, semanticEqual } from '#machinery';
import type { Cacher } from '../cacher/cacher.ts';
import { prefixOf } from '../registry/generic/keys.ts';
import type { ObjectReader } from '../registry/strategy.ts';
import type { AggregationMetrics } from './aggregation-metrics.ts';
import { type Availability, checkAvailability, LOCAL, withAvailability } from './availability.ts';
import { ExtensionServer, type ExtensionServerDeps } from './extension-server.ts';
import { AUTOMANAGED, customApiService, type GroupVersion, MANAGED, nameOfApiService } from './priorities.ts';
import { type DiscoveredVersion, discoverVersion } from './remote-discovery.ts';
import { fetchOpenApi, type RemoteOpenApi } from './remote-openapi.ts';

type Service = DeepReadonly<APIService>;

export interface AggregatorOptions {
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly server: ExtensionServerDeps;
  /** Called when what extension servers serve has changed, or the order of groups. */
  readonly changed: () => void;
  readonly metrics?: AggregationMetrics | undefined;
}

/** A group and version that another server answers for. */
export interface RemoteVersion extends GroupVersion {
  readonly name: string;
  readonly groupPriority: number;
  readonly versionPriority: number;
  readonly server: ExtensionServer;
  /** As last asked; undefined if it has not answered yet. */
  readonly discovered: DiscoveredVersion | undefined;
  readonly openApi: RemoteOpenApi | undefined;
}

interface Entry {
  readonly spec: Service['spec'];
  readonly server: ExtensionServer;
  discovered: DiscoveredVersion | undefined;
  openApi: RemoteOpenApi | undefined;
  /** Which state of the Service and its endpoints was checked last. */
  route: string;
}

/** @source upstream's resync of the remote availability controller: 30 s */
const RESYNC_MS = 30_000;
/** Prefixes in the cache. */
const WATCHED = {
  services: [prefixOf(apiservices as unknown as Resource)],
  definitions: [prefixOf(customresourcedefinitions as unknown as Resource)],
  routes: [services as unknown as Resource, endpointslices as unknown as Resource].map(prefixOf),
} as const;

export class Aggregator implements Disposable {
  readonly #options: AggregatorOptions;
  readonly #queue: RateLimitedQueue<string>;
  /** By name of the APIService. */
  readonly #entries = new Map<string, Entry>();
  /** By `group/version`. */
  readonly #byVersion = new Map<string, ExtensionServer>();
  readonly #generations = new Map<string, number>();

  constructor(options: AggregatorOptions) {
    this.#options = options;
    this.#queue = new RateLimitedQueue({ clock: options.clock, maxDelayMs: RESYNC_MS });
  }

  /** Whether any request could be another server's. */
  get isEmpty(): boolean {
    return this.#byVersion.size === 0;
  }

  /** The server that answers for a group and version, if it is another one. */
  find(group: string, version: string): ExtensionServer | undefined {
    return this.#byVersion.get(`${group}/${version}`);
  }

  /** All of them, in order of their names. */
  remotes(): readonly RemoteVersion[] {
    return [...this.#entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { spec, server, discovered, openApi }]) => ({
        name,
        group: spec.group ?? '',
        version: spec.version ?? '',
        groupPriority: spec.groupPriorityMinimum,
        versionPriority: spec.versionPriority,
        server,
        discovered,
        openApi,
      }));
  }

  /** Follows the cache until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const { cacher, logger } = this.#options;
    using _progress = cacher.onProgress(() => this.#onProgress());
    this.#onProgress();
    const reconcile = (name: string, stop: AbortSignal) => this.#reconcile(name, stop);
    await runController({ name: 'apiservice', queue: this.#queue, workers: 2, reconcile, logger, signal });
  }

  /** Called for every batch of writes to anything: four comparisons where none of it concerns APIServices. */
  #onProgress(): void {
    const registered = this.#hasChanged('services');
    const defined = this.#hasChanged('definitions');
    const routed = this.#hasChanged('routes');
    if (registered) this.#follow();
    if (registered || defined) this.#registerCustom();
    if (this.#entries.size > 0 && (registered || routed)) this.#recheckRouted();
  }

  #hasChanged(kind: keyof typeof WATCHED): boolean {
    let changed = false;
    for (const prefix of WATCHED[kind]) {
      const { generation } = this.#options.cacher.cache(prefix);
      if (this.#generations.get(prefix) === generation) continue;
      this.#generations.set(prefix, generation);
      changed = true;
    }
    return changed;
  }

  /** Queues the APIServices whose Service or endpoints are others than before. */
  #recheckRouted(): void {
    for (const [name, entry] of this.#entries) {
      const route = this.#routeOf(entry);
      if (route === entry.route) continue;
      entry.route = route;
      this.#queue.add(name);
    }
  }

  /** Changes with the Service and its slices. */
  #routeOf({ server: { service } }: Entry): string {
    const { reader } = this.#options;
    const { namespace, name } = service;
    const slices = reader
      .list(endpointslices, namespace)
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name);
    const versions = [reader.find(services, service), ...slices].map((object) => object?.metadata.resourceVersion ?? '');
    return `${namespace}/${versions.join(',')}`;
  }

  /** One extension server per APIService with a Service; a changed spec makes a new one. */
  #follow(): void {
    const present = new Map(this.#options.reader.list(apiservices).map((service) => [service.metadata.name, service]));
    let moved = false;
    for (const [name, entry] of this.#entries) {
      const next = present.get(name);
      if (next?.spec.service !== undefined && semanticEqual(next.spec, entry.spec)) continue;
      entry.server[Symbol.dispose]();
      this.#options.metrics?.forget(name);
      this.#entries.delete(name);
      this.#byVersion.delete(keyOf(entry.spec));
      moved = true;
    }
    for (const [name, service] of present) {
      const { spec, status } = service;
      const available = status?.conditions?.find(({ type }) => type === 'Available');
      const isAvailable = available?.status === 'True';
      if (spec.service === undefined) {
        if (available?.reason !== LOCAL.reason) this.#queue.add(name);
        continue;
      }
      const known = this.#entries.get(name);
      if (known !== undefined) known.server.isAvailable = isAvailable;
      else {
        const server = new ExtensionServer(service, this.#options.server);
        server.isAvailable = isAvailable;
        this.#entries.set(name, { spec, server, discovered: undefined, openApi: undefined, route: '' });
        this.#byVersion.set(keyOf(spec), server);
        moved = true;
      }
    }
    if (moved) this.#options.changed();
  }

  /** Checks one APIService, writes its condition, and asks it anew what it serves. */
  async #reconcile(name: string, signal: AbortSignal): Promise<Result> {
    if (name.startsWith(CUSTOM)) return this.#reconcileCustom(name.slice(CUSTOM.length), signal);
    const { reader } = this.#options;
    const service = reader.find(apiservices, { name });
    const entry = this.#entries.get(name);
    if (service === undefined) return DONE;
    if (service.spec.service === undefined) {
      await this.#write(service, LOCAL, signal);
      return DONE;
    }
    if (entry === undefined) return DONE;
    const found = await checkAvailability(service, entry.server, { reader, signal });
    this.#options.metrics?.checked(name, found);
    await this.#write(service, found, signal);
    if (found.status !== 'True') {
      this.#learn(entry, undefined);
      if (found.reason === 'FailedDiscoveryCheck') throw new Error(found.message);
      return DONE;
    }
    await this.#discover(entry, signal);
    return requeueAfter(RESYNC_MS);
  }

  async #write(service: Service, found: Availability, signal: AbortSignal): Promise<void> {
    const before = service.status?.conditions ?? [];
    const conditions = withAvailability(before, found, formatTime(this.#options.clock.now()));
    if (conditions === before) return;
    const next = deepCopy(service) as APIService;
    next.status = { ...next.status, conditions: conditions as never };
    await this.#options.client.update(apiservices, next, { subresource: 'status', signal });
  }

  async #discover(entry: Entry, signal: AbortSignal): Promise<void> {
    const { group = '', version = '' } = entry.spec;
    this.#learn(entry, await discoverVersion(entry.server, group, version, signal));
    try {
      const found = await fetchOpenApi(entry.server, `apis/${group}/${version}`, entry.openApi, signal);
      if (found === entry.openApi) return;
      entry.openApi = found;
      this.#options.changed();
    } catch (error) {
      // Not every server has such documents; what it serves works without.
      this.#options.logger.debug({ server: entry.server.serverName, error: String(error) }, 'No OpenAPI documents');
    }
  }

  /** What was served stays listed, as stale, while the server cannot be asked. */
  #learn(entry: Entry, discovered: DiscoveredVersion | undefined): void {
    const before = entry.discovered;
    const next = discovered ?? (before === undefined ? undefined : { ...before, freshness: 'Stale' as const });
    if (semanticEqual(before, next)) return;
    entry.discovered = next;
    this.#options.changed();
  }

  /** Queues the APIServices that custom resources should have and have not, and those that have lost their reason. */
  #registerCustom(): void {
    const wanted = this.#customVersions();
    for (const name of wanted.keys()) this.#queue.add(`${CUSTOM}${name}`);
    for (const { metadata } of this.#options.reader.list(apiservices)) {
      if (metadata.labels?.[AUTOMANAGED] === MANAGED && !wanted.has(metadata.name)) this.#queue.add(`${CUSTOM}${metadata.name}`);
    }
  }

  #customVersions(): Map<string, GroupVersion> {
    const found = new Map<string, GroupVersion>();
    for (const { spec } of this.#options.reader.list(customresourcedefinitions)) {
      for (const { name: version, served } of spec.versions ?? []) {
        const of = { group: spec.group, version };
        if (served) found.set(nameOfApiService(of), of);
      }
    }
    return found;
  }

  async #reconcileCustom(name: string, signal: AbortSignal): Promise<Result> {
    const { reader, client } = this.#options;
    const wanted = this.#customVersions().get(name);
    const current = reader.find(apiservices, { name });
    const isOurs = current?.metadata.labels?.[AUTOMANAGED] === MANAGED;
    if (wanted === undefined) {
      if (isOurs) await client.delete(apiservices, { name }, { signal }).catch(ignore(isNotFound));
      return DONE;
    }
    const draft = customApiService(wanted);
    if (current === undefined) await client.create(apiservices, draft, { signal }).catch(ignore(isAlreadyExists));
    else if (isOurs && !semanticEqual(current.spec, draft.spec)) {
      await client.update(apiservices, { ...(deepCopy(current) as APIService), spec: draft.spec as APIService['spec'] }, { signal });
    }
    return DONE;
  }

  [Symbol.dispose](): void {
    for (const { server } of this.#entries.values()) server[Symbol.dispose]();
    this.#entries.clear();
    this.#byVersion.clear();
  }
}

/** Keys of the queue that stand for what a CustomResourceDefinition should have; names of objects hold no slash. */
const CUSTOM = 'custom/';

const keyOf = ({ group = '', version = '' }: Service['spec']) => `${group}/${version}`;

function ignore(isExpected: (error: unknown) => boolean): (error: unknown) => void {
  return (error) => {
    if (!isExpected(error)) throw error;
  };
}
