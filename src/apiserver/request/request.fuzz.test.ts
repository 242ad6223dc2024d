// SPDX-License-Identifier: Apache-2.0
// Whatever stands in URLs, headers, continue tokens and durations: it means something, or it is a 400 or 406 of the client's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError, canonicalQuantity } from '#machinery';
import { damaged, fuzzRuns, quietly } from '#machinery/_fuzzing';
import { parseDuration, printDuration } from '../cel/time.ts';
import { LIST_RULES, negotiate, OBJECT_RULES, parseAccept, WATCH_RULES } from '../encoding/negotiation.ts';
import { DurationError, parseGoDuration } from '../filters/go-duration.ts';
import { parseContinue } from '../handlers/continue-token.ts';
import { requestInfoOf } from './request-info.ts';

const RUNS = fuzzRuns(2_000);
const check = (texts: readonly string[], tokens: readonly string[], run: (text: string) => void) =>
  fc.assert(fc.property(damaged(texts, tokens), run), { numRuns: RUNS });
const WIRE = ['/', '//', '..', '.', '%', '%2e', '%2F', '%00', '%C3', '?', '#', ';', '&', '=', '+', 'é', '\\', 'a'.repeat(300)];

test('paths and queries', () => {
  const paths = [
    '/api/v1/namespaces/default/pods/a/log',
    '/apis/apps/v1/deployments',
    '/apis/a.b/v1/watch/namespaces/x/y/z',
    '/api/v1/namespaces/n/services/http:s:80/proxy/a/b',
    '/openapi/v3/apis/apps/v1',
    '/',
  ];
  check(paths, WIRE, (text) => {
    const [path = '', search = ''] = text.split('?');
    for (const method of ['GET', 'POST', 'DELETE', 'PATCH']) {
      const info = requestInfoOf(method, path, new URLSearchParams(search));
      assert.ok(typeof info.isResource === 'boolean' && info.verb !== '', text);
    }
  });
});

test('Accept headers', () => {
  const headers = [
    'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
    'application/vnd.kubernetes.protobuf;stream=watch;q=0.5, */*;q=0.1',
    'application/yaml;pretty=1',
  ];
  check(headers, [';', ',', '=', 'q=', 'q=NaN', '*/*', 'as=', 'constructor', '__proto__', 'application/', ' '], (text) => {
    for (const { quality } of parseAccept(text)) assert.ok(typeof quality === 'number', text);
    for (const rules of [OBJECT_RULES, LIST_RULES, WATCH_RULES]) {
      quietly(() => {
        const { mediaType } = negotiate(text, rules, false);
        assert.ok(['json', 'yaml', 'protobuf'].includes(mediaType), `${text}: ${String(mediaType)}`);
      }, ApiError);
    }
  });
});

test('continue tokens', () => {
  const token = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const tokens = [
    token({ v: 'meta.k8s.io/v1', rv: 5, start: 'default/a\0' }),
    token({ v: 'meta.k8s.io/v1', rv: 1e300, start: '' }),
    token(null),
    token([]),
    token('x'),
  ];
  check(tokens, ['=', '-', '_', '+', '%', 'e30', ' '], (text) => {
    quietly(() => {
      const { revision, start } = parseContinue(text);
      assert.ok(Number.isSafeInteger(revision) && start !== '..', text);
    }, ApiError);
  });
  fc.assert(
    fc.property(fc.jsonValue(), (value) => quietly(() => parseContinue(token(value)), ApiError)),
    { numRuns: RUNS },
  );
});

test('durations: what is read is written and read the same again', () => {
  check(
    ['1h2m3.5s', '-300ms', '0', '1.5h', '9223372036s', '2µs'],
    ['h', 'm', 's', 'ns', 'µs', '.', '-', '+', '9'.repeat(40), '0'],
    (text) => {
      quietly(() => assert.ok(!Number.isNaN(parseGoDuration(text)), text), DurationError);
      const duration = parseDuration(text);
      if (duration !== undefined) assert.equal(parseDuration(printDuration(duration))?.nanos, duration.nanos, text);
    },
  );
});

test('durations and quantities of a million digits take no longer than others of their size', () => {
  const digits = '1'.repeat(1_000_000);

  assert.equal(parseDuration(digits), undefined);
  assert.equal(canonicalQuantity(`${digits}.${digits}`), `${digits.slice(0, 508)}2n`);
  assert.equal(canonicalQuantity(`${digits}Ki`), '9223372036854775807');
  assert.equal(canonicalQuantity(`${'0'.repeat(1_000_000)}5.${'0'.repeat(1_000_000)}1`), '5000000001n');
});
