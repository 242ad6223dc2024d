// SPDX-License-Identifier: Apache-2.0
// Every custom resource that is served at the moment. Follows the definitions as the cache shows them: a definition is served from the
// moment it is Established, anew whenever it changes, and no longer when it is gone. Discovery and OpenAPI are told each time.
import type { Logger } from '#component';
import type { Resource } from '#machinery';
import type { CacheEvent } from '../cacher/resource-cache.ts';
import type { Discovery, DiscoveryGroup } from '../discovery/discovery.ts';
import { compareVersions } from '../discovery/version-order.ts';
import type { CustomRoute, CustomRoutes } from '../handlers/dispatch.ts';
import type { ResourceHandler } from '../handlers/endpoint.ts';
import { CustomSources } from '../openapi/custom-documents.ts';
import type { OpenApi } from '../openapi/documents.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import { createWebhookClient, type WebhookClient, type WebhookClientDeps } from '../webhook-client/mod.ts';
import { hasRules } from './rule-validator.ts';
import { scaleHandlers } from './scale.ts';
import type { Json, SchemaProps } from './schema-props.ts';
import { DEFINITIONS, type Definition, type ServedDefinition, type ServingDeps, serveDefinition } from './served-definition.ts';
import { forbiddingCreates } from './terminating.ts';

export interface CustomResourcesOptions extends Omit<ServingDeps, 'convert'> {
  readonly logger: Logger;
  readonly discovery: Discovery;
  readonly openApi: OpenApi;
  readonly webhooks: WebhookClientDeps;
}

/** A conversion webhook has this long. @source upstream's 30 s for conversion */
const CONVERSION_TIMEOUT_MS = 30_000;
const SOURCE = 'custom-resources';
const NO_HANDLERS: Readonly<Record<string, ResourceHandler>> = {};
export const DEFINITIONS_PREFIX = DEFINITIONS.prefix;

interface Entry {
  readonly served: ServedDefinition;
  /** What the serving depends on: another value means to serve anew. */
  readonly signature: string;
}

export class CustomResources implements CustomRoutes, AsyncDisposable {
  readonly #options: CustomResourcesOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #routes = new Map<string, CustomRoute>();
  readonly #terminating = new Set<string>();
  readonly #clients = new Map<string, { readonly config: string; readonly client: WebhookClient }>();
  readonly #documents = new CustomSources();
  #subscription: Disposable | undefined;

  constructor(options: CustomResourcesOptions) {
    this.#options = options;
  }

