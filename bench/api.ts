// SPDX-License-Identifier: Apache-2.0
// The API server against a bare HTTP/2 server with the same bodies: GET of one object, durable creates, LIST of 9,000 objects.
// Creates use `generateName`, since h2load sends one body over and over: a little more work than a create by name.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectTo, must, type RunningServer, startApiServer, times } from './api-server.ts';
import { type Figure, type Measurement, type Round, shareOf } from './figures.ts';
import { type LoadOptions, load } from './h2load.ts';
import { Measured, temporaryFolder } from './process.ts';

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const LISTED = 9_000;
const ROUNDS = 7;

export const api: Measurement = {
  name: 'api',
  needs: 'h2load (Debian: nghttp2-client)',
  async run() {
    using folder = temporaryFolder();
    await using server = await startApiServer(folder.path);
    const bodies = await fill(server);
    const data = join(folder.path, 'create.json');
    writeFileSync(data, JSON.stringify(configMap({ generateName: 'made-' }, 600)));
    await using bare = new Measured(process.execPath, ['bench/bare-server.ts', folder.path, String(bodies.object), String(bodies.list)]);
    const { port } = await bare.until((line) => JSON.parse(line) as { port: number });
    return await compare(server.url, `https://127.0.0.1:${port}`, data);
  },
};

async function compare(ours: string, bare: string, dataFile: string): Promise<Figure[]> {
  const get = await inTurn(`${ours}${CONFIG_MAPS}/one`, `${bare}/object`);
  const list = await inTurn(`${ours}/api/v1/namespaces/many/configmaps`, `${bare}/list`, { connections: 2, streams: 2 });
  const create = await inTurn(`${ours}${CONFIG_MAPS}`, `${bare}/object`, { dataFile });
  return [
    shareOf('GET one ConfigMap of 1 KB', get, 0.7),
    shareOf('LIST 9,000 ConfigMaps, 6 MB', list, 0.7),
    shareOf('create a ConfigMap of 1 KB, durable', create, 0.2),
  ];
}

/** Sagong and the yardstick in short turns, so that both see the same machine: what else runs on it changes within seconds. */
async function inTurn(ours: string, bare: string, options: LoadOptions = {}): Promise<Round[]> {
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ ours: await load(ours, { ...options, seconds: 2 }), bare: await load(bare, { ...options, seconds: 2 }) });
  }
  return rounds;
}

function configMap(metadata: object, size: number): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: 'x'.repeat(size) } };
}

/** What is read, and how large the answers are. */
async function fill(server: RunningServer): Promise<{ readonly object: number; readonly list: number }> {
  using session = connectTo(server);
  await must(session, 'POST', '/api/v1/namespaces', { metadata: { name: 'many' } });
  await must(session, 'POST', CONFIG_MAPS, configMap({ name: 'one' }, 600));
  await times(LISTED, (index) => must(session, 'POST', '/api/v1/namespaces/many/configmaps', configMap({ name: `map-${index}` }, 300)));
  const object = await must(session, 'GET', `${CONFIG_MAPS}/one`);
  const list = await must(session, 'GET', '/api/v1/namespaces/many/configmaps');
  return { object: object.length, list: list.length };
}
