// SPDX-License-Identifier: Apache-2.0
// The verbs through the whole chain: a server on a memory store, asked and answered in process.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string, extra: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...extra },
  data: { a: '1' },
});
const MERGE = { 'content-type': 'application/merge-patch+json' };
const JSON_PATCH = { 'content-type': 'application/json-patch+json' };

describe('handlers', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api[Symbol.asyncDispose]());

  test('an object is created once, read back, and gone after its deletion', async () => {
    const created = await api.send('POST', MAPS, { body: configMap('life') });
    const again = await api.send('POST', MAPS, { body: configMap('life') });
    const read = await api.send('GET', `${MAPS}/life`);
    const removed = await api.send('DELETE', `${MAPS}/life`);
    const gone = await api.send('GET', `${MAPS}/life`);

    assert.deepEqual(
      [created, again, read, removed, gone].map(({ status }) => status),
      [201, 409, 200, 200, 404],
    );
    assert.deepEqual(read.body, created.body);
    assert.equal(removed.body.details.uid, created.body.metadata.uid);
  });

  test('events are selected by the names of the group they are asked for in', async () => {
    for (const name of ['one', 'two']) {
      const body = { metadata: { name }, involvedObject: { kind: 'Pod', name, namespace: 'default' }, reportingComponent: `c-${name}` };
      await api.send('POST', '/api/v1/namespaces/default/events', { body });
    }
    const newer = '/apis/events.k8s.io/v1/namespaces/default/events';
    const core = await api.send('GET', '/api/v1/namespaces/default/events', { query: 'fieldSelector=involvedObject.name%3Done' });
    const regarding = await api.send('GET', newer, { query: 'fieldSelector=regarding.name%3Done' });
    const reporting = await api.send('GET', newer, { query: 'fieldSelector=reportingController!%3Dc-two,regarding.kind%3DPod' });
    const names = ({ body }: typeof core) => body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);

    assert.deepEqual([core, regarding, reporting].map(names), [['one'], ['one'], ['one']]);
  });

  test('errors name the group that was asked, though the object is the same in another', async () => {
    const newer = '/apis/events.k8s.io/v1/namespaces/default/events';
    const body = { metadata: { name: 'grouped' }, involvedObject: { namespace: 'default' } };
    await api.send('POST', '/api/v1/namespaces/default/events', { body });
    const answers = [
      await api.send('GET', `${newer}/none`),
      await api.send('DELETE', `${newer}/none`),
      await api.send('PATCH', `${newer}/none`, { headers: MERGE, body: {} }),
      await api.send('PATCH', `${newer}/grouped`, { headers: MERGE, body: { metadata: { resourceVersion: '1' } } }),
    ];

    assert.deepEqual(
      answers.map(({ status, body: { details } }) => [status, details.group]),
      [404, 404, 404, 409].map((status) => [status, 'events.k8s.io']),
    );
    assert.equal(answers[0]?.body.message, 'events.events.k8s.io "none" not found');
  });

  test('a name that is taken is said so in other words where one could have been made', async () => {
    await api.send('POST', MAPS, { body: configMap('taken') });
    const { status, body } = await api.send('POST', MAPS, { body: configMap('taken', { generateName: 'ta' }) });

    assert.equal(status, 409);
    assert.equal(body.message, 'configmaps "taken" already exists, the server was not able to generate a unique name for the object');
    assert.deepEqual(body.details, { name: 'taken', kind: 'configmaps', retryAfterSeconds: 1 });
  });

  test('an object of the cluster loses the namespace that it names', async () => {
    const body = { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'p', namespace: 'x' }, value: 1 };
    const created = await api.send('POST', '/apis/scheduling.k8s.io/v1/priorityclasses', { body });
    const review = { metadata: { namespace: 'x' }, spec: { user: 'a', nonResourceAttributes: { path: '/', verb: 'get' } } };
    const reviewed = await api.send('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { body: review });

    assert.deepEqual([created.status, created.body.metadata.namespace], [201, undefined]);
    assert.deepEqual([reviewed.status, reviewed.body.metadata?.namespace], [201, undefined]);
  });

  test('the namespace of an update is looked at before there is an object', async () => {
    const put = (metadata: object) => api.send('PUT', `${MAPS}/nowhere`, { body: configMap('nowhere', metadata) });

    assert.deepEqual([(await put({ uid: 'u' })).status, (await put({ namespace: 'other' })).status], [404, 400]);
  });

  test('owners that are named twice are kept once, with a warning', async () => {
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'u1' };
    const ownerReferences = [owner, { ...owner, name: 'q' }, owner];
    const { body, headers } = await api.send('POST', MAPS, { body: configMap('owned', { ownerReferences }) });
    const patched = await api.send('PATCH', `${MAPS}/owned`, {
      headers: JSON_PATCH,
      body: [{ op: 'add', path: '/metadata/ownerReferences/-', value: owner }],
    });

    assert.deepEqual(body.metadata.ownerReferences, ownerReferences.slice(0, 2));
    assert.deepEqual(patched.body.metadata.ownerReferences, ownerReferences.slice(0, 2));
    assert.match(String(headers['warning']), /contains duplicate entries; .*duplicate UID\(s\) observed: u1"$/);
    assert.match(String(patched.headers['warning']), /contains duplicate entries after mutating admission happens; /);
  });

  test('an update without a change writes nothing, one with an old version is a conflict', async () => {
    const { body } = await api.send('POST', MAPS, { body: configMap('versions') });
    const same = await api.send('PUT', `${MAPS}/versions`, { body });
    const changed = await api.send('PUT', `${MAPS}/versions`, { body: { ...body, data: { a: '2' } } });
    const stale = await api.send('PUT', `${MAPS}/versions`, { body: { ...body, data: { a: '3' } } });

    assert.equal(same.body.metadata.resourceVersion, body.metadata.resourceVersion);
    assert.notEqual(changed.body.metadata.resourceVersion, body.metadata.resourceVersion);
    assert.equal(stale.status, 409);
    assert.match(stale.body.message, /the object has been modified/);
  });

  test('a failed JSON patch operation leaves the object as it was', async () => {
    await api.send('POST', MAPS, { body: configMap('atomic') });
    const failed = await api.send('PATCH', `${MAPS}/atomic`, {
      headers: JSON_PATCH,
      body: [
        { op: 'replace', path: '/data/a', value: '9' },
        { op: 'remove', path: '/data/none' },
      ],
    });
    const after = await api.send('GET', `${MAPS}/atomic`);

    assert.equal(failed.status, 422);
    assert.equal(after.body.data.a, '1');
  });

  test('a strict JSON patch has no members but those of operations, and each once', async () => {
    await api.send('POST', MAPS, { body: configMap('strict') });
    const body = [
      { op: 'test', path: '/data/a', value: '1', why: 'x' },
      { op: 'add', path: '/bogus', value: 1 },
    ];
    const strict = await api.send('PATCH', `${MAPS}/strict`, { headers: JSON_PATCH, query: 'fieldValidation=Strict', body });
    const ignored = await api.send('PATCH', `${MAPS}/strict`, { headers: JSON_PATCH, query: 'fieldValidation=Ignore', body });

    assert.equal(strict.status, 422);
    assert.match(strict.body.message, /: strict decoding error: json patch unknown field "\[0\]\.why", unknown field "bogus"$/);
    assert.equal(ignored.status, 200);
  });

  test('a dry run answers as if it had been done, and does nothing', async () => {
    const dry = await api.send('POST', MAPS, { query: 'dryRun=All', body: configMap('dry') });
    const read = await api.send('GET', `${MAPS}/dry`);

    assert.equal(dry.status, 201);
    assert.equal(dry.body.metadata.resourceVersion, undefined);
    assert.equal(read.status, 404);
  });

  test('each character of a field manager that cannot be printed is told of', async () => {
    const { status, body } = await api.send('POST', MAPS, { query: 'fieldManager=a%01b%02', body: configMap('manager') });

    assert.equal(status, 422);
    assert.deepEqual(
      body.details.causes.map(({ field, message }: { field: string; message: string }) => [field, message]),
      ['U+0001 (at position 1)', 'U+0002 (at position 3)'].map((which) => [
        'fieldManager',
        `Invalid value: "a\\x01b\\x02": invalid character ${which}`,
      ]),
    );
  });

  test('a message shows an empty map as the client wrote it', async () => {
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j' },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] } } },
    };
    const path = '/apis/batch/v1/namespaces/default/jobs';
    const { body } = await api.send('POST', path, { body: job });
    const { status, body: refusal } = await api.send('PUT', `${path}/j`, { body: { ...body, spec: { ...body.spec, selector: {} } } });

    assert.equal(status, 422);
    assert.match(refusal.message, /spec\.selector: Invalid value: \{\}: field is immutable/);
  });

  test('an object with a finalizer stays, takes no new ones, and goes with its last', async () => {
    const path = `${MAPS}/held`;
    await api.send('POST', MAPS, { body: configMap('held', { finalizers: ['example.com/hold'] }) });
    const marked = await api.send('DELETE', path);
    const added = await api.send('PATCH', path, {
      headers: MERGE,
      body: { metadata: { finalizers: ['example.com/hold', 'example.com/new'] } },
    });
    const recreated = await api.send('POST', MAPS, { body: configMap('held') });
    const released = await api.send('PATCH', path, { headers: MERGE, body: { metadata: { finalizers: null } } });
    const gone = await api.send('GET', path);

    assert.ok(marked.body.metadata.deletionTimestamp);
    assert.equal(added.status, 422);
    assert.match(recreated.body.message, /^object is being deleted: /);
    assert.deepEqual([released.status, gone.status], [200, 404]);
  });

  test('pages together give every object once, in order, as of the first page', async () => {
    const names = Array.from({ length: 25 }, (_, index) => `page-${String(index).padStart(2, '0')}`);
    for (const name of names) await api.send('POST', MAPS, { body: configMap(name, { labels: { paged: 'yes' } }) });
    const seen: string[] = [];
    let next = '';
    let rounds = 0;
    do {
      const page = await api.send('GET', MAPS, { query: `limit=10&labelSelector=paged%3Dyes${next === '' ? '' : `&continue=${next}`}` });
      seen.push(...page.body.items.map((item: { metadata: { name: string } }) => item.metadata.name));
      next = page.body.metadata.continue ?? '';
      if (rounds === 0) await api.send('DELETE', `${MAPS}/page-24`);
      rounds += 1;
    } while (next !== '');

    assert.deepEqual(seen, names);
    assert.equal(rounds, 3);
  });

  test('a Pod goes with its grace, and at once where that is 0', async () => {
    const pod = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { nodeName: 'n', automountServiceAccountToken: false, serviceAccountName: 'default', containers: [{ name: 'c', image: 'i' }] },
    });
    await api.send('POST', '/api/v1/namespaces/default/serviceaccounts', {
      body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } },
    });
    const path = '/api/v1/namespaces/default/pods';
    const created = await api.send('POST', path, { body: pod('p') });
    const marked = await api.send('DELETE', `${path}/p`);
    const still = await api.send('GET', `${path}/p`);
    const forced = await api.send('DELETE', `${path}/p`, { query: 'gracePeriodSeconds=0' });
    const gone = await api.send('GET', `${path}/p`);

    assert.equal(created.status, 201);
    assert.equal(marked.body.metadata.deletionGracePeriodSeconds, 30);
    assert.deepEqual([still.status, forced.status, gone.status], [200, 200, 404]);
  });

  test('parallel updates of one object lose none: conditional ones conflict, patches are tried again', async () => {
    const { body } = await api.send('POST', MAPS, { body: configMap('raced') });
    const puts = await Promise.all(['x', 'y', 'z'].map((a) => api.send('PUT', `${MAPS}/raced`, { body: { ...body, data: { a } } })));
    const patches = await Promise.all(
      Array.from({ length: 8 }, (_, n) => api.send('PATCH', `${MAPS}/raced`, { headers: MERGE, body: { data: { [`k${n}`]: 'v' } } })),
    );
    const after = await api.send('GET', `${MAPS}/raced`);

    assert.deepEqual(puts.map(({ status }) => status).sort(), [200, 409, 409]);
    assert.ok(patches.every(({ status }) => status === 200));
    assert.equal(Object.keys(after.body.data).length, 9);
  });

  test('server-side apply names the manager in the way, and force takes the field over', async () => {
    const apply = (manager: string, a: string, force = false) =>
      api.send('PATCH', `${MAPS}/applied`, {
        query: `fieldManager=${manager}${force ? '&force=true' : ''}`,
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: { ...configMap('applied'), data: { a } },
      });
    const first = await apply('one', '1');
    const conflict = await apply('two', '2');
    const forced = await apply('two', '2', true);

    assert.deepEqual([first.status, conflict.status, forced.status], [201, 409, 200]);
    assert.equal(conflict.body.details.causes[0].message, 'conflict with "one"');
    assert.equal(forced.body.data.a, '2');
  });

  const refused: readonly (readonly [string, string, string, object, number, RegExp])[] = [
    ['a body that is no JSON', 'POST', MAPS, { body: '{"kind":' }, 400, /couldn't get version\/kind; json parse error: unexpected end/],
    ['a PUT on a collection', 'PUT', MAPS, { body: configMap('x') }, 405, /does not allow this method/],
    ['a POST on an object', 'POST', `${MAPS}/x`, { body: configMap('x') }, 405, /does not allow this method/],
    ['a patch of no known type', 'PATCH', `${MAPS}/x`, { headers: { 'content-type': 'text/plain' }, body: 'x' }, 415, /^415/],
    ['an answer in no known type', 'GET', MAPS, { headers: { accept: 'text/html' } }, 406, /Available representations: application\/json/],
    ['a limit that is no number', 'GET', MAPS, { query: 'limit=two' }, 400, /strconv.ParseInt: parsing "two"/],
    ['a dry run of some kind', 'POST', MAPS, { query: 'dryRun=Some', body: configMap('x') }, 422, /Unsupported value: \["Some"\]/],
    ['a field that cannot be selected by', 'GET', MAPS, { query: 'fieldSelector=data.a%3D1' }, 400, /is not a known field selector/],
    [
      'both ways of saying how to propagate',
      'DELETE',
      `${MAPS}/x`,
      { query: 'orphanDependents=true&propagationPolicy=Orphan' },
      422,
      /cannot be both set/,
    ],
    ['a resource that is not there', 'GET', '/api/v1/gadgets', {}, 404, /could not find the requested resource/],
  ];
  for (const [what, method, path, request, status, message] of refused) {
    test(`${what} is refused with ${status}`, async () => {
      const answer = await api.send(method, path, request);

      assert.equal(answer.status, status, answer.text);
      assert.match(answer.body.message, message);
    });
  }

  test('a Status is encoded as the answer would have been', async () => {
    const yaml = await api.send('GET', `${MAPS}/none`, { headers: { accept: 'application/yaml' } });

    assert.equal(yaml.headers['content-type'], 'application/yaml');
    assert.match(yaml.text, /^apiVersion: v1\ncode: 404\n/);
  });

  test('/metrics counts what was answered', async () => {
    await api.send('GET', `${MAPS}/none`);
    const { text } = await api.send('GET', '/metrics');

    assert.match(text, /apiserver_request_total\{[^}]*resource="configmaps"[^}]*verb="GET"[^}]*code="404"[^}]*\} [1-9]/);
    assert.match(text, /apiserver_request_duration_seconds_bucket\{[^}]*verb="POST"[^}]*le="\+Inf"\} /);
    assert.match(text, /apiserver_storage_objects\{resource="configmaps"\} [1-9]/);
    assert.match(text, /process_resident_memory_bytes [1-9]/);
  });
});
