// SPDX-License-Identifier: Apache-2.0
// Three nodes: Pods reach each other across them, and a Service is reached from every node and from Pods wherever its endpoints are.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Cluster, serviceOf, suite, webPodOf } from './cluster.ts';
import { eventually, run } from './commands.ts';

const NODES = ['node-1', 'node-2', 'node-3'];

describe(...suite('three nodes'), () => {
  let cluster: Cluster;
  const podOn = (node: string) => `web-${node}`;
  before(async () => {
    cluster = await Cluster.start({ nodes: NODES.length });
    await cluster.create(...NODES.map((nodeName) => webPodOf(podOn(nodeName), { nodeName })));
    await cluster.ready(...NODES.map((node) => `pod/${podOn(node)}`));
  });
  after(() => cluster?.stop());
  afterEach((context) => {
    if ('error' in context && context.error) console.error(cluster.logTails());
  });
  const fetchFromPod = (from: string, host: string) =>
    cluster.tryKubectl(['exec', podOn(from), '--', 'wget', '-qO-', '-T', '3', '-t', '1', `http://${host}`]);
  const fetchFromNode = (node: string, host: string) => {
    const enter = node === 'node-1' ? [] : ['nsenter', `--net=/run/netns/sagong-${node}`];
    const [command = '', ...args] = [...enter, 'curl', '-sS', '--max-time', '3', `http://${host}`];
    return run(command, args);
  };

  test('all nodes are Ready, with addresses of their own', async () => {
    const listed = await cluster.kubectl('get', 'nodes', '-o', 'wide');
    NODES.forEach((node, index) => {
      assert.match(listed, new RegExp(`${node} +Ready .* 10\\.123\\.0\\.${index + 1} `));
    });
  });

  test('every Pod reaches every Pod', async () => {
    for (const to of NODES) {
      const ip = await cluster.get(`pod/${podOn(to)}`, '.status.podIP');
      for (const from of NODES)
        await eventually(
          `${from} to ${to}`,
          () => fetchFromPod(from, ip),
          ({ stdout }) => stdout.trim() === podOn(to),
          10_000,
        );
    }
  });

  test('a Service is reached from each node and from Pods, whichever node its endpoint is on', async () => {
    for (const to of NODES) {
      const name = `only-${to}`;
      await cluster.create(serviceOf(name, podOn(to), { type: 'NodePort' }));
      const address = await cluster.get(`service/${name}`, '.spec.clusterIP');
      const nodePort = await cluster.get(`service/${name}`, '.spec.ports[0].nodePort');
      for (const [index, from] of NODES.entries()) {
        const wanted = ({ stdout }: { readonly stdout: string }) => stdout.trim() === podOn(to);
        await eventually(`node ${from} to ${name}`, () => fetchFromNode(from, address), wanted, 10_000);
        await eventually(`Pod on ${from} to ${name}`, () => fetchFromPod(from, name), wanted, 10_000);
        await eventually(`node port of ${from}`, () => fetchFromNode('node-1', `10.123.0.${index + 1}:${nodePort}`), wanted, 10_000);
      }
    }
  });

  test('logs and exec reach the kubelet of every node', async () => {
    for (const node of NODES) {
      assert.equal(await cluster.kubectl('exec', podOn(node), '--', 'hostname'), podOn(node));
      assert.match(await cluster.kubectl('logs', podOn(node)), /GET \//);
    }
  });
});
