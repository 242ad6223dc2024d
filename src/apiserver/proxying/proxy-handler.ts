// SPDX-License-Identifier: Apache-2.0
// Carries a request to another server and its answer back: plain ones as streams, upgrades (SPDY, WebSocket) as raw bytes both
// ways. Used for kubelet streams, the proxy subresources and extension API servers.
import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { apiError, serviceUnavailable } from '#machinery';
import type { ApiResult, RequestContext, StreamResult } from '../request/context.ts';
import type { Destination } from './kubelet-connection.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Never passed on: they concern one connection, or say who the client is. */
const HOP_HEADERS = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'proxy-authorization',
  'authorization',
  'host',
  'content-length',
  'upgrade',
  'http2-settings',
]);

export async function proxy(context: RequestContext, destination: Destination): Promise<ApiResult> {
  try {
    return await (context.request.upgrade === undefined ? proxyPlain(context, destination) : proxyUpgrade(context, destination));
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const { host, port, fails } = destination;
    if (fails !== undefined) return fails(error.cause as Error);
    throw serviceUnavailable(`error trying to reach service: dial tcp ${host}:${port}: ${(error.cause as Error).message}`);
  }
}

/** Thrown when the other side gives no answer at all. */
class Unreachable extends Error {}

function optionsOf(context: RequestContext, destination: Destination, extra: Record<string, string>): RequestOptions {
  const { host, port, path, drops, headers: given } = destination;
  const headers: Record<string, string | string[]> = { ...extra };
  for (const [name, value] of Object.entries(context.request.headers)) {
    if (value === undefined || name.startsWith(':') || name.startsWith('impersonate-') || HOP_HEADERS.has(name)) continue;
    if (drops?.(name) !== true) headers[name] = value;
  }
  return { host, port, path, method: context.request.method, headers: { ...headers, ...given }, ...securityOf(destination) };
}

function securityOf({ tls, server }: Destination): object {
  if (tls === undefined) return {};
  if (server !== undefined) return { ...tls.certificate, servername: server.name, rejectUnauthorized: server.verify };
  return { ...tls.certificate, ...(tls.ca === undefined ? { rejectUnauthorized: false } : { ca: tls.ca, servername: '' }) };
}

function open({ tls, server }: Destination, options: RequestOptions, signal: AbortSignal, agent: boolean): ClientRequest {
  const send = tls === undefined ? httpRequest : httpsRequest;
  return send({ ...options, signal, agent: agent && server !== undefined ? server.agent : false });
}

/** Sends the body as it comes, where it comes in pieces. */
async function sendBody({ request }: RequestContext, outgoing: ClientRequest): Promise<void> {
  const { method } = request;
  const length = request.headers['content-length'];
  if (method === 'GET' || method === 'HEAD') {
    outgoing.end();
    return;
  }
  if (request.openBody === undefined) {
    const body = await request.readBody(MAX_BODY_BYTES);
    outgoing.end(body.length > 0 ? body : undefined);
    return;
  }
  if (typeof length === 'string') outgoing.setHeader('content-length', length);
  else outgoing.setHeader('transfer-encoding', 'chunked');
  const source = request.openBody();
  source.on('error', () => outgoing.destroy());
  source.pipe(outgoing);
}

async function proxyPlain(context: RequestContext, destination: Destination): Promise<StreamResult> {
  const outgoing = open(destination, optionsOf(context, destination, {}), context.request.signal, true);
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => reject(new Unreachable('', { cause: error })));
  });
  answered.catch(() => undefined); // Awaited below, after the body.
  await sendBody(context, outgoing);
  const answer = await answered;
  return { type: 'stream', status: answer.statusCode ?? 502, headers: headersOf(answer), body: answer };
}

function headersOf(answer: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !HOP_HEADERS.has(name)) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

/** After the other side has switched protocols the two connections are joined and this process only copies. */
async function proxyUpgrade(context: RequestContext, destination: Destination): Promise<ApiResult> {
  const { upgrade } = context.request;
  if (upgrade === undefined) throw apiError(400, 'BadRequest', 'Upgrade request required');
  const extra = { connection: 'Upgrade', upgrade: context.header('upgrade') };
  const outgoing = open(destination, optionsOf(context, destination, extra), context.request.signal, false);
  outgoing.end();
  const reached = await new Promise<{ answer: IncomingMessage; socket?: Duplex; head?: Buffer }>((resolve, reject) => {
    outgoing.on('upgrade', (answer, socket, head) => resolve({ answer, socket, head }));
    outgoing.on('response', (answer) => resolve({ answer }));
    outgoing.on('error', (error) => reject(new Unreachable('', { cause: error })));
  });
  const { answer, socket, head } = reached;
  if (socket === undefined) return { type: 'stream', status: answer.statusCode ?? 502, headers: headersOf(answer), body: answer };
  upgrade.socket.write(`HTTP/1.1 101 Switching Protocols\r\n${rawHeaders(answer)}\r\n`);
  join(upgrade.socket, socket, upgrade.head, head ?? Buffer.alloc(0));
  return { type: 'hijacked' };
}

function rawHeaders({ rawHeaders: raw }: IncomingMessage): string {
  let text = '';
  for (let index = 0; index + 1 < raw.length; index += 2) text += `${raw[index]}: ${raw[index + 1]}\r\n`;
  return text;
}

function join(client: Duplex, server: Duplex, fromClient: Buffer, fromServer: Buffer): void {
  if (fromClient.length > 0) server.write(fromClient);
  if (fromServer.length > 0) client.write(fromServer);
  client.pipe(server);
  server.pipe(client);
  const end = () => {
    client.destroy();
    server.destroy();
  };
  for (const side of [client, server]) {
    side.on('error', end);
    side.on('close', end);
  }
}
