// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IncomingRequest } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { restOf } from './connect.ts';

const PODS = '/api/v1/namespaces/n/pods';
const cases: readonly [path: string, search: string, expected: string][] = [
  [`${PODS}/web/proxy`, '', '/'],
  [`${PODS}/web/proxy/`, '', '/'],
  [`${PODS}/web/proxy/a/b/`, 'x=1', '/a/b/?x=1'],
  [`${PODS}/proxy-1/proxy/a`, '', '/a'],
  ['/api/v1/namespaces/proxy/services/proxy/proxy/proxy', '', '/proxy'],
  ['/api/v1/namespaces/pods/pods/web/proxy/x', '', '/x'],
  ['/api/v1/nodes/n1:10250/proxy/healthz', '', '/healthz'],
];

for (const [path, search, expected] of cases) {
  test(`restOf() gives ${expected} for ${path}${search === '' ? '' : `?${search}`}`, () => {
    const request = { path, search } as IncomingRequest;

    assert.equal(restOf({ request, info: requestInfoOf('GET', path, undefined) }), expected);
  });
}
