// SPDX-License-Identifier: Apache-2.0
// Which operations a resource has, how they are named, and what both versions of the documents say of them: a fact per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOURCES } from '#api';
import type { Resource } from '#machinery';
import { pathsOf } from './operation-forms.ts';
import { BUILT_IN, CUSTOM, operationsOf, tagOf } from './operations.ts';
import { describeParameter } from './parameters.ts';
import type { Json } from './schemas.ts';

const resource = (group: string, name: string) => RESOURCES.find((one) => one.group === group && one.resource === name) as Resource;
const operations = RESOURCES.filter(({ version }) => version === 'v1').flatMap((one) => operationsOf(one, BUILT_IN));
const find = (method: string, path: string) => operations.find((one) => one.method === method && one.path === path);
const refer = (type: unknown): Json => ({ $ref: typeof type === 'string' ? type : (type as { kind: string }).kind });

const PDB = '/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets';
const POD = '/api/v1/namespaces/{namespace}/pods/{name}';

const ROWS: readonly (readonly [method: string, path: string, id: string, action: string, description: string])[] = [
  ['get', PDB, 'listPolicyV1NamespacedPodDisruptionBudget', 'list', 'list or watch objects of kind PodDisruptionBudget'],
  ['post', PDB, 'createPolicyV1NamespacedPodDisruptionBudget', 'post', 'create a PodDisruptionBudget'],
  ['delete', PDB, 'deletePolicyV1CollectionNamespacedPodDisruptionBudget', 'deletecollection', 'delete collection of PodDisruptionBudget'],
  ['get', `${PDB}/{name}`, 'readPolicyV1NamespacedPodDisruptionBudget', 'get', 'read the specified PodDisruptionBudget'],
  ['put', `${PDB}/{name}`, 'replacePolicyV1NamespacedPodDisruptionBudget', 'put', 'replace the specified PodDisruptionBudget'],
  ['delete', `${PDB}/{name}`, 'deletePolicyV1NamespacedPodDisruptionBudget', 'delete', 'delete a PodDisruptionBudget'],
  [
    'patch',
    `${PDB}/{name}/status`,
    'patchPolicyV1NamespacedPodDisruptionBudgetStatus',
    'patch',
    'partially update status of the specified PodDisruptionBudget',
  ],
  ['get', '/api/v1/pods', 'listCoreV1PodForAllNamespaces', 'list', 'list or watch objects of kind Pod'],
  [
    'get',
    '/api/v1/watch/nodes',
    'watchCoreV1NodeList',
    'watchlist',
    "watch individual changes to a list of Node. deprecated: use the 'watch' parameter with a list operation instead.",
  ],
  ['post', `${POD}/eviction`, 'createCoreV1NamespacedPodEviction', 'post', 'create eviction of a Pod'],
  ['get', `${POD}/exec`, 'connectCoreV1GetNamespacedPodExec', 'connect', 'connect GET requests to exec of Pod'],
  ['head', `${POD}/proxy/{path}`, 'connectCoreV1HeadNamespacedPodProxyWithPath', 'connect', 'connect HEAD requests to proxy of Pod'],
  ['get', `${POD}/log`, 'readCoreV1NamespacedPodLog', 'get', 'read log of the specified Pod'],
  [
    'get',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    'listRbacAuthorizationV1ClusterRole',
    'list',
    'list or watch objects of kind ClusterRole',
  ],
  ['post', '/apis/networking.k8s.io/v1/ingressclasses', 'createNetworkingV1IngressClass', 'post', 'create an IngressClass'],
];

for (const [method, path, id, action, description] of ROWS) {
  test(`operationsOf() has ${method} ${path}`, () => {
    const found = find(method, path);

    assert.deepEqual([found?.id, found?.action, found?.description], [id, action, description]);
  });
}

test('tagOf() joins the words of a group', () => {
  const groups = ['', 'apps', 'rbac.authorization.k8s.io', 'flowcontrol.apiserver.k8s.io', 'stable.example.com'];

  assert.deepEqual(
    groups.map((group) => tagOf({ group, version: 'v1' })),
    ['core_v1', 'apps_v1', 'rbacAuthorization_v1', 'flowcontrolApiserver_v1', 'stableExampleCom_v1'],
  );
});

test('no two operations have one name', () => {
  const ids = operations.map(({ id }) => id);

  assert.equal(new Set(ids).size, ids.length);
});

