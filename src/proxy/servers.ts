// SPDX-License-Identifier: Apache-2.0
// What kube-proxy answers over HTTP: /healthz and /livez (10256), /metrics and /proxyMode (10249), and per Service with a health
// check node port whether this node has local endpoints.
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Logger } from '#component';
import type { ServicePort } from './service-map.ts';

export interface Health {
  readonly healthy: boolean;
  /** False while the node is being deleted: load balancers should go elsewhere. */
  readonly nodeEligible: boolean;
  readonly lastUpdatedMs: number;
  readonly nowMs: number;
}

/** Nothing has been late for longer than this. */
export const HEALTH_TIMEOUT_MS = 60_000;

export function healthListener(health: () => Health): RequestListener {
  return (request, response) => {
    const { healthy, nodeEligible, lastUpdatedMs, nowMs } = health();
    const path = request.url?.split('?')[0];
    if (path !== '/healthz' && path !== '/livez') return void response.writeHead(404).end();
    const fine = healthy && (path === '/livez' || nodeEligible);
    const body = { lastUpdated: new Date(lastUpdatedMs).toISOString(), currentTime: new Date(nowMs).toISOString(), nodeEligible };
    answerJson(response, fine ? 200 : 503, path === '/livez' ? { ...body, nodeEligible: undefined } : body);
  };
}

export function metricsListener(text: () => Promise<string>): RequestListener {
  return (request, response) => {
    const path = request.url?.split('?')[0];
    if (path === '/healthz') return void response.end('ok');
    if (path === '/proxyMode') return void response.setHeader('content-type', 'text/plain; charset=utf-8').end('nftables');
    if (path !== '/metrics') return void response.writeHead(404).end();
    void text().then((body) => response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(body));
  };
}

/** Resolves with the server, listening. @throws If the address is taken. */
export function listen(listener: RequestListener, address: string, port: number): Promise<Server> {
  const server = createServer(listener);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

export function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

interface Checked {
  readonly namespace: string;
  readonly name: string;
  readonly localEndpoints: number;
}

/** One small server per health check node port, opened and closed with the plan. */
export class ServiceHealthServers {
  readonly #servers = new Map<number, Promise<Server | undefined>>();
  readonly #answers = new Map<number, Checked>();
  readonly #healthy: () => boolean;
  readonly #logger: Logger;

  constructor(healthy: () => boolean, logger: Logger) {
    this.#healthy = healthy;
    this.#logger = logger;
  }

  async sync(ports: readonly ServicePort[]): Promise<void> {
    const wanted = new Map<number, Checked>();
    for (const { healthCheckNodePort, namespace, name, localEndpoints } of ports) {
      if (healthCheckNodePort === 0) continue;
      const count = Math.max(wanted.get(healthCheckNodePort)?.localEndpoints ?? 0, new Set(localEndpoints.map(({ ip }) => ip)).size);
      wanted.set(healthCheckNodePort, { namespace, name, localEndpoints: count });
    }
    for (const port of [...this.#servers.keys()]) if (!wanted.has(port)) await this.#close(port);
    for (const [port, checked] of wanted) {
      this.#answers.set(port, checked);
      if (!this.#servers.has(port)) this.#servers.set(port, this.#open(port));
    }
  }

  async closeAll(): Promise<void> {
    for (const port of [...this.#servers.keys()]) await this.#close(port);
  }

  #open(port: number): Promise<Server | undefined> {
    return listen((_request, response) => this.#answer(port, response), '0.0.0.0', port).catch((error: unknown) => {
      this.#logger.warn({ port, error: String(error) }, 'Cannot open a health check node port');
      return undefined;
    });
  }

  async #close(port: number): Promise<void> {
    const server = await this.#servers.get(port);
    this.#servers.delete(port);
    this.#answers.delete(port);
    if (server !== undefined) await close(server);
  }

  #answer(port: number, response: ServerResponse): void {
    const { namespace, name, localEndpoints } = this.#answers.get(port) ?? { namespace: '', name: '', localEndpoints: 0 };
    const serviceProxyHealthy = this.#healthy();
    const fine = localEndpoints > 0 && serviceProxyHealthy;
    answerJson(response, fine ? 200 : 503, { service: { namespace, name }, localEndpoints, serviceProxyHealthy });
  }
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }).end(JSON.stringify(body));
}
