// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { MutableObject } from '../registry/strategy.ts';
import { tailOf } from './cached-object.ts';
import { ObjectText } from './object-text.ts';

const object = (metadata: object, rest: object = {}) =>
  ({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a', resourceVersion: '', ...metadata }, ...rest }) as unknown as MutableObject;

function check(one: MutableObject): void {
  const text = ObjectText.of(one);
  assert.ok(text !== undefined);
  const { metadata } = one;
  const { resourceVersion: _none, ...unversioned } = metadata;

  assert.deepEqual(JSON.parse(text.stored), JSON.parse(JSON.stringify({ ...one, metadata: unversioned })));
  assert.equal(text.tail(7), tailOf({ ...one, metadata: { ...metadata, resourceVersion: '7' } }));
}

test('the stored text has no revision, the tail has the new one, wherever it stands among the metadata', () => {
  check(object({ uid: 'u' }));
  check({ kind: 'A', apiVersion: 'b/v1', metadata: { resourceVersion: '', name: 'a' } } as MutableObject);
  check({ apiVersion: 'b/v1', kind: 'A', spec: { x: 1 }, metadata: { name: 'a', resourceVersion: '' } } as unknown as MutableObject);
});

test('texts are as JSON.stringify() makes them, whatever the object holds', () => {
  const values = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.constant('"resourceVersion":""'), fc.jsonValue()));
  fc.assert(fc.property(values, (data) => check(object({ uid: 'u', annotations: data }, { data: { ...data, resourceVersion: 'x' } }))));
});

test('where a second empty revision stands there is no text to share', () => {
  assert.equal(ObjectText.of(object({}, { data: { resourceVersion: '' } })), undefined);
  assert.equal(ObjectText.of(object({ resourceVersion: '5' })), undefined);
  assert.equal(ObjectText.of({ metadata: { name: 'a', resourceVersion: '' }, kind: 'A', apiVersion: 'v1' } as MutableObject), undefined);
});
