// SPDX-License-Identifier: Apache-2.0
// Carries a request to another server and its answer back: plain ones as streams, upgrades (SPDY, WebSocket) as raw bytes both
// ways. Used for kubelet streams and the proxy subresources.
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
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
  return context.request.upgrade === undefined ? proxyPlain(context, destination) : proxyUpgrade(context, destination);
}

function optionsOf(context: RequestContext, { host, port, path, tls }: Destination, extra: Record<string, string>): RequestOptions {
  const headers: Record<string, string | string[]> = { ...extra };
  for (const [name, value] of Object.entries(context.request.headers)) {
    if (value !== undefined && !name.startsWith(':') && !name.startsWith('impersonate-') && !HOP_HEADERS.has(name)) headers[name] = value;
  }
  const secure =
    tls === undefined
      ? {}
      : { ...tls.certificate, ...(tls.ca === undefined ? { rejectUnauthorized: false } : { ca: tls.ca, servername: '' }) };
  return { host, port, path, method: context.request.method, headers, ...secure };
}

function open(destination: Destination, options: RequestOptions, body: Uint8Array | undefined, signal: AbortSignal) {
  const send = destination.tls === undefined ? httpRequest : httpsRequest;
  const outgoing = send({ ...options, signal, agent: false });
  outgoing.end(body);
  return outgoing;
}

async function proxyPlain(context: RequestContext, destination: Destination): Promise<StreamResult> {
  const body = await context.request.readBody(MAX_BODY_BYTES);
  const outgoing = open(destination, optionsOf(context, destination, {}), body.length > 0 ? body : undefined, context.request.signal);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve);
    outgoing.on('error', (error) => reject(unreachable(destination, error)));
  });
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !HOP_HEADERS.has(name)) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { type: 'stream', status: answer.statusCode ?? 502, headers, body: answer };
}

function unreachable({ host, port }: Destination, error: Error): Error {
  return serviceUnavailable(`error trying to reach service: dial tcp ${host}:${port}: ${error.message}`);
}

/** After the other side has switched protocols the two connections are joined and this process only copies. */
async function proxyUpgrade(context: RequestContext, destination: Destination): Promise<ApiResult> {
  const { upgrade } = context.request;
  if (upgrade === undefined) throw apiError(400, 'BadRequest', 'Upgrade request required');
  const extra = { connection: 'Upgrade', upgrade: context.header('upgrade') };
  const outgoing = open(destination, optionsOf(context, destination, extra), undefined, context.request.signal);
  const reached = await new Promise<{ answer: IncomingMessage; socket?: Duplex; head?: Buffer }>((resolve, reject) => {
    outgoing.on('upgrade', (answer, socket, head) => resolve({ answer, socket, head }));
    outgoing.on('response', (answer) => resolve({ answer }));
    outgoing.on('error', (error) => reject(unreachable(destination, error)));
  });
  const { answer, socket, head } = reached;
  if (socket === undefined) return { type: 'stream', status: answer.statusCode ?? 502, headers: {}, body: answer };
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
