// SPDX-License-Identifier: Apache-2.0
// The kubelet as a whole over the in-memory API and the fake runtime: what users of the API see of a Pod's life.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configmaps, events, leases, nodes, pods } from '#api';
import { eventually, type KubeletFixture, kubeletFixture, NODE, podDraft } from './testing/kubelet-fixture.ts';

async function reasons(fixture: KubeletFixture, name: string): Promise<string[]> {
  const { items } = await fixture.api.list(events, { namespace: 'default' });
  return items.filter((event) => event.involvedObject.name === name).map((event) => event.reason ?? '');
}

const isReady = (pod: { readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] } }) =>
  pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;

test('the node is registered, becomes ready and holds a lease', async () => {
  await using fixture = await kubeletFixture({ nodeLabels: { zone: 'a' } });

  await fixture.kubelet.ready;
  await eventually('lease', () =>
    fixture.api.get(leases, { namespace: 'kube-node-lease', name: NODE }).then(
      () => true,
      () => false,
    ),
  );

  const node = await fixture.api.get(nodes, { name: NODE });
  assert.equal(node.metadata.labels?.['kubernetes.io/hostname'], NODE);
  assert.equal(node.metadata.labels?.['zone'], 'a');
  assert.deepEqual(
    node.status.conditions?.map(({ type, status }) => `${type}=${status}`),
    ['MemoryPressure=False', 'DiskPressure=False', 'PIDPressure=False', 'Ready=True'],
  );
  assert.equal(node.status.conditions?.at(-1)?.message, 'kubelet is posting ready status');
  assert.equal(node.status.capacity?.['pods'], '110');
});

test('an extended resource that others put into the capacity can be allocated, and no more when they take it out', async () => {
  await using fixture = await kubeletFixture();
  await fixture.kubelet.ready;
  const advertise = (amount: string | null) =>
    fixture.api.patch(
      nodes,
      { name: NODE },
      'strategic',
      { status: { capacity: { 'example.com/dongle': amount } } },
      { subresource: 'status' },
    );
  const allocatable = async () => {
    await fixture.clock.advance(10_000);
    return (await fixture.api.get(nodes, { name: NODE })).status.allocatable?.['example.com/dongle'];
  };

  await advertise('5');
  await eventually('allocatable', async () => (await allocatable()) === '5');

  await advertise(null);
  await eventually('gone', async () => (await allocatable()) === undefined);
});

test('a pod runs, gets its address and conditions, and leaves the API after its deletion', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a'));

  await fixture.podIs('a', isReady);

  const { status } = await fixture.pod('a');
  assert.equal(status.phase, 'Running');
  assert.equal(status.hostIP, '192.168.0.1');
  assert.match(status.podIP ?? '', /^10\.0\.0\./);
  assert.equal(status.containerStatuses?.[0]?.containerID, `fake://${fixture.runtime.named('web')?.id}`);
  const env = Object.fromEntries(fixture.runtime.named('web')?.config.env.map(({ name, value }) => [name, value]) ?? []);
  assert.equal(env['KUBERNETES_SERVICE_HOST'], '10.96.0.1');
  await eventually('events', async () => (await reasons(fixture, 'a')).join() === 'Pulled,Created,Started');

  await fixture.api.delete(pods, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 5 });
  await fixture.isGone('a');
  await eventually('clean', () => fixture.runtime.containers.size === 0 && fixture.runtime.sandboxes.size === 0);
  assert.ok(fixture.runtime.calls.includes('stop web 5000'), fixture.runtime.calls.join());
});

test('a crashing container waits 10 s before its second restart, then 20 s', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a'));
  await fixture.podIs('a', isReady);
  const restart = (count: number) => (pod: Awaited<ReturnType<KubeletFixture['pod']>>) =>
    pod.status.containerStatuses?.[0]?.restartCount === count;
  const waits = (pod: Awaited<ReturnType<KubeletFixture['pod']>>) =>
    pod.status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff';

  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 1);
  await fixture.podIs('a', restart(1));
  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 1);
  await fixture.podIs('a', waits);
  assert.match(
    (await fixture.pod('a')).status.containerStatuses?.[0]?.state.waiting?.message ?? '',
    /^back-off 10s restarting failed container=web pod=a_default\(uid-a\)$/,
  );
  await fixture.clock.advance(10_000);
  await fixture.podIs('a', restart(2));
  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 1);
  await fixture.podIs('a', (pod) => waits(pod) && pod.status.containerStatuses?.[0]?.lastState.terminated?.exitCode === 1);
  assert.match((await fixture.pod('a')).status.containerStatuses?.[0]?.state.waiting?.message ?? '', /^back-off 20s/);
});

