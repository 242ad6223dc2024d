// SPDX-License-Identifier: Apache-2.0
// The sockets of a DNS server: UDP, and TCP with its length prefix, pipelining, idle timeout and a limit of connections.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '#component';
import { framed } from './forwarder.ts';

/** Undefined: no answer. Never rejects. */
export type Answerer = (message: Buffer, protocol: 'udp' | 'tcp') => Promise<Buffer | undefined>;

const IDLE_MS = 10_000;
const MAX_CONNECTIONS = 256;

/** Resolves when bound. @throws If the address is taken or not there. */
export function listenUdp(address: string, port: number, answer: Answerer): Promise<UdpSocket> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => {
    void answer(message, 'udp').then((reply) => {
      if (reply !== undefined) sendQuietly(socket, reply, from.port, from.address);
    });
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', reject);
      socket.on('error', () => {}); // A client that is gone.
      resolve(socket);
    });
  });
}

export interface TcpListener {
  readonly port: number;
  /** Does not wait for clients: they keep connections open. */
  close(): Promise<void>;
}

export function listenTcp(address: string, port: number, answer: Answerer, clock: Clock): Promise<TcpListener> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    serve(socket, answer, clock);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve({ port: (server.address() as AddressInfo).port, close: () => closeAll(server, open) });
    });
  });
}

function closeAll(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  for (const socket of open) socket.destroy();
  return new Promise((resolve) => server.close(() => resolve()));
}

/** Messages of one connection, answered in order. */
function serve(socket: Socket, answer: Answerer, clock: Clock): void {
  let received = Buffer.alloc(0);
  let queue: Promise<void> = Promise.resolve();
  let idle = clock.after(IDLE_MS, () => socket.destroy());
  socket.on('error', () => {});
  socket.once('close', () => idle[Symbol.dispose]());
  socket.on('data', (chunk) => {
    idle[Symbol.dispose]();
    idle = clock.after(IDLE_MS, () => socket.destroy());
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const message = received.subarray(2, 2 + received.readUInt16BE(0));
      received = received.subarray(2 + message.length);
      queue = queue.then(async () => {
        const reply = await answer(message, 'tcp');
        if (reply === undefined) socket.destroy();
        else if (socket.writable) socket.write(framed(reply));
      });
    }
  });
}

function sendQuietly(socket: UdpSocket, reply: Buffer, port: number, address: string): void {
  try {
    socket.send(reply, port, address);
  } catch {
    // Closed meanwhile.
  }
}
