// SPDX-License-Identifier: Apache-2.0
// What a delete leaves behind, by kind: policies that are not said, namespaces, Pods that are given no time, pages of a collection.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';

const NS = '/api/v1/namespaces/default';
const MAPS = `${NS}/configmaps`;
const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const CONTAINERS = [{ name: 'c', image: 'i' }];
const LIST_FORM = { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' };

describe('deletion', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
    await api.send('POST', `${NS}/serviceaccounts`, { body: { metadata: { name: 'default' } } });
  });
  after(() => api[Symbol.asyncDispose]());

  const make = (path: string, name: string, rest: object = {}) => api.send('POST', path, { body: { metadata: { name }, ...rest } });
  const job = { spec: { template: { spec: { containers: CONTAINERS, restartPolicy: 'Never' } } } };
  const controller = { spec: { selector: { a: 'b' }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: CONTAINERS } } } };
  const event = { involvedObject: { namespace: 'default' } };

  const policies: [what: string, path: string, rest: object, query: string, finalizers: string[] | undefined, warns: boolean][] = [
    ['a Job orphans its Pods where nothing is said, and tells so', JOBS, job, '', ['orphan'], true],
    ['a Job asked for in the background is gone', JOBS, job, 'propagationPolicy=Background', undefined, false],
    ['a Job waits for its Pods where that is asked for', JOBS, job, 'propagationPolicy=Foreground', ['foregroundDeletion'], false],
    ['a Job asked for in the old way is gone', JOBS, job, 'orphanDependents=false', undefined, false],
    ['a ReplicationController orphans its Pods', `${NS}/replicationcontrollers`, controller, '', ['orphan'], false],
    ['a ConfigMap is gone', MAPS, {}, '', undefined, false],
    ['an Event owns nothing, whatever is asked for', `${NS}/events`, event, 'propagationPolicy=Foreground', undefined, false],
  ];
  for (const [index, [what, path, rest, query, finalizers, warns]] of policies.entries()) {
    test(what, async () => {
      const made = await make(path, `policy-${index}`, rest);
      const { status, body, headers } = await api.send('DELETE', `${path}/policy-${index}`, { query });

      assert.deepEqual([made.status, status], [201, 200]);
      assert.deepEqual(body.metadata.finalizers, finalizers);
      assert.equal(body.kind === 'Status', finalizers === undefined);
      assert.equal(/child pods are preserved by default/.test(String(headers['warning'])), warns);
    });
  }

  const returned: [path: string, kind: string, rest: object][] = [
    [`${NS}/podtemplates`, 'PodTemplate', { template: { spec: { containers: CONTAINERS } } }],
    ['/apis/resource.k8s.io/v1/deviceclasses', 'DeviceClass', { spec: {} }],
    [MAPS, 'Status', {}],
  ];
  for (const [path, kind, rest] of returned) {
    test(`a delete in ${path} answers with a ${kind}`, async () => {
      const made = await make(path, 'returned', rest);
      const { body } = await api.send('DELETE', `${path}/returned`);

      assert.deepEqual([made.status, body.kind], [201, kind]);
    });
  }

  test('the endpoints of a Service go with it, whichever way it goes', async () => {
    const ports = { spec: { ports: [{ port: 80 }] } };
    for (const name of ['plain', 'finalized']) await make(`${NS}/endpoints`, name);
    await make(`${NS}/services`, 'plain', ports);
    await make(`${NS}/services`, 'finalized', { ...ports, metadata: { name: 'finalized', finalizers: ['a/b'] } });
    const there = async (name: string) => (await api.send('GET', `${NS}/endpoints/${name}`)).status;
    await api.send('DELETE', `${NS}/services/plain`, { query: 'dryRun=All' });
    await api.send('DELETE', `${NS}/services/finalized`);
    const before = [await there('plain'), await there('finalized')];
    await api.send('DELETE', `${NS}/services/plain`);
    const headers = { 'content-type': 'application/merge-patch+json' };
    await api.send('PATCH', `${NS}/services/finalized`, { headers, body: { metadata: { finalizers: null } } });

    assert.deepEqual(before, [200, 200]);
    assert.deepEqual([await there('plain'), await there('finalized')], [404, 404]);
  });

  test('a collection of Jobs warns as each of them would', async () => {
    const { headers } = await api.send('DELETE', JOBS, { query: 'labelSelector=none' });

    assert.match(String(headers['warning']), /child pods are preserved by default/);
  });

  test('a namespace is marked by its first delete, with the finalizers that are asked for then', async () => {
    await make('/api/v1/namespaces', 'going');
    const first = await api.send('DELETE', '/api/v1/namespaces/going', { query: 'orphanDependents=false' });
    const second = await api.send('DELETE', '/api/v1/namespaces/going', { query: 'propagationPolicy=Orphan' });

    assert.equal(first.body.status.phase, 'Terminating');
    assert.deepEqual(first.body.metadata.finalizers, ['foregroundDeletion']);
    assert.equal(first.body.metadata.deletionGracePeriodSeconds, undefined);
    assert.deepEqual(second.body, first.body);
  });

  const preconditions: [what: string, path: string, preconditions: object, message: RegExp][] = [
    [
      'uid of a namespace',
      '/api/v1/namespaces/kept',
      { uid: 'x' },
      /^Operation cannot be fulfilled on namespaces "kept": Precondition failed: UID in precondition: x, UID in object meta: /,
    ],
    [
      'version of a namespace',
      '/api/v1/namespaces/kept',
      { resourceVersion: '1' },
      /"kept": Precondition failed: ResourceVersion in precondition: 1, ResourceVersion in object meta: \d+$/,
    ],
    [
      'uid of a ConfigMap',
      `${MAPS}/kept`,
      { uid: 'x' },
      /on ConfigMap "kept": the UID in the precondition \(x\) does not match the UID in record \(/,
    ],
    [
      'version of a ConfigMap',
      `${MAPS}/kept`,
      { resourceVersion: '1' },
      /the ResourceVersion in the precondition \(1\) does not match .* might have been modified$/,
    ],
  ];
  for (const [what, path, conditions, message] of preconditions) {
    test(`the ${what} may be a precondition`, async () => {
      await make(path.slice(0, path.lastIndexOf('/')), 'kept');
      const { status, body } = await api.send('DELETE', path, { body: { preconditions: conditions } });

      assert.equal(status, 409);
      assert.match(body.message, message);
    });
  }

  test('a Pod that is given no time is marked, then gone, as its watchers see it', async () => {
    const made = await make(`${NS}/pods`, 'quick', { spec: { containers: CONTAINERS } });
    const removed = await api.send('DELETE', `${NS}/pods/quick`, { body: { preconditions: { uid: made.body.metadata.uid } } });
    const since = Number(made.body.metadata.resourceVersion);
    const { text } = await api.send('GET', `${NS}/pods`, { query: `watch=1&timeoutSeconds=1&resourceVersion=${since}` });
    const events = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

    assert.deepEqual(
      events.map(({ type, object: { metadata } }) => [type, metadata.deletionGracePeriodSeconds, Number(metadata.resourceVersion)]),
      [
        ['MODIFIED', 0, since + 1],
        ['DELETED', 0, since + 2],
      ],
    );
    assert.equal(Number(removed.body.metadata.resourceVersion), since + 2);
  });

  test('a Pod that is on its way is left to go, in whatever time is asked for beyond', async () => {
    await make(`${NS}/pods`, 'slow', { spec: { containers: CONTAINERS, nodeName: 'n' } });
    const first = await api.send('DELETE', `${NS}/pods/slow`, { query: 'gracePeriodSeconds=60' });
    const longer = await api.send('DELETE', `${NS}/pods/slow`, { query: 'gracePeriodSeconds=100' });
    const shorter = await api.send('DELETE', `${NS}/pods/slow`, { query: 'gracePeriodSeconds=10' });
    const since = (answer: { body: { metadata: { deletionTimestamp: string } } }) => Date.parse(answer.body.metadata.deletionTimestamp);

    assert.deepEqual(longer.body, first.body);
    assert.equal(shorter.body.metadata.deletionGracePeriodSeconds, 10);
    assert.equal(since(first) - since(shorter), 50_000);
  });

  test('a collection is deleted page by page', async () => {
    for (const name of ['page-a', 'page-b', 'page-c']) await make(MAPS, name, { metadata: { name, labels: { page: 'x' } } });
    const first = await api.send('DELETE', MAPS, { query: 'labelSelector=page&limit=1' });
    const token = first.body.metadata.continue;
    const second = await api.send('DELETE', MAPS, { query: `labelSelector=page&limit=1&continue=${token}` });
    const left = await api.send('GET', MAPS, { query: 'labelSelector=page' });
    const names = ({ body }: typeof left) => body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);

    assert.deepEqual([first, second, left].map(names), [['page-a'], ['page-b'], ['page-c']]);
    assert.equal(first.body.metadata.resourceVersion, second.body.metadata.resourceVersion);
  });

  test('a collection is deleted as far as its preconditions hold', async () => {
    for (const name of ['cond-a', 'cond-b']) await make(MAPS, name, { metadata: { name, labels: { cond: 'x' } } });
    const { uid } = (await api.send('GET', `${MAPS}/cond-b`)).body.metadata;
    const { status } = await api.send('DELETE', MAPS, { query: 'labelSelector=cond', body: { preconditions: { uid } } });
    const left = await api.send('GET', MAPS, { query: 'labelSelector=cond' });

    assert.deepEqual([status, left.body.items.length], [409, 2]);
  });

  test('a list of whatever there is has no pages', async () => {
    const { body } = await api.send('GET', '/api/v1/namespaces', { query: 'limit=1&resourceVersion=0' });

    assert.ok(body.items.length > 1);
    assert.equal(body.metadata.continue, undefined);
  });

  test('who asks for a list of what is written is told when it is', async () => {
    const made = await api.send('POST', MAPS, { headers: LIST_FORM, body: { metadata: { name: 'no-list' } } });
    const read = await api.send('GET', `${MAPS}/no-list`);
    const removed = await api.send('DELETE', `${MAPS}/no-list`, { headers: LIST_FORM });

    assert.deepEqual([made.status, read.status, removed.status], [406, 200, 200]);
    assert.equal(made.body.message, 'you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)');
  });

  const names: [method: string, name: string, fault: string][] = [
    ['GET', '%25', '"%": may not contain \'%\''],
    ['DELETE', '.', '".": may not be \'.\''],
    ['PUT', 'a%25b', '"a%b": may not contain \'%\''],
    ['PATCH', '..', '"..": may not be \'..\''],
  ];
  for (const [method, name, fault] of names) {
    test(`${method} of ${name} is told that this is no name`, async () => {
      const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
      const sent = method === 'PUT' ? { body: { metadata: { name: decodeURIComponent(name) } } } : method === 'PATCH' ? { body: {} } : {};
      const { status, body } = await api.send(method, `${MAPS}/${name}`, { headers, ...sent });

      assert.deepEqual([status, body.message], [400, `Name parameter invalid: ${fault}`]);
    });
  }

  const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  const versions: [what: string, method: string, path: string, name: string, version: string, status: number][] = [
    ['an update that creates does not look at the version', 'PUT', `${LEASES}/v1`, 'v1', '7', 201],
    ['an update that creates reads the version', 'PUT', `${LEASES}/v2`, 'v2', 'x', 500],
    ['a create names none', 'POST', MAPS, 'versioned', '7', 500],
    ['what is wrong with the object comes before its version', 'POST', MAPS, 'Versioned', '7', 422],
    ['a create may name one that is no number', 'POST', MAPS, 'unversioned', 'x', 201],
  ];
  for (const [what, method, path, name, resourceVersion, expected] of versions) {
    test(what, async () => {
      const { status } = await api.send(method, path, { body: { metadata: { name, resourceVersion } } });

      assert.equal(status, expected);
    });
  }
});
