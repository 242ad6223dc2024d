// SPDX-License-Identifier: Apache-2.0
// The HTTP side of streaming: what kind of upgrade a request asks for and the answer that grants it.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

export type UpgradeKind = 'websocket' | 'spdy' | undefined;

export function upgradeKind(request: Pick<IncomingMessage, 'headers'>): UpgradeKind {
  const wanted = (request.headers.upgrade ?? '').toLowerCase();
  if (wanted === 'websocket') return 'websocket';
  return wanted === 'spdy/3.1' ? 'spdy' : undefined;
}

/** The protocols a client offers, its favourite first. Repeated headers and lists both occur. */
export function offeredProtocols(request: Pick<IncomingMessage, 'headers'>, header: string): string[] {
  const value = request.headers[header];
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

export const STREAM_PROTOCOL_HEADER = 'x-stream-protocol-version';

/** Grants a SPDY upgrade. @returns The bytes that follow, those already read included. */
export function acceptSpdy(socket: Duplex, head: Buffer, protocol: string): Duplex {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/**
 * Grants a WebSocket upgrade with one of our protocols. The library refuses names with a slash (`SPDY/3.1+portforward.k8s.io`),
 * so the header is kept from it and answered here.
 */
export function acceptWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, protocol: string): Promise<WebSocket> {
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => server.handleUpgrade(request, socket, head, resolve));
}

/** Refuses an upgrade with a plain answer and closes. */
export function refuseUpgrade(socket: Duplex, code: number, reason: string, body: string): void {
  const lines = [
    `HTTP/1.1 ${code} ${reason}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
