// SPDX-License-Identifier: Apache-2.0
// The kubelet's HTTPS server: what the API server proxies to (logs, exec, attach, port-forward) and what monitoring reads.
// Every request is authenticated and authorized, health included. HTTP/1.1 only, since streams need upgrades.
// @source upstream pkg/kubelet/server/server.go. Not served: /run, /logs, /checkpoint, /debug, /configz.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client } from '#client';
import type { Clock, Gauge, Logger, Metrics } from '#component';
import type { Runtime } from '#runtime';
import { refuseUpgrade } from '#streaming';
import type { Machine, MachineUsage } from '../node/machine.ts';
import type { Authenticate, Authorize, KubeletServerOptions } from '../options.ts';
import type { Paths } from '../paths.ts';
import type { PodView } from '../pod/pod.ts';
import { accessOf, accessReviewer, bearerToken, certificateUser, tokenReviewer } from './access.ts';
import { logInstance, logOptions, streamLogs } from './container-logs.ts';
import { HttpError } from './http-error.ts';
import { cadvisorMetrics, resourceMetrics, statsSummary } from './stats.ts';
import { serveUpgrade } from './streams.ts';

export interface ServerDeps extends KubeletServerOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly runtime: Runtime;
  readonly metrics: Metrics | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly paths: Paths;
  pods(): readonly PodView[];
  machine(): Machine | undefined;
  usage(): Promise<MachineUsage>;
}

const CODES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
};

export class KubeletServer implements AsyncDisposable {
  readonly #deps: ServerDeps;
  readonly #authenticate: Authenticate;
  readonly #authorize: Authorize;
  readonly #sockets = new Set<Duplex>();
  readonly #gauges: readonly [Gauge<string>, Gauge<'container_state'>] | undefined;
  #server: Server | undefined;

