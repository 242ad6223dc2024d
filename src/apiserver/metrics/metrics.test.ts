// SPDX-License-Identifier: Apache-2.0
// What a scrape shows after a few requests, under upstream's names, labels and buckets.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';

describe('/metrics', () => {
  let api: TestServer;
  let text: string;
  before(async () => {
    api = await startTestServer();
    const stranger = { name: 'ann@example.com', uid: '', groups: ['system:authenticated'], extra: {} };
    await api.send('POST', '/api/v1/namespaces/default/limitranges', { body: { metadata: { name: 'm' }, spec: { limits: [] } } });
    await api.send('GET', '/api/v1/namespaces/default/limitranges/m');
    await api.send('GET', '/api/v1/namespaces/default/limitranges');
    await api.send('GET', '/api/v1/secrets', { user: stranger });
    await api.send('GET', '/api/v1/pods', { user: undefined, headers: { authorization: 'Bearer x' } });
    await api.send('GET', '/api/v1/namespaces/default/endpoints');
    await api.send('GET', '/readyz');
    text = (await api.send('GET', '/metrics')).text;
  });
  after(() => api[Symbol.asyncDispose]());

  const common = 'component="apiserver",dry_run="",group="",resource="limitranges",scope="resource",subresource=""';
  const lines: readonly (readonly [string, string])[] = [
    ['requests', `apiserver_request_total{${common},verb="GET",version="v1",code="200",system_client=""} 1`],
    ['their durations', `apiserver_request_duration_seconds_count{${common},verb="GET",version="v1"} 1`],
    [
      'the service level, without the lowest buckets',
      `apiserver_request_sli_duration_seconds_bucket{component="apiserver",group="",resource="limitranges",scope="resource",subresource="",verb="GET",version="v1",le="60"} 1`,
    ],
    [
      'sizes of answers',
      `apiserver_response_sizes_count{component="apiserver",group="",resource="limitranges",scope="namespace",subresource="",verb="LIST",version="v1"} 1`,
    ],
    ['refusals of authorization', 'authorization_attempts_total{result="denied"} 1'],
    ['failed authentication', 'authentication_attempts{result="failure"} 1'],
    ['users by the form of their name', 'authenticated_user_requests{username="email_id"} 1'],
    [
      'uses of deprecated resources',
      'apiserver_requested_deprecated_apis{group="",version="v1",resource="endpoints",subresource="",removed_release=""} 1',
    ],
    ['lists from the cache', 'apiserver_cache_list_total{group="",resource="limitranges",index=""} 1'],
    ['health checks', 'kubernetes_healthcheck{name="etcd",type="readyz"} 1'],
    ['stored objects', 'apiserver_storage_objects{resource="limitranges"}'],
    ['requests to the store', 'etcd_requests_total{operation="create",group="",resource="limitranges"}'],
    ['passes of admission', 'apiserver_admission_step_admission_duration_seconds_count{operation="CREATE",rejected="false",type="admit"}'],
    ['audit, which is off', 'apiserver_audit_event_total 0'],
    ['seats', 'apiserver_flowcontrol_current_limit_seats{priority_level="workload-low"}'],
  ];
  for (const [what, line] of lines) {
    test(`shows ${what}`, () => assert.ok(text.includes(`\n${line}`), `no line ${line}`));
  }

  test('the service level has no bucket below 0.05', () =>
    assert.ok(!/apiserver_request_sli_duration_seconds_bucket\{[^}]*le="0.025"/.test(text)));
});
