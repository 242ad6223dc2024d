// SPDX-License-Identifier: Apache-2.0
// What README.md breaks on purpose, and what must then hold: a node without its kubelet or its proxy, a killed control plane under
// load, a client in another network.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { configmaps } from '#api';
import { createClient, HttpsTransport, loadKubeconfig } from '#client';
import { Cluster, podOf, serviceOf, suite, webPodOf } from './cluster.ts';
import { eventually, output, run } from './commands.ts';

const WRITERS = 8;
const ENOUGH = 400;

describe(...suite('failures'), () => {
  let cluster: Cluster;
  let lostAddress = '';
  before(async () => {
    cluster = await Cluster.start();
    await cluster.create(webPodOf('web'), podOf('shell', { command: ['sleep', 'infinity'] }));
    await cluster.ready('pod/web', 'pod/shell');
  });
  after(() => cluster?.stop());
  afterEach((context) => {
    if ('error' in context && context.error) console.error(cluster.logTails());
  });
  const curl = (...args: string[]) => run('curl', ['-sS', '--max-time', '2', ...args]);
  const containerOf = (pod: string) => cluster.get(`pod/${pod}`, '.status.containerStatuses[0].containerID');
  const restartsOf = (pod: string) => cluster.get(`pod/${pod}`, '.status.containerStatuses[0].restartCount');
  /** Start time of a container's first process: the same number means the same process. */
  const startOf = (pod: string) => cluster.kubectl('exec', pod, '--', 'cut', '-d', ' ', '-f', '22', '/proc/1/stat');

  test('without a kubelet a Pod stays Terminating and its container goes on; starting it completes the deletion', async () => {
    await cluster.create(webPodOf('abandoned'));
    await cluster.ready('pod/abandoned');
    const ip = await cluster.get('pod/abandoned', '.status.podIP');
    await cluster.sagong('stop', 'kubelet', '--node', 'node-1');

    await cluster.kubectl('delete', 'pod', 'abandoned', '--wait=false');
    await cluster.tryKubectl(['wait', '--for=delete', 'pod/abandoned', '--timeout=3s']);
    assert.match(await cluster.kubectl('get', 'pods'), /abandoned +1\/1 +Terminating/);
    assert.equal((await curl(`http://${ip}`)).stdout, 'abandoned\n');

    await cluster.sagong('start', 'kubelet', '--node', 'node-1');
    await cluster.kubectl('wait', '--for=delete', 'pod/abandoned', '--timeout=60s');
    assert.notEqual((await curl(`http://${ip}`)).stdout, 'abandoned\n');
  });

  test('a restarted kubelet, and a killed agent, leave healthy containers alone', async () => {
    const before = [await containerOf('web'), await startOf('web')];

    await cluster.sagong('restart', 'kubelet', '--node', 'node-1');
    await cluster.kubectl('wait', '--for=condition=Ready', 'node/node-1', '--timeout=30s');
    await eventually(
      'exec after the restart',
      () => cluster.tryKubectl(['exec', 'web', '--', 'true']),
      ({ code }) => code === 0,
    );
    assert.deepEqual([await containerOf('web'), await startOf('web')], before);

    process.kill(pidOf('node-1'), 'SIGKILL');
    await cluster.sagong('start');
    await eventually(
      'exec after the start',
      () => cluster.tryKubectl(['exec', 'web', '--', 'true']),
      ({ code }) => code === 0,
    );
    assert.deepEqual([await containerOf('web'), await startOf('web')], before);
    assert.equal(await restartsOf('web'), '0');
  });

  test('without a proxy a new Service is not reached; starting it heals', async (t) => {
    await cluster.sagong('stop', 'kube-proxy', '--node', 'node-1');
    await output('nft', ['flush', 'ruleset']);
    await cluster.create(serviceOf('lost', 'web'));
    const address = await cluster.get('service/lost', '.spec.clusterIP');
    assert.notEqual((await curl(`http://${address}`)).stdout, 'web\n');

    const start = performance.now();
    await cluster.sagong('start', 'kube-proxy', '--node', 'node-1');
    await eventually(
      'healed',
      () => curl(`http://${address}`),
      ({ stdout }) => stdout === 'web\n',
    );
    t.diagnostic(`healed in ${Math.round(performance.now() - start)} ms`);
    assert.equal(await cluster.kubectl('exec', 'shell', '--', 'wget', '-qO-', '-T', '5', 'http://lost'), 'web');
  });

  test('kubectl works from another network with a copy of admin.conf', async () => {
    const ip = (...args: string[]) => output('ip', args);
    try {
      await ip('netns', 'add', 'sagong-e2e');
      await ip('link', 'add', 'sagong-e2e', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'sagong-e2e');
      await ip('address', 'add', '10.124.0.1/30', 'dev', 'sagong-e2e');
      await ip('link', 'set', 'sagong-e2e', 'up');
      for (const words of ['link set lo up', 'address add 10.124.0.2/30 dev eth0', 'link set eth0 up', 'route add default via 10.124.0.1'])
        await ip('-n', 'sagong-e2e', ...words.split(' '));
      const copy = join(cluster.dataDir, 'copy.conf');
      await output('cp', [join(cluster.dataDir, 'admin.conf'), copy]);
      const nodes = await output('nsenter', ['--net=/run/netns/sagong-e2e', 'kubectl', 'get', 'nodes', '--kubeconfig', copy], {
        env: { KUBECONFIG: '' },
      });
      assert.match(nodes, /node-1 +Ready/);
    } finally {
      await run('ip', ['link', 'delete', 'sagong-e2e']);
      await run('ip', ['netns', 'delete', 'sagong-e2e']);
    }
  });

  test('kill -9 of the control plane under load loses nothing that was answered, and no container stops', async (t) => {
    const before = [await containerOf('web'), await startOf('web')];
    const answered = await writeUntilKilled();
    t.diagnostic(`${answered.length} creates were answered`);
    assert.equal((await curl(`http://${lostAddress}`)).stdout, 'web\n', 'Services go on without the control plane');

    await cluster.sagong('start');
    const names = new Set((await cluster.kubectl('get', 'configmaps', '-o', 'name')).split('\n'));
    const lost = answered.filter((name) => !names.has(`configmap/${name}`));
    assert.deepEqual(lost, []);
    await cluster.kubectl('wait', '--for=condition=Ready', 'node/node-1', '--timeout=60s');
    assert.deepEqual([await containerOf('web'), await startOf('web')], before);
    assert.equal(await restartsOf('web'), '0');
    await cluster.create(podOf('later', { command: ['sleep', 'infinity'] }));
    await cluster.ready('pod/later');
  });

  /** Several writers; the process is killed in the middle. The names whose creation was answered. */
  async function writeUntilKilled(): Promise<string[]> {
    lostAddress = await cluster.get('service/lost', '.spec.clusterIP');
    using transport = new HttpsTransport(loadKubeconfig(join(cluster.dataDir, 'admin.conf')));
    const client = createClient(transport);
    const answered: string[] = [];
    const write = async (writer: number) => {
      for (let count = 0; ; count++) {
        const name = `written-${writer}-${count}`;
        try {
          await client.create(configmaps, { metadata: { name, namespace: 'default' }, data: { text: 'x'.repeat(500) } });
        } catch {
          return; // The server is gone.
        }
        if (answered.push(name) === ENOUGH) process.kill(pidOf('control-plane'), 'SIGKILL');
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
    return answered;
  }

  function pidOf(process: string): number {
    return Number(readFileSync(join(cluster.dataDir, 'run', `${process}.pid`), 'utf8').split(' ')[0]);
  }
});
