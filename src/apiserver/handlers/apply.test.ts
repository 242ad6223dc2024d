// SPDX-License-Identifier: Apache-2.0
// Server-side apply as clients meet it: what a configuration may leave out, what is refused and in which words, who owns what.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestAnswer, type TestServer } from '../_test-server.ts';

const APPLY = { 'content-type': 'application/apply-patch+yaml' };
const MERGE = { 'content-type': 'application/merge-patch+json' };
const MAPS = '/api/v1/namespaces/default/configmaps';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const configMap = (metadata: object, data: object = { a: '1' }) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
const deployment = (name: string, spec: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: 'x' } },
    template: { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    ...spec,
  },
});

interface Entry {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fieldsV1?: { readonly 'f:spec'?: Readonly<Record<string, object>> };
}

const entriesOf = (answer: TestAnswer): readonly Entry[] => answer.body.metadata.managedFields ?? [];
const managersOf = (answer: TestAnswer) => entriesOf(answer).map(({ manager }) => manager);
const scalersOf = (answer: TestAnswer) =>
  entriesOf(answer).flatMap(({ manager, operation, subresource = '', time, fieldsV1 }) =>
    fieldsV1?.['f:spec']?.['f:replicas'] === undefined ? [] : [[manager, operation, subresource, time !== undefined]],
  );

