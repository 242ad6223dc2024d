// SPDX-License-Identifier: Apache-2.0
// The aggregation layer as the server has it: one part that wraps the dispatcher, recognises front proxies, feeds discovery and
// OpenAPI, and publishes how extension servers can recognise this one.
import { randomInt } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { Client } from '#client';
import type { Clock, Logger, Metrics } from '#component';
import { FrontProxies } from '../auth/request-header.ts';
import type { UserInfo } from '../auth/user.ts';
import type { Cacher } from '../cacher/cacher.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { Authenticator } from '../filters/authentication.ts';
import type { OpenApi } from '../openapi/documents.ts';
import { createServiceResolver } from '../proxying/service-resolver.ts';
import type { ObjectReader } from '../registry/strategy.ts';
import type { Handler } from '../request/context.ts';
import { AggregationMetrics } from './aggregation-metrics.ts';
import { Aggregator } from './aggregator.ts';
import { publishAuthenticationConfig, type RequestHeaderConfig } from './authentication-config-map.ts';
import { openApiSource } from './remote-openapi.ts';
import { remoteSource } from './remote-source.ts';
import { withAggregation } from './with-aggregation.ts';

/** What the command line says of it. */
export interface AggregationOptions {
  /** `--proxy-client-cert-file` and `--proxy-client-key-file`, PEM. */
  readonly proxyClient?: { readonly cert: string; readonly key: string } | undefined;
  /** `--requestheader-*`; without it nobody is a front proxy. */
  readonly requestHeader?: RequestHeaderConfig | undefined;
}

export interface AggregationDeps {
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  /** Acts as the server itself. */
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly discovery: Discovery;
  readonly openApi: OpenApi;
  /** PEM; the authority of ordinary client certificates. */
  readonly clientCa: string | undefined;
}

const SOURCE = 'aggregated';

export class AggregationLayer {
  readonly #aggregator: Aggregator;
  readonly #frontProxies: FrontProxies | undefined;
  readonly #options: AggregationOptions;
  readonly #deps: AggregationDeps;

  constructor(options: AggregationOptions, deps: AggregationDeps) {
    this.#options = options;
    this.#deps = deps;
    const { requestHeader, proxyClient } = options;
    this.#frontProxies = requestHeader === undefined ? undefined : new FrontProxies(requestHeader, deps.clientCa);
    this.#aggregator = new Aggregator({
      ...deps,
      metrics: new AggregationMetrics(deps.metrics),
      server: { resolver: createServiceResolver(deps.reader, randomInt), proxyClient },
      changed: () => this.#show(),
    });
  }

  /** Authorities whose client certificates the port asks for, PEM. */
  get clientAuthorities(): string | undefined {
    const { clientCa } = this.#deps;
    const ca = this.#options.requestHeader?.clientCa;
    return ca === undefined ? clientCa : `${clientCa ?? ''}\n${ca}`;
  }

  wrap(next: Handler): Handler {
    return withAggregation(next, this.#aggregator);
  }

  /** @param named The user that the connection's certificate names. */
  identify(socket: TLSSocket, named: UserInfo | undefined): UserInfo | undefined {
    return this.#frontProxies === undefined ? named : this.#frontProxies.identify(socket, named);
  }

  authenticator(next: Authenticator): Authenticator {
    return this.#frontProxies?.authenticate(next) ?? next;
  }

  /** Publishes what extension servers need to know, once the namespaces are there. */
  publish(): Promise<void> {
    const { client, clientCa } = this.#deps;
    return publishAuthenticationConfig(client, { clientCa, requestHeader: this.#options.requestHeader });
  }

  /** Runs from when the cache is filled until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    using aggregator = this.#aggregator;
    await aggregator.run(signal);
  }

  #show(): void {
    const { discovery, openApi } = this.#deps;
    const remotes = this.#aggregator.remotes();
    if (remotes.length === 0) discovery.remove(SOURCE);
    else discovery.set(SOURCE, remoteSource(remotes));
    const documents = remotes.flatMap((remote) => remote.openApi ?? []);
    if (documents.length === 0) openApi.remove(SOURCE);
    else openApi.set(SOURCE, openApiSource(documents));
  }
}
