// SPDX-License-Identifier: Apache-2.0
// Clients over HTTPS that act as service accounts of kube-system (--use-service-account-credentials): a bound token is asked for on
// first use and again before it expires. Watches run under the manager's own identity and are not affected by rotation.
import type { TokenRequest } from '#api/authentication/v1';
import { serviceaccounts } from '#api/resources';
import {
  type Client,
  type ClientConfig,
  createClient,
  HttpsTransport,
  type Transport,
  type TransportAnswer,
  type TransportRequest,
} from '#client';
import { systemClock } from '#component';
import { isAlreadyExists, isNotFound, timeMs } from '#machinery';

const NAMESPACE = 'kube-system';
const LIFETIME_SECONDS = 3600;
const RENEW_BEFORE_MS = 10 * 60_000;

interface Lease {
  readonly transport: HttpsTransport;
  readonly until: number;
}

/** @param client Has the right to create tokens. */
export function tokenClients(client: Client, config: ClientConfig): Disposable & { of(account: string): Client } {
  const transports: AccountTransport[] = [];
  return {
    of(account) {
      const transport = new AccountTransport(client, config, account);
      transports.push(transport);
      return createClient(transport);
    },
    [Symbol.dispose]() {
      for (const transport of transports) transport[Symbol.dispose]();
    },
  };
}

class AccountTransport implements Transport, Disposable {
  readonly #client: Client;
  readonly #config: ClientConfig;
  readonly #account: string;
  #current: Promise<Lease> | undefined;
  /** Kept until the one after it is made, for requests that are under way. */
  #previous: HttpsTransport | undefined;
  #until: number;

  constructor(client: Client, config: ClientConfig, account: string) {
    this.#client = client;
    this.#config = config;
    this.#account = account;
    this.#current = undefined;
    this.#previous = undefined;
    this.#until = 0;
  }

  async send(request: TransportRequest, signal: AbortSignal | undefined): Promise<TransportAnswer> {
    return (await this.#transport()).send(request, signal);
  }

  async *stream(request: TransportRequest, signal: AbortSignal): AsyncGenerator<{ type: string; object: unknown }> {
    yield* (await this.#transport()).stream(request, signal);
  }

  async raw(request: Parameters<Transport['raw']>[0], signal: AbortSignal | undefined) {
    return (await this.#transport()).raw(request, signal);
  }

  [Symbol.dispose](): void {
    this.#previous?.[Symbol.dispose]();
    void this.#current?.then(({ transport }) => transport[Symbol.dispose]()).catch(() => undefined);
  }

  async #transport(): Promise<HttpsTransport> {
    if (this.#current === undefined || systemClock.now() > this.#until - RENEW_BEFORE_MS) this.#renew();
    try {
      const lease = await (this.#current as Promise<Lease>);
      this.#until = lease.until;
      return lease.transport;
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
  }

  #renew(): void {
    const before = this.#current;
    this.#until = Number.POSITIVE_INFINITY;
    this.#current = this.#lease().then(async (lease) => {
      this.#previous?.[Symbol.dispose]();
      this.#previous = (await before?.catch(() => undefined))?.transport;
      return lease;
    });
  }

  async #lease(): Promise<Lease> {
    const { token, expirationTimestamp } = await this.#token();
    const { cert: _, certFile: __, key: ___, keyFile: ____, tokenFile: _____, ...rest } = this.#config;
    return { transport: new HttpsTransport({ ...rest, token, userAgent: 'kube-controller-manager' }), until: timeMs(expirationTimestamp) };
  }

  async #token(): Promise<{ token: string; expirationTimestamp: string }> {
    const ref = { namespace: NAMESPACE, name: this.#account };
    const ask = () =>
      this.#client.createSubresource<TokenRequest>(serviceaccounts, ref, 'token', { spec: { expirationSeconds: LIFETIME_SECONDS } });
    try {
      return (await ask()).status;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#client.create(serviceaccounts, { metadata: ref }).catch((reason: unknown) => {
        if (!isAlreadyExists(reason)) throw reason;
      });
      return (await ask()).status;
    }
  }
}
