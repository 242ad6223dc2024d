// SPDX-License-Identifier: Apache-2.0
// The protobuf form of the version 2 document, byte by byte for a small one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeDocumentV2 } from './protobuf-v2.ts';

test('encodeDocumentV2() writes a reference, wrapped or not, as one', () => {
  const of = (schema: object) => encodeDocumentV2({ info: { title: 't', version: 'v' }, definitions: { a: schema } });
  assert.deepEqual(of({ allOf: [{ $ref: '#/definitions/b' }], default: {} }), of({ $ref: '#/definitions/b' }));
});

test('encodeDocumentV2() nests definitions, types and extensions by their field numbers', () => {
  const document = { info: { title: 't', version: 'v' }, definitions: { a: { type: 'object', 'x-y': [1] } } };
  const type = 'b201080a066f626a656374'; // 22: { 1: "object" }
  const extension = 'fa010c0a03782d79120512035b315d'; // 31: { 1: "x-y", 2: { 2: "[1]" } }
  const schema = `12${((type.length + extension.length) / 2).toString(16)}${type}${extension}`;
  const entry = `0a${((schema.length + 6) / 2).toString(16)}0a0161${schema}`;
  const expected = `0a03322e3012060a017412017642004a${(entry.length / 2).toString(16)}${entry}`;
  assert.equal(encodeDocumentV2(document).toString('hex'), expected);
});
