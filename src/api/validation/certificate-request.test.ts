// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { requestProblem } from './certificate-request.ts';

const block = (bytes: Uint8Array) =>
  `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;

test('bytes that are no request are refused in words', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => assert.notEqual(requestProblem(block(bytes)), undefined)));
});

test('text without a block is refused', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.equal(requestProblem(text), 'PEM block type must be CERTIFICATE REQUEST')));
});

test('an empty block ends before it begins', () => {
  assert.equal(requestProblem(block(new Uint8Array())), 'asn1: syntax error: sequence truncated');
});
