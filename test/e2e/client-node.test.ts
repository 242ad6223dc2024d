// SPDX-License-Identifier: Apache-2.0
// @kubernetes/client-node, unmodified: typed calls, patches, watches, informers that resume, errors, and exec into a container.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
  type V1Status,
  VersionApi,
  Watch,
} from '@kubernetes/client-node';
import { Cluster, podOf, suite } from './cluster.ts';
import { ControlPlane } from './control-plane.ts';

const namespace = 'default';
const configMap = (name: string, data: Record<string, string> = {}, labels: Record<string, string> = {}): V1ConfigMap => ({
  metadata: { name, labels },
  data,
});

function configOf(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

describe('@kubernetes/client-node', { timeout: 60_000 }, () => {
  let plane: ControlPlane;
  let config: KubeConfig;
  let core: CoreV1Api;
  before(async () => {
    plane = await ControlPlane.start();
    config = configOf(plane.env['KUBECONFIG'] ?? '');
    core = config.makeApiClient(CoreV1Api);
  });
  after(() => plane?.[Symbol.asyncDispose]());

  test('typed calls create, read, replace, list and delete', async () => {
    const made = await core.createNamespacedConfigMap({ namespace, body: configMap('one', { a: '1' }, { set: 'typed' }) });
    const read = await core.readNamespacedConfigMap({ namespace, name: 'one' });
    const replaced = await core.replaceNamespacedConfigMap({ namespace, name: 'one', body: { ...read, data: { a: '2' } } });
    const listed = await core.listNamespacedConfigMap({ namespace, labelSelector: 'set=typed' });
    await core.deleteNamespacedConfigMap({ namespace, name: 'one' });

    assert.equal(read.metadata?.uid, made.metadata?.uid);
    assert.ok(read.metadata?.creationTimestamp instanceof Date);
    assert.deepEqual(replaced.data, { a: '2' });
    assert.deepEqual(
      listed.items.map(({ metadata }) => metadata?.name),
      ['one'],
    );
  });

  test('a refusal is an exception with the status of the server', async () => {
    await assert.rejects(core.readNamespacedConfigMap({ namespace, name: 'none' }), (error: unknown) => {
      assert.ok(error instanceof ApiException);
      assert.equal(error.code, 404);
      assert.match(String(error.body), /configmaps \\"none\\" not found/);
      return true;
    });
  });

  test('patches of each type', async () => {
    await core.createNamespacedConfigMap({ namespace, body: configMap('patched', { a: '1', b: '2' }) });
    const patch = (body: object, strategy: PatchStrategy) =>
      core.patchNamespacedConfigMap({ namespace, name: 'patched', body }, setHeaderOptions('Content-Type', strategy));

    await patch({ data: { a: 'merged', b: null } }, PatchStrategy.MergePatch);
    await patch([{ op: 'add', path: '/data/c', value: '3' }], PatchStrategy.JsonPatch);
    const { data } = await patch({ data: { d: '4' } }, PatchStrategy.StrategicMergePatch);

    assert.deepEqual(data, { a: 'merged', c: '3', d: '4' });
  });

  test('server-side apply through the generic object API', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const spec = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied', namespace }, data: { k: 'v' } };

    const applied = await objects.patch(spec, undefined, undefined, 'tester', true, PatchStrategy.ServerSideApply);

    assert.equal((applied as V1ConfigMap).metadata?.managedFields?.[0]?.operation, 'Apply');
  });

  test('a watch delivers changes as they happen', async () => {
    const seen: string[] = [];
    const done = Promise.withResolvers<void>();
    const stop = await new Watch(config).watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { labelSelector: 'set=watched' },
      (type, object: V1ConfigMap) => {
        seen.push(`${type} ${object.metadata?.name}`);
        if (type === 'DELETED') done.resolve();
      },
      () => undefined,
    );
    await core.createNamespacedConfigMap({ namespace, body: configMap('w', {}, { set: 'watched' }) });
    await core.deleteNamespacedConfigMap({ namespace, name: 'w' });
    await done.promise;
    stop.abort();

    assert.deepEqual(seen, ['ADDED w', 'DELETED w']);
  });

  test('an informer lists, follows and keeps a cache', async () => {
    const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: 'set=informed' });
    await core.createNamespacedConfigMap({ namespace, body: configMap('before', {}, { set: 'informed' }) });
    const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, 'set=informed');
    const added = Promise.withResolvers<void>();
    const deleted = Promise.withResolvers<void>();
    const names: string[] = [];
    informer.on('add', ({ metadata }) => {
      names.push(metadata?.name ?? '');
      if (names.length === 2) added.resolve();
    });
    informer.on('delete', () => deleted.resolve());
    await informer.start();
    await core.createNamespacedConfigMap({ namespace, body: configMap('after', {}, { set: 'informed' }) });
    await added.promise;
    await core.deleteNamespacedConfigMap({ namespace, name: 'before' });
    await deleted.promise;
    await informer.stop();

    assert.deepEqual(names, ['before', 'after']);
    assert.deepEqual(
      informer.list(namespace).map(({ metadata }) => metadata?.name),
      ['after'],
    );
  });

  test('other groups, custom objects and the version', async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const version = await config.makeApiClient(VersionApi).getCode();

    assert.deepEqual((await apps.listDeploymentForAllNamespaces()).items, []);
    assert.equal(version.gitVersion.startsWith('v1.36'), true);
    await assert.rejects(
      config.makeApiClient(CustomObjectsApi).listClusterCustomObject({ group: 'none.example', version: 'v1', plural: 'things' }),
      (error: unknown) => error instanceof ApiException && error.code === 404,
    );
  });
});

describe(...suite('@kubernetes/client-node with containers'), () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await Cluster.start();
    await cluster.create(podOf('shell', { command: ['sh', '-c', 'echo started; exec sleep 600'] }));
    await cluster.ready('pod/shell');
  });
  after(() => cluster?.stop());

  test('exec runs a command, with its output, input and exit code', async () => {
    const config = configOf(cluster.env['KUBECONFIG'] ?? '');
    const [stdout, stdin] = [new PassThrough(), new PassThrough()];
    const ended = Promise.withResolvers<V1Status>();
    const command = ['sh', '-c', 'read line; echo "got $line"; exit 3'];
    await new Exec(config).exec(namespace, 'shell', 'main', command, stdout, new PassThrough(), stdin, false, ended.resolve);
    stdin.end('hello\n');
    const status = await ended.promise;

    assert.equal(String(stdout.read()), 'got hello\n');
    assert.equal(status.details?.causes?.[0]?.message, '3');
  });

  test('log reads what a container wrote', async () => {
    const config = configOf(cluster.env['KUBECONFIG'] ?? '');
    const stream = new PassThrough();
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const ended = new Promise((resolve) => stream.on('finish', resolve));
    await new Log(config).log(namespace, 'shell', 'main', stream, { tailLines: 1 });
    await ended;

    assert.equal(Buffer.concat(chunks).toString(), 'started\n');
  });
});
