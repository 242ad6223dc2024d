// SPDX-License-Identifier: Apache-2.0
// Exec and attach over SPDY/3.1: one stream per channel, named by its `streamtype` header, the error stream first.
// Protocol v4 (and v5, which is the same here); older ones, whose exit codes are lost, are not offered.
// @source upstream kubelet cri/streaming/remotecommand/httpstream.go
import type { Duplex } from 'node:stream';
import {
  parseSize,
  type RemoteClient,
  type RemoteCommandOptions,
  runRemoteCommand,
  type StartProcess,
  type TerminalSize,
} from './remote-command.ts';
import { SpdyConnection, type SpdyStream } from './spdy/connection.ts';

export const SPDY_COMMAND_PROTOCOLS: readonly string[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/** Serves one command on an upgraded connection; resolves when it is over. */
export async function serveSpdyCommand(socket: Duplex, options: RemoteCommandOptions, start: StartProcess): Promise<void> {
  const wanted = new Set<StreamType>(['error']);
  if (options.stdin) wanted.add('stdin');
  if (options.stdout) wanted.add('stdout');
  if (options.stderr) wanted.add('stderr');
  if (options.tty) wanted.add('resize');
  const streams = new Map<string, SpdyStream>();
  const complete = Promise.withResolvers<boolean>();
  const connection = new SpdyConnection(socket, {
    role: 'server',
    onStream(stream) {
      streams.set(stream.headers['streamtype'] ?? '', stream);
      if ([...wanted].every((type) => streams.has(type))) complete.resolve(true);
    },
  });
  const all = await Promise.race([complete.promise, connection.closed.then(() => false)]);
  if (!all) return;
  await runRemoteCommand(spdyClient(connection, streams), options, start);
  await connection.close();
}

function spdyClient(connection: SpdyConnection, streams: ReadonlyMap<string, SpdyStream>): RemoteClient {
  const io = (type: StreamType) => streams.get(type)?.io;
  const write = (type: StreamType) => (chunk: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const stream = io(type);
      if (stream === undefined) return resolve();
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  const resize = io('resize');
  return {
    stdin: io('stdin'),
    sizes: resize === undefined ? undefined : readSizes(resize),
    gone: connection.closed,
    writeStdout: write('stdout'),
    writeStderr: write('stderr'),
    async finish(status) {
      await write('error')(Buffer.from(JSON.stringify(status))).catch(() => {});
      await Promise.all([...streams.values()].map(({ io: one }) => new Promise<void>((resolve) => one.end(resolve))));
    },
  };
}

/** Objects follow each other without a mark between them, but each ends with its brace. */
async function* readSizes(stream: AsyncIterable<Buffer>): AsyncIterable<TerminalSize> {
  let text = '';
  for await (const chunk of stream) {
    text += chunk.toString('utf8');
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      const size = parseSize(text.slice(0, end + 1));
      text = text.slice(end + 1);
      if (size !== undefined) yield size;
    }
    if (text.length > 1024) return;
  }
}
