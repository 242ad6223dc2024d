// SPDX-License-Identifier: Apache-2.0
// An extension API server for tests: group `fish.example.com`, version v1, resource `trouts`, kept in memory. It believes what
// X-Remote-* headers say only over a connection of a front proxy, and writes down whose request made each object.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { bodyOf, sendJson, startHttpsServer, type TestHttpsServer } from './https-server.ts';

export const GROUP = 'fish.example.com';
const ROOT = `/apis/${GROUP}/v1`;
const VERBS = ['create', 'delete', 'get', 'list', 'watch'];

interface Trout {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly annotations: Record<string, string> };
}

export interface ExtensionApiServer extends TestHttpsServer {
  /** What it was asked, `METHOD path` and the user. */
  readonly asked: { readonly line: string; readonly user: string }[];
  /** Whether it answers at all. */
  isDown: boolean;
}

/** @param frontProxyAuthority PEM; whose certificates may speak for others. */
export async function startExtensionServer(frontProxyAuthority: string): Promise<ExtensionApiServer> {
  const trouts = new Map<string, Trout>();
  const watchers = new Set<ServerResponse>();
  const state = { asked: [] as ExtensionApiServer['asked'][number][], isDown: false };
  const server = await startHttpsServer({
    dnsNames: ['fish.default.svc'],
    clientCa: frontProxyAuthority,
    handle: (request, response) => void answer(request, response),
  });
  server.server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    state.asked.push({ line: `${request.method} ${request.url} (upgrade)`, user: userOf(request) ?? '' });
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const user = userOf(request);
    const url = new URL(request.url ?? '/', 'https://x');
    state.asked.push({ line: `${request.method} ${url.pathname}${url.search}`, user: user ?? '' });
    if (state.isDown) return sendJson(response, 500, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 500 });
    if (user === undefined) return sendJson(response, 401, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 401 });
    if (url.pathname === ROOT) return sendJson(response, 200, resourceList());
    if (url.pathname === '/openapi/v3')
      return sendJson(response, 200, { paths: { [ROOT.slice(1)]: { serverRelativeURL: `/openapi/v3${ROOT}?hash=1` } } });
    if (url.pathname === `/openapi/v3${ROOT}`) return sendJson(response, 200, openApi());
    const [, namespace = '', name = ''] = new RegExp(`^${ROOT}(?:/namespaces/([^/]+))?/trouts/?([^/]*)$`).exec(url.pathname) ?? [];
    if (!url.pathname.includes('/trouts'))
      return sendJson(response, 404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 });
    if (request.method === 'POST') return create(namespace, user, JSON.parse(await bodyOf(request)) as Trout, response);
    if (url.searchParams.get('watch') === 'true' || url.searchParams.get('watch') === '1') return watch(response);
    if (name === '')
      return sendJson(response, 200, { ...kind('TroutList'), metadata: { resourceVersion: '1' }, items: [...trouts.values()] });
    const found = trouts.get(`${namespace}/${name}`);
    if (found === undefined) return sendJson(response, 404, notFound(name));
    if (request.method === 'DELETE') trouts.delete(`${namespace}/${name}`);
    sendJson(response, 200, found);
  }

  function create(namespace: string, user: string, { metadata }: Trout, response: ServerResponse): void {
    const made = { ...kind('Trout'), metadata: { ...metadata, namespace, annotations: { 'made-by': user } } };
    trouts.set(`${namespace}/${metadata.name}`, made);
    for (const watcher of watchers) watcher.write(`${JSON.stringify({ type: 'ADDED', object: made })}\n`);
    sendJson(response, 201, made);
  }

  function watch(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
  }

  return Object.assign(state, server);
}

/** Who asks, if a front proxy says so. */
function userOf(request: IncomingMessage): string | undefined {
  const socket = request.socket as TLSSocket;
  const subject = socket.authorized ? (socket.getPeerCertificate().subject as { CN?: string } | undefined) : undefined;
  const user = request.headers['x-remote-user'];
  return subject?.CN === 'front-proxy-client' && typeof user === 'string' ? user : undefined;
}

const kind = (name: string) => ({ kind: name, apiVersion: `${GROUP}/v1` });

function resourceList(): object {
  const trouts = { name: 'trouts', singularName: 'trout', namespaced: true, kind: 'Trout', verbs: VERBS, shortNames: ['tr'] };
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: `${GROUP}/v1`, resources: [trouts] };
}

function openApi(): object {
  const trout = {
    type: 'object',
    description: 'A fish of clear water.',
    properties: { metadata: { type: 'object' } },
    'x-kubernetes-group-version-kind': [{ group: GROUP, version: 'v1', kind: 'Trout' }],
  };
  const get = { 'x-kubernetes-action': 'list', 'x-kubernetes-group-version-kind': { group: GROUP, version: 'v1', kind: 'Trout' } };
  return {
    openapi: '3.0.0',
    info: { title: 'fish', version: 'v1' },
    paths: { [`${ROOT}/trouts`]: { get } },
    components: { schemas: { Trout: trout } },
  };
}

function notFound(name: string): object {
  const details = { name, group: GROUP, kind: 'trouts' };
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'NotFound',
    message: `trouts.${GROUP} "${name}" not found`,
    details,
    code: 404,
  };
}
