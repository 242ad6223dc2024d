// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../_test-server.ts';

const NAMESPACE = '/api/v1/namespaces/default';
const MERGE = { 'content-type': 'application/merge-patch+json' };

test('a Pod that is bound is nominated for no node any more', async () => {
  await using api = await startTestServer();
  await api.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } });
  await api.send('POST', `${NAMESPACE}/serviceaccounts`, { body: { metadata: { name: 'default' } } });
  const pod = `${NAMESPACE}/pods/p`;
  await api.send('POST', `${NAMESPACE}/pods`, { body: { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'i' }] } } });
  await api.send('PATCH', `${pod}/status`, { headers: MERGE, body: { status: { nominatedNodeName: 'n1' } } });

  const before = await api.send('GET', pod);
  const bound = await api.send('POST', `${pod}/binding`, { body: { metadata: { name: 'p' }, target: { name: 'n2' } } });
  const after = await api.send('GET', pod);

  assert.equal(before.body.status.nominatedNodeName, 'n1');
  assert.equal(bound.status, 201);
  assert.deepEqual([after.body.spec.nodeName, after.body.status.nominatedNodeName], ['n2', undefined]);
});
