// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../_test-server.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const FORMS: readonly (readonly [string, string])[] = [
  ['application/json', 'application/json'],
  ['application/json;stream=watch', 'application/json'],
  [`${PROTOBUF}, */*`, `${PROTOBUF};stream=watch`],
  [`${PROTOBUF};stream=watch`, `${PROTOBUF};stream=watch`],
];

test('a stream of events is called as upstream calls it', async () => {
  await using api = await startTestServer();
  for (const [accept, expected] of FORMS) {
    const { headers } = await api.send('GET', '/api/v1/namespaces', { headers: { accept }, query: 'watch=true&timeoutSeconds=1' });
    assert.equal(headers['content-type'], expected, accept);
  }
});
