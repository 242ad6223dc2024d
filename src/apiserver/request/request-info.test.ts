// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestInfoOf } from './request-info.ts';

const cases: readonly (readonly [string, string, string])[] = [
  ['GET /api/v1/pods', '', 'list /v1 pods'],
  ['GET /api/v1/pods', 'watch=true', 'watch /v1 pods'],
  ['GET /api/v1/pods', 'watch=false', 'list /v1 pods'],
  ['GET /api/v1/namespaces/a/pods', '', 'list /v1 pods in a'],
  ['GET /api/v1/namespaces/a/pods', 'fieldSelector=metadata.name%3Dp', 'list /v1 pods p in a'],
  ['GET /api/v1/namespaces/a/pods/p', '', 'get /v1 pods p in a'],
  ['HEAD /api/v1/namespaces/a/pods/p', '', 'get /v1 pods p in a'],
  ['GET /api/v1/namespaces/a/pods/p/log', '', 'get /v1 pods/log p in a'],
  ['GET /api/v1/namespaces/a/pods/p/proxy/x/y', '', 'get /v1 pods/proxy p in a > x,y'],
  ['GET /api/v1/namespaces', '', 'list /v1 namespaces'],
  ['GET /api/v1/namespaces/a', '', 'get /v1 namespaces a in a'],
  ['PUT /api/v1/namespaces/a/finalize', '', 'update /v1 namespaces/finalize a in a'],
  ['POST /apis/apps/v1/namespaces/a/deployments', '', 'create apps/v1 deployments in a'],
  ['PATCH /apis/apps/v1/namespaces/a/deployments/d/scale', '', 'patch apps/v1 deployments/scale d in a'],
  ['DELETE /apis/apps/v1/namespaces/a/deployments', '', 'deletecollection apps/v1 deployments in a'],
  ['DELETE /apis/apps/v1/namespaces/a/deployments/d', '', 'delete apps/v1 deployments d in a'],
  ['GET /api/v1/watch/namespaces/a/pods', '', 'watch /v1 pods in a'],
  ['GET /api/v1/nodes/a%2Fb', '', 'get /v1 nodes a/b'],
  ['GET /api/v1', '', 'path get'],
  ['GET /apis/apps/v1', '', 'path get'],
  ['GET /healthz', '', 'path get'],
  ['POST /api//v1/pods', '', 'path post'],
];
for (const [line, query, expected] of cases) {
  test(`${line}${query === '' ? '' : `?${query}`} is ${expected}`, () => {
    const [method = '', path = ''] = line.split(' ');

    const info = requestInfoOf(method, path, new URLSearchParams(query));

    const what = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`;
    const parts = [info.verb, `${info.group}/${info.version}`, what, info.name, info.namespace === '' ? '' : `in ${info.namespace}`];
    const rest = info.rest.length === 0 ? '' : ` > ${info.rest.join(',')}`;
    const shown = info.isResource ? parts.filter((part) => part !== '').join(' ') + rest : `path ${info.verb}`;
    assert.equal(shown, expected);
  });
}
