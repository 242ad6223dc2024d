// SPDX-License-Identifier: Apache-2.0
// The way to the server behind one APIService: its endpoint, TLS by its caBundle, this server's proxy client certificate, and
// connections kept for the next request.
// @source upstream kube-aggregator pkg/apiserver/handler_proxy.go, controllers/status/remote
import { Agent, request as httpsRequest } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import type { APIService } from '#api/apiregistration/v1';
import type { DeepReadonly } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import { proxy } from '../proxying/proxy-handler.ts';
import type { NetworkAddress, ServiceResolver } from '../proxying/service-resolver.ts';
import { type ApiResult, plainText, type RequestContext } from '../request/context.ts';
import { connectionFailure, joinHostPort } from '../webhook-client/failure.ts';
import { isRemoteHeader, remoteHeaders } from './remote-headers.ts';

export interface ExtensionServerDeps {
  readonly resolver: ServiceResolver;
  /** `--proxy-client-cert-file` and its key, PEM. */
  readonly proxyClient: { readonly cert: string; readonly key: string } | undefined;
}

export interface PlainAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Who asks. */
  readonly user: UserInfo;
}

type Service = { readonly namespace: string; readonly name: string; readonly port: number };

/** Answers of discovery and OpenAPI larger than this are refused. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
const UNAVAILABLE: ApiResult = plainText(503, 'service unavailable\n');

export class ExtensionServer implements Disposable {
  readonly service: Service;
  /** Set by the availability check; requests are refused without it. */
  isAvailable = false;
  readonly #tls: SecureContextOptions & { rejectUnauthorized?: boolean };
  readonly #agent: Agent;
  readonly #resolver: ServiceResolver;

  constructor({ spec }: DeepReadonly<APIService>, { resolver, proxyClient }: ExtensionServerDeps) {
    const { namespace = '', name = '', port = 443 } = spec.service ?? {};
    this.service = { namespace, name, port };
    this.#resolver = resolver;
    this.#tls = {
      ...proxyClient,
      ...(spec.caBundle ? { ca: Buffer.from(spec.caBundle, 'base64').toString() } : {}),
      ...(spec.insecureSkipTLSVerify ? { rejectUnauthorized: false } : {}),
    };
    this.#agent = new Agent({ keepAlive: true, maxCachedSessions: 10 });
  }

  /** What certificates have to say. */
  get serverName(): string {
    return `${this.service.name}.${this.service.namespace}.svc`;
  }

  /** Where to connect. @throws {ApiError} If the Service has no endpoint. */
  resolve(): NetworkAddress {
    return this.#resolver.resolve(this.service);
  }

  /** Carries a request there, with its user. */
  async proxy(context: RequestContext): Promise<ApiResult> {
    if (!this.isAvailable) return UNAVAILABLE;
    let address: NetworkAddress;
    try {
      address = this.resolve();
    } catch {
      return UNAVAILABLE;
    }
    const { path, search, remoteAddress } = context.request;
    return proxy(context, {
      ...address,
      path: search === '' ? path : `${path}?${search}`,
      tls: { certificate: this.#tls, ca: undefined },
      server: { agent: this.#agent, name: this.serverName, verify: this.#tls.rejectUnauthorized !== false },
      headers: { ...remoteHeaders(context.knownUser), 'x-forwarded-for': remoteAddress },
      drops: isRemoteHeader,
      fails: (error) => plainText(503, `error trying to reach service: ${connectionFailure(error, address.host, address.port)}`),
    });
  }

  /** A GET as `user`. @param verify False: whoever answers is asked, as availability checks do. @throws What the connection failed of. */
  get(path: string, { headers = {}, signal, user }: GetOptions, { verify = true } = {}): Promise<PlainAnswer> {
    const { host, port } = this.resolve();
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        const url = `https://${joinHostPort(host, port)}${path}`;
        const why = signal.aborted ? 'context deadline exceeded' : connectionFailure(error, host, port);
        reject(new Error(`Get ${JSON.stringify(url)}: ${why}`, { cause: error }));
      };
      const outgoing = httpsRequest({
        ...this.#tls,
        ...(verify ? {} : { rejectUnauthorized: false }),
        host,
        port,
        path,
        servername: this.serverName,
        agent: verify ? this.#agent : false,
        signal,
        headers: { ...headers, ...remoteHeaders(user) },
      });
      outgoing.on('error', fail);
      outgoing.on('response', (answer) => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) outgoing.destroy(new Error(`answer is longer than ${MAX_ANSWER_BYTES} bytes`));
          else chunks.push(chunk);
        });
        answer.on('error', fail);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }));
      });
      outgoing.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