  constructor(deps: ServerDeps) {
    this.#deps = deps;
    this.#gauges = deps.metrics && [
      deps.metrics.gauge('kubelet_running_pods', 'Number of pods that have a running pod sandbox'),
      deps.metrics.gauge('kubelet_running_containers', 'Number of containers currently running', ['container_state']),
    ];
    this.#authenticate = deps.authenticate ?? tokenReviewer(deps.client, deps.clock);
    this.#authorize = deps.authorize ?? accessReviewer(deps.client, deps.clock, deps.nodeName);
  }

  get port(): number | undefined {
    return (this.#server?.address() as AddressInfo | null | undefined)?.port;
  }

  async listen(): Promise<void> {
    const { address = '0.0.0.0', port = 10250, clientCa, certificate } = this.#deps;
    const { cert, key } = certificate();
    const trust = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
    const server = createServer({ cert, key, minVersion: 'TLSv1.2', ...trust });
    server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => void this.#handle(request, response));
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    this.#server = server;
  }

  /** Takes a renewed certificate for new connections. */
  reload(): void {
    this.#server?.setSecureContext({
      ...this.#deps.certificate(),
      minVersion: 'TLSv1.2',
      ...(this.#deps.clientCa === undefined ? {} : { ca: this.#deps.clientCa }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'https://kubelet');
      await this.#admit(request, url.pathname);
      await this.#route(request, url, response);
    } catch (error) {
      this.#fail(error, (code, text) => {
        if (response.headersSent) return response.destroy();
        response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
        response.end(text);
      });
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const url = new URL(request.url ?? '/', 'https://kubelet');
      await this.#admit(request, url.pathname);
      await serveUpgrade({ request, socket, head, url }, { runtime: this.#deps.runtime, pods: () => this.#deps.pods() });
    } catch (error) {
      this.#fail(error, (code, text) => refuseUpgrade(socket, code, CODES[code] ?? 'Error', text));
    }
  }

  #fail(error: unknown, answer: (code: number, text: string) => void): void {
    if (!(error instanceof HttpError)) this.#deps.logger.warn({ err: error }, 'Kubelet request failed');
    answer(error instanceof HttpError ? error.code : 500, error instanceof Error ? error.message : String(error));
  }

  /** @throws {HttpError} 401 or 403 with upstream's text. */
  async #admit(request: IncomingMessage, path: string): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    const token = bearerToken(request);
    const user = certificateUser(request) ?? (token === undefined ? undefined : await this.#authenticate(token, signal));
    if (user === undefined) throw new HttpError(401, 'Unauthorized');
    const access = accessOf(user, request.method ?? 'GET', path);
    const { allowed } = await this.#authorize(access, signal);
    if (allowed) return;
    const what = access.subresources.join(' ');
    throw new HttpError(403, `Forbidden (user=${user.name}, verb=${access.verb}, resource=nodes, subresource(s)=[${what}])\n`);
  }

  async #route(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpError(405, 'Method Not Allowed');
    const parts = url.pathname.split('/').filter((part) => part !== '');
    switch (parts[0]) {
      case 'healthz':
        return send(response, 'text/plain; charset=utf-8', 'ok');
      case 'pods':
        return sendPods(response, this.#deps.pods());
      case 'runningpods':
        return sendPods(response, this.#runningPods());
      case 'metrics':
        return this.#metrics(parts[1], response);
      case 'stats':
        if (parts[1] === 'summary') return send(response, 'application/json', JSON.stringify(await statsSummary(await this.#stats())));
        break;
      case 'containerLogs':
        return this.#logs(parts.slice(1), url.searchParams, response);
    }
    throw new HttpError(404, '404 page not found\n');
  }

  async #stats() {
    const { nodeName, runtime, clock } = this.#deps;
    return { nodeName, runtime, machine: this.#deps.machine(), usage: await this.#deps.usage(), now: clock.now() };
  }

  async #metrics(kind: string | undefined, response: ServerResponse): Promise<void> {
    const type = 'text/plain; version=0.0.4; charset=utf-8';
    if (kind === undefined) {
      this.#measure();
      return send(response, type, (await this.#deps.metrics?.text()) ?? '');
    }
    if (kind === 'cadvisor') return send(response, type, await cadvisorMetrics(await this.#stats()));
    if (kind === 'resource') return send(response, type, await resourceMetrics(await this.#stats()));
    throw new HttpError(404, '404 page not found\n');
  }

  #measure(): void {
    const [sandboxes, containers] = this.#gauges ?? [];
    const { runtime } = this.#deps;
    sandboxes?.set(runtime.listSandboxes().filter((sandbox) => sandbox.state === 'ready').length);
    for (const state of ['created', 'running', 'exited', 'unknown'] as const) {
      containers?.set({ container_state: state }, runtime.listContainers().filter((container) => container.state === state).length);
    }
  }

  #runningPods(): PodView[] {
    const running = new Set(
      this.#deps.runtime
        .listContainers()
        .filter((one) => one.state === 'running')
        .map((one) => one.labels['io.kubernetes.pod.uid']),
    );
    return this.#deps.pods().filter((pod) => running.has(pod.metadata.uid));
  }

  async #logs(parts: readonly string[], query: URLSearchParams, response: ServerResponse): Promise<void> {
    const [namespace = '', name = '', containerName = ''] = parts.map(decodeURIComponent);
    if (containerName === '') throw new HttpError(400, '{"message": "Missing container name."}');
    const { runtime, clock } = this.#deps;
    const pod = this.#deps.pods().find((one) => one.metadata.name === name && one.metadata.namespace === namespace);
    if (pod === undefined) throw new HttpError(404, `pod does not exist: pod "${name}" not found\n`);
    const previous = query.get('previous') === 'true';
    const options = logOptions(query, clock.now());
    await streamLogs(logInstance(pod, containerName, previous, runtime), options, response, { runtime, clock });
  }
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function sendPods(response: ServerResponse, items: readonly PodView[]): void {
  send(response, 'application/json', JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items }));
}
