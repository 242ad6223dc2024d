// SPDX-License-Identifier: Apache-2.0
// The webhooks that there are, compiled: rules and selectors ready to match, one client per client configuration. Made anew when
// a configuration object changes, and asked of the cache by its generation alone, so that a cluster without webhooks pays nothing.
// @source upstream apiserver pkg/admission/configuration, plugin/webhook/accessors.go
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from '#api/admissionregistration/v1';
import { type DeepReadonly, type Selector, selectorOf } from '#machinery';
import { createWebhookClient, type WebhookClient, type WebhookClientDeps, type WebhookTarget } from '../../webhook-client/mod.ts';
import { MatchConditions } from './match-conditions.ts';
import { reviewVersionOf } from './review.ts';
import type { ReviewVersion } from './review-form.ts';

export type WebhookConfiguration = DeepReadonly<MutatingWebhookConfiguration | ValidatingWebhookConfiguration>;
type Webhook = DeepReadonly<MutatingWebhook | ValidatingWebhook>;

export interface CompiledWebhook {
  readonly name: string;
  /** The name of the object it stands in. */
  readonly configuration: string;
  /** Unique among all webhooks, also where a name occurs twice. */
  readonly id: string;
  readonly rules: readonly DeepReadonly<RuleWithOperations>[];
  readonly failurePolicy: 'Fail' | 'Ignore';
  readonly matchPolicy: 'Exact' | 'Equivalent';
  readonly mayReinvoke: boolean;
  readonly sideEffects: string | undefined;
  readonly timeoutSeconds: number;
  /** Undefined: it accepts none that is known here. */
  readonly reviewVersion: ReviewVersion | undefined;
  readonly namespaceSelector: Selector;
  readonly objectSelector: Selector;
  readonly conditions: MatchConditions | undefined;
  /** @throws {RangeError} If the configuration cannot be called. */
  client(): WebhookClient;
}

export interface WebhookSourceOptions {
  readonly list: () => readonly WebhookConfiguration[];
  /** Changes with every change of what `list` gives. */
  readonly generation: () => number;
  readonly client: WebhookClientDeps;
  /** Credentials for a host, of `kubeConfigFile` in the admission configuration. */
  readonly credentials?: ((host: string) => Pick<WebhookTarget, 'certificate' | 'token'>) | undefined;
}

const DEFAULT_TIMEOUT_SECONDS = 10;

/** The compiled webhooks of one kind of configuration. */
export class WebhookSource implements AsyncDisposable {
  readonly #options: WebhookSourceOptions;
  #generation = -1;
  #webhooks: readonly CompiledWebhook[] = [];
  /** By client configuration, so that connections outlive a change of the rest. */
  #clients = new Map<string, WebhookClient>();

  constructor(options: WebhookSourceOptions) {
    this.#options = options;
  }

  /** In order of the configurations' names, then as written. */
  current(): readonly CompiledWebhook[] {
    const generation = this.#options.generation();
    if (generation !== this.#generation) {
      this.#generation = generation;
      this.#compile();
    }
    return this.#webhooks;
  }

  #compile(): void {
    const sorted = [...this.#options.list()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const kept = new Set<string>();
    this.#webhooks = sorted.flatMap((configuration) => {
      const seen = new Map<string, number>();
      return (configuration.webhooks ?? []).map((webhook: Webhook) => {
        const index = seen.get(webhook.name) ?? 0;
        seen.set(webhook.name, index + 1);
        kept.add(JSON.stringify(webhook.clientConfig));
        return this.#compileOne(webhook, configuration.metadata.name, index);
      });
    });
    for (const [key, client] of this.#clients) {
      if (kept.has(key)) continue;
      this.#clients.delete(key);
      void client[Symbol.asyncDispose]();
    }
  }

  #compileOne(webhook: Webhook, configuration: string, index: number): CompiledWebhook {
    const { name, clientConfig, matchConditions = [] } = webhook;
    return {
      name,
      configuration,
      id: `${configuration}/${name}/${index}`,
      rules: webhook.rules ?? [],
      failurePolicy: webhook.failurePolicy === 'Ignore' ? 'Ignore' : 'Fail',
      matchPolicy: webhook.matchPolicy === 'Exact' ? 'Exact' : 'Equivalent',
      mayReinvoke: 'reinvocationPolicy' in webhook && webhook.reinvocationPolicy === 'IfNeeded',
      sideEffects: webhook.sideEffects,
      timeoutSeconds: webhook.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      reviewVersion: reviewVersionOf(webhook.admissionReviewVersions ?? []),
      namespaceSelector: selectorOf((webhook.namespaceSelector ?? {}) as never),
      objectSelector: selectorOf((webhook.objectSelector ?? {}) as never),
      conditions: matchConditions.length === 0 ? undefined : new MatchConditions(matchConditions),
      client: () => this.#clientOf(clientConfig),
    };
  }

  #clientOf(config: DeepReadonly<WebhookClientConfig>): WebhookClient {
    const key = JSON.stringify(config);
    let client = this.#clients.get(key);
    if (client === undefined) {
      const target = { url: config.url, service: config.service, caBundle: config.caBundle };
      client = createWebhookClient({ ...target, ...this.#options.credentials?.(hostOf(config)) }, this.#options.client);
      this.#clients.set(key, client);
    }
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const clients = [...this.#clients.values()];
    this.#clients.clear();
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  }
}

/** `name.namespace.svc:443` or the URL's host with its port: what credentials are looked up by. */
function hostOf({ url, service }: DeepReadonly<WebhookClientConfig>): string {
  if (service !== undefined) return `${service.name}.${service.namespace}.svc:${service.port ?? 443}`;
  const parsed = URL.parse(url ?? '');
  return parsed === null ? '' : `${parsed.hostname}:${parsed.port || 443}`;
}
