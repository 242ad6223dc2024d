// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configmaps, deployments, events, namespaces, pods } from '#api/resources';
import { isAlreadyExists, isConflict, isNotFound } from '#machinery';
import { FakeApi } from './mod.ts';

const meta = (name: string) => ({ namespace: 'default', name });
const podOn = (name: string, nodeName: string) => ({ metadata: meta(name), spec: { nodeName, containers: [{ name: 'c', image: 'i' }] } });

test('create() fills in metadata, drops status and refuses a second one', async () => {
  const api = new FakeApi();

  const made = await api.create(deployments, { metadata: meta('d'), spec: { replicas: 1 }, status: { replicas: 7 } });

  assert.equal(made.metadata.generation, 1);
  assert.equal(made.kind, 'Deployment');
  assert.equal(made.status, undefined);
  assert.match(made.metadata.uid, /^[0-9a-f-]{36}$/);
  await assert.rejects(api.create(deployments, { metadata: meta('d') }), isAlreadyExists);
  assert.ok(Object.isFrozen(made.spec));
});

test('create() with generateName makes a name', async () => {
  const made = await new FakeApi().create(configmaps, { metadata: { namespace: 'default', generateName: 'c-' } });

  assert.match(made.metadata.name, /^c-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
});

test('update() of a stale object is a conflict, and one that changes nothing keeps the version', async () => {
  const api = new FakeApi();
  const first = await api.create(configmaps, { metadata: meta('c'), data: { a: '1' } });
  const second = await api.update(configmaps, { ...first, data: { a: '2' } });

  await assert.rejects(api.update(configmaps, { ...first, data: { a: '3' } }), isConflict);
  const same = await api.update(configmaps, { ...second });

  assert.equal(same.metadata.resourceVersion, second.metadata.resourceVersion);
});

test('status and the rest are written apart, and generation counts changes of the spec', async () => {
  const api = new FakeApi();
  const made = await api.create(deployments, { metadata: meta('d'), spec: { replicas: 1 } });

  const withStatus = await api.update(
    deployments,
    { ...made, spec: { ...made.spec, replicas: 9 }, status: { replicas: 1 } },
    { subresource: 'status' },
  );
  const withSpec = await api.update(deployments, { ...withStatus, spec: { ...withStatus.spec, replicas: 2 }, status: { replicas: 5 } });

  assert.equal(withStatus.spec.replicas, 1);
  assert.equal(withStatus.status?.replicas, 1);
  assert.equal(withStatus.metadata.generation, 1);
  assert.equal(withSpec.status?.replicas, 1);
  assert.equal(withSpec.metadata.generation, 2);
});

test('delete() of a running Pod is graceful, of a pending one immediate', async () => {
  const api = new FakeApi();
  await api.create(pods, podOn('a', 'n1'));
  await api.create(pods, { metadata: meta('b'), spec: { containers: [] } });

  await api.delete(pods, meta('a'));
  await api.delete(pods, meta('b'));

  assert.equal(api.peek(pods, meta('a'))?.metadata.deletionGracePeriodSeconds, 30);
  assert.equal(api.peek(pods, meta('b')), undefined);
  await api.delete(pods, meta('a'), { gracePeriodSeconds: 0 });
  assert.equal(api.peek(pods, meta('a')), undefined);
});

test('finalizers hold an object until they are removed', async () => {
  const api = new FakeApi();
  await api.create(configmaps, { metadata: { ...meta('c'), finalizers: ['ex.org/f'] } });

  await api.delete(configmaps, meta('c'));
  const held = await api.get(configmaps, meta('c'));
  await api.patch(configmaps, meta('c'), 'merge', { metadata: { finalizers: null } });

  assert.ok(held.metadata.deletionTimestamp);
  await assert.rejects(api.get(configmaps, meta('c')), isNotFound);
});

test('a Namespace stays Terminating until finalized', async () => {
  const api = new FakeApi();
  await api.create(namespaces, { metadata: { name: 'n' } });
  await api.delete(namespaces, { name: 'n' });

  const dying = await api.get(namespaces, { name: 'n' });
  await api.update(namespaces, { ...dying, spec: { finalizers: [] } }, { subresource: 'finalize' });

  assert.equal(dying.status?.phase, 'Terminating');
  assert.equal(api.peek(namespaces, { name: 'n' }), undefined);
});

test('list() selects by labels and fields, in key order, in pages', async () => {
  const api = new FakeApi();
  for (const name of ['b', 'a', 'c']) await api.create(pods, podOn(name, name === 'c' ? 'n2' : 'n1'));

  const onNode = await api.list(pods, { fieldSelector: 'spec.nodeName=n1' });
  const first = await api.list(pods, { limit: 2 });
  const rest = await api.list(pods, { limit: 2, continue: first.continue });

  assert.deepEqual(
    onNode.items.map((pod) => pod.metadata.name),
    ['a', 'b'],
  );
  assert.deepEqual([first.items.length, rest.items.length, rest.continue], [2, 1, undefined]);
});

test('watch() replays from a version, and reports what leaves the selection as DELETED', async (t) => {
  const api = new FakeApi();
  const from = api.resourceVersion;
  await api.create(pods, podOn('a', 'n1'));
  await api.patch(pods, meta('a'), 'merge', { spec: { nodeName: 'n2' } });
  await api.create(pods, podOn('b', 'n1'));

  const seen: string[] = [];
  for await (const event of api.watch(pods, { fieldSelector: 'spec.nodeName=n1', resourceVersion: from, signal: t.signal })) {
    seen.push(`${event.type} ${'metadata' in event.object ? (event.object.metadata as { name?: string }).name : ''}`);
    if (seen.length === 3) break;
  }

  assert.deepEqual(seen, ['ADDED a', 'DELETED a', 'ADDED b']);
  assert.equal(api.openWatches, 0);
});

test('watch() from a compacted version is a 410', async () => {
  const api = new FakeApi();
  const from = api.resourceVersion;
  await api.create(pods, podOn('a', 'n1'));
  api.compact();

  for await (const event of api.watch(pods, { resourceVersion: from })) {
    assert.equal(event.type, 'ERROR');
    assert.equal(event.type === 'ERROR' && event.object.reason, 'Expired');
  }
});

test('binding sets the node once', async () => {
  const api = new FakeApi();
  await api.create(pods, { metadata: meta('a'), spec: { containers: [] } });
  const body = { target: { name: 'n1' } };

  await api.createSubresource(pods as never, meta('a'), 'binding', body);

  assert.equal(api.peek(pods, meta('a'))?.spec.nodeName, 'n1');
  await assert.rejects(api.createSubresource(pods as never, meta('a'), 'binding', body), /is already assigned to node "n1"/);
});

test('scale reads and writes replicas', async () => {
  const api = new FakeApi();
  await api.create(deployments, { metadata: meta('d'), spec: { replicas: 1, selector: { matchLabels: { a: 'b' } } } });

  const scale = await api.get(deployments, meta('d'), { subresource: 'scale' });
  await api.patch(deployments, meta('d'), 'merge', { spec: { replicas: 4 } }, { subresource: 'scale' });

  assert.equal((scale.status as { selector?: string }).selector, 'a=b');
  assert.equal(api.peek(deployments, meta('d'))?.spec.replicas, 4);
});

test('intercept() fails calls, and every call is recorded', async () => {
  const api = new FakeApi({ objects: [{ apiVersion: 'v1', kind: 'Pod', metadata: meta('a') }] });
  using _off = api.intercept(({ verb }) => (verb === 'create' ? new Error('no') : undefined));

  await assert.rejects(api.create(events, { metadata: meta('e') }), /no/);
  await api.delete(pods, meta('a'));

  assert.deepEqual(api.writes, ['create events default/e', 'delete pods default/a']);
});

test('strategic patches merge lists by key, and applies are owned and in conflict as on a server', async () => {
  const api = new FakeApi();
  await api.create(pods, { metadata: meta('a'), spec: { containers: [{ name: 'c', image: 'i' }] } });

  const patched = await api.patch(pods, meta('a'), 'strategic', { spec: { containers: [{ name: 'c', image: 'j' }] } });
  const body = { metadata: { name: 'm', namespace: 'default' }, data: { k: '1' } };
  const applied = await api.patch(configmaps, meta('m'), 'apply', body, { fieldManager: 'one' });
  const other = { ...body, data: { k: '2' } };

  assert.equal(patched.spec.containers[0]?.image, 'j');
  assert.deepEqual(applied.metadata.managedFields?.[0]?.fieldsV1, { 'f:data': { 'f:k': {} } });
  await assert.rejects(api.patch(configmaps, meta('m'), 'apply', other, { fieldManager: 'two' }), isConflict);
  const forced = await api.patch(configmaps, meta('m'), 'apply', other, { fieldManager: 'two', force: true });
  assert.equal(forced.data?.['k'], '2');
});