describe('server-side apply', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
  });
  after(() => api[Symbol.asyncDispose]());
  const apply = (path: string, fieldManager: string, body: unknown, query = '') =>
    api.send('PATCH', path, { headers: APPLY, query: `fieldManager=${fieldManager}${query}`, body });
  const merge = (path: string, fieldManager: string, body: unknown) =>
    api.send('PATCH', path, { headers: MERGE, query: `fieldManager=${fieldManager}`, body });

  test('a configuration of an object that is there need not name it', async () => {
    await apply(`${MAPS}/named`, 'one', configMap({ name: 'named' }));
    const unnamed = await apply(`${MAPS}/named`, 'two', configMap({ labels: { a: 'b' } }));
    const other = await apply(`${MAPS}/named`, 'two', configMap({ name: 'other' }));
    const missing = await apply(`${MAPS}/missing`, 'two', configMap({}));

    assert.deepEqual([unnamed.status, unnamed.body.metadata.labels], [200, { a: 'b' }]);
    assert.equal(other.body.message, 'the name of the object (other) does not match the name on the URL (named)');
    assert.equal(missing.body.message, 'the name of the object (missing based on URL) was undeterminable: name must be provided');
  });

  test('a configuration has no entries of managers, not even none', async () => {
    const rows = [
      [[], 400],
      [[{}], 400],
      [null, 201],
    ] as const;
    for (const [managedFields, status] of rows) {
      const answer = await apply(`${MAPS}/entries`, 'm', configMap({ name: 'entries', managedFields }));
      assert.equal(answer.status, status, JSON.stringify(managedFields));
    }
  });

  test('what a configuration names twice is told of once it has been applied', async () => {
    const text = (value: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: twice\ndata:\n  a: "0"\n  a: "${value}"\n`;
    const strict = await apply(`${MAPS}/twice`, 'm', text('1'), '&fieldValidation=Strict');
    const warned = await apply(`${MAPS}/twice`, 'm', text('1'));
    const conflict = await apply(`${MAPS}/twice`, 'n', text('2'), '&fieldValidation=Strict');

    assert.equal(
      strict.body.message,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 7: key "a" already set in map',
    );
    assert.match(String(warned.headers['warning']), /line 7: key \\"a\\" already set in map/);
    assert.equal(conflict.body.reason, 'Conflict');
  });

  test('null leaves what is there', async () => {
    const once = await apply(`${MAPS}/nulls`, 'm', configMap({ name: 'nulls', creationTimestamp: null, resourceVersion: null }));
    const again = await apply(`${MAPS}/nulls`, 'm', configMap({ name: 'nulls', creationTimestamp: null, resourceVersion: null }));
    const other = await apply(`${MAPS}/nulls`, 'n', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'nulls' }, data: null });

    assert.deepEqual(again.body, once.body);
    assert.deepEqual(other.body.data, { a: '1' });
  });

  test('making an object takes the right to create it', async () => {
    const user = { name: 'patcher', uid: '', groups: ['system:authenticated'], extra: {} };
    const group = 'rbac.authorization.k8s.io';
    const rules = [{ verbs: ['patch'], apiGroups: [''], resources: ['configmaps'] }];
    await api.send('POST', `/apis/${group}/v1/clusterroles`, {
      body: { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name: 'patcher' }, rules },
    });
    await api.send('POST', `/apis/${group}/v1/clusterrolebindings`, {
      body: {
        apiVersion: `${group}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'patcher' },
        subjects: [{ kind: 'User', name: 'patcher', apiGroup: group }],
        roleRef: { kind: 'ClusterRole', name: 'patcher', apiGroup: group },
      },
    });
    const send = () =>
      api.send('PATCH', `${MAPS}/guarded`, { headers: APPLY, query: 'fieldManager=m', body: configMap({ name: 'guarded' }), user });
    const made = await send();
    await apply(`${MAPS}/guarded`, 'admin', configMap({ name: 'guarded' }));
    const changed = await send();

    assert.equal(made.status, 403);
    assert.match(
      made.body.message,
      /^configmaps "guarded" is forbidden: User "patcher" cannot create resource "configmaps" in API group ""/,
    );
    assert.equal(changed.status, 200);
  });

  test('a DaemonSet that is replaced without its template generation hands that over', async () => {
    const path = '/apis/apps/v1/namespaces/default/daemonsets';
    const set = { ...deployment('ds'), kind: 'DaemonSet' };
    await api.send('POST', path, { query: 'fieldManager=creator', body: set });
    const { body } = await api.send('PUT', `${path}/ds`, { query: 'fieldManager=updater', body: set });
    const annotations = Object.fromEntries(
      body.metadata.managedFields.map((entry: { manager: string; fieldsV1: Record<string, Record<string, object>> }) => [
        entry.manager,
        entry.fieldsV1['f:metadata']?.['f:annotations'],
      ]),
    );

    assert.deepEqual(annotations, { creator: {}, updater: { 'f:deprecated.daemonset.template.generation': {} } });
  });

  test('a Scale is booked to the object that it is of', async () => {
    const path = `${DEPLOYMENTS}/scaled`;
    const scale = (replicas: number) => ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'scaled' }, spec: { replicas } });
    const scalers = async () => scalersOf(await api.send('GET', path));
    await apply(path, 'app', deployment('scaled', { replicas: 1 }));

    await merge(`${path}/scale`, 'hand', { spec: { replicas: 5 } });
    assert.deepEqual(await scalers(), [['hand', 'Update', 'scale', false]]);
    const refused = await apply(`${path}/scale`, 'scaler', scale(7));
    assert.match(refused.body.message, /conflict with "hand" with subresource "scale" using autoscaling\/v1: \.spec\.replicas$/);
    await apply(`${path}/scale`, 'scaler', scale(5));
    assert.deepEqual(await scalers(), [
      ['scaler', 'Apply', 'scale', false],
      ['hand', 'Update', 'scale', false],
    ]);
    const nothing = await apply(`${path}/scale`, 'other', { ...scale(0), spec: {} });
    assert.deepEqual([nothing.status, nothing.body.spec.replicas], [200, 5]);
  });

  test('replicas that nobody owns are not owned by who scales them', async () => {
    await apply(`${DEPLOYMENTS}/free`, 'app', deployment('free'));
    await merge(`${DEPLOYMENTS}/free/scale`, 'hand', { spec: { replicas: 4 } });
    const read = await api.send('GET', `${DEPLOYMENTS}/free`);

    assert.deepEqual([read.body.spec.replicas, managersOf(read)], [4, ['app']]);
  });

  test('who owns replicas beside other fields has them apart after any scale', async () => {
    await api.send('POST', DEPLOYMENTS, { query: 'fieldManager=creator', body: deployment('apart', { replicas: 3 }) });
    await merge(`${DEPLOYMENTS}/apart/scale`, 'hand', { spec: { replicas: 3 } });
    const read = await api.send('GET', `${DEPLOYMENTS}/apart`);

    assert.deepEqual(managersOf(read), ['creator', 'creator']);
    assert.deepEqual(scalersOf(read), [['creator', 'Update', '', false]]);
  });
});
