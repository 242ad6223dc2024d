// SPDX-License-Identifier: Apache-2.0
// Bindings, evictions and bound tokens of Pods: what is checked of them, in which order, and what is done when all is well.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';

const NAMESPACE = '/api/v1/namespaces/default';
const PODS = `${NAMESPACE}/pods`;
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
const MERGE = { 'content-type': 'application/merge-patch+json' };

describe('subresources of Pods', () => {
  let api: TestServer;
  before(async () => {
    api = await startTestServer();
    await api.send('POST', '/api/v1/namespaces', { body: { metadata: { name: 'default' } } });
    await api.send('POST', `${NAMESPACE}/serviceaccounts`, { body: { metadata: { name: 'default' } } });
  });
  after(() => api[Symbol.asyncDispose]());

  async function makePod(name: string, spec: object = {}): Promise<void> {
    const body = { metadata: { name, labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } };
    const { status, body: made } = await api.send('POST', PODS, { body });
    assert.equal(status, 201, JSON.stringify(made));
  }

  const streams: [what: string, path: string, query: string, code: number, message: RegExp][] = [
    ['a log option that cannot be read comes before the Pod', 'none/log', 'tailLines=abc', 400, /^strconv\.ParseInt: parsing "abc"/],
    ['a log option that is wrong comes before the Pod', 'none/log', 'tailLines=-1', 422, /^PodLogOptions "none" is invalid: tailLines:/],
    ['a time of a log has to be one', 'none/log', 'sinceTime=x', 400, /^parsing time "x" as "2006-01-02T15:04:05Z07:00"/],
    ['the Pod of a log has to be there', 'none/log', 'tailLines=1', 404, /^pods "none" not found$/],
    ['the node of a stream is looked for before its options', 'streamed/exec', '', 404, /^pods "gone" not found$/],
    [
      'the container of a stream is looked for before its node',
      'streamed/attach',
      'container=x',
      400,
      /^container x is not valid for pod streamed$/,
    ],
  ];
  for (const [title, path, query, code, message] of streams) {
    test(title, async () => {
      if (path.startsWith('streamed'))
        await api.send('POST', PODS, {
          body: { metadata: { name: 'streamed' }, spec: { containers: [{ name: 'c', image: 'i' }], nodeName: 'gone' } },
        });
      const answer = await api.send('GET', `${PODS}/${path}`, { query });

      assert.equal(answer.status, code);
      assert.match(answer.body.message, message);
    });
  }

  for (const [title, body, code, message] of [
    ['of another namespace', { metadata: { namespace: 'other' }, target: { name: 'n' } }, 400, /^the namespace of the provided object/],
    ['of another name', { metadata: { name: 'x' }, target: { name: 'n' } }, 400, /^name in URL does not match/],
    [
      'to nothing that is a node',
      { target: { kind: 'Pod' } },
      500,
      /^\[target\.kind: Unsupported value: "Pod".*, target\.name: Required value\]$/,
    ],
    ['of another uid', { metadata: { uid: 'x' }, target: { name: 'n' } }, 409, /Precondition failed: UID in precondition: x, UID in/],
    [
      'of another version',
      { metadata: { resourceVersion: '1' }, target: { name: 'n' } },
      409,
      /ResourceVersion in precondition: 1, ResourceV/,
    ],
  ] as const) {
    test(`a binding ${title} is refused`, async () => {
      const name = `bind-${title.replaceAll(' ', '-')}`;
      await makePod(name);
      const given = 'metadata' in body ? body.metadata : {};
      const answer = await api.send('POST', `${PODS}/${name}/binding`, { body: { ...body, metadata: { name, ...given } } });

      assert.equal(answer.status, code);
      assert.match(answer.body.message, message);
    });
  }

  test('a binding without a name binds nothing', async () => {
    const { status, body } = await api.send('POST', `${NAMESPACE}/bindings`, { body: { metadata: {}, target: { name: 'n' } } });

    assert.equal(status, 400);
    assert.equal(body.message, 'Name parameter required.');
  });

  const evict = (name: string, deleteOptions?: object, query = '') =>
    api.send('POST', `${PODS}/${name}/eviction`, { query, body: { metadata: { name }, ...(deleteOptions ? { deleteOptions } : {}) } });

  test('an eviction for trial leaves the Pod as it was, whatever the word for it', async () => {
    await makePod('trial', { nodeName: 'n' });
    const refused = await evict('trial', undefined, 'dryRun=some');
    const contradicting = await evict('trial', { dryRun: ['some'] }, 'dryRun=All');
    const tried = await evict('trial', { dryRun: ['some'] });
    const { body } = await api.send('GET', `${PODS}/trial`);

    assert.deepEqual([refused.status, contradicting.status, tried.status], [422, 500, 201]);
    assert.equal(contradicting.body.message, 'Non-matching dry-run options in request and content: [All] and [some]');
    assert.equal(body.metadata.deletionTimestamp, undefined);
    assert.equal(body.status.conditions, undefined);
  });

  test('an eviction of another version leaves the Pod without a mark; one of this version goes through', async () => {
    await makePod('versioned', { nodeName: 'n' });
    const refused = await evict('versioned', { preconditions: { resourceVersion: '1' } });
    const { body: before } = await api.send('GET', `${PODS}/versioned`);
    const { resourceVersion } = before.metadata;
    const done = await evict('versioned', { preconditions: { resourceVersion } });
    const { body: after } = await api.send('GET', `${PODS}/versioned`);

    assert.deepEqual([refused.status, done.status], [409, 201]);
    assert.equal(before.status.conditions, undefined);
    assert.equal(after.status.conditions[0].reason, 'EvictionByEvictionAPI');
    assert.ok(after.metadata.deletionTimestamp);
  });

  for (const [title, status, why] of [
    [
      'could not be judged',
      { disruptionsAllowed: 0, conditions: [{ reason: 'SyncFailed', message: 'no scale' }] },
      'does not allow evicting pods currently because it failed sync: no scale',
    ],
    [
      'has as many as it needs',
      { disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 2 },
      'needs 2 healthy pods and has 2 currently',
    ],
    [
      'says why',
      { disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 1, conditions: [{ reason: 'Other', message: 'so' }] },
      'does not allow evicting pods currently (Other): so',
    ],
    ['does not say why', { disruptionsAllowed: 0, currentHealthy: 2, desiredHealthy: 1 }, 'does not allow evicting pods currently'],
  ] as const) {
    test(`a budget that ${title} keeps the Pod`, async () => {
      const name = `kept-${title.replaceAll(' ', '-')}`;
      await makePod(name, { nodeName: 'n' });
      const phase = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
      await api.send('PATCH', `${PODS}/${name}/status`, { headers: MERGE, body: { status: phase } });
      const budget = { metadata: { name: 'pdb' }, spec: { minAvailable: 1, selector: { matchLabels: { app: name } } } };
      await api.send('POST', BUDGETS, { body: budget });
      const given = 'conditions' in status ? status.conditions : [];
      const conditions = given.map((condition) => ({
        type: 'DisruptionAllowed',
        status: 'False',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        ...condition,
      }));
      const path = `${BUDGETS}/pdb`;
      await api.send('PATCH', `${path}/status`, { headers: MERGE, body: { status: { observedGeneration: 1, ...status, conditions } } });
      const answer = await evict(name);
      await api.send('DELETE', path);

      assert.equal(answer.status, 429);
      assert.equal(answer.body.details.causes[0].message, `The disruption budget pdb ${why}`);
    });
  }

  test('a token is bound to a Pod of whatever core version is named, and to none without a name', async () => {
    await makePod('bound');
    const path = `${NAMESPACE}/serviceaccounts/default/token`;
    const ask = (boundObjectRef: object) => api.send('POST', path, { body: { spec: { boundObjectRef } } });
    const bound = await ask({ kind: 'Pod', name: 'bound' });
    const nameless = await ask({ kind: 'Pod', apiVersion: 'v1' });

    assert.equal(bound.status, 201);
    assert.deepEqual([nameless.status, nameless.body.message], [400, 'Name parameter required.']);
  });
});
