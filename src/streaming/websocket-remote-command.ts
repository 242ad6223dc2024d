// SPDX-License-Identifier: Apache-2.0
// Exec and attach over WebSocket: binary messages whose first byte is the channel. v5 adds the close of a channel (255, number);
// v4 has none, so there stdin never ends. @source upstream apimachinery pkg/util/remotecommand, KEP-4006
import type { WebSocket } from 'ws';
import { PushQueue } from './queue.ts';
import {
  parseSize,
  type RemoteClient,
  type RemoteCommandOptions,
  runRemoteCommand,
  type StartProcess,
  type TerminalSize,
} from './remote-command.ts';

export const WEBSOCKET_COMMAND_PROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** The first of our protocols that the client offers too. */
export function chooseProtocol(offered: readonly string[], ours: readonly string[]): string | undefined {
  return offered.find((protocol) => ours.includes(protocol));
}

export interface WebSocketCommand extends RemoteCommandOptions {
  /** The one that was agreed on. */
  readonly protocol: string;
}

/** Serves one command on an open WebSocket; resolves when it is over. */
export async function serveWebSocketCommand(socket: WebSocket, options: WebSocketCommand, start: StartProcess): Promise<void> {
  await runRemoteCommand(webSocketClient(socket, options), options, start);
}

function webSocketClient(socket: WebSocket, options: WebSocketCommand): RemoteClient {
  const base64 = options.protocol.includes('base64');
  const stdin = new PushQueue<Buffer>({ onFull: () => socket.pause(), onEmpty: () => socket.resume() });
  const sizes = new PushQueue<TerminalSize>();
  const gone = Promise.withResolvers<void>();
  socket.on('message', (data) => take(toBuffer(data), { base64, stdin, sizes, v5: options.protocol.startsWith('v5') }));
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    stdin.end();
    sizes.end();
    gone.resolve();
  });
  const send = (channel: number, chunk: Buffer) => sendOn(socket, channel, chunk, base64);
  // The client learns by this empty message that its streams are there.
  const first = options.stdout ? CHANNEL.stdout : options.stderr ? CHANNEL.stderr : CHANNEL.error;
  void send(first, Buffer.alloc(0)).catch(() => {});
  return {
    stdin: options.stdin ? stdin : undefined,
    sizes: options.tty ? sizes : undefined,
    gone: gone.promise,
    writeStdout: (chunk) => send(CHANNEL.stdout, chunk),
    writeStderr: (chunk) => send(CHANNEL.stderr, chunk),
    async finish(status) {
      await send(CHANNEL.error, Buffer.from(JSON.stringify(status))).catch(() => {});
      socket.close(1000);
    },
  };
}

interface Intake {
  readonly base64: boolean;
  readonly v5: boolean;
  readonly stdin: PushQueue<Buffer>;
  readonly sizes: PushQueue<TerminalSize>;
}

function take(message: Buffer, { base64, v5, stdin, sizes }: Intake): void {
  const first = message[0];
  if (first === undefined) return;
  const channel = base64 ? first - 0x30 : first;
  const body = base64 ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1);
  if (channel === CHANNEL.stdin) {
    if (body.length > 0) stdin.push(body);
  } else if (channel === CHANNEL.resize) {
    const size = parseSize(body.toString('utf8'));
    if (size !== undefined) sizes.push(size);
  } else if (v5 && channel === CHANNEL.close && body[0] === CHANNEL.stdin) stdin.end();
}

function sendOn(socket: WebSocket, channel: number, chunk: Buffer, base64: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (base64) socket.send(`${channel}${chunk.toString('base64')}`, done);
    else socket.send(Buffer.concat([Buffer.from([channel]), chunk]), { binary: true }, done);
  });
}

function toBuffer(data: Buffer | ArrayBuffer | Buffer[]): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
