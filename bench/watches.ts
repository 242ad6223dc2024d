// SPDX-License-Identifier: Apache-2.0
// Watch fan-out: 1,000 watches of one namespace on ten connections, each told of every change. The client shares the machine with
// the server and parses nothing, but it is this program: the figure is what both manage together.
import type { ClientHttp2Session } from 'node:http2';
import { connectTo, must, startApiServer, TOKEN } from './api-server.ts';
import { type Figure, type Measurement, milliseconds, perSecond } from './figures.ts';
import { temporaryFolder } from './process.ts';

const CONNECTIONS = 10;
const WATCHES = 1_000;
const CHANGES = 200;
/** Writes that wait until everybody has heard of the last; the first of them warm up. */
const SINGLE = 60;
const WARM = 10;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

export const watches: Measurement = {
  name: 'watches',
  needs: 'nothing',
  async run() {
    using folder = temporaryFolder();
    await using server = await startApiServer(folder.path);
    using writer = connectTo(server);
    const connections = Array.from({ length: CONNECTIONS }, () => connectTo(server));
    try {
      return await fanOut(writer, connections);
    } finally {
      for (const connection of connections) connection.destroy();
    }
  },
};

async function fanOut(writer: ClientHttp2Session, connections: readonly ClientHttp2Session[]): Promise<Figure[]> {
  const list = JSON.parse(await must(writer, 'GET', CONFIG_MAPS)) as { metadata: { resourceVersion: string } };
  const path = `${CONFIG_MAPS}?watch=1&resourceVersion=${list.metadata.resourceVersion}`;
  const watching: Watching[] = [];
  for (let index = 0; index < WATCHES; index++) {
    const connection = connections[index % connections.length];
    if (connection === undefined) break;
    watching.push(watchOf(connection, path));
  }
  await Promise.all(watching.map(({ open }) => open));
  const create = (name: string) => must(writer, 'POST', CONFIG_MAPS, { metadata: { name }, data: { value: 'x'.repeat(600) } });
  const waits: number[] = [];
  for (let index = 1; index <= SINGLE; index++) {
    const sentAt = performance.now();
    await create(`single-${index}`);
    await Promise.all(watching.map((watch) => watch.seen(index)));
    for (const { arrivedAt } of watching) waits.push((arrivedAt[index - 1] ?? 0) - sentAt);
  }
  const start = performance.now();
  for (let index = 0; index < CHANGES; index++) await create(`change-${index}`);
  await Promise.all(watching.map((watch) => watch.seen(SINGLE + CHANGES)));
  const ms = performance.now() - start;
  const rate = ((WATCHES * CHANGES) / ms) * 1000;
  return [
    ...latencies(waits.slice(WARM * WATCHES)),
    {
      name: `${WATCHES} watches told of ${CHANGES} creates`,
      value: `${perSecond(rate)}, ${milliseconds(ms / CHANGES)} each`,
      measured: rate,
    },
  ];
}

interface Watching {
  readonly open: Promise<void>;
  /** When each change came, in order. */
  readonly arrivedAt: readonly number[];
  /** Resolves when that many have come. */
  seen(count: number): Promise<void>;
}

/** From the moment a write is sent to the moment a watcher has it, one write at a time; the client's own work among it. */
function latencies(waits: readonly number[]): Figure[] {
  const sorted = waits.toSorted((a, b) => a - b);
  return [0.5, 0.99].map((share) => {
    const ms = sorted[Math.floor(sorted.length * share)] ?? 0;
    return { name: `from a write to its event at one of ${WATCHES} watchers, p${share * 100}`, value: milliseconds(ms), measured: ms };
  });
}

function watchOf(connection: ClientHttp2Session, path: string): Watching {
  const stream = connection.request({ ':path': path, authorization: `Bearer ${TOKEN}` });
  const arrivedAt: number[] = [];
  let waiting: { readonly count: number; readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  stream.on('error', (error: Error) => waiting?.reject(error));
  stream.on('data', (chunk: Buffer) => {
    const now = performance.now();
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) arrivedAt.push(now);
    if (waiting !== undefined && arrivedAt.length >= waiting.count) waiting.resolve();
  });
  return {
    open: new Promise((resolve) => stream.once('response', () => resolve())),
    arrivedAt,
    seen: (count) =>
      arrivedAt.length >= count
        ? Promise.resolve()
        : new Promise((resolve, reject) => {
            waiting = { count, resolve, reject };
          }),
  };
}
