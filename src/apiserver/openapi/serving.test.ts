// SPDX-License-Identifier: Apache-2.0
// What a client gets by its Accept header and by the hash in the URL: a fact per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BytesResult, RequestContext } from '../request/context.ts';
import { PROTOBUF_V2 } from './protobuf-v2.ts';
import { answerDocument, formOf } from './serving.ts';

const OLDER = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const FORMS: readonly (readonly [accept: string, version: 'v2' | 'v3', form: string | undefined])[] = [
  ['', 'v2', 'application/json'],
  ['*', 'v3', 'application/json'],
  ['*/*', 'v2', 'application/json'],
  ['application/*', 'v3', 'application/json'],
  ['application/json, */*', 'v2', 'application/json'],
  [`${PROTOBUF_V2}, application/json`, 'v2', PROTOBUF_V2],
  [`${PROTOBUF_V2};q=0.1, application/json`, 'v2', 'application/json'],
  [OLDER, 'v2', PROTOBUF_V2],
  [OLDER, 'v3', undefined],
  ['application/yaml', 'v2', undefined],
  ['text/html, application/yaml;q=0.9, */*;q=0.1', 'v3', 'application/json'],
  ['text/*', 'v3', undefined],
];
for (const [accept, version, form] of FORMS)
  test(`${version} is answered to "${accept}" as ${form ?? 'not acceptable'}`, () => assert.equal(formOf(accept, version), form));

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
function ask(query: string, match = ''): BytesResult {
  const header = (name: string) => (name === 'if-none-match' ? match : '');
  const context = { query: new URLSearchParams(query), header, receivedAt: NOW } as unknown as RequestContext;
  return answerDocument(context, { body: '{}', hash: 'AB' }, 'application/json', 'apis/apps/v1') as BytesResult;
}

test('a document without a hash in its URL may not be kept', () => {
  assert.deepEqual(ask('').headers, { etag: '"AB"', vary: 'Accept' });
  assert.equal(ask('').status, 200);
});

test('the right hash lets a client keep the document for a year', () => {
  const headers = { etag: '"AB"', vary: 'Accept', 'cache-control': 'public, immutable', expires: 'Sat, 02 Jan 2027 03:04:05 GMT' };
  assert.deepEqual(ask('hash=AB').headers, headers);
});

test('another hash leads to the right one', () => {
  const { status, body, headers } = ask('hash=old');
  assert.deepEqual(
    { status, body, location: headers?.['location'] },
    { status: 301, body: '', location: '/openapi/v3/apis/apps/v1?hash=AB' },
  );
});

test('a client that has the document gets none', () => {
  assert.equal(ask('', '"AB"').status, 304);
  assert.equal(ask('', '"CD"').status, 200);
});
