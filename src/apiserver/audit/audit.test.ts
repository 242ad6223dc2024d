// SPDX-License-Identifier: Apache-2.0
// The audit policy as a table; events of a whole server in a log file and at a webhook; rotation and batches with a clock that stands still.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeClock, settle, silentLogger } from '#component';
import { startTestServer, type TestServer } from '../_test-server.ts';
import type { UserInfo } from '../auth/user.ts';
import { DEFAULT_OPERATIONS } from '../operations.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { BatchedBackend } from './backend.ts';
import type { AuditEvent } from './event.ts';
import { AuditLog } from './log-backend.ts';
import { AuditPolicyError, parsePolicy } from './policy.ts';

const POLICY = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-proxy]
  verbs: [watch]
  resources: [{group: "", resources: [endpoints, services]}]
- level: None
  nonResourceURLs: ["/healthz*", /version]
- level: Request
  resources: [{group: "", resources: [configmaps], resourceNames: [special]}]
- level: Metadata
  resources: [{group: "", resources: ["pods/log", "*/status"]}]
- level: RequestResponse
  namespaces: [loud]
  omitManagedFields: true
- level: None
  userGroups: [quiet]
- level: Metadata
`;
const userOf = (name: string, ...groups: string[]): UserInfo => ({ name, uid: '', groups, extra: {} });

describe('the audit policy', () => {
  const policy = parsePolicy(POLICY, 'p');
  const cases: readonly (readonly [string, string, UserInfo, string])[] = [
    ['GET /api/v1/services?watch=true', 'a watch it names', userOf('system:kube-proxy'), 'None'],
    ['GET /api/v1/services', 'another verb', userOf('system:kube-proxy'), 'Metadata'],
    ['GET /healthz/etcd', 'a path under a wildcard', userOf('a'), 'None'],
    ['GET /version', 'a path', userOf('a'), 'None'],
    ['GET /versions', 'a longer path', userOf('a'), 'Metadata'],
    ['GET /api/v1/namespaces/a/configmaps/special', 'an object by name', userOf('a'), 'Request'],
    ['GET /api/v1/namespaces/a/configmaps/other', 'another object', userOf('a'), 'Metadata'],
    ['GET /api/v1/namespaces/loud/pods/p/log', 'a subresource', userOf('a'), 'Metadata'],
    ['GET /api/v1/namespaces/loud/pods/p', 'a namespace', userOf('a'), 'RequestResponse'],
    ['PUT /api/v1/namespaces/loud/pods/p/status', 'the status of anything', userOf('a'), 'Metadata'],
    ['GET /api/v1/pods', 'a group of users', userOf('a', 'quiet'), 'None'],
  ];
  for (const [line, what, user, level] of cases) {
    test(`${what} (${line}) is audited at level ${level}`, () => {
      const [method = '', target = ''] = line.split(' ');
      const [path = '', search = ''] = target.split('?');

      assert.equal(policy.evaluate(user, requestInfoOf(method, path, new URLSearchParams(search))).level, level);
    });
  }

  const refusals = [
    ['kind: Policy', /want an object of kind "Policy" in version "audit.k8s.io\/v1"/],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy', /loaded illegal policy with 0 rules/],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]', /rules\[0\]\.level: Unsupported value: "All"/],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, nonResourceURLs: [x]}]', /must begin with a '\/'/],
    ['apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, omitStages: [Never]}]', /allowed stages are/],
    [': : :', /failed decoding/],
  ] as const;
  for (const [text, why] of refusals) test(`${JSON.stringify(text)} is refused`, () => assert.throws(() => parsePolicy(text, 'p'), why));

  test('whatever a file says, it is a policy or it is refused', () => {
    fc.assert(
      fc.property(fc.json(), (rules) => {
        try {
          parsePolicy(`{"apiVersion":"audit.k8s.io/v1","kind":"Policy","rules":[{"level":"None","users":[]},${rules}]}`, 'p');
        } catch (error) {
          assert.ok(error instanceof AuditPolicyError, String(error));
        }
      }),
    );
  });
});

describe('a server with an audit log', () => {
  let folder: string;
  let api: TestServer;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'audit-'));
    const policyFile = join(folder, 'policy.yaml');
    writeFileSync(policyFile, POLICY);
    const batch = { bufferSize: 10, maxBatchSize: 1, maxWaitMs: 0, throttle: undefined };
    const log = {
      path: join(folder, 'audit.log'),
      format: 'json' as const,
      maxAgeDays: 0,
      maxBackups: 0,
      maxSizeMegabytes: 100,
      compress: false,
      mode: 'blocking' as const,
      batch,
    };
    api = await startTestServer({ operations: { ...DEFAULT_OPERATIONS, audit: { policyFile, log, webhook: undefined } } });
  });
  after(async () => {
    await api[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  // biome-ignore lint/suspicious/noExplicitAny: events of every kind, looked into.
  const events = (id: string): any[] =>
    readFileSync(join(folder, 'audit.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ auditID }) => auditID === id);

  test('a create is written with what was sent, what came of it, and why it was allowed', async () => {
    await api.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'loud' } } });
    await api.send('POST', '/api/v1/namespaces/loud/configmaps', {
      headers: { 'audit-id': 'create' },
      body: { metadata: { name: 'c' }, data: { k: 'v' } },
    });

    const [event, ...more] = events('create');
    assert.equal(more.length, 0);
    assert.deepEqual(
      [event.level, event.stage, event.verb, event.user.username, event.responseStatus, event.objectRef],
      [
        'RequestResponse',
        'ResponseComplete',
        'create',
        'admin',
        { metadata: {}, code: 201 },
        { resource: 'configmaps', namespace: 'loud', name: 'c', apiVersion: 'v1' },
      ],
    );
    assert.deepEqual(event.requestObject, { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'c' }, data: { k: 'v' } });
    assert.equal(event.responseObject.metadata.managedFields, undefined);
    assert.equal(event.annotations['authorization.k8s.io/decision'], 'allow');
  });

  test('a refusal is written with its reason and without objects', async () => {
    await api.send('GET', '/api/v1/secrets', { user: userOf('ann', 'system:authenticated'), headers: { 'audit-id': 'refused' } });

    const [event] = events('refused');
    assert.deepEqual([event.level, event.responseStatus.code, event.responseStatus.reason], ['Metadata', 403, 'Forbidden']);
    assert.equal(event.annotations['authorization.k8s.io/decision'], 'forbid');
    assert.equal(event.responseObject, undefined);
  });

  test('who was impersonated stands beside who asked', async () => {
    await api.send('GET', '/api/v1/pods', { headers: { 'audit-id': 'as', 'impersonate-user': 'bob' } });

    const [event] = events('as');
    assert.deepEqual([event.user.username, event.impersonatedUser.username], ['admin', 'bob']);
  });

  test('a wrong token is written though nobody is known', async () => {
    await api.send('GET', '/api/v1/pods', { user: undefined, headers: { 'audit-id': 'wrong', authorization: 'Bearer x' } });

    assert.deepEqual(
      events('wrong').map(({ stage, responseStatus }) => [stage, responseStatus.code, responseStatus.message]),
      [['ResponseStarted', 401, 'Unauthorized']],
    );
  });

  test('a time limit that is none is written though nobody is known', async () => {
    await api.send('GET', '/api/v1/pods', { query: 'timeout=soon', headers: { 'audit-id': 'limit' } });

    assert.deepEqual(
      events('limit').map(({ stage, responseStatus, user }) => [stage, responseStatus.code, responseStatus.reason, user]),
      [['ResponseStarted', 400, 'BadRequest', {}]],
    );
  });

  test('what the policy leaves out is not written', async () => {
    await api.send('GET', '/healthz', { headers: { 'audit-id': 'none' } });

    assert.deepEqual(events('none'), []);
  });
});

const eventOf = (text: string) =>
  ({ kind: 'Event', apiVersion: 'audit.k8s.io/v1', level: 'Metadata', auditID: text, stage: 'ResponseComplete' }) as AuditEvent;

test('a log file rotates by size, and only so many old ones stay', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'audit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const clock = new FakeClock();
  const options = {
    path: join(folder, 'a.log'),
    format: 'json' as const,
    maxAgeDays: 1,
    maxBackups: 2,
    maxSizeMegabytes: 1,
    compress: false,
  };
  const log = new AuditLog(options, clock);
  for (let n = 0; n < 5; n++) {
    log.process([eventOf('x'.repeat(700_000))]);
    await clock.advance(1_000);
  }

  assert.deepEqual(readdirSync(folder).sort(), ['a-2026-01-01T00-00-03.000.log', 'a-2026-01-01T00-00-04.000.log', 'a.log']);
  await clock.advance(2 * 86_400_000);
  log.process([eventOf('x'.repeat(700_000))]);
  assert.deepEqual(readdirSync(folder).sort(), ['a-2026-01-03T00-00-05.000.log', 'a.log']);
  await log.shutdown();
});

test('a batch goes when it is full or its time is up; what does not fit is lost and counted', async () => {
  const clock = new FakeClock();
  const sent: string[] = [];
  let lost = 0;
  const backend = new BatchedBackend(
    { bufferSize: 3, maxBatchSize: 2, maxWaitMs: 1_000, throttle: { qps: 1, burst: 1 } },
    {
      name: 'b',
      clock,
      logger: silentLogger,
      deliver: async (events) => void sent.push(events.map(({ auditID }) => auditID).join('')),
      lost: (count) => {
        lost += count;
      },
    },
  );

  backend.process([eventOf('a')]);
  await settle();
  assert.deepEqual(sent, []);
  backend.process([eventOf('b')]);
  await settle();
  assert.deepEqual(sent, ['ab']);
  backend.process(['c', 'd', 'e', 'f'].map(eventOf));
  await settle();
  assert.deepEqual([sent, lost], [['ab'], 1]);
  await clock.advance(3_000);

  assert.deepEqual(sent, ['ab', 'cd', 'e']);
  assert.equal(clock.pending, 0);
});
