// SPDX-License-Identifier: Apache-2.0
// What is answered to requests that are not quite right: bodies of other kinds, options out of range, forms that there are none of.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestRequest, type TestServer } from '../_test-server.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const SECRETS = '/api/v1/namespaces/default/secrets';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const MERGE = { 'content-type': 'application/merge-patch+json' };
const META = 'g=meta.k8s.io';

type Case = readonly [title: string, method: string, path: string, request: TestRequest, status: number, message: RegExp | undefined];

const CASES: readonly Case[] = [
  [
    'a version that nobody knows',
    'POST',
    MAPS,
    { body: { apiVersion: 'v2', kind: 'ConfigMap' } },
    400,
    /^ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" in scheme /,
  ],
  [
    'a version of another group',
    'POST',
    DEPLOYMENTS,
    { body: { apiVersion: 'v1', kind: 'Deployment' } },
    400,
    /: no kind "Deployment" is registered for version "v1" /,
  ],
  [
    'a version that is served no more',
    'POST',
    DEPLOYMENTS,
    { body: { apiVersion: 'apps/v1beta1', kind: 'Deployment' } },
    400,
    /^the API version in the data \(apps\/v1beta1\) does not match the expected API version \(apps\/v1\)$/,
  ],
  [
    'no version at all',
    'POST',
    MAPS,
    { body: { apiVersion: 'a/b/c', kind: 'ConfigMap' } },
    400,
    /^the object provided is unrecognized \(must be of type ConfigMap\): unexpected GroupVersion string: a\/b\/c \(/,
  ],
  [
    'another kind, before what is in it is looked at',
    'POST',
    SECRETS,
    { body: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '#' } } },
    400,
    /: converting \(v1\.ConfigMap\) to \(core\.Secret\): unknown conversion$/,
  ],
  [
    'a list in place of an object',
    'POST',
    MAPS,
    { body: { apiVersion: 'v1', kind: 'List', items: [] } },
    400,
    /converting \(v1\.List\) to/,
  ],
  [
    'parameters of the media type that cannot be read',
    'POST',
    MAPS,
    { headers: { 'content-type': 'application/json;x' }, body: '{}' },
    415,
    undefined,
  ],
  [
    'no name in an update',
    'PUT',
    `${MAPS}/there`,
    { body: { metadata: {} } },
    400,
    /^the name of the object \(there based on URL\) was undeterminable: name must be provided$/,
  ],
  ['a name taken away by a patch', 'PATCH', `${MAPS}/there`, { headers: MERGE, body: { metadata: { name: null } } }, 400, /undeterminable/],
  [
    'a kind changed by a patch',
    'PATCH',
    `${MAPS}/there`,
    { headers: MERGE, body: { kind: 'Secret' } },
    422,
    /converting \(v1\.Secret\) to \(core\.ConfigMap\)/,
  ],
  [
    'a kind that is no text',
    'PATCH',
    `${MAPS}/there`,
    { headers: MERGE, body: { kind: 5 } },
    422,
    /: couldn't get version\/kind; json parse error: json: cannot unmarshal number into Go struct field \.kind of type string$/,
  ],
  [
    'a number beyond every double',
    'POST',
    '/api/v1/namespaces/default/services',
    { body: `{"metadata":{"name":"s"},"spec":{"ports":[{"port":${'1'.repeat(400)}}]}}` },
    400,
    /cannot be handled as a Service: json: cannot unmarshal number 1{400} into Go struct field ServicePort\.spec\.ports\.port of type int32$/,
  ],
  [
    'a limit beyond 64 bits',
    'GET',
    MAPS,
    { query: 'limit=9223372036854775808' },
    400,
    /^strconv\.ParseInt: parsing "9223372036854775808": value out of range$/,
  ],
  [
    'a deletion of another uid',
    'DELETE',
    `${MAPS}/there`,
    { query: 'uid=other' },
    409,
    /the UID in the precondition \(other\) does not match/,
  ],
  [
    'a deletion of another version',
    'DELETE',
    `${MAPS}/there`,
    { query: 'resourceVersion=1' },
    409,
    /the ResourceVersion in the precondition \(1\) does not match/,
  ],
  [
    'delete options of no version',
    'DELETE',
    `${MAPS}/there`,
    { body: { apiVersion: 'a/b/c' } },
    400,
    /^unexpected GroupVersion string: a\/b\/c$/,
  ],
  [
    'an object as a list',
    'GET',
    `${MAPS}/there`,
    { headers: { accept: `application/json;as=PartialObjectMetadataList;v=v1;${META}` } },
    406,
    /^you requested PartialObjectMetadataList, but the requested object is not a list \(\*core\.ConfigMap\)$/,
  ],
  [
    'a list as an object',
    'GET',
    DEPLOYMENTS,
    { headers: { accept: `application/json;as=PartialObjectMetadata;v=v1;${META}` } },
    406,
    /^you requested PartialObjectMetadata, but the requested object is a list \(\*apps\.DeploymentList\)$/,
  ],
  ['a watch in YAML', 'GET', MAPS, { query: 'watch=1', headers: { accept: 'application/yaml, application/json' } }, 406, undefined],
  ['a watch by another method', 'POST', '/api/v1/watch/configmaps', { body: '{}' }, 405, undefined],
  ['the head of an object', 'HEAD', `${MAPS}/there`, {}, 405, undefined],
  [
    'a name that two places tell otherwise',
    'GET',
    '/api/v1/watch/namespaces/default/configmaps/there',
    { query: 'fieldSelector=metadata.name=b' },
    400,
    /^fieldSelector metadata\.name doesn't match requested name$/,
  ],
  [
    'more behind a subresource',
    'GET',
    '/api/v1/namespaces/default/pods/x/log/y',
    {},
    404,
    /^the server could not find the requested resource$/,
  ],
  ['a version of a known group', 'GET', '/apis/apps/v9', {}, 404, /^the server could not find the requested resource$/],
  ['discovery by another method', 'POST', '/apis/apps/v1', { body: '{}' }, 405, undefined],
  ['the head of discovery', 'HEAD', '/api/v1/', {}, 405, undefined],
  [
    'a page of a version to come',
    'GET',
    MAPS,
    { query: 'resourceVersion=999999&limit=1' },
    504,
    /^Timeout: Too large resource version: 999999, current: \d+$/,
  ],
  ['a review by name', 'GET', '/apis/authorization.k8s.io/v1/subjectaccessreviews/x', {}, 404, undefined],
  [
    'a review for trial of another sort',
    'POST',
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    { query: 'dryRun=x', body: {} },
    422,
    /^CreateOptions\.meta\.k8s\.io "" is invalid: dryRun/,
  ],
];

