// SPDX-License-Identifier: Apache-2.0
// Conversion by webhook: what is sent, what is taken of the answer, and what is said of a wrong one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MutableObject } from '../registry/strategy.ts';
import { webhookConverter } from './conversion.ts';

interface Review {
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: readonly MutableObject[] };
}

const object = (name: string, version = 'v1'): MutableObject =>
  ({
    apiVersion: `g/${version}`,
    kind: 'Kite',
    metadata: { name, uid: `uid-${name}`, generation: 3, labels: { a: 'b' } },
    spec: { n: 1 },
  }) as never;

function answer(review: object, change: (one: MutableObject) => object, result: object = { status: 'Success' }): object {
  const { request } = review as Review;
  const convertedObjects = request.objects.map((one) => change({ ...structuredClone(one), apiVersion: request.desiredAPIVersion }));
  return { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', response: { uid: request.uid, convertedObjects, result } };
}

test('all() sends foreign objects in one review and keeps the metadata that is not the webhook’s', async () => {
  let calls = 0;
  const converter = webhookConverter(async (review) => {
    calls += 1;
    return answer(review, (one) => ({ ...one, metadata: { ...one.metadata, labels: { c: 'd' }, generation: 9 }, spec: { m: 1 } }));
  });

  const [own, first, second] = await converter.all([object('own', 'v2'), object('a'), object('b')], 'g/v2');

  assert.equal(calls, 1);
  assert.deepEqual(own, object('own', 'v2'));
  assert.deepEqual(first?.metadata.labels, { c: 'd' });
  assert.equal(first?.metadata.generation, 3);
  assert.deepEqual(second?.['spec'], { m: 1 });
});

const WRONG: readonly (readonly [name: string, reply: (review: object) => unknown, message: RegExp])[] = [
  [
    'a failure',
    (review) => answer(review, (one) => one, { status: 'Failed', message: 'no way' }),
    /^conversion for g\/v1, Kind=Kite failed: conversion webhook for \/, Kind= failed: no way$/,
  ],
  ['no answer', () => ({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1' }), /failed: no response provided$/],
  ['something else', () => 'odd', /failed: expected webhook response of apiextensions\.k8s\.io\/v1, Kind=ConversionReview, got \/, Kind=$/],
  [
    'another uid',
    (review) => ({ ...answer(review, (one) => one), response: { uid: 'x', result: { status: 'Success' } } }),
    /failed: expected response\.uid="[^"]+", got "x"$/,
  ],
  [
    'too few objects',
    (review) => ({
      ...answer(review, (one) => one),
      response: { uid: (review as Review).request.uid, convertedObjects: [], result: { status: 'Success' } },
    }),
    /returned 0 objects, expected 1$/,
  ],
  [
    'another name',
    (review) => answer(review, (one) => ({ ...one, metadata: { name: 'z' } })),
    /returned invalid converted object at index 1: must have the same name: a != z$/,
  ],
  [
    'another version',
    (review) => answer(review, (one) => ({ ...one, apiVersion: 'g/v1' })),
    /returned invalid converted object at index 1: invalid groupVersion \(expected g\/v2, received g\/v1\)$/,
  ],
  [
    'another kind',
    (review) => answer(review, (one) => ({ ...one, kind: 'Odd' })),
    /returned invalid converted object at index 1: invalid kind \(expected Kite, received Odd\)$/,
  ],
  [
    'a label that is no text',
    (review) => answer(review, (one) => ({ ...one, metadata: { ...one.metadata, labels: { a: 1 } } })),
    /returned invalid metadata in object at index 1: metadata\.labels\[a\] must be a string, but is int64 in converted object$/,
  ],
  [
    'labels that are no map',
    (review) => answer(review, (one) => ({ ...one, metadata: { ...one.metadata, labels: 'x' } })),
    /returned invalid metadata in object at index 1: invalid metadata\.labels of type string in converted object$/,
  ],
  [
    'a label that is none',
    (review) => answer(review, (one) => ({ ...one, metadata: { ...one.metadata, labels: { a: 'x y' } } })),
    /returned invalid metadata in object at index 1: metadata\.labels: Invalid value: "x y": a valid label must be/,
  ],
];

test('all() sends the form of an answer beside its request', async () => {
  let sent: unknown;
  const converter = webhookConverter(async (review) => {
    sent = review;
    return answer(review, (one) => one);
  });

  await converter.all([object('a')], 'g/v2');

  assert.deepEqual(Object.keys(sent as object), ['kind', 'apiVersion', 'request', 'response']);
  assert.deepEqual((sent as { response: unknown }).response, { uid: '', convertedObjects: null, result: { metadata: {} } });
});

test('all() speaks v1beta1 to a webhook that knows no other, and asks it for no uid', async () => {
  const seen: unknown[] = [];
  const post = async (review: object) => {
    seen.push((review as { apiVersion: string }).apiVersion);
    const { response } = answer(review, (one) => one) as { response: object };
    return { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1beta1', response: { ...response, uid: '' } };
  };

  const [converted] = await webhookConverter(post, ['v2', 'v1beta1']).all([object('a')], 'g/v2');

  assert.equal(converted?.apiVersion, 'g/v2');
  assert.deepEqual(seen, ['apiextensions.k8s.io/v1beta1']);
});

test('all() refuses where the webhook knows no review of ours', async () => {
  const converter = webhookConverter(async () => assert.fail('called'), ['v2']);

  await assert.rejects(converter.all([object('a')], 'g/v2'), {
    message: /^conversion for g\/v1, Kind=Kite failed: no supported conversion review versions$/,
  });
});

for (const [name, reply, message] of WRONG) {
  test(`all() refuses ${name}`, async () => {
    const converter = webhookConverter(async (review) => reply(review));

    await assert.rejects(converter.all([object('a')], 'g/v2'), { message });
  });
}
