// SPDX-License-Identifier: Apache-2.0
// Port forwarding over SPDY/3.1 (`portforward.k8s.io`): the client opens a pair of streams, error and data, per connection, tied
// by `requestid`. The same frames may come tunnelled in a WebSocket (`SPDY/3.1+portforward.k8s.io`): to this code both are bytes.
// @source upstream kubelet cri/streaming/portforward/httpstream.go, KEP-4006
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createWebSocketStream, type WebSocket } from 'ws';
import { SpdyConnection, type SpdyStream } from './spdy/connection.ts';

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
export const PORT_FORWARD_TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';

export type DialPort = (port: number) => Promise<Duplex>;

interface Pair {
  error?: SpdyStream;
  data?: SpdyStream;
}

/** Serves one client until it goes. @param dial Opens a connection to a port of the Pod. */
export async function servePortForward(socket: Duplex, dial: DialPort): Promise<void> {
  const pairs = new Map<string, Pair>();
  const connection = new SpdyConnection(socket, {
    role: 'server',
    onStream(stream) {
      const id = requestId(stream);
      const pair = pairs.get(id) ?? {};
      pairs.set(id, pair);
      if (stream.headers['streamtype'] === 'error') pair.error = stream;
      else if (stream.headers['streamtype'] === 'data') pair.data = stream;
      else return stream.io.destroy();
      if (pair.error === undefined || pair.data === undefined) return;
      pairs.delete(id);
      void forward(pair.error, pair.data, dial);
    },
  });
  await connection.closed;
}

/** Clients from before 1.3 send none: there the error stream has the odd number before its data stream. */
function requestId({ id, headers }: SpdyStream): string {
  const given = headers['requestid'];
  if (given !== undefined) return given;
  return String(headers['streamtype'] === 'error' ? id : id - 2);
}

async function forward(error: SpdyStream, data: SpdyStream, dial: DialPort): Promise<void> {
  error.io.resume();
  const port = Number(data.headers['port']);
  let target: Duplex | undefined;
  try {
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw new RangeError(`"${data.headers['port'] ?? ''}" is no port`);
    target = await dial(port);
    await Promise.all([pipeline(data.io, target, { end: true }), copyBack(target, data.io)]);
  } catch (failure) {
    const message = `an error occurred forwarding ${port}: ${(failure as Error).message}`;
    if (!error.io.destroyed) error.io.write(message);
    target?.destroy();
  } finally {
    if (!data.io.writableEnded) data.io.end();
    error.io.end();
  }
}

/** `pipeline` would destroy the data stream with the target; it must end in order instead. */
async function copyBack(from: Duplex, to: Duplex): Promise<void> {
  for await (const chunk of from) {
    if (to.destroyed) return;
    if (!to.write(chunk)) {
      await new Promise<void>((resolve) => {
        to.once('drain', resolve);
        to.once('close', resolve);
      });
    }
  }
  to.end();
}

/** As `servePortForward`, for the tunnelled form. */
export function servePortForwardTunnel(socket: WebSocket, dial: DialPort): Promise<void> {
  const stream = createWebSocketStream(socket);
  stream.on('error', () => stream.destroy());
  return servePortForward(stream, dial);
}
