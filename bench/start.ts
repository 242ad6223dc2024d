// SPDX-License-Identifier: Apache-2.0
// How long until one can work: the API server alone, `sagong up` to a Ready node, and a Pod from its create to Running, seen by
// a watch. The first start of an API server makes its keys and certificates as well.
import type { ClientHttp2Session } from 'node:http2';
import { createInterface } from 'node:readline';
import { ask, connectTo, must, startApiServer } from './api-server.ts';
import { startCluster } from './cluster.ts';
import { duration, type Figure, type Measurement } from './figures.ts';
import { temporaryFolder } from './process.ts';

const PODS = '/api/v1/namespaces/default/pods';

export const start: Measurement = {
  name: 'start',
  needs: 'root, and no other cluster on this machine',
  async run() {
    using folder = temporaryFolder();
    const figures = [
      duration('API server ready, first start', await readyAfter(folder.path), 0.5),
      duration('API server ready, second start', await readyAfter(folder.path), 0.5),
    ];
    try {
      figures.push(...(await ofCluster()));
    } catch (error) {
      process.stderr.write(`start: no cluster: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    return figures;
  },
};

/** From the start of the process to 200 of /readyz. */
async function readyAfter(folder: string): Promise<number> {
  const begun = performance.now();
  await using server = await startApiServer(folder);
  using session = connectTo(server);
  const { status } = await ask(session, 'GET', '/readyz');
  if (status !== 200) throw new Error(`start the API server: /readyz says ${status}`);
  return performance.now() - begun;
}

async function ofCluster(): Promise<Figure[]> {
  using folder = temporaryFolder();
  await using cluster = await startCluster(folder.path);
  const { session } = cluster;
  const first = await runningAfter(session, 'first');
  const times: number[] = [];
  for (const name of ['second', 'third', 'fourth', 'fifth', 'sixth']) times.push(await runningAfter(session, name));
  const middle = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  return [
    duration('sagong up, until the node is Ready', cluster.upMs, 1.5),
    duration('first Pod, create to Running', first, 1),
    duration('a Pod, create to Running, image present (median of 5)', middle, 0.25),
  ];
}

async function runningAfter(session: ClientHttp2Session, name: string): Promise<number> {
  const list = JSON.parse(await must(session, 'GET', PODS)) as { metadata: { resourceVersion: string } };
  const stream = session.request({
    ':path': `${PODS}?watch=1&fieldSelector=metadata.name%3D${name}&resourceVersion=${list.metadata.resourceVersion}`,
  });
  const running = new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    createInterface({ input: stream }).on('line', (line) => {
      const { object } = JSON.parse(line) as { object: { status: { phase: string } } };
      if (object.status.phase === 'Running') resolve();
    });
  });
  const container = { name: 'c', image: 'busybox', imagePullPolicy: 'IfNotPresent', command: ['sleep', '3600'] };
  const begun = performance.now();
  await must(session, 'POST', PODS, { metadata: { name }, spec: { containers: [container], terminationGracePeriodSeconds: 0 } });
  await running;
  const ms = performance.now() - begun;
  stream.destroy();
  return ms;
}