test('an operation of a subresource is about its own kind', () => {
  assert.deepEqual(find('get', '/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale')?.gvk, {
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
  });
});

test('what is deleted comes back where the kind gives it back, else a Status', () => {
  assert.deepEqual(find('delete', POD)?.responses[0]?.[1], { group: '', version: 'v1', kind: 'Pod' });
  assert.equal(find('delete', `${PDB}/{name}`)?.responses[0]?.[1], 'Status');
});

test('version 3 says once what all operations of a path take', () => {
  const paths = pathsOf(operationsOf(resource('policy', 'poddisruptionbudgets'), BUILT_IN), refer, 'v3');
  const names = (of: unknown) => (of as { parameters?: { name: string }[] } | undefined)?.parameters?.map(({ name }) => name);

  assert.deepEqual(names(paths[PDB]), ['namespace', 'pretty']);
  assert.deepEqual(names(paths[PDB]?.['post']), ['dryRun', 'fieldManager', 'fieldValidation']);
  assert.deepEqual(names(paths[`${PDB}/{name}`]), ['name', 'namespace', 'pretty']);
  assert.deepEqual(names(paths[`${PDB}/{name}`]?.['patch']), ['dryRun', 'fieldManager', 'fieldValidation', 'force']);
  assert.equal(names(paths[`${PDB}/{name}`]?.['get']), undefined);
  assert.deepEqual(names(paths['/apis/policy/v1/poddisruptionbudgets'])?.slice(0, 3), ['allowWatchBookmarks', 'continue', 'fieldSelector']);
  const patch = paths[`${PDB}/{name}`]?.['patch'] as { requestBody: Json; responses: Json } | undefined;
  assert.deepEqual(Object.keys(patch?.requestBody['content'] as Json), [
    'application/apply-patch+yaml',
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
  ]);
  assert.deepEqual(Object.keys(patch?.responses ?? {}), ['200', '201', '401']);
});

test('version 2 has bodies among its parameters', () => {
  const paths = pathsOf(operationsOf(resource('policy', 'poddisruptionbudgets'), BUILT_IN), refer, 'v2');

  const put = paths[`${PDB}/{name}`]?.['put'] as { parameters: Json[]; responses: Record<string, Json> } | undefined;

  assert.deepEqual(put?.parameters[0], { name: 'body', in: 'body', required: true, schema: { $ref: 'PodDisruptionBudget' } });
  const description = describeParameter('fieldManager', '');
  assert.deepEqual(put?.parameters[2], { uniqueItems: true, type: 'string', description, name: 'fieldManager', in: 'query' });
  assert.deepEqual(put?.responses['201'], { description: 'Created', schema: { $ref: 'PodDisruptionBudget' } });
});

test('custom resources speak JSON and YAML, have no paths of watches, and name their kind for scale, too', () => {
  const scale = { name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get', 'patch', 'update'] as const };
  const kites: Resource = {
    ...resource('policy', 'poddisruptionbudgets'),
    group: 'example.com',
    kind: 'Kite',
    resource: 'kites',
    subresources: [scale],
  };

  const own = operationsOf(kites, CUSTOM);
  const named = new Map(own.map((one) => [one.id, one]));

  assert.ok(own.every(({ path }) => !path.includes('/watch/')));
  assert.equal(named.get('listExampleComV1NamespacedKite')?.description, 'list objects of kind Kite');
  assert.deepEqual(named.get('listExampleComV1NamespacedKite')?.produces, ['application/json', 'application/yaml']);
  assert.deepEqual(named.get('readExampleComV1NamespacedKite')?.parameters, ['resourceVersion']);
  assert.equal(named.get('readExampleComV1NamespacedKiteScale')?.gvk.kind, 'Kite');
  assert.deepEqual(named.get('readExampleComV1NamespacedKiteScale')?.responses, [
    [200, { group: 'autoscaling', version: 'v1', kind: 'Scale' }],
  ]);
});

test('every parameter is described', () => {
  const all = operationsOf(resource('', 'pods'), BUILT_IN);
  const paths = Object.entries(pathsOf(all, refer, 'v3')).flatMap(([path, item]) =>
    Object.values(item).flatMap((part) => {
      const parameters = (Array.isArray(part) ? part : ((part as { parameters?: Json[] }).parameters ?? [])) as readonly Json[];
      return parameters.filter(({ description }) => !description).map(({ name }) => `${path} ${String(name)}`);
    }),
  );

  assert.deepEqual(paths, []);
});
