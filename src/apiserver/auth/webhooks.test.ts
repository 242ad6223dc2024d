// SPDX-License-Identifier: Apache-2.0
// Webhooks that read tokens and that authorize: what is sent, what an answer means, how long it counts, what a failure means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '#component';
import { WebhookCallError, type WebhookClient } from '../webhook-client/mod.ts';
import type { Attributes } from './authorizer.ts';
import { alwaysAllow, unionAuthorizer } from './authorizer.ts';
import { type WebhookAuthorizerOptions, webhookAuthorizer } from './webhook-authorizer.ts';
import { webhookTokens } from './webhook-token.ts';

const logger = { warn() {} };

function clientOf(answer: (body: never) => unknown): Pick<WebhookClient, 'post'> & { readonly sent: object[] } {
  const sent: object[] = [];
  return {
    sent,
    async post(body) {
      sent.push(body as object);
      return answer(body as never);
    },
  };
}

const ATTRIBUTES: Attributes = {
  user: { name: 'ann', uid: '7', groups: ['dev'], extra: { scopes: ['a'] } },
  verb: 'get',
  isResource: true,
  path: '',
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  subresource: '',
  namespace: 'default',
  name: 'web',
};

const authorizerOf = (client: Pick<WebhookClient, 'post'>, clock: FakeClock, more: Partial<WebhookAuthorizerOptions> = {}) =>
  webhookAuthorizer({
    name: 'test',
    client,
    version: 'v1',
    authorizedTtlMs: 300_000,
    unauthorizedTtlMs: 30_000,
    timeoutMs: 1_000,
    failurePolicy: 'NoOpinion',
    clock,
    logger,
    ...more,
  });

test('a token webhook is asked once per token and audience within the time its answer counts', async () => {
  const clock = new FakeClock();
  const client = clientOf(() => ({ status: { authenticated: true, user: { username: 'ann', groups: ['dev'] } } }));
  const tokens = webhookTokens({ client, version: 'v1', cacheTtlMs: 120_000, audiences: ['api'], clock, logger });

  const found = await tokens.identify('secret', []);
  await tokens.identify('secret', []);
  await tokens.identify('secret', ['other']);
  await clock.advance(120_001);
  await tokens.identify('secret', []);

  assert.deepEqual(found, { user: { name: 'ann', uid: '', groups: ['dev', 'system:authenticated'], extra: {} }, audiences: ['api'] });
  assert.equal(client.sent.length, 3);
  assert.deepEqual((client.sent[0] as { spec: object }).spec, { token: 'secret', audiences: ['api'] });
});

test("a token that the webhook does not know, or knows for others, is nobody's", async () => {
  const clock = new FakeClock();
  const of = (status: object) =>
    webhookTokens({ client: clientOf(() => ({ status })), version: 'v1', cacheTtlMs: 0, audiences: ['api'], clock, logger }).identify(
      't',
      [],
    );

  assert.deepEqual(await of({ authenticated: false, error: 'who?' }), { error: 'who?' });
  assert.ok('error' in ((await of({ authenticated: true, audiences: ['elsewhere'], user: { username: 'a' } })) ?? {}));
});

test('a token webhook that cannot be reached is an error, not a user', async () => {
  const client = clientOf(() => {
    throw new Error('connection refused');
  });
  const tokens = webhookTokens({ client, version: 'v1', cacheTtlMs: 1, audiences: [], clock: new FakeClock(), logger });

  assert.deepEqual(await tokens.identify('t', []), { error: 'connection refused' });
});

test('webhookAuthorizer() sends a SubjectAccessReview and keeps yes longer than no', async () => {
  const clock = new FakeClock();
  let allowed = true;
  const client = clientOf(() => ({ status: { allowed, reason: 'because' } }));
  const authorizer = authorizerOf(client, clock);

  const first = await authorizer.authorizeAsync?.(ATTRIBUTES);
  allowed = false;
  await clock.advance(60_000);
  const second = await authorizer.authorizeAsync?.(ATTRIBUTES);
  await clock.advance(241_000);
  const third = await authorizer.authorizeAsync?.(ATTRIBUTES);

  assert.deepEqual([first?.verdict, second?.verdict, third?.verdict], ['allow', 'allow', 'no-opinion']);
  assert.equal(authorizer.authorize(ATTRIBUTES).verdict, 'no-opinion');
  assert.deepEqual((client.sent[0] as { spec: object }).spec, {
    resourceAttributes: { namespace: 'default', verb: 'get', group: 'apps', version: 'v1', resource: 'deployments', name: 'web' },
    user: 'ann',
    groups: ['dev'],
    uid: '7',
    extra: { scopes: ['a'] },
  });
});

