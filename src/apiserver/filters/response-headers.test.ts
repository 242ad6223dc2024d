// SPDX-License-Identifier: Apache-2.0
// Headers that flags add to answers: for browsers of other origins, and for those that should come by HTTPS alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../_test-server.ts';
import { DEFAULT_OPERATIONS } from '../operations.ts';
import { checkOrigins } from './cors.ts';
import { checkDirectives } from './strict-transport.ts';

test('an origin that is allowed is told so, whoever asks; others are answered without a word about it', async (t) => {
  const corsAllowedOrigins = ['//other\\.example$', '^https://([a-z]+\\.)?example\\.com(:|$)'];
  await using server = await startTestServer({ operations: { ...DEFAULT_OPERATIONS, corsAllowedOrigins } });
  const origins: readonly (readonly [string, boolean])[] = [
    ['https://www.example.com', true],
    ['https://example.com:8443', true],
    ['http://other.example', true],
    ['https://example.com.evil', false],
    ['', false],
  ];
  for (const [origin, allowed] of origins) {
    await t.test(`${origin || 'no origin'}: ${allowed}`, async () => {
      const { status, headers } = await server.send('GET', '/version', { headers: origin === '' ? {} : { origin } });

      assert.equal(status, 200);
      assert.equal(headers['access-control-allow-origin'], allowed ? origin : undefined);
      assert.equal(headers['access-control-allow-credentials'], allowed ? 'true' : undefined);
      assert.equal(headers['access-control-expose-headers'], allowed ? 'Date' : undefined);
    });
  }
  await t.test('the question before a request needs no credentials', async () => {
    const headers = { origin: 'http://other.example', authorization: 'Bearer nobody' };
    const asked = await server.send('OPTIONS', '/api/v1/pods', { headers, user: undefined });

    assert.deepEqual([asked.status, asked.text], [204, '']);
    assert.equal(asked.headers['access-control-allow-methods'], 'POST, GET, OPTIONS, PUT, DELETE, PATCH');
    assert.equal((await server.send('GET', '/api/v1/pods', { headers, user: undefined })).status, 401);
  });
});

test('every answer says how browsers have to come, refusals too', async () => {
  const strictTransport = ['max-age=31536000', 'includeSubDomains', 'preload'];
  await using server = await startTestServer({ operations: { ...DEFAULT_OPERATIONS, strictTransport } });

  for (const path of ['/version', '/api/v1/namespaces/default/pods/none', '/nowhere']) {
    const { headers } = await server.send('GET', path);
    assert.equal(headers['strict-transport-security'], 'max-age=31536000; includeSubDomains; preload', path);
  }
});

const origins: readonly (readonly [string, RegExp | undefined])[] = [
  ['^https://example.com$', undefined],
  ['//example.com(:|$)', undefined],
  ['example.com', /^--cors-allowed-origins has an invalid regular expression: regular expression does not pin to start\/end of host/],
  ['//example.com', /does not pin/],
  ['example.com$', /does not pin/],
  ['^(https://example.com$', /invalid regular expression: error parsing regexp: missing closing \)/],
];
for (const [pattern, problem] of origins) {
  test(`--cors-allowed-origins=${pattern} is ${problem === undefined ? 'taken' : 'refused'}`, () => {
    if (problem === undefined) assert.deepEqual(checkOrigins([pattern]), [pattern]);
    else assert.throws(() => checkOrigins([pattern]), { message: problem });
  });
}

const directives: readonly (readonly [string, RegExp | undefined])[] = [
  ['max-age=31536000', undefined],
  ['includeSubDomains', undefined],
  ['preload', undefined],
  ['', /^empty value in strict-transport-security-directives$/],
  ['max-age', /^--strict-transport-security-directives invalid, allowed values/],
  ['max-age=1=2', /invalid, allowed values/],
  ['min-age=1', /invalid, allowed values/],
];
for (const [directive, problem] of directives) {
  test(`--strict-transport-security-directives=${directive} is ${problem === undefined ? 'taken' : 'refused'}`, () => {
    if (problem === undefined) assert.deepEqual(checkDirectives([directive]), [directive]);
    else assert.throws(() => checkDirectives([directive]), { message: problem });
  });
}
