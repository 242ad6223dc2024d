// SPDX-License-Identifier: Apache-2.0
// The custom resources of the cluster, watched for as long as their CustomResourceDefinitions are established: one cache per resource,
// shared by the controllers that care for every resource there is (garbage collection, quota). Resources of aggregated API servers
// are not watched.
import type { CustomResourceDefinition } from '#api/apiextensions/v1';
import { customresourcedefinitions } from '#api/resources';
import { type Client, createInformerFactory, type Informer, type InformerFactory } from '#client';
import type { Clock, Logger } from '#component';
import type { DeepReadonly, KubeObject, Resource } from '#machinery';

type Crd = DeepReadonly<CustomResourceDefinition>;

export interface CustomResourceFollower {
  /** A resource came; its informer runs after all followers have been told. */
  readonly add: (resource: Resource, informer: Informer<KubeObject>) => void;
  /** It is no longer served in this form. */
  readonly remove?: (resource: Resource) => void;
  /** Its informer knows all objects. */
  readonly synced?: (resource: Resource) => void;
}

export interface CustomResourcesOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly logger: Logger;
  readonly clock: Clock;
}

interface Watched {
  readonly resource: Resource;
  readonly stop: AbortController;
}

export class CustomResources {
  readonly #options: CustomResourcesOptions;
  readonly #followers: CustomResourceFollower[] = [];
  readonly #watched = new Map<string, Watched>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
  }

  /** Only before `run`. Without followers nothing is watched. */
  follow(follower: CustomResourceFollower): void {
    // Asked for here, so that it is among the informers that the manager starts.
    this.#options.informers.informer(customresourcedefinitions);
    this.#followers.push(follower);
  }

  /** Watches until the signal aborts and all informers have ended. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#followers.length === 0) return;
    const look = (crd: Crd) => this.#look(crd, signal);
    using _handler = this.#options.informers.informer(customresourcedefinitions).addHandler({
      add: look,
      update: (_, after) => look(after),
      delete: ({ metadata }) => this.#stop(metadata.name),
    });
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
    await Promise.all(this.#running);
  }

  #look(crd: Crd, signal: AbortSignal): void {
    const { name } = crd.metadata;
    const resource = resourceOf(crd);
    const known = this.#watched.get(name)?.resource;
    if (known !== undefined && resource !== undefined && isSame(known, resource)) return;
    this.#stop(name);
    if (resource !== undefined) this.#start(name, resource, signal);
  }

  #start(name: string, resource: Resource, signal: AbortSignal): void {
    const { client, logger, clock } = this.#options;
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    const factory = createInformerFactory(client, { logger, clock });
    const informer = factory.informer(resource);
    for (const follower of this.#followers) follower.add(resource, informer);
    factory.start(until);
    this.#watched.set(name, { resource, stop });
    const done = factory.drained();
    this.#running.add(done);
    done.then(() => this.#running.delete(done));
    factory.waitForSync(until).then(
      () => {
        for (const follower of this.#followers) follower.synced?.(resource);
      },
      () => undefined, // Gone before it was known.
    );
  }

  #stop(name: string): void {
    const watched = this.#watched.get(name);
    if (watched === undefined) return;
    watched.stop.abort();
    this.#watched.delete(name);
    for (const follower of this.#followers) follower.remove?.(watched.resource);
  }
}

function isSame(a: Resource, b: Resource): boolean {
  return a.version === b.version && a.resource === b.resource && a.kind === b.kind && a.namespaced === b.namespaced;
}

/** In the version that costs no conversion, where that is served. Undefined: not served. */
function resourceOf({ spec, status }: Crd): Resource | undefined {
  const isEstablished = status?.conditions?.some((condition) => condition.type === 'Established' && condition.status === 'True');
  const version = spec.versions.find(({ served, storage }) => served && storage) ?? spec.versions.find(({ served }) => served);
  if (!isEstablished || version === undefined) return undefined;
  const { plural, kind, singular = '', shortNames = [], categories = [] } = status?.acceptedNames ?? spec.names;
  return {
    group: spec.group,
    version: version.name,
    resource: plural,
    singular,
    kind,
    namespaced: spec.scope === 'Namespaced',
    verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
    shortNames,
    categories,
    storageVersionHash: '',
    subresources: [],
  };
}