describe('requests that are not quite right', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
    await api.send('POST', MAPS, { body: { metadata: { name: 'there' } } });
  });
  after(() => api[Symbol.asyncDispose]());

  for (const [title, method, path, request, status, message] of CASES) {
    test(`${title} is refused with ${status}`, async () => {
      const answer = await api.send(method, path, request);

      assert.equal(answer.status, status);
      if (message !== undefined) assert.match(answer.body.message, message);
    });
  }

  const fields: [path: string, field: string, message: string | undefined][] = [
    ['/api/v1/pods', 'spec.nodeName', undefined],
    ['/api/v1/pods', 'spec.host', undefined],
    ['/api/v1/pods', 'spec.priority', 'field label not supported: spec.priority'],
    ['/api/v1/nodes', 'metadata.namespace', 'field label not supported: metadata.namespace'],
    ['/api/v1/persistentvolumes', 'metadata.namespace', undefined],
    ['/api/v1/persistentvolumes', 'name', '"name" is not a known field selector: only "metadata.name", "metadata.namespace"'],
    [
      '/apis/apps/v1/replicasets',
      'status.replicas',
      '"status.replicas" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ],
    ['/apis/batch/v1/jobs', 'status.successful', undefined],
    ['/apis/batch/v1/jobs', 'status.failed', 'field label "status.failed" not supported for Job'],
    ['/apis/resource.k8s.io/v1/resourceslices', 'spec.x', 'field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: spec.x'],
    ['/apis/events.k8s.io/v1/events', 'regarding.name', undefined],
    ['/apis/events.k8s.io/v1/events', 'involvedObject.name', 'field label not supported: involvedObject.name'],
  ];
  for (const [path, field, message] of fields) {
    test(`${path} are ${message === undefined ? '' : 'not '}selected by ${field}`, async () => {
      const { status, body } = await api.send('GET', path, { query: `fieldSelector=${field}%3Dx` });

      assert.deepEqual([status, body.message], message === undefined ? [200, undefined] : [400, message]);
    });
  }

  test('a strategic patch cannot make an object one of another kind', async () => {
    const headers = { 'content-type': 'application/strategic-merge-patch+json' };
    await api.send('PATCH', `${MAPS}/there`, { headers, body: { kind: 'Secret', apiVersion: 'v2' } });
    const read = await api.send('GET', `${MAPS}/there`, { headers: { accept: 'application/yaml' } });

    assert.match(read.text, /^apiVersion: v1\nkind: ConfigMap\n/);
  });

  for (const [agent, query, isPretty] of [
    ['curl/8.5.0', '', true],
    ['Mozilla/5.0 (X11)', '', true],
    ['Wget/1.21', '', true],
    ['kubectl/v1.36.0', '', false],
    ['curl/8.5.0', 'pretty=0', false],
    ['kubectl/v1.36.0', 'pretty=T', true],
    ['kubectl/v1.36.0', 'pretty=yes', false],
    ['kubectl/v1.36.0', 'pretty', false],
  ] as const) {
    test(`${agent} that asks with ${JSON.stringify(query)} gets ${isPretty ? 'lines for people' : 'one line'}`, async () => {
      const { text } = await api.send('GET', `${MAPS}/there`, { query, headers: { 'user-agent': agent } });

      assert.equal(text.startsWith('{\n  "kind": "ConfigMap",\n'), isPretty);
    });
  }

  for (const [method, path, body] of [
    ['DELETE', `${MAPS}/to-go`, undefined],
    ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}],
  ] as const) {
    test(`what a ${method} answers that shows no object kept takes the form that is asked for`, async () => {
      await api.send('POST', MAPS, { body: { metadata: { name: 'to-go' } } });
      const headers = { accept: 'application/yaml' };
      const answer = await api.send(method, path, { headers, ...(body === undefined ? {} : { body }) });

      assert.equal(answer.headers['content-type'], 'application/yaml');
      assert.match(answer.text, /^apiVersion: /);
    });
  }

  test('a list may be asked for by a switch in any case of letters', async () => {
    const { body } = await api.send('GET', MAPS, { query: 'watch=FALSE' });

    assert.equal(body.kind, 'ConfigMapList');
  });
});