test('a pod that is not restarted ends as Succeeded or Failed', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('good', { restartPolicy: 'Never' }));
  await fixture.podIs('good', isReady);
  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 0);
  await fixture.podIs('good', (pod) => pod.status.phase === 'Succeeded');

  fixture.api.seed(pods, podDraft('bad', { restartPolicy: 'Never' }));
  await fixture.podIs('bad', isReady);
  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 3);
  await fixture.podIs('bad', (pod) => pod.status.phase === 'Failed');
  const ended = (await fixture.pod('bad')).status.containerStatuses?.[0]?.state.terminated;
  assert.deepEqual([ended?.exitCode, ended?.reason], [3, 'Error']);
});

test('init containers run in order, a sidecar starts before the mains and is stopped after them', async () => {
  await using fixture = await kubeletFixture();
  const container = (name: string) => ({ name, image: 'web:1', resources: {} });
  fixture.api.seed(
    pods,
    podDraft('a', {
      initContainers: [container('one'), { ...container('side'), restartPolicy: 'Always' }, container('two')],
      containers: [container('main')],
    }),
  );

  await eventually('one', () => fixture.runtime.named('one')?.state === 'running');
  assert.equal(fixture.runtime.named('side'), undefined);
  fixture.runtime.finish(fixture.runtime.named('one')?.id ?? '', 0);
  await eventually('two', () => fixture.runtime.named('two')?.state === 'running');
  assert.equal(fixture.runtime.named('main'), undefined);
  fixture.runtime.finish(fixture.runtime.named('two')?.id ?? '', 0);
  await fixture.podIs('a', isReady);
  assert.deepEqual(
    fixture.runtime.calls.filter((call) => call.startsWith('start')),
    ['start one', 'start side', 'start two', 'start main'],
  );

  await fixture.api.delete(pods, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 5 });
  await fixture.isGone('a');
  assert.deepEqual(
    fixture.runtime.calls.filter((call) => call.startsWith('stop ')).map((call) => call.split(' ')[1]),
    ['main', 'side'],
  );
});

test('an image that cannot be pulled shows ErrImagePull, then ImagePullBackOff, and is tried again', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a', { containers: [{ name: 'web', image: 'none:1', resources: {} }] }));
  const reason = (wanted: string) => fixture.podIs('a', (pod) => pod.status.containerStatuses?.[0]?.state.waiting?.reason === wanted);

  await reason('ErrImagePull');
  await fixture.clock.advance(1000);
  await reason('ImagePullBackOff');
  fixture.runtime.addImage('none:1');
  await fixture.clock.advance(10_000);
  await fixture.podIs('a', isReady);
});

test('a restarted kubelet leaves running containers alone and adopts them', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a'));
  await fixture.podIs('a', isReady);
  const before = fixture.runtime.calls.length;

  await fixture.restart();
  await fixture.kubelet.ready;
  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 1);
  await fixture.podIs('a', (pod) => pod.status.containerStatuses?.[0]?.restartCount === 1);

  assert.deepEqual(fixture.runtime.calls.slice(before), ['start web']);
});

test('what runs for a pod that the API no longer has is removed at start', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a'));
  await fixture.podIs('a', isReady);

  await fixture.api.delete(pods, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 0 });
  await fixture.restart();
  await eventually('clean', () => fixture.runtime.containers.size === 0 && fixture.runtime.sandboxes.size === 0);
});

test('a pod that does not fit is refused with the reason of what is short', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a', { containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu: '4000' } } }] }));

  await fixture.podIs('a', (pod) => pod.status.phase === 'Failed');

  const { status } = await fixture.pod('a');
  assert.equal(status.reason, 'OutOfcpu');
  assert.match(
    status.message ?? '',
    /^Pod was rejected: Node didn't have enough resource: cpu, requested: 4000000, used: 0, capacity: \d+$/,
  );
});

test('files of a config map follow the object', async () => {
  await using fixture = await kubeletFixture();
  const object = (text: string) => ({
    apiVersion: 'v1' as const,
    kind: 'ConfigMap' as const,
    metadata: { name: 'c', namespace: 'default' },
    data: { key: text },
  });
  fixture.api.seed(configmaps, object('one'));
  fixture.api.seed(
    pods,
    podDraft('a', {
      volumes: [{ name: 'v', configMap: { name: 'c' } }],
      containers: [{ name: 'web', image: 'web:1', resources: {}, volumeMounts: [{ name: 'v', mountPath: '/v' }] }],
    }),
  );
  await fixture.podIs('a', isReady);
  const mount = fixture.runtime.named('web')?.config.mounts.find((one) => one.containerPath === '/v');
  assert.equal(mount?.readOnly, true);
  const read = () => readFile(`${mount?.hostPath}/key`, 'utf8');
  assert.equal(await read(), 'one');

  await fixture.api.patch(configmaps, { namespace: 'default', name: 'c' }, 'merge', { data: { key: 'two' } });
  await eventually('new file', async () => (await read()) === 'two');
});

