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
  const done: Promise<void>[] = [];
  const open: Promise<void>[] = [];
  for (let index = 0; index < WATCHES; index++) {
    const connection = connections[index % connections.length];
    if (connection === undefined) break;
    const watch = watchOf(connection, path);
    open.push(watch.open);
    done.push(watch.done);
  }
  await Promise.all(open);
  const start = performance.now();
  for (let index = 0; index < CHANGES; index++)
    await must(writer, 'POST', CONFIG_MAPS, { metadata: { name: `change-${index}` }, data: { value: 'x'.repeat(600) } });
  await Promise.all(done);
  const ms = performance.now() - start;
  const rate = ((WATCHES * CHANGES) / ms) * 1000;
  return [
    {
      name: `${WATCHES} watches told of ${CHANGES} creates`,
      value: `${perSecond(rate)}, ${milliseconds(ms / CHANGES)} each`,
      measured: rate,
    },
  ];
}

/** A watch that has seen every change when `done` resolves. */
function watchOf(connection: ClientHttp2Session, path: string): { readonly open: Promise<void>; readonly done: Promise<void> } {
  const stream = connection.request({ ':path': path, authorization: `Bearer ${TOKEN}` });
  let lines = 0;
  const done = new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
      if (lines === CHANGES) resolve();
    });
  });
  return { open: new Promise((resolve) => stream.once('response', () => resolve())), done };
}