  /** Serves what is there, and follows from then on. The cache must be loaded. */
  async start(): Promise<void> {
    const cache = this.#options.cacher.cache(DEFINITIONS_PREFIX);
    const present = cache.list('').map(({ object }) => object as unknown as Definition);
    if (present.some(definitionHasRules)) await this.#options.rules.load();
    this.#subscription = cache.subscribe({
      interest: { namespace: '', name: '', nodeName: '' },
      offer: (event) => this.#follow(event),
      close: () => undefined,
    });
    for (const { object } of cache.list('')) this.#apply(object as unknown as Definition);
    this.#publish();
  }

  find(group: string, version: string, resource: string): CustomRoute | undefined {
    return this.#routes.get(`${group}/${version}/${resource}`);
  }

  prepareDefinitions(): Promise<void> {
    return this.#options.rules.load();
  }

  /** A served resource, for admission and others that need one by name. */
  served(group: string, version: string, resource: string): ServedResource | undefined {
    return this.find(group, version, resource)?.served;
  }

  /** A definition as it is served; undefined while it is not. */
  definition(name: string): ServedDefinition | undefined {
    return this.#entries.get(name)?.served;
  }

  /** Each definition once, for metrics. */
  definitions(): Iterable<ServedDefinition> {
    return [...this.#entries.values()].map(({ served }) => served);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription?.[Symbol.dispose]();
    await Promise.all([...this.#clients.values()].map(({ client }) => client[Symbol.asyncDispose]()));
  }

  #follow({ type, current }: CacheEvent): void {
    const definition = current.object as unknown as Definition;
    const changed = type === 'delete' ? this.#remove(definition.metadata.name) : this.#apply(definition);
    if (changed) this.#publish();
  }

  /** @returns Whether what is served is another than before. */
  #apply(definition: Definition): boolean {
    const { name } = definition.metadata;
    if (isTerminating(definition)) this.#terminating.add(name);
    else this.#terminating.delete(name);
    if (!isEstablished(definition)) return this.#remove(name);
    const { uid, generation } = definition.metadata;
    const signature = JSON.stringify([uid, generation, definition.status?.acceptedNames]);
    if (this.#entries.get(name)?.signature === signature) return false;
    if (definitionHasRules(definition) && !this.#options.rules.isLoaded) {
      // Another server took it, and this one has seen no rule yet.
      void this.#options.rules.load().then(() => this.#applyAgain(name));
      return false;
    }
    return this.#serve(definition, signature);
  }

  #applyAgain(name: string): void {
    const found = this.#options.cacher.cache(DEFINITIONS_PREFIX).find(name);
    if (found !== undefined && this.#apply(found.object as unknown as Definition)) this.#publish();
  }

  #serve(definition: Definition, signature: string): boolean {
    const { name } = definition.metadata;
    try {
      const served = serveDefinition(definition, { ...this.#options, convert: (of, review) => this.#convert(of, review) });
      const reason = this.#drop(name) ? 'update' : 'add';
      this.#options.metrics.regenerated(name, definition.spec.group, versionsOf(served), reason);
      this.#entries.set(name, { served, signature });
      const { group, versions } = definition.spec;
      const replicas = versions.map(
        ({ name: version, subresources }) => [`${group}/${version}`, subresources?.scale?.specReplicasPath] as const,
      );
      for (const one of served.versions) {
        this.#routes.set(keyOf(one.resource), {
          served: one.served,
          scale: one.scale === undefined ? NO_HANDLERS : scaleHandlers(one.scale, replicas),
          deprecation: one.deprecation,
          partsNow: (parts) => (this.#terminating.has(name) ? forbiddingCreates(parts) : parts),
        });
      }
      return true;
    } catch (error) {
      // One definition that cannot be served must not stop the server: it was written by another, or by hand.
      this.#options.logger.error({ name, error: error instanceof Error ? error.stack : String(error) }, 'Cannot serve a custom resource');
      return false;
    }
  }

  #remove(name: string): boolean {
    const served = this.#entries.get(name)?.served;
    if (served === undefined) return false;
    this.#options.metrics.regenerated(name, served.resource.group, versionsOf(served), 'remove');
    return this.#drop(name);
  }

  #drop(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#entries.delete(name);
    for (const { resource } of entry.served.versions) this.#routes.delete(keyOf(resource));
    entry.served.end();
    return true;
  }

  #publish(): void {
    const versions = [...this.#entries.values()].flatMap(({ served }) => served.versions);
    this.#options.discovery.set(SOURCE, {
      get groups() {
        return groupsOf(versions.map(({ resource }) => resource));
      },
      get resources() {
        return versions.map(({ resource }) => resource).sort((a, b) => (a.resource < b.resource ? -1 : 1));
      },
    });
    this.#options.openApi.set(
      SOURCE,
      this.#documents.next(
        versions.map(({ resource, served, props }) => ({
          resource,
          listKind: served.listKind,
          schema: props as unknown as Json,
          selectable: served.store.strategy.selectableFields ?? [],
        })),
      ),
    );
  }

  #convert(definition: Definition, review: object): Promise<unknown> {
    return this.#clientOf(definition).post(review, { timeoutMs: CONVERSION_TIMEOUT_MS });
  }

  #clientOf({ metadata, spec }: Definition): WebhookClient {
    const target = spec.conversion?.webhook?.clientConfig ?? {};
    const config = JSON.stringify(target);
    const known = this.#clients.get(metadata.name);
    if (known?.config === config) return known.client;
    void Promise.resolve(known?.client[Symbol.asyncDispose]()).catch(() => undefined);
    const client = createWebhookClient(target, this.#options.webhooks);
    this.#clients.set(metadata.name, { config, client });
    return client;
  }
}

const versionsOf = ({ versions }: ServedDefinition) => versions.map(({ resource }) => resource.version);
const keyOf = ({ group, version, resource }: Resource) => `${group}/${version}/${resource}`;

function groupsOf(resources: readonly Resource[]): readonly DiscoveryGroup[] {
  const versions = Map.groupBy(resources, ({ group }) => group);
  return [...versions.keys()].sort().map((name) => {
    const sorted = [...new Set(versions.get(name)?.map(({ version }) => version))].sort(compareVersions);
    return { name, versions: sorted, preferred: sorted[0] ?? '' };
  });
}

function definitionHasRules({ spec }: Definition): boolean {
  return spec.versions.some(({ schema }) => schema?.openAPIV3Schema !== undefined && hasRules(schema.openAPIV3Schema as SchemaProps));
}

const hasCondition = ({ status }: Definition, wanted: string) =>
  (status?.conditions ?? []).some(({ type, status: is }) => type === wanted && is === 'True');
const isEstablished = (definition: Definition) => hasCondition(definition, 'Established');
const isTerminating = (definition: Definition) =>
  definition.metadata.deletionTimestamp !== undefined || hasCondition(definition, 'Terminating');
