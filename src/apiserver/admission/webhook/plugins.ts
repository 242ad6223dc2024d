// SPDX-License-Identifier: Apache-2.0
// Makes the two webhook plugins over the server's cache.
import { mutatingwebhookconfigurations, validatingwebhookconfigurations } from '#api';
import type { Clock, Logger } from '#component';
import type { Resource } from '#machinery';
import type { Cacher } from '../../cacher/cacher.ts';
import { prefixOf } from '../../registry/generic/keys.ts';
import type { ServedResource } from '../../registry/generic/served-resource.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import type { WebhookClientDeps } from '../../webhook-client/mod.ts';
import type { AdmissionPlugin } from '../admission.ts';
import type { PluginConfigurations } from '../admission-configuration.ts';
import { type WebhookConfiguration, WebhookSource } from './configurations.ts';
import { credentialsOf } from './credentials.ts';
import type { Authorize } from './match-conditions.ts';
import { mutatingAdmissionWebhook } from './mutating.ts';
import { validatingAdmissionWebhook } from './validating.ts';
import type { WebhookMetrics } from './webhook-metrics.ts';

export interface WebhookPluginsOptions {
  readonly reader: ObjectReader;
  readonly cacher: Cacher;
  readonly client: WebhookClientDeps;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authorize: Authorize;
  /** Every built-in resource by `group/version/resource`. */
  readonly served: ReadonlyMap<string, ServedResource>;
  /** The served versions of a custom resource, by the name of its definition. */
  readonly customVersions: (definition: string) => readonly ServedResource[];
  readonly configurations?: PluginConfigurations | undefined;
  readonly metrics?: WebhookMetrics | undefined;
}

export interface WebhookPlugins extends AsyncDisposable {
  readonly plugins: readonly AdmissionPlugin[];
}

/** @throws {RangeError | KubeconfigError} If a plugin's configuration cannot be used. */
export function createWebhookPlugins(options: WebhookPluginsOptions): WebhookPlugins {
  const { reader, clock, logger, authorize, metrics } = options;
  const mutating = sourceOf('MutatingAdmissionWebhook', mutatingwebhookconfigurations as unknown as Resource, options);
  const validating = sourceOf('ValidatingAdmissionWebhook', validatingwebhookconfigurations as unknown as Resource, options);
  const shared = { reader, logger, authorize, metrics, now: () => clock.now(), equivalents: equivalentsIn(options) };
  return {
    plugins: [mutatingAdmissionWebhook({ ...shared, source: mutating }), validatingAdmissionWebhook({ ...shared, source: validating })],
    async [Symbol.asyncDispose]() {
      await Promise.all([mutating[Symbol.asyncDispose](), validating[Symbol.asyncDispose]()]);
    },
  };
}

function sourceOf(plugin: string, resource: Resource, { reader, cacher, client, configurations }: WebhookPluginsOptions): WebhookSource {
  const prefix = prefixOf(resource);
  return new WebhookSource({
    list: () => reader.list(resource) as unknown as readonly WebhookConfiguration[],
    generation: () => cacher.cache(prefix).generation,
    client,
    credentials: credentialsOf(configurations?.get(plugin)),
  });
}

/** Versions and groups that show the same objects: a built-in resource's are known for good, a custom one's change with its definition. */
export function equivalentsIn({
  served: builtIn,
  customVersions,
}: Pick<WebhookPluginsOptions, 'served' | 'customVersions'>): (served: ServedResource) => readonly ServedResource[] {
  const byStore = Map.groupBy(builtIn.values(), ({ store }) => store);
  return (served) => byStore.get(served.store) ?? customVersions(`${served.resource.resource}.${served.resource.group}`);
}