test('a pod whose config map is missing waits and says so', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a', { volumes: [{ name: 'v', configMap: { name: 'c' } }] }));

  await eventually('event', async () => (await reasons(fixture, 'a')).includes('FailedMount'));

  const { status } = await fixture.pod('a');
  assert.equal(status.containerStatuses?.[0]?.state.waiting?.reason, 'ContainerCreating');
});

test('a stop under way is shortened by a second deletion with less grace', async () => {
  await using fixture = await kubeletFixture();
  fixture.runtime.stubborn.add('web');
  fixture.api.seed(pods, podDraft('a'));
  await fixture.podIs('a', isReady);

  await fixture.api.delete(pods, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 100 });
  await eventually('stop', () => fixture.runtime.calls.includes('stop web 100000'));
  await fixture.api.delete(pods, { namespace: 'default', name: 'a' }, { gracePeriodSeconds: 1 });
  await eventually('shorter', () => fixture.runtime.calls.includes('stop web 1000'));
  fixture.runtime.finish(fixture.runtime.named('web')?.id ?? '', 137);
  await eventually('removed', () => fixture.runtime.containers.size === 0);
});

test('a static pod runs, has a mirror in the API, and goes with its file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'static-'));
  await using fixture = await kubeletFixture({ staticPodPath: folder });
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 's', namespace: 'default' },
    spec: { containers: [{ name: 'web', image: 'web:1' }] },
  };
  await writeFile(join(folder, 's.yaml'), JSON.stringify(manifest));

  await eventually('mirror', () => fixture.pod('s-node1').then(isReady, () => false));
  const mirror = await fixture.pod('s-node1');
  assert.equal(mirror.metadata.annotations?.['kubernetes.io/config.mirror'], mirror.metadata.annotations?.['kubernetes.io/config.hash']);
  assert.equal(mirror.metadata.ownerReferences?.[0]?.kind, 'Node');

  await rm(join(folder, 's.yaml'));
  await fixture.isGone('s-node1');
  await eventually('stopped', () => fixture.runtime.containers.size === 0);
  await rm(folder, { recursive: true });
});

test('a failing readiness probe takes a pod out, a failing liveness probe restarts the container', async () => {
  await using fixture = await kubeletFixture();
  const probe = (word: string) => ({ exec: { command: [word] }, periodSeconds: 1, failureThreshold: 2 });
  fixture.api.seed(
    pods,
    podDraft('a', {
      containers: [{ name: 'web', image: 'web:1', resources: {}, readinessProbe: probe('ready'), livenessProbe: probe('alive') }],
    }),
  );
  await fixture.podIs('a', isReady);

  fixture.runtime.execs.set('ready', { exitCode: 1, stdout: 'not yet' });
  await eventually('unready', async () => {
    await fixture.clock.advance(1000);
    return !isReady(await fixture.pod('a'));
  });
  fixture.runtime.execs.set('alive', { exitCode: 1, stdout: 'dead' });
  await eventually('restart', async () => {
    await fixture.clock.advance(1000);
    return (await fixture.pod('a')).status.containerStatuses?.[0]?.restartCount === 1;
  });
  const { items } = await fixture.api.list(events, { namespace: 'default' });
  const messages = items.map((event) => event.message);
  assert.ok(messages.includes('Readiness probe failed: not yet'), messages.join('\n'));
  assert.ok(messages.includes('Container web failed liveness probe, will be restarted'));
});

test('a pod waits while the network is not ready, and the node says why', async () => {
  let reason: string | undefined = 'cni plugin not initialized';
  await using fixture = await kubeletFixture({ network: { notReadyReason: () => reason } });
  fixture.api.seed(pods, podDraft('a'));
  await eventually('event', async () => (await reasons(fixture, 'a')).includes('NetworkNotReady'));
  const ready = (await fixture.api.get(nodes, { name: NODE })).status.conditions?.at(-1);
  assert.equal(
    ready?.message,
    'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni plugin not initialized',
  );

  reason = undefined;
  fixture.kubelet.networkChanged();
  await fixture.kubelet.ready;
  await fixture.podIs('a', isReady);
});

test('a pod past its active deadline fails with DeadlineExceeded', async () => {
  await using fixture = await kubeletFixture();
  fixture.api.seed(pods, podDraft('a', { activeDeadlineSeconds: 60 }));
  await fixture.podIs('a', isReady);

  await fixture.clock.advance(61_000);

  await fixture.podIs('a', (pod) => pod.status.phase === 'Failed' && pod.status.reason === 'DeadlineExceeded');
});
