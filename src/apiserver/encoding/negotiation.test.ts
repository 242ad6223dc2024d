// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIST_RULES, negotiate, OBJECT_RULES } from './negotiation.ts';

const cases: readonly (readonly [string, string | undefined])[] = [
  ['', 'json'],
  ['*/*', 'json'],
  ['application/json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf', 'protobuf'],
  ['application/vnd.kubernetes.protobuf,application/json', 'protobuf'],
  ['application/json;q=0.5, application/yaml', 'yaml'],
  ['text/html, application/json', 'json'],
  ['application/json;as=Table;v=v1;g=meta.k8s.io', 'json Table'],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io, application/json', 'json Table'],
  ['application/json;as=Table;v=v2;g=meta.k8s.io, application/json', 'json'],
  ['application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io', undefined],
  ['application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io', 'json PartialObjectMetadata'],
  ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', undefined],
  ['application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io', 'json PartialObjectMetadata'],
  ['application/json;v=v1;g=meta.k8s.io', undefined],
  ['application/json;v=v1;g=meta.k8s.io, application/yaml', 'yaml'],
  ['application/json;stream=watch', 'json'],
  ['application/json;stream=other', undefined],
  ['application/json;sv=v1', 'json'],
  ['application/json;sv=v2', undefined],
  ['application/json;charset=utf-8', 'json'],
  ['text/html', undefined],
  ['application/cbor', undefined],
];
for (const [accept, expected] of cases) {
  test(`an object asked for as ${JSON.stringify(accept)} ${expected === undefined ? 'is refused' : `is given as ${expected}`}`, () => {
    if (expected === undefined) return assert.throws(() => negotiate(accept, OBJECT_RULES, false), { code: 406 });

    const { mediaType, transform } = negotiate(accept, OBJECT_RULES, false);

    assert.equal([mediaType, transform].filter(Boolean).join(' '), expected);
  });
}

test('a transform may be asked for in a form for people', () => {
  const { pretty, transformVersion } = negotiate('application/json;as=Table;v=v1beta1;g=meta.k8s.io;pretty=1', OBJECT_RULES, false);

  assert.equal(pretty, true);
  assert.equal(transformVersion, 'v1beta1');
});

test('a list has a metadata form of its own', () => {
  assert.equal(
    negotiate('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', LIST_RULES, false).transform,
    'PartialObjectMetadataList',
  );
});