test('webhookAuthorizer() says what its failure policy says when the webhook fails', async () => {
  const broken = clientOf(() => {
    throw new Error('gone');
  });

  const open = await authorizerOf(broken, new FakeClock()).authorizeAsync?.(ATTRIBUTES);
  const closed = await authorizerOf(broken, new FakeClock(), { failurePolicy: 'Deny' }).authorizeAsync?.(ATTRIBUTES);

  assert.deepEqual(
    [open, closed],
    [
      { verdict: 'no-opinion', reason: '', error: 'gone' },
      { verdict: 'deny', reason: '', error: 'gone' },
    ],
  );
});

test('webhookAuthorizer() does not ask about what its conditions leave out', async () => {
  const client = clientOf(() => ({ status: { allowed: true } }));

  const found = await authorizerOf(client, new FakeClock(), { matches: () => false }).authorizeAsync?.(ATTRIBUTES);

  assert.equal(found?.verdict, 'no-opinion');
  assert.equal(client.sent.length, 0);
});

test('a union with a webhook asks in order, and goes on past those without an opinion', async () => {
  const silent = authorizerOf(
    clientOf(() => ({ status: {} })),
    new FakeClock(),
  );

  assert.equal((await unionAuthorizer([silent, alwaysAllow]).authorizeAsync?.(ATTRIBUTES))?.verdict, 'allow');
  assert.equal(unionAuthorizer([alwaysAllow]).authorizeAsync, undefined);
});

test('webhookAuthorizer() asks again where the server was not well, and gives up in the end', async () => {
  const clock = new FakeClock();
  const failures = [500, 429, 504];
  const client = clientOf(() => {
    const status = failures.shift();
    if (status !== undefined) throw new WebhookCallError('busy', { status });
    return { status: { allowed: true } };
  });
  const asked = authorizerOf(client, clock).authorizeAsync?.(ATTRIBUTES);
  for (const pauseMs of [500, 750, 1_125]) await clock.advance(pauseMs);

  assert.equal((await asked)?.verdict, 'allow');
  assert.equal(client.sent.length, 4);

  const refusing = clientOf(() => {
    throw new WebhookCallError('no', { status: 403 });
  });
  assert.equal((await authorizerOf(refusing, clock).authorizeAsync?.(ATTRIBUTES))?.error, 'no');
  assert.equal(refusing.sent.length, 1);
});

test('webhookAuthorizer() takes yes and no for no', async () => {
  const client = clientOf(() => ({ status: { allowed: true, denied: true, reason: 'both' } }));

  assert.deepEqual(await authorizerOf(client, new FakeClock()).authorizeAsync?.(ATTRIBUTES), {
    verdict: 'deny',
    reason: 'both',
    error: 'webhook subject access review returned both allow and deny response',
  });
});

test('webhookAuthorizer() tells of selectors, and does not keep what is very large', async () => {
  const client = clientOf(() => ({ status: { allowed: true } }));
  const authorizer = authorizerOf(client, new FakeClock());
  const selective: Attributes = {
    ...ATTRIBUTES,
    verb: 'list',
    name: 'x'.repeat(10_000),
    fieldSelector: () => [{ field: 'spec.nodeName', operator: '=', value: 'n' }],
    labelSelector: () => [
      { key: 'a', operator: 'in', values: ['b', 'c'] },
      { key: 'd', operator: '!', values: [] },
      { key: 'e', operator: 'gt', values: ['1'] },
    ],
  };
  await authorizer.authorizeAsync?.(selective);
  await authorizer.authorizeAsync?.(selective);

  assert.equal(client.sent.length, 2);
  const { resourceAttributes } = (client.sent[0] as { spec: { resourceAttributes: Record<string, unknown> } }).spec;
  assert.deepEqual(resourceAttributes['fieldSelector'], { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n'] }] });
  assert.deepEqual(resourceAttributes['labelSelector'], {
    requirements: [
      { key: 'a', operator: 'In', values: ['b', 'c'] },
      { key: 'd', operator: 'DoesNotExist' },
    ],
  });
});

test('a token webhook that names no audience speaks for those of the API server', async () => {
  const client = clientOf(() => ({ status: { authenticated: true, user: { username: 'ann' } } }));
  const tokens = webhookTokens({ client, version: 'v1', cacheTtlMs: 0, audiences: ['api'], clock: new FakeClock(), logger });

  assert.ok('user' in ((await tokens.identify('t', ['api', 'other'])) ?? {}));
  assert.ok('error' in ((await tokens.identify('t', ['other'])) ?? {}));
});
