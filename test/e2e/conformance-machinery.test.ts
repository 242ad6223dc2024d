// SPDX-License-Identifier: Apache-2.0
// Conformance: [sig-api-machinery] behaviours of the server and the controllers behind it: discovery, watches, chunked lists, tables,
// namespaces, garbage collection, quota. One test per behaviour, by its name in the conformance list.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { at, type Json, Requests, type WatchEvent } from './_conformance.ts';
import { ControlPlane } from './control-plane.ts';

const ROOT = '/api/v1/namespaces';
const podSpec = { containers: [{ name: 'c', image: 'registry.k8s.io/pause:3.10' }] };
const podOf = (name: string, metadata: object = {}, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { ...podSpec, ...spec },
});
const configMap = (name: string, labels: object = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels } });
const types = (events: readonly WatchEvent[]) => events.map(({ type }) => type);
const count = (total: number) => (events: readonly WatchEvent[]) => events.length === total;

describe('conformance: API machinery', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let api: Requests;
  const makeNamespace = async (name: string, labels: object = {}) => {
    await api.post(ROOT, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    await api.seen(`${ROOT}/${name}/serviceaccounts`, 'default', () => true);
    return `${ROOT}/${name}`;
  };
  before(async () => {
    plane = await ControlPlane.start({ controllers: true });
    api = new Requests(plane);
  });
  after(() => plane?.[Symbol.asyncDispose]());

  describe('discovery', () => {
    test('Discovery should validate PreferredVersion for each APIGroup', async () => {
      const groups = at<Json[]>(await api.get('/apis'), 'groups') ?? [];
      assert.ok(groups.length > 10);
      for (const group of groups) {
        const one = await api.get(`/apis/${group['name']}`);
        const versions = at<Json[]>(one, 'versions') ?? [];
        assert.ok(versions.some(({ groupVersion }) => groupVersion === at(one, 'preferredVersion.groupVersion')));
        assert.deepEqual(one['preferredVersion'], group['preferredVersion']);
      }
    });

    test('Discovery should locate the groupVersion and a resource within each APIGroup', async () => {
      for (const path of [
        '/apis/admissionregistration.k8s.io/v1',
        '/apis/apps/v1',
        '/apis/batch/v1',
        '/api/v1',
        '/apis/storage.k8s.io/v1',
      ]) {
        const list = await api.get(path);
        assert.equal(list['groupVersion'], path.replace(/^\/apis?\//, ''));
        assert.ok((at<number>(list, 'resources.length') ?? 0) > 0);
      }
    });

    test('AggregatedDiscovery should support raw aggregated discovery endpoint Accept headers', async () => {
      for (const path of ['/api', '/apis']) {
        const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
        const { headers, body } = await api.send('GET', path, undefined, { accept });
        assert.equal(headers['content-type'], accept);
        assert.equal(at(body, 'kind'), 'APIGroupDiscoveryList');
        assert.ok(at<Json[]>(body, 'items')?.some((group) => at(group, 'versions.0.resources.0.resource') !== undefined));
      }
    });

    test('server version should find the server version', async () => {
      const version = await api.get('/version');
      assert.deepEqual([version['major'], version['minor']], ['1', '36']);
    });

    test('Servers with support for Table transformation should return a 406 for a backend which does not implement metadata', async () => {
      const review = {
        kind: 'SelfSubjectAccessReview',
        apiVersion: 'authorization.k8s.io/v1',
        spec: { resourceAttributes: { verb: 'list' } },
      };
      const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
      const { code } = await api.send('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', review, { accept });
      assert.equal(code, 406);
    });
  });

  describe('Watchers', () => {
    let collection: string;
    before(async () => {
      collection = `${await makeNamespace('watchers')}/configmaps`;
    });

    test('should observe add, update, and delete watch notifications on configmaps', async () => {
      const selector = 'labelSelector=watch%20in%20(a,b)';
      const watched = api.watch(`${collection}?${selector}`, count(4));
      await api.post(collection, configMap('one', { watch: 'a' }));
      await api.patch(`${collection}/one`, 'merge', { data: { mutation: '1' } });
      await api.patch(`${collection}/one`, 'merge', { data: { mutation: '2' } });
      await api.delete(`${collection}/one`);
      const events = await watched;
      assert.deepEqual(types(events), ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED']);
      assert.equal(at(events[3]?.object, 'data.mutation'), '2');
    });

    test('should be able to start from a specific resource version, and restart from the last one observed', async () => {
      const first = await api.post(collection, configMap('two', { watch: 'v' }));
      const second = await api.patch(`${collection}/two`, 'merge', { data: { mutation: '1' } });
      await api.patch(`${collection}/two`, 'merge', { data: { mutation: '2' } });
      await api.delete(`${collection}/two`);
      const from = (version: unknown) => `${collection}?labelSelector=watch%3Dv&resourceVersion=${version}`;
      assert.deepEqual(types(await api.watch(from(at(first, 'metadata.resourceVersion')), count(3))), ['MODIFIED', 'MODIFIED', 'DELETED']);
      assert.deepEqual(types(await api.watch(from(at(second, 'metadata.resourceVersion')), count(2))), ['MODIFIED', 'DELETED']);
    });

    test('should observe an object deletion if it stops meeting the requirements of the selector', async () => {
      const made = await api.post(collection, configMap('three', { watch: 's' }));
      const from = `${collection}?labelSelector=watch%3Ds&resourceVersion=${at(made, 'metadata.resourceVersion')}`;
      const watched = api.watch(from, count(4));
      await api.patch(`${collection}/three`, 'merge', { data: { mutation: '1' } });
      await api.patch(`${collection}/three`, 'merge', { metadata: { labels: { watch: 'wrong' } } });
      await api.patch(`${collection}/three`, 'merge', { data: { mutation: '2' } });
      await api.patch(`${collection}/three`, 'merge', { metadata: { labels: { watch: 's' } } });
      await api.delete(`${collection}/three`);
      assert.deepEqual(types(await watched), ['MODIFIED', 'DELETED', 'ADDED', 'DELETED']);
    });

    test('should receive events on concurrent watches in same order', async () => {
      const { metadata } = await api.get(collection);
      const total = 30;
      const versions = (events: readonly WatchEvent[]) => events.map(({ object }) => at(object, 'metadata.resourceVersion'));
      const watches = Array.from({ length: 5 }, () =>
        api.watch(`${collection}?labelSelector=watch%3Do&resourceVersion=${at(metadata, 'resourceVersion')}`, count(total)),
      );
      await Promise.all(Array.from({ length: total }, (_, at) => api.post(collection, configMap(`order-${at}`, { watch: 'o' }))));
      const [first, ...others] = (await Promise.all(watches)).map(versions);
      for (const other of others) assert.deepEqual(other, first);
    });
  });

  describe('Servers with support for API chunking', () => {
    test('should return chunks of results for list calls', async () => {
      const collection = `${await makeNamespace('chunking')}/podtemplates`;
      for (let index = 0; index < 30; index++) {
        await api.post(collection, {
          apiVersion: 'v1',
          kind: 'PodTemplate',
          metadata: { name: `t-${index + 100}` },
          template: { spec: podSpec },
        });
      }
      const first = await api.get(`${collection}?limit=17`);
      assert.equal(at(first, 'items.length'), 17);
      assert.equal(at(first, 'metadata.remainingItemCount'), 13);
      const token = at<string>(first, 'metadata.continue') ?? '';
      const second = await api.get(`${collection}?limit=17&continue=${encodeURIComponent(token)}`);
      assert.equal(at(second, 'items.length'), 13);
      assert.equal(at(second, 'metadata.resourceVersion'), at(first, 'metadata.resourceVersion'));
      assert.equal(at(second, 'metadata.continue') ?? '', '');
    });
  });

  describe('Namespaces', () => {
    test('should ensure that all pods and services are removed when a namespace is deleted', async () => {
      const path = await makeNamespace('going');
      await api.post(`${path}/pods`, podOf('test-pod'));
      await api.post(`${path}/services`, { apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } });
      const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
      await api.post(`${path}/persistentvolumeclaims`, {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'c' },
        spec: claim,
      });
      await api.delete(path);
      await api.gone(ROOT, 'going');
      await makeNamespace('going');
      for (const resource of ['pods', 'services', 'persistentvolumeclaims']) {
        assert.equal(at(await api.get(`${path}/${resource}`), 'items.length'), 0);
      }
    });

    test('should patch a Namespace; should apply an update to a Namespace; should apply changes to a namespace status', async () => {
      const path = await makeNamespace('changing');
      assert.equal(at(await api.patch(path, 'strategic', { metadata: { labels: { testLabel: 'v' } } }), 'metadata.labels.testLabel'), 'v');
      const updated = await api.update(path, (object) => ({
        ...object,
        metadata: { ...(object['metadata'] as Json), labels: { updated: 'yes' } },
      }));
      assert.deepEqual(at(updated, 'metadata.labels'), { updated: 'yes', 'kubernetes.io/metadata.name': 'changing' });
      const condition = { type: 'StatusPatch', status: 'True', reason: 'E2E', message: 'Patched by an e2e test' };
      const patched = await api.patch(`${path}/status`, 'merge', {
        metadata: { annotations: { a: 'b' } },
        status: { conditions: [condition] },
      });
      assert.equal(at(patched, 'metadata.annotations.a'), 'b');
      assert.equal(at(patched, 'status.phase'), 'Active');
      assert.equal(at(patched, 'status.conditions.0.reason'), 'E2E');
    });

    test('should apply a finalizer to a Namespace', async () => {
      const path = await makeNamespace('final');
      const finalizers = (list: string[]) => ({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'final' },
        spec: { finalizers: list },
      });
      const marked = await api.put(`${path}/finalize`, finalizers(['kubernetes', 'e2e.example.com/fakeFinalizer']));
      assert.deepEqual(at(marked, 'spec.finalizers'), ['kubernetes', 'e2e.example.com/fakeFinalizer']);
      await api.put(`${path}/finalize`, finalizers(['kubernetes']));
      await api.delete(path);
      await api.gone(ROOT, 'final');
    });

    test('OrderedNamespaceDeletion namespace deletion should delete pod first', async () => {
      const path = await makeNamespace('ordered');
      await api.post(`${path}/pods`, podOf('held', { finalizers: ['e2e.example.com/held'] }));
      await api.post(`${path}/configmaps`, configMap('waits'));
      await api.delete(path);
      const has = (object: Json, name: string) => at<Json[]>(object, 'status.conditions')?.find(({ type }) => type === name)?.['status'];
      const going = await api.seen(ROOT, 'ordered', (object) => has(object, 'NamespaceFinalizersRemaining') === 'True');
      assert.notEqual(has(going, 'NamespaceDeletionContentFailure'), undefined);
      assert.equal(at(going, 'status.phase'), 'Terminating');
      assert.equal((await api.send('GET', `${path}/configmaps/waits`)).code, 200, 'what is no Pod waits');
      await api.patch(`${path}/pods/held`, 'merge', { metadata: { finalizers: null } });
      await api.gone(ROOT, 'ordered');
    });
  });

  describe('Garbage collector', () => {
    let path: string;
    let apps: string;
    before(async () => {
      path = await makeNamespace('collected');
      apps = '/apis/apps/v1/namespaces/collected';
    });
    const controller = (name: string, replicas: number) => ({
      apiVersion: 'v1',
      kind: 'ReplicationController',
      metadata: { name },
      spec: { replicas, selector: { name }, template: { metadata: { labels: { name } }, spec: podSpec } },
    });
    const owner = (object: Json, kind: string, more: object = {}) => ({
      apiVersion: 'v1',
      kind,
      name: at(object, 'metadata.name'),
      uid: at(object, 'metadata.uid'),
      ...more,
    });
    const podsOf = (name: string) => `${path}/pods?labelSelector=name%3D${name}`;
    const run = async (name: string, replicas: number) => {
      await api.post(`${path}/replicationcontrollers`, controller(name, replicas));
      await api.seen(`${path}/replicationcontrollers`, name, (object) => at(object, 'status.replicas') === replicas);
    };
    const deleted = (total: number) => (events: readonly WatchEvent[]) =>
      types(events).filter((type) => type === 'DELETED').length === total;

    test('should delete pods created by rc when not orphaning', async () => {
      await run('simple', 3);
      const gone = api.watch(podsOf('simple'), deleted(3));
      await api.delete(`${path}/replicationcontrollers/simple`, { propagationPolicy: 'Background' });
      await gone;
    });

    test('should orphan pods created by rc if delete options say so', async () => {
      await run('orphan', 3);
      await api.delete(`${path}/replicationcontrollers/orphan`, { propagationPolicy: 'Orphan' });
      await api.gone(`${path}/replicationcontrollers`, 'orphan');
      const pods = at<Json[]>(await api.get(podsOf('orphan')), 'items') ?? [];
      assert.equal(pods.length, 3);
      for (const pod of pods) assert.equal(at(pod, 'metadata.ownerReferences'), undefined);
    });

    test('should keep the rc around until all its pods are deleted if the deleteOptions says so', async () => {
      await run('foreground', 2);
      await api.patch(`${path}/pods/${at(await api.get(podsOf('foreground')), 'items.0.metadata.name')}`, 'merge', {
        metadata: { finalizers: ['e2e.example.com/held'] },
      });
      await api.delete(`${path}/replicationcontrollers/foreground`, { propagationPolicy: 'Foreground' });
      await api.watch(podsOf('foreground'), (events) =>
        events.some(({ object }) => at(object, 'metadata.deletionTimestamp') !== undefined),
      );
      const kept = await api.get(`${path}/replicationcontrollers/foreground`);
      assert.deepEqual(at(kept, 'metadata.finalizers'), ['foregroundDeletion']);
      for (const pod of at<Json[]>(await api.get(podsOf('foreground')), 'items') ?? []) {
        await api.send(
          'PATCH',
          `${path}/pods/${at(pod, 'metadata.name')}`,
          { metadata: { finalizers: null } },
          { type: 'application/merge-patch+json' },
        );
      }
      await api.gone(`${path}/replicationcontrollers`, 'foreground');
    });

    test("should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted", async () => {
      await run('doomed', 2);
      const stays = await api.post(`${path}/replicationcontrollers`, controller('stays', 0));
      const pods = at<Json[]>(await api.get(podsOf('doomed')), 'items') ?? [];
      const shared = at<string>(pods[0], 'metadata.name') ?? '';
      await api.patch(`${path}/pods/${shared}`, 'strategic', { metadata: { ownerReferences: [owner(stays, 'ReplicationController')] } });
      await api.delete(`${path}/replicationcontrollers/doomed`, { propagationPolicy: 'Foreground' });
      await api.gone(`${path}/replicationcontrollers`, 'doomed');
      const left = await api.get(`${path}/pods/${shared}`);
      assert.equal(at(left, 'metadata.deletionTimestamp'), undefined);
      assert.deepEqual(
        at<Json[]>(left, 'metadata.ownerReferences')?.map(({ name }) => name),
        ['stays'],
      );
    });

    test('should not be blocked by dependency circle', async () => {
      const names = ['circle-1', 'circle-2', 'circle-3'];
      const made: Json[] = [];
      for (const name of names) made.push(await api.post(`${path}/pods`, podOf(name, { labels: { name: 'circle' } })));
      for (const [index, name] of names.entries()) {
        const reference = owner(made[(index + 2) % 3] as Json, 'Pod', { controller: true, blockOwnerDeletion: true });
        await api.patch(`${path}/pods/${name}`, 'merge', { metadata: { ownerReferences: [reference] } });
      }
      const gone = api.watch(podsOf('circle'), deleted(3));
      await api.delete(`${path}/pods/circle-1`, { propagationPolicy: 'Foreground' });
      await gone;
    });

    for (const policy of ['Background', 'Orphan']) {
      const what =
        policy === 'Orphan'
          ? 'orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan'
          : 'delete RS created by deployment when not orphaning';
      test(`should ${what}`, async () => {
        const name = policy.toLowerCase();
        const selector = { matchLabels: { name } };
        const template = { metadata: { labels: { name } }, spec: podSpec };
        await api.post(`${apps}/deployments`, {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name },
          spec: { replicas: 1, selector, template },
        });
        const sets = `${apps}/replicasets?labelSelector=name%3D${name}`;
        await api.watch(sets, count(1));
        const gone = policy === 'Background' ? api.watch(sets, deleted(1)) : undefined;
        await api.delete(`${apps}/deployments/${name}`, { propagationPolicy: policy });
        if (gone !== undefined) await gone;
        else {
          await api.gone(`${apps}/deployments`, name);
          const left = at<Json[]>(await api.get(sets), 'items') ?? [];
          assert.equal(left.length, 1);
          assert.equal(at(left[0], 'metadata.ownerReferences'), undefined);
        }
      });
    }
  });

  describe('ResourceQuota', () => {
    let path: string;
    const used = (name: string, amounts: Record<string, string>) =>
      api.seen(`${path}/resourcequotas`, name, (object) =>
        Object.entries(amounts).every(([key, value]) => at<Json>(object, 'status.used')?.[key] === value),
      );
    const quota = (name: string, hard: object, more: object = {}) =>
      api.post(`${path}/resourcequotas`, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name }, spec: { hard, ...more } });
    before(async () => {
      path = await makeNamespace('quota');
    });

    test('should create a ResourceQuota and ensure its status is promptly calculated', async () => {
      await quota('prompt', { pods: '5', services: '10', 'services.nodeports': '1', secrets: '10', 'count/replicasets.apps': '5' });
      await used('prompt', { pods: '0', services: '0', 'services.nodeports': '0', 'count/replicasets.apps': '0' });
    });

    test('should create a ResourceQuota and capture the life of a secret, configMap, replica set, replication controller', async () => {
      await quota('counts', { 'count/secrets': '3', configmaps: '3', 'count/replicasets.apps': '3', replicationcontrollers: '3' });
      await used('counts', { 'count/secrets': '0', configmaps: '1', 'count/replicasets.apps': '0', replicationcontrollers: '0' });
      const template = { metadata: { labels: { a: 'b' } }, spec: podSpec };
      const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template };
      const objects: [string, object][] = [
        [`${path}/secrets`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }],
        [`${path}/configmaps`, configMap('x')],
        ['/apis/apps/v1/namespaces/quota/replicasets', { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'x' }, spec }],
        [
          `${path}/replicationcontrollers`,
          { apiVersion: 'v1', kind: 'ReplicationController', metadata: { name: 'x' }, spec: { ...spec, selector: { a: 'b' } } },
        ],
      ];
      for (const [collection, object] of objects) await api.post(collection, object);
      await used('counts', { 'count/secrets': '1', configmaps: '2', 'count/replicasets.apps': '1', replicationcontrollers: '1' });
      for (const [collection] of objects) await api.delete(`${collection}/x`);
      await used('counts', { 'count/secrets': '0', configmaps: '1', 'count/replicasets.apps': '0', replicationcontrollers: '0' });
    });

    test('should create a ResourceQuota and capture the life of a service', async () => {
      await quota('services', { services: '2', 'services.nodeports': '1', 'services.loadbalancers': '1' });
      await used('services', { services: '0' });
      const service = (name: string, type: string) => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: { type, ports: [{ port: 80 }] },
      });
      await api.post(`${path}/services`, service('cluster', 'ClusterIP'));
      await api.post(`${path}/services`, service('node', 'NodePort'));
      assert.equal((await api.send('POST', `${path}/services`, service('balanced', 'LoadBalancer'))).code, 403);
      await used('services', { services: '2', 'services.nodeports': '1', 'services.loadbalancers': '0' });
      for (const name of ['cluster', 'node']) await api.delete(`${path}/services/${name}`);
      await used('services', { services: '0', 'services.nodeports': '0' });
    });

    test('should create a ResourceQuota and capture the life of a pod', async () => {
      await quota('pods', { pods: '5', cpu: '1', memory: '500Mi', 'requests.example.com/dongle': '3' });
      await used('pods', { pods: '0', cpu: '0' });
      const sized = (name: string, cpu: string) => {
        const amounts = { cpu, memory: '252Mi', 'example.com/dongle': '2' };
        const resources = { requests: amounts, limits: amounts };
        return podOf(name, {}, { containers: [{ name: 'c', image: 'i', resources }] });
      };
      await api.post(`${path}/pods`, sized('fits', '500m'));
      await used('pods', { pods: '1', cpu: '500m', memory: '252Mi', 'requests.example.com/dongle': '2' });
      const refused = await api.send('POST', `${path}/pods`, sized('too-much', '600m'));
      assert.equal(refused.code, 403);
      assert.match(refused.text, /exceeded quota: pods, requested: cpu=600m/);
      await api.delete(`${path}/pods/fits`, { gracePeriodSeconds: 0 });
      await used('pods', { pods: '0', cpu: '0', memory: '0', 'requests.example.com/dongle': '0' });
      await api.delete(`${path}/resourcequotas/pods`);
    });

    test('should verify ResourceQuota with best effort scope; with terminating scopes', async () => {
      await quota('best-effort', { pods: '5' }, { scopes: ['BestEffort'] });
      await quota('not-best-effort', { pods: '5' }, { scopes: ['NotBestEffort'] });
      await quota('terminating', { pods: '5' }, { scopes: ['Terminating'] });
      await quota('not-terminating', { pods: '5' }, { scopes: ['NotTerminating'] });
      const expect = async (amounts: readonly string[]) => {
        const names = ['best-effort', 'not-best-effort', 'terminating', 'not-terminating'];
        for (const [index, name] of names.entries()) await used(name, { pods: amounts[index] ?? '' });
      };
      await expect(['0', '0', '0', '0']);
      await api.post(`${path}/pods`, podOf('plain'));
      await expect(['1', '0', '0', '1']);
      const resources = { requests: { cpu: '1m' } };
      await api.post(
        `${path}/pods`,
        podOf('bounded', {}, { activeDeadlineSeconds: 3600, containers: [{ name: 'c', image: 'i', resources }] }),
      );
      await expect(['1', '1', '1', '1']);
      await api.delete(`${path}/pods/plain`, { gracePeriodSeconds: 0 });
      await api.delete(`${path}/pods/bounded`, { gracePeriodSeconds: 0 });
      await expect(['0', '0', '0', '0']);
    });

    test('should be able to update and delete ResourceQuota', async () => {
      await quota('changed', { cpu: '1', memory: '500Mi' });
      await api.update(`${path}/resourcequotas/changed`, (object) => ({ ...object, spec: { hard: { cpu: '2', memory: '1Gi' } } }));
      assert.deepEqual(at(await api.get(`${path}/resourcequotas/changed`), 'spec.hard'), { cpu: '2', memory: '1Gi' });
      await api.delete(`${path}/resourcequotas/changed`);
      assert.equal((await api.send('GET', `${path}/resourcequotas/changed`)).code, 404);
    });
  });

  test('ServiceAccounts should guarantee kube-root-ca.crt exist in any namespace', async () => {
    const collection = `${await makeNamespace('roots')}/configmaps`;
    const isWhole = (object: Json) => at<Json>(object, 'data')?.['ca.crt'] === plane.ca;
    await api.seen(collection, 'kube-root-ca.crt', isWhole);
    await api.delete(`${collection}/kube-root-ca.crt`);
    await api.seen(collection, 'kube-root-ca.crt', isWhole);
    await api.patch(`${collection}/kube-root-ca.crt`, 'merge', { data: { 'ca.crt': null } });
    await api.seen(collection, 'kube-root-ca.crt', isWhole);
  });

  test('EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete', async () => {
    const path = await makeNamespace('mirror');
    const slices = '/apis/discovery.k8s.io/v1/namespaces/mirror/endpointslices?labelSelector=kubernetes.io/service-name%3Dcustom';
    await api.post(`${path}/services`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'custom' },
      spec: { ports: [{ port: 80 }] },
    });
    const subsets = (ip: string) => [{ addresses: [{ ip }], ports: [{ port: 80 }] }];
    await api.post(`${path}/endpoints`, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: { name: 'custom' },
      subsets: subsets('10.1.2.3'),
    });
    const holds = (ip: string) => (events: readonly WatchEvent[]) => at(events.at(-1)?.object, 'endpoints.0.addresses.0') === ip;
    await api.watch(slices, holds('10.1.2.3'));
    await api.patch(`${path}/endpoints/custom`, 'merge', { subsets: subsets('10.2.3.4') });
    const seen = await api.watch(slices, holds('10.2.3.4'));
    const gone = api.watch(
      `${slices}&resourceVersion=${at(seen.at(-1)?.object, 'metadata.resourceVersion')}`,
      (events) => events.at(-1)?.type === 'DELETED',
    );
    await api.delete(`${path}/endpoints/custom`);
    await gone;
  });

  test('Certificates, reviews and tokens: SubjectReview API operations; a serviceAccountToken and a successful TokenReview', async () => {
    const path = await makeNamespace('tokens');
    const asked = await api.post(`${path}/serviceaccounts/default/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token: at(asked, 'status.token') } };
    const answer = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', review);
    assert.equal(at(answer, 'status.authenticated'), true);
    assert.equal(at(answer, 'status.user.username'), 'system:serviceaccount:tokens:default');
    const resourceAttributes = { verb: 'list', resource: 'configmaps', namespace: 'tokens', version: 'v1' };
    const authorization = '/apis/authorization.k8s.io/v1';
    const subject = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { resourceAttributes, user: 'nobody' } };
    assert.equal(at(await api.post(`${authorization}/subjectaccessreviews`, subject), 'status.allowed'), false);
    const local = { ...subject, kind: 'LocalSubjectAccessReview', metadata: { namespace: 'tokens' } };
    assert.equal(at(await api.post(`${authorization}/namespaces/tokens/localsubjectaccessreviews`, local), 'status.allowed'), false);
    const own = { ...subject, kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
    assert.equal(at(await api.post(`${authorization}/selfsubjectaccessreviews`, own), 'status.allowed'), true);
  });

  test('a Secret made for a service account gets a token that is that account, and goes with it', async () => {
    const path = await makeNamespace('secret-tokens');
    await api.post(`${path}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } });
    const annotations = { 'kubernetes.io/service-account.name': 'robot' };
    const type = 'kubernetes.io/service-account-token';
    await api.post(`${path}/secrets`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'robot', annotations }, type });
    const secret = await api.seen(`${path}/secrets`, 'robot', (object) => at(object, 'data.token') !== undefined);
    const token = Buffer.from(String(at(secret, 'data.token')), 'base64').toString();

    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
    const answer = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', review);
    assert.equal(at(answer, 'status.user.username'), 'system:serviceaccount:secret-tokens:robot');
    await api.seen(
      `${path}/secrets`,
      'robot',
      (object) => 'kubernetes.io/legacy-token-last-used' in (at<Json>(object, 'metadata.labels') ?? {}),
    );

    await api.delete(`${path}/serviceaccounts/robot`);
    await api.gone(`${path}/secrets`, 'robot');
    const after = await api.post('/apis/authentication.k8s.io/v1/tokenreviews', review);
    assert.notEqual(at(after, 'status.authenticated'), true);
  });

  test('ServiceCIDR: a further range gives addresses, and stays while they are in use', async () => {
    const path = await makeNamespace('ranges');
    const ranges = '/apis/networking.k8s.io/v1/servicecidrs';
    const kind = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' };
    await api.post(ranges, { ...kind, metadata: { name: 'further' }, spec: { cidrs: ['10.201.0.0/28'] } });
    const readiness = (object: Json) => `${at(object, 'status.conditions.0.status')} ${at(object, 'status.conditions.0.reason')}`;
    await api.seen(ranges, 'further', (object) => readiness(object) === 'True ');
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's' },
      spec: { clusterIP: '10.201.0.7', ports: [{ port: 80 }] },
    };
    await api.post(`${path}/services`, service);

    await api.delete(`${ranges}/further`);
    await api.seen(ranges, 'further', (object) => readiness(object) === 'False Terminating');
    const late = await api.send('POST', `${path}/services`, {
      ...service,
      metadata: { name: 't' },
      spec: { ...service.spec, clusterIP: '10.201.0.8' },
    });
    assert.equal(late.code, 422);
    await api.delete(`${path}/services/s`);
    await api.gone(ranges, 'further');
  });

  test('ServiceAccountIssuerDiscovery should support OIDC discovery of service account issuer', async () => {
    const found = await api.get('/.well-known/openid-configuration');
    assert.ok(found['issuer']);
    const keys = await api.send('GET', new URL(String(found['jwks_uri'])).pathname, undefined, { accept: 'application/jwk-set+json' });
    assert.equal(keys.headers['content-type'], 'application/jwk-set+json');
    assert.ok((at<number>(keys.body, 'keys.length') ?? 0) > 0);
  });
});
