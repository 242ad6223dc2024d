// SPDX-License-Identifier: Apache-2.0
// How fast the scheduler places Pods: 1,000 Pods on 50 nodes against an API in memory. `node bench/scheduler.ts [pods] [nodes]`.
import { nodes, pods } from '#api/resources';
import { FakeApi } from '#client/testing';
import { silentLogger, systemClock } from '#component';
import { runScheduler } from '#scheduler';

const [podCount = 1000, nodeCount = 50] = process.argv.slice(2).map(Number);

async function main(): Promise<void> {
  const api = new FakeApi({ clock: systemClock });
  for (let index = 0; index < nodeCount; index++) {
    const name = `node-${index}`;
    const allocatable = { cpu: '16', memory: '64Gi', pods: '110' };
    api.seed(nodes, {
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: {},
      status: { capacity: allocatable, allocatable },
    });
  }
  const controller = new AbortController();
  const running = runScheduler({ client: api, clock: systemClock, logger: silentLogger, leaderElect: false, signal: controller.signal });
  for (let index = 0; index < podCount; index++) {
    const container = { name: 'c', image: 'i', resources: { requests: { cpu: '100m', memory: '64Mi' } } };
    const metadata = { namespace: 'default', name: `pod-${index}`, labels: { app: 'web' } };
    api.seed(pods, { metadata, spec: { schedulerName: 'default-scheduler', containers: [container] }, status: { phase: 'Pending' } });
  }
  const start = performance.now();
  let bound = 0;
  for await (const event of api.watch(pods, { signal: controller.signal })) {
    if (event.type === 'MODIFIED' && event.object.spec.nodeName) bound += 1;
    if (bound === podCount) break;
  }
  const ms = performance.now() - start;
  console.log(`${podCount} pods on ${nodeCount} nodes: ${ms.toFixed(0)} ms, ${((podCount / ms) * 1000).toFixed(0)} pods/s`);
  controller.abort();
  await running;
}

await main();
