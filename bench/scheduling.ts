// SPDX-License-Identifier: Apache-2.0
// API server and scheduler as two processes, 50 Node objects, 1,000 Pods created at once by a client without limits: from the
// first create until a watch has seen the last Pod bound.
import { writeFileSync } from 'node:fs';
import type { ClientHttp2Session } from 'node:http2';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connectTo, must, type RunningServer, startApiServer, TOKEN, times } from './api-server.ts';
import { duration, type Measurement } from './figures.ts';
import { Measured, ROOT, temporaryFolder } from './process.ts';

const NODES = 50;
const PODS = 1_000;
const DEFAULT = '/api/v1/namespaces/default';

export const scheduling: Measurement = {
  name: 'scheduling',
  needs: 'nothing',
  async run() {
    using folder = temporaryFolder();
    await using server = await startApiServer(folder.path);
    await using scheduler = new Measured(join(ROOT, 'bin/sagong'), [
      'kube-scheduler',
      `--kubeconfig=${kubeconfigOf(server)}`,
      '--leader-elect=false',
    ]);
    scheduler.child.stderr?.resume();
    using session = connectTo(server);
    using watching = connectTo(server);
    await must(session, 'POST', `${DEFAULT}/serviceaccounts`, { metadata: { name: 'default' } });
    await times(NODES, (index) => createNode(session, `node-${index}`));
    // One Pod first: when it is bound, the scheduler runs.
    const warm = bound(watching, 1);
    await must(session, 'POST', `${DEFAULT}/pods`, pod('first'));
    await warm;
    const all = bound(watching, PODS + 1);
    const start = performance.now();
    await times(PODS, (index) => must(session, 'POST', `${DEFAULT}/pods`, pod(`pod-${index}`)));
    const created = performance.now() - start;
    await all;
    const figures = [
      duration(`${PODS} Pods created`, created),
      duration(`${PODS} Pods created and scheduled on ${NODES} nodes`, performance.now() - start, 1),
    ];
    return figures;
  },
};

function kubeconfigOf({ url, folder }: RunningServer): string {
  const path = join(folder, 'scheduler.conf');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: url, 'certificate-authority': join(folder, 'pki/ca.crt') } }],
    users: [{ name: 'u', user: { token: TOKEN } }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

async function createNode(session: ClientHttp2Session, name: string): Promise<void> {
  const room = { cpu: '16', memory: '64Gi', pods: '110' };
  const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' }];
  await must(session, 'POST', '/api/v1/nodes', { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
  await must(
    session,
    'PATCH',
    `/api/v1/nodes/${name}/status`,
    { status: { capacity: room, allocatable: room, conditions } },
    'application/merge-patch+json',
  );
  await must(session, 'PATCH', `/api/v1/nodes/${name}`, { spec: { taints: null } }, 'application/merge-patch+json'); // Admission taints new nodes not-ready.
}

function pod(name: string): object {
  const container = { name: 'c', image: 'image', resources: { requests: { cpu: '100m', memory: '64Mi' } } };
  return { metadata: { name, labels: { app: 'web' } }, spec: { containers: [container] } };
}

/** Resolves when a watch has seen so many Pods with a node. */
function bound(session: ClientHttp2Session, count: number): Promise<void> {
  const stream = session.request({ ':path': `${DEFAULT}/pods?watch=1&fieldSelector=spec.nodeName!%3D`, authorization: `Bearer ${TOKEN}` });
  const names = new Set<string>();
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    createInterface({ input: stream }).on('line', (line) => {
      if (names.size >= count) return; // What was under way when the stream closed.
      const { object } = JSON.parse(line) as { object: { metadata: { name: string }; spec: { nodeName?: string } } };
      if (object.spec.nodeName) names.add(object.metadata.name);
      if (names.size < count) return;
      stream.destroy();
      resolve();
    });
  });
}
