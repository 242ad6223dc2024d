// SPDX-License-Identifier: Apache-2.0
// Conformance: [sig-apps], [sig-node], [sig-network] and [sig-scheduling] behaviours that need nodes and no particular container: two
// simulated nodes, whose containers run until they are stopped. Needs no root.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { at, type Json, Requests } from './_conformance.ts';
import { freePort, ROOT } from './cluster.ts';
import { output } from './commands.ts';

const NAMESPACE = 'work';
const CORE = `/api/v1/namespaces/${NAMESPACE}`;
const APPS = `/apis/apps/v1/namespaces/${NAMESPACE}`;
const podSpec = (image = 'registry.k8s.io/pause:3.10', more: object = {}) => ({
  containers: [{ name: 'c', image }],
  terminationGracePeriodSeconds: 0,
  ...more,
});
const templateOf = (app: string, image?: string, more?: object) => ({ metadata: { labels: { app } }, spec: podSpec(image, more) });
const workload = (kind: string, name: string, replicas: number, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, labels: { app: name } },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: templateOf(name), ...more },
});
const podOf = (name: string, metadata: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: podSpec(undefined, spec),
});
const isReady = (object: Json) =>
  at<Json[]>(object, 'status.conditions')?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

describe('conformance: workloads on simulated nodes', { timeout: 150_000 }, () => {
  const env = { SAGONG_DATA_DIR: mkdtempSync(join(tmpdir(), 'sagong-conformance-')) };
  // The sources, as the control planes of other tests: a bundle may be older.
  const program = ['--disable-warning=ExperimentalWarning', join(ROOT, 'src/main.ts')];
  const sagong = (...args: string[]) => output(process.execPath, [...program, ...args], { env, timeoutMs: 60_000 });
  let api: Requests;
  const podsOf = async (app: string) => at<Json[]>(await api.get(`${CORE}/pods?labelSelector=app%3D${app}`), 'items') ?? [];
  const patchPod = (pod: Json | undefined, body: object) => api.patch(`${CORE}/pods/${at(pod, 'metadata.name')}`, 'strategic', body);
  const ready = (collection: string, name: string, replicas: number) =>
    api.seen(
      collection,
      name,
      (object) =>
        (at(object, 'status.readyReplicas') ?? 0) === replicas &&
        (at(object, 'status.replicas') ?? 0) === replicas &&
        at(object, 'status.observedGeneration') === at(object, 'metadata.generation'),
    );
  before(async () => {
    const port = await freePort();
    await sagong('up', '--runtime', 'simulated', '--nodes', '2', '--port', String(port));
    const ca = readFileSync(join(env.SAGONG_DATA_DIR, 'pki/ca.crt'), 'utf8');
    api = new Requests({ port, ca, env: { KUBECONFIG: join(env.SAGONG_DATA_DIR, 'admin.conf') } });
    await api.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
    await api.seen(`${CORE}/serviceaccounts`, 'default', () => true);
  });
  after(() => sagong('down'));

  test('Conformance Tests should have at least two untainted nodes', async () => {
    const nodes = at<Json[]>(await api.get('/api/v1/nodes'), 'items') ?? [];
    assert.equal(nodes.filter((node) => isReady(node) && at(node, 'spec.taints') === undefined).length, 2);
  });

  describe('ReplicaSet and ReplicationController', () => {
    test('should have a working scale subresource; Replace and Patch tests', async () => {
      await api.post(`${APPS}/replicasets`, workload('ReplicaSet', 'scaled', 1));
      const path = `${APPS}/replicasets/scaled`;
      await ready(`${APPS}/replicasets`, 'scaled', 1);
      const scale = await api.get(`${path}/scale`);
      assert.deepEqual([at(scale, 'spec.replicas'), at(scale, 'status.selector')], [1, 'app=scaled']);
      assert.equal(at(await api.put(`${path}/scale`, { ...scale, spec: { replicas: 2 } }), 'spec.replicas'), 2);
      assert.equal(at(await api.patch(`${path}/scale`, 'merge', { spec: { replicas: 3 } }), 'spec.replicas'), 3);
      await ready(`${APPS}/replicasets`, 'scaled', 3);
    });

    for (const [kind, collection] of [
      ['ReplicaSet', `${APPS}/replicasets`],
      ['ReplicationController', `${CORE}/replicationcontrollers`],
    ] as const) {
      test(`${kind} should adopt matching pods on creation and release no longer matching pods`, async () => {
        const name = `adopts-${kind.toLowerCase()}`;
        const pod = await api.post(`${CORE}/pods`, podOf(name, { labels: { app: name } }));
        const object = workload(kind, name, 1);
        const legacy = { ...object, apiVersion: 'v1', spec: { ...object.spec, selector: { app: name } } };
        await api.post(collection, kind === 'ReplicaSet' ? object : legacy);
        await api.seen(`${CORE}/pods`, name, (seen) => at(seen, 'metadata.ownerReferences.0.name') === name);
        await patchPod(pod, { metadata: { labels: { app: 'other' } } });
        await api.seen(`${CORE}/pods`, name, (seen) => at(seen, 'metadata.ownerReferences') === undefined);
        await ready(collection, name, 1);
      });
    }

    test('ReplicationController should surface a failure condition on a common issue like exceeded quota', async () => {
      const path = '/api/v1/namespaces/short';
      await api.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short' } });
      await api.seen(`${path}/serviceaccounts`, 'default', () => true);
      await api.post(`${path}/resourcequotas`, {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'two' },
        spec: { hard: { pods: '2' } },
      });
      await api.seen(`${path}/resourcequotas`, 'two', (object) => at(object, 'status.hard.pods') === '2');
      const set = workload('ReplicationController', 'much', 3);
      await api.post(`${path}/replicationcontrollers`, { ...set, apiVersion: 'v1', spec: { ...set.spec, selector: { app: 'much' } } });
      const fails = (object: Json) => at<Json[]>(object, 'status.conditions')?.some(({ type }) => type === 'ReplicaFailure') === true;
      await api.seen(`${path}/replicationcontrollers`, 'much', fails);
      await api.patch(`${path}/replicationcontrollers/much`, 'merge', { spec: { replicas: 2 } });
      await api.seen(`${path}/replicationcontrollers`, 'much', (object) => !fails(object));
    });
  });

  describe('Deployment', () => {
    const complete = (name: string, replicas: number) =>
      api.seen(
        `${APPS}/deployments`,
        name,
        (object) =>
          at(object, 'status.observedGeneration') === at(object, 'metadata.generation') &&
          ['replicas', 'updatedReplicas', 'availableReplicas'].every((field) => at(object, `status.${field}`) === replicas),
      );
    const image = (name: string, text: string) =>
      api.patch(`${APPS}/deployments/${name}`, 'strategic', { spec: { template: { spec: { containers: [{ name: 'c', image: text }] } } } });

    for (const type of ['RollingUpdate', 'Recreate']) {
      test(`${type}Deployment should delete old pods and create new ones`, async () => {
        const name = type.toLowerCase();
        await api.post(`${APPS}/deployments`, workload('Deployment', name, 2, { strategy: { type } }));
        await complete(name, 2);
        await image(name, 'registry.k8s.io/pause:3.9');
        await complete(name, 2);
        const live = (await podsOf(name)).filter((pod) => at(pod, 'metadata.deletionTimestamp') === undefined);
        assert.deepEqual(
          live.map((pod) => at(pod, 'spec.containers.0.image')),
          ['registry.k8s.io/pause:3.9', 'registry.k8s.io/pause:3.9'],
        );
      });
    }

    test('deployment should delete old replica sets; should support rollover', async () => {
      await api.post(`${APPS}/deployments`, workload('Deployment', 'rolls', 1, { revisionHistoryLimit: 0 }));
      for (const tag of ['1', '2', '3']) await image('rolls', `registry.k8s.io/pause:${tag}`);
      await complete('rolls', 1);
      const sets = `${APPS}/replicasets?labelSelector=app%3Drolls`;
      await api.watch(sets, (events) => {
        const left = new Set<unknown>();
        for (const { type, object } of events) left[type === 'DELETED' ? 'delete' : 'add'](at(object, 'metadata.name'));
        return left.size === 1;
      });
      const [only] = at<Json[]>(await api.get(sets), 'items') ?? [];
      assert.equal(at(only, 'spec.template.spec.containers.0.image'), 'registry.k8s.io/pause:3');
    });

    test('deployment should support proportional scaling', async () => {
      const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
      await api.post(`${APPS}/deployments`, workload('Deployment', 'shares', 10, { strategy }));
      await complete('shares', 10);
      // What runs no more than this never gets ready: its Pods fit on no node.
      await api.patch(`${APPS}/deployments/shares`, 'strategic', { spec: { template: { spec: { nodeSelector: { no: 'node' } } } } });
      const spread = (first: number, second: number) => (object: Json) =>
        at(object, 'status.replicas') === first + second && at(object, 'status.updatedReplicas') === second;
      await api.seen(`${APPS}/deployments`, 'shares', spread(8, 5));
      await api.patch(`${APPS}/deployments/shares/scale`, 'merge', { spec: { replicas: 30 } });
      await api.seen(`${APPS}/deployments`, 'shares', spread(20, 13));
      await api.delete(`${APPS}/deployments/shares`, { propagationPolicy: 'Background' });
    });
  });

  describe('StatefulSet', () => {
    const image = (name: string, tag: string) =>
      api.patch(`${APPS}/statefulsets/${name}`, 'strategic', {
        spec: { template: { spec: { containers: [{ name: 'c', image: `registry.k8s.io/pause:${tag}` }] } } },
      });
    const images = async (name: string) =>
      (await podsOf(name))
        .sort((a, b) => String(at(a, 'metadata.name')).localeCompare(String(at(b, 'metadata.name'))))
        .map((pod) => String(at(pod, 'spec.containers.0.image')).split(':')[1]);
    const updated = (name: string, replicas: number, count = replicas) =>
      api.seen(
        `${APPS}/statefulsets`,
        name,
        (object) =>
          at(object, 'status.observedGeneration') === at(object, 'metadata.generation') &&
          (at(object, 'status.updatedReplicas') ?? 0) === count &&
          at(object, 'status.readyReplicas') === replicas,
      );

    test('should perform rolling updates and roll backs, and canary updates and phased rolling updates of template modifications', async () => {
      await api.post(`${APPS}/statefulsets`, workload('StatefulSet', 'phases', 3, { serviceName: 'phases' }));
      await updated('phases', 3);
      await image('phases', '3.9');
      const rolled = await updated('phases', 3);
      assert.equal(at(rolled, 'status.currentRevision'), at(rolled, 'status.updateRevision'));
      assert.deepEqual(await images('phases'), ['3.9', '3.9', '3.9']);
      const partition = (value: number) =>
        api.patch(`${APPS}/statefulsets/phases`, 'merge', { spec: { updateStrategy: { rollingUpdate: { partition: value } } } });
      await partition(2);
      await image('phases', '3.8');
      await updated('phases', 3, 1);
      assert.deepEqual(await images('phases'), ['3.9', '3.9', '3.8']);
      await partition(0);
      await updated('phases', 3);
      assert.deepEqual(await images('phases'), ['3.8', '3.8', '3.8']);
    });

    test('Scaling should happen in predictable order; should have a working scale subresource', async () => {
      const watched = api.watch(
        `${CORE}/pods?labelSelector=app%3Dordered`,
        (events) => events.filter(({ type }) => type === 'DELETED').length === 3,
      );
      await api.post(`${APPS}/statefulsets`, workload('StatefulSet', 'ordered', 3, { serviceName: 'ordered' }));
      await ready(`${APPS}/statefulsets`, 'ordered', 3);
      await api.patch(`${APPS}/statefulsets/ordered/scale`, 'merge', { spec: { replicas: 0 } });
      const events = await watched;
      const of = (wanted: string) => events.filter(({ type }) => type === wanted).map(({ object }) => at(object, 'metadata.name'));
      assert.deepEqual(of('ADDED'), ['ordered-0', 'ordered-1', 'ordered-2']);
      assert.deepEqual(of('DELETED'), ['ordered-2', 'ordered-1', 'ordered-0']);
    });

    test('Burst scaling: with parallel management all Pods come at once', async () => {
      await api.post(
        `${APPS}/statefulsets`,
        workload('StatefulSet', 'burst', 3, { serviceName: 'burst', podManagementPolicy: 'Parallel' }),
      );
      await ready(`${APPS}/statefulsets`, 'burst', 3);
    });
  });

  describe('Daemon set', () => {
    test('should run and stop simple and complex daemon; update pod when spec was updated; retry creating failed daemon pods', async () => {
      const { replicas: _, ...spec } = workload('DaemonSet', 'daemon', 0).spec;
      await api.post(`${APPS}/daemonsets`, { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'daemon' }, spec });
      const settled = (count: number) =>
        api.seen(
          `${APPS}/daemonsets`,
          'daemon',
          (object) =>
            at(object, 'status.observedGeneration') === at(object, 'metadata.generation') &&
            at(object, 'status.desiredNumberScheduled') === count &&
            (at(object, 'status.numberReady') ?? 0) === count &&
            (at(object, 'status.updatedNumberScheduled') ?? 0) === count,
        );
      await settled(2);
      const [first] = await podsOf('daemon');
      await api.patch(`${CORE}/pods/${at(first, 'metadata.name')}/status`, 'merge', { status: { phase: 'Failed' } });
      await api.gone(`${CORE}/pods`, String(at(first, 'metadata.name')));
      await settled(2);
      await api.patch(`${APPS}/daemonsets/daemon`, 'strategic', {
        spec: { template: { spec: { containers: [{ name: 'c', image: 'registry.k8s.io/pause:3.9', targetContainerName: 'c' }] } } },
      });
      await settled(2);
      await api.patch(`${APPS}/daemonsets/daemon`, 'strategic', { spec: { template: { spec: { nodeSelector: { color: 'blue' } } } } });
      await settled(0);
      await api.patch('/api/v1/nodes/node-1', 'merge', { metadata: { labels: { color: 'blue' } } });
      await settled(1);
      await api.patch('/api/v1/nodes/node-1', 'merge', { metadata: { labels: { color: null } } });
      await settled(0);
      const revisions = `${APPS}/controllerrevisions?labelSelector=app%3Ddaemon`;
      assert.equal(at(await api.get(revisions), 'items.length'), 3);
    });
  });

  describe('DisruptionController', () => {
    test('should block an eviction until the PDB is updated to allow it; should observe PodDisruptionBudget status updated', async () => {
      await api.post(`${APPS}/replicasets`, workload('ReplicaSet', 'guarded', 3));
      await ready(`${APPS}/replicasets`, 'guarded', 3);
      const budgets = `/apis/policy/v1/namespaces/${NAMESPACE}/poddisruptionbudgets`;
      const spec = { minAvailable: 3, selector: { matchLabels: { app: 'guarded' } } };
      await api.post(budgets, { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: 'guard' }, spec });
      await api.seen(budgets, 'guard', (object) => at(object, 'status.currentHealthy') === 3);
      const name = at((await podsOf('guarded'))[0], 'metadata.name');
      const evict = () =>
        api.send('POST', `${CORE}/pods/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } });
      const refused = await evict();
      assert.equal(refused.code, 429);
      assert.equal(at(refused.body, 'details.causes.0.reason'), 'DisruptionBudget');
      await api.patch(`${budgets}/guard`, 'merge', { spec: { minAvailable: 2 } });
      await api.seen(budgets, 'guard', (object) => at(object, 'status.disruptionsAllowed') === 1);
      assert.equal((await evict()).code, 201);
    });
  });

  describe('CronJob and Job', () => {
    test('Job should adopt matching orphans and release non-matching pods; should delete a job', async () => {
      const jobs = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`;
      const template = { spec: podSpec(undefined, { restartPolicy: 'Never' }) };
      await api.post(jobs, {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'keeps' },
        spec: { parallelism: 2, completions: 2, template },
      });
      await api.seen(jobs, 'keeps', (object) => at(object, 'status.ready') === 2);
      const [pod] = at<Json[]>(await api.get(`${CORE}/pods?labelSelector=job-name%3Dkeeps`), 'items') ?? [];
      const name = String(at(pod, 'metadata.name'));
      const labels = at<Record<string, string>>(pod, 'metadata.labels') ?? {};
      await api.patch(`${CORE}/pods/${name}`, 'merge', { metadata: { ownerReferences: null } });
      await api.seen(`${CORE}/pods`, name, (seen) => at(seen, 'metadata.ownerReferences.0.name') === 'keeps');
      await api.patch(`${CORE}/pods/${name}`, 'merge', {
        metadata: { labels: Object.fromEntries(Object.keys(labels).map((key) => [key, null])) },
      });
      await api.seen(`${CORE}/pods`, name, (seen) => at(seen, 'metadata.ownerReferences') === undefined);
      await api.delete(`${jobs}/keeps`, { propagationPolicy: 'Foreground' });
      await api.gone(jobs, 'keeps');
    });
  });

  describe('Pods', () => {
    test('should run through the lifecycle of Pods and PodStatus; should get a host IP; QOS Class should be set', async () => {
      const resources = { requests: { cpu: '10m', memory: '10Mi' }, limits: { cpu: '10m', memory: '10Mi' } };
      const made = await api.post(`${CORE}/pods`, podOf('lives', {}, { containers: [{ name: 'c', image: 'i', resources }] }));
      assert.equal(at(made, 'status.qosClass'), 'Guaranteed');
      const running = await api.seen(`${CORE}/pods`, 'lives', isReady);
      assert.ok(at(running, 'status.hostIP'));
      assert.ok(at(running, 'status.hostIPs.0.ip'));
      const conditions = [{ type: 'StatusPatched', status: 'True', reason: 'E2E', message: 'Set by e2e test' }];
      const patched = await api.patch(`${CORE}/pods/lives/status`, 'strategic', { status: { conditions } });
      assert.ok(at<Json[]>(patched, 'status.conditions')?.some(({ type }) => type === 'StatusPatched'));
      assert.ok(isReady(patched));
      await api.delete(`${CORE}/pods/lives`);
      await api.gone(`${CORE}/pods`, 'lives');
    });

    test('should allow activeDeadlineSeconds to be updated; Pod Generation should start at 1 and increment per update', async () => {
      const made = await api.post(`${CORE}/pods`, podOf('dies'));
      assert.equal(at(made, 'metadata.generation'), 1);
      const first = await api.seen(`${CORE}/pods`, 'dies', (pod) => isReady(pod) && at(pod, 'status.observedGeneration') === 1);
      assert.ok(at<Json[]>(first, 'status.conditions')?.every(({ observedGeneration }) => observedGeneration === 1));
      const updated = await api.update(`${CORE}/pods/dies`, (pod) => ({
        ...pod,
        spec: { ...(pod['spec'] as Json), activeDeadlineSeconds: 1 },
      }));
      assert.equal(at(updated, 'metadata.generation'), 2);
      const failed = await api.seen(`${CORE}/pods`, 'dies', (pod) => at(pod, 'status.phase') === 'Failed');
      assert.equal(at(failed, 'status.reason'), 'DeadlineExceeded');
      assert.equal(at(failed, 'status.observedGeneration'), 2);
    });

    test('Pod Generation custom-set generation on new pods and graceful delete', async () => {
      const made = await api.post(`${CORE}/pods`, podOf('counted', { generation: 100 }, { terminationGracePeriodSeconds: 1 }));
      assert.equal(at(made, 'metadata.generation'), 1);
      await api.seen(`${CORE}/pods`, 'counted', isReady);
      const deleted = api.watch(`${CORE}/pods?fieldSelector=metadata.name%3Dcounted`, (events) => events.at(-1)?.type === 'DELETED');
      await api.delete(`${CORE}/pods/counted`);
      assert.equal(at((await deleted).at(-1)?.object, 'metadata.generation'), 2);
    });

    test('Ephemeral Containers should update the ephemeral containers in an existing pod; will start in it', async () => {
      await api.post(`${CORE}/pods`, podOf('debugged'));
      await api.seen(`${CORE}/pods`, 'debugged', isReady);
      const ephemeralContainers = [{ name: 'debugger', image: 'registry.k8s.io/pause:3.9', targetContainerName: 'c' }];
      await api.patch(`${CORE}/pods/debugged/ephemeralcontainers`, 'strategic', { spec: { ephemeralContainers } });
      await api.seen(`${CORE}/pods`, 'debugged', (pod) => at(pod, 'status.ephemeralContainerStatuses.0.state.running') !== undefined);
    });

    test('Pod InPlace Resize, as the API sees it: by patch and by the replace endpoint', async () => {
      const resources = (cpu: string) => ({ requests: { cpu, memory: '64Mi' }, limits: { cpu, memory: '64Mi' } });
      const container = { name: 'c', image: 'i', resources: resources('100m') };
      await api.post(`${CORE}/pods`, podOf('sized', {}, { containers: [container] }));
      await api.seen(`${CORE}/pods`, 'sized', isReady);
      const path = `${CORE}/pods/sized`;
      const patched = await api.patch(`${path}/resize`, 'strategic', {
        spec: { containers: [{ name: 'c', resources: resources('200m') }] },
      });
      assert.deepEqual([at(patched, 'spec.containers.0.resources.requests.cpu'), at(patched, 'metadata.generation')], ['200m', 2]);
      const sized = (pod: Json) => [{ ...at<Json[]>(pod, 'spec.containers')?.[0], resources: resources('300m') }];
      const replaced = await api.update(path, (pod) => ({ ...pod, spec: { ...(pod['spec'] as Json), containers: sized(pod) } }), '/resize');
      assert.deepEqual([at(replaced, 'spec.containers.0.resources.requests.cpu'), at(replaced, 'metadata.generation')], ['300m', 3]);
      const image = await api.send(
        'PATCH',
        path,
        { spec: { containers: [container] } },
        { type: 'application/strategic-merge-patch+json' },
      );
      assert.equal(image.code, 422, 'nowhere but there');
    });

    test('RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead; should reject a non-existent one', async () => {
      const classes = '/apis/node.k8s.io/v1/runtimeclasses';
      const overhead = { podFixed: { cpu: '10m', memory: '10Mi' } };
      await api.post(classes, {
        apiVersion: 'node.k8s.io/v1',
        kind: 'RuntimeClass',
        metadata: { name: 'heavy' },
        handler: 'runc',
        overhead,
      });
      const made = await api.post(`${CORE}/pods`, podOf('classed', {}, { runtimeClassName: 'heavy' }));
      assert.deepEqual(at(made, 'spec.overhead'), overhead.podFixed);
      await api.seen(`${CORE}/pods`, 'classed', (pod) => Boolean(at(pod, 'spec.nodeName')));
      const refused = await api.send('POST', `${CORE}/pods`, podOf('unclassed', {}, { runtimeClassName: 'nope' }));
      assert.equal(refused.code, 403);
      assert.match(refused.text, /pod rejected: RuntimeClass \\"nope\\" not found/);
    });

    test('Sysctls should reject invalid sysctls', async () => {
      const sysctls = [
        { name: 'foo-', value: 'bar' },
        { name: 'kernel.shmmax', value: '100000000' },
        { name: 'safe-and-unsafe', value: '100' },
        { name: 'bar..', value: '42' },
      ];
      const { code, text } = await api.send('POST', `${CORE}/pods`, podOf('tuned', {}, { securityContext: { sysctls } }));
      assert.equal(code, 422);
      for (const name of ['foo-', 'bar..']) assert.ok(text.includes(`Invalid value: \\"${name}\\"`), text);
      assert.ok(!text.includes('kernel.shmmax'));
    });
  });

  describe('nodes and scheduling', () => {
    test('SchedulerPredicates: NodeSelector is respected; host ports conflict; resource limits are kept', async () => {
      await api.post(`${CORE}/pods`, podOf('nowhere', {}, { nodeSelector: { label: 'nonempty' } }));
      const stuck = await api.seen(`${CORE}/pods`, 'nowhere', (pod) => at(pod, 'status.conditions.0.reason') === 'Unschedulable');
      assert.match(
        String(at(stuck, 'status.conditions.0.message')),
        /^0\/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity\/selector/,
      );
      await api.patch('/api/v1/nodes/node-2', 'merge', { metadata: { labels: { label: 'nonempty' } } });
      await api.seen(`${CORE}/pods`, 'nowhere', (pod) => at(pod, 'spec.nodeName') === 'node-2');
      const port = (hostIP: string) => ({
        nodeSelector: { label: 'nonempty' },
        containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 1, hostPort: 54322, hostIP }] }],
      });
      await api.post(`${CORE}/pods`, podOf('port-1', {}, port('0.0.0.0')));
      await api.seen(`${CORE}/pods`, 'port-1', (pod) => at(pod, 'spec.nodeName') === 'node-2');
      await api.post(`${CORE}/pods`, podOf('port-2', {}, port('127.0.0.1')));
      await api.seen(`${CORE}/pods`, 'port-2', (pod) => at(pod, 'status.conditions.0.reason') === 'Unschedulable');
    });

    test('SchedulerPreemption validates basic preemption works; pod disruption condition is added to the preempted pod', async () => {
      const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
      for (const [name, value] of [
        ['low', 1],
        ['high', 1000],
      ] as const) {
        await api.post(classes, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value });
      }
      await api.patch('/api/v1/nodes/node-1/status', 'merge', {
        status: { capacity: { 'example.com/foo': '1' }, allocatable: { 'example.com/foo': '1' } },
      });
      const amounts = { 'example.com/foo': '1' };
      const wants = (name: string, priorityClassName: string) =>
        podOf(name, name === 'victim' ? { finalizers: ['e2e.example.com/held'] } : {}, {
          priorityClassName,
          containers: [{ name: 'c', image: 'i', resources: { requests: amounts, limits: amounts } }],
        });
      await api.post(`${CORE}/pods`, wants('victim', 'low'));
      await api.seen(`${CORE}/pods`, 'victim', isReady);
      await api.post(`${CORE}/pods`, wants('preemptor', 'high'));
      const victim = await api.seen(`${CORE}/pods`, 'victim', (pod) => at(pod, 'metadata.deletionTimestamp') !== undefined);
      const condition = at<Json[]>(victim, 'status.conditions')?.find(({ type }) => type === 'DisruptionTarget');
      assert.deepEqual([condition?.['status'], condition?.['reason']], ['True', 'PreemptionByScheduler']);
      await api.patch(`${CORE}/pods/victim`, 'merge', { metadata: { finalizers: null } });
      await api.seen(`${CORE}/pods`, 'preemptor', (pod) => at(pod, 'spec.nodeName') === 'node-1');
    });

    test('NoExecuteTaintManager: removing taint cancels eviction; evicts pods with minTolerationSeconds', async () => {
      const taint = { key: 'e2e-evict', value: 'v', effect: 'NoExecute' };
      const taints = (list: object[]) => api.patch('/api/v1/nodes/node-2', 'merge', { spec: { taints: list } });
      const tolerates = (name: string, tolerationSeconds: number) =>
        podOf(
          name,
          {},
          { nodeName: 'node-2', tolerations: [{ key: 'e2e-evict', operator: 'Exists', effect: 'NoExecute', tolerationSeconds }] },
        );
      for (const [name, seconds] of [
        ['briefly', 1],
        ['long', 300],
      ] as const) {
        await api.post(`${CORE}/pods`, tolerates(name, seconds));
        await api.seen(`${CORE}/pods`, name, isReady);
      }
      await taints([taint]);
      await api.gone(`${CORE}/pods`, 'briefly');
      await taints([]);
      assert.equal(at(await api.get(`${CORE}/pods/long`), 'metadata.deletionTimestamp'), undefined);
    });

    test('Node Lifecycle should run through the lifecycle of a node', async () => {
      const path = '/api/v1/nodes/e2e-fake';
      await api.post('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name: 'e2e-fake', labels: { e2e: 'fake' } } });
      await api.patch(path, 'merge', { metadata: { labels: { patched: 'yes' } } });
      await api.update(path, (node) => ({ ...node, metadata: { ...(node['metadata'] as Json), annotations: { updated: 'yes' } } }));
      await api.delete('/api/v1/nodes?labelSelector=e2e%3Dfake');
      await api.gone('/api/v1/nodes', 'e2e-fake');
    });
  });

  describe('Services', () => {
    const slices = `/apis/discovery.k8s.io/v1/namespaces/${NAMESPACE}/endpointslices`;
    const service = (name: string, spec: object) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ports: [{ port: 80 }], ...spec },
    });

    test('EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service, and for one that matches no pods', async () => {
      await api.post(`${CORE}/services`, service('backs', { selector: { app: 'backs' } }));
      const of = `${slices}?labelSelector=kubernetes.io/service-name%3Dbacks`;
      await api.watch(of, (events) => events.length > 0);
      await api.seen(`${CORE}/endpoints`, 'backs', () => true);
      await api.post(`${CORE}/pods`, podOf('backs', { labels: { app: 'backs' } }));
      await api.watch(of, (events) => at(events.at(-1)?.object, 'endpoints.0.conditions.ready') === true);
      await api.seen(`${CORE}/endpoints`, 'backs', (object) => at(object, 'subsets.0.addresses.0.targetRef.name') === 'backs');
      await api.delete(`${CORE}/services/backs`);
      await api.gone(`${CORE}/endpoints`, 'backs');
    });

    test('should be able to change the type from ExternalName to ClusterIP and NodePort, and back', async () => {
      await api.post(`${CORE}/services`, service('turns', { type: 'ExternalName', externalName: 'foo.example.com' }));
      const change = (spec: object) => api.patch(`${CORE}/services/turns`, 'merge', { spec });
      const cluster = await change({ type: 'ClusterIP', externalName: null });
      assert.ok(at(cluster, 'spec.clusterIP'));
      const node = await change({ type: 'NodePort' });
      assert.ok(at(node, 'spec.ports.0.nodePort'));
      const out = await change({ type: 'ExternalName', externalName: 'foo.example.com', clusterIP: '', clusterIPs: null });
      assert.equal(at(out, 'spec.clusterIP'), undefined);
    });

    test('API Server should have Endpoints and EndpointSlices pointing to API Server; should provide secure master service', async () => {
      const root = '/api/v1/namespaces/default';
      assert.equal(at(await api.get(`${root}/services/kubernetes`), 'spec.ports.0.port'), 443);
      assert.ok(at(await api.get(`${root}/endpoints/kubernetes`), 'subsets.0.addresses.0.ip'));
      const of = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name%3Dkubernetes';
      assert.equal(at(await api.get(of), 'items.length'), 1);
    });
  });
});
