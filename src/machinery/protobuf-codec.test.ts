// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { referenceFolder, testSchema, testSchemas } from './_test-schemas.ts';
import { DecodeError, normalize } from './normalize.ts';
import { decodeProtobuf, encodeProtobuf, readEnvelope } from './protobuf-codec.ts';
import { ProtobufError } from './protobuf-wire.ts';
import { TimeParseError } from './time.ts';

// Written by upstream: three kinds with every field set.
const UPSTREAM: readonly (readonly [string, string, string])[] = [
  [
    'node.k8s.io/v1',
    'RuntimeClass',
    'azhzAAoeCg5ub2RlLms4cy5pby92MRIMUnVudGltZUNsYXNzEuUDCuACCgluYW1lVmFsdWUSEWdlbmVyYXRlTmFtZVZhbHVlGg5uYW1lc3BhY2VWYWx1ZSINc2VsZkxpbmtWYWx1ZSoIdWlkVmFsdWUyFHJlc291cmNlVmVyc2lvblZhbHVlOAdCCAjNoea7BBAASggIzavwygQQAFAKWhgKCWxhYmVsc0tleRILbGFiZWxzVmFsdWViIgoOYW5ub3RhdGlvbnNLZXkSEGFubm90YXRpb25zVmFsdWVqNQoJa2luZFZhbHVlGgluYW1lVmFsdWUiCHVpZFZhbHVlKg9hcGlWZXJzaW9uVmFsdWUwATgBcg9maW5hbGl6ZXJzVmFsdWWKAWIKDG1hbmFnZXJWYWx1ZRIOb3BlcmF0aW9uVmFsdWUaD2FwaVZlcnNpb25WYWx1ZSIICM3izf8DEAAyD2ZpZWxkc1R5cGVWYWx1ZToECgJ7fUIQc3VicmVzb3VyY2VWYWx1ZRIMaGFuZGxlclZhbHVlGhQKEgoLcG9kRml4ZWRLZXkSAwoBMCJcCiQKD25vZGVTZWxlY3RvcktleRIRbm9kZVNlbGVjdG9yVmFsdWUSNAoIa2V5VmFsdWUSDW9wZXJhdG9yVmFsdWUaCnZhbHVlVmFsdWUiC2VmZmVjdFZhbHVlKAUaACIA',
  ],
  [
    'coordination.k8s.io/v1',
    'Lease',
    'azhzAAofChZjb29yZGluYXRpb24uazhzLmlvL3YxEgVMZWFzZRK5AwrgAgoJbmFtZVZhbHVlEhFnZW5lcmF0ZU5hbWVWYWx1ZRoObmFtZXNwYWNlVmFsdWUiDXNlbGZMaW5rVmFsdWUqCHVpZFZhbHVlMhRyZXNvdXJjZVZlcnNpb25WYWx1ZTgHQggIzaHmuwQQAEoICM2r8MoEEABQCloYCglsYWJlbHNLZXkSC2xhYmVsc1ZhbHVlYiIKDmFubm90YXRpb25zS2V5EhBhbm5vdGF0aW9uc1ZhbHVlajUKCWtpbmRWYWx1ZRoJbmFtZVZhbHVlIgh1aWRWYWx1ZSoPYXBpVmVyc2lvblZhbHVlMAE4AXIPZmluYWxpemVyc1ZhbHVligFiCgxtYW5hZ2VyVmFsdWUSDm9wZXJhdGlvblZhbHVlGg9hcGlWZXJzaW9uVmFsdWUiCAjN4s3/AxAAMg9maWVsZHNUeXBlVmFsdWU6BAoCe31CEHN1YnJlc291cmNlVmFsdWUSVAoTaG9sZGVySWRlbnRpdHlWYWx1ZRACGgkIzfvI8AMQuBciCQjN4s3/AxCgHygFMg1zdHJhdGVneVZhbHVlOhRwcmVmZXJyZWRIb2xkZXJWYWx1ZRoAIgA=',
  ],
  [
    'discovery.k8s.io/v1',
    'EndpointSlice',
    'azhzAAokChNkaXNjb3ZlcnkuazhzLmlvL3YxEg1FbmRwb2ludFNsaWNlEqAFCuACCgluYW1lVmFsdWUSEWdlbmVyYXRlTmFtZVZhbHVlGg5uYW1lc3BhY2VWYWx1ZSINc2VsZkxpbmtWYWx1ZSoIdWlkVmFsdWUyFHJlc291cmNlVmVyc2lvblZhbHVlOAdCCAjNoea7BBAASggIzavwygQQAFAKWhgKCWxhYmVsc0tleRILbGFiZWxzVmFsdWViIgoOYW5ub3RhdGlvbnNLZXkSEGFubm90YXRpb25zVmFsdWVqNQoJa2luZFZhbHVlGgluYW1lVmFsdWUiCHVpZFZhbHVlKg9hcGlWZXJzaW9uVmFsdWUwATgBcg9maW5hbGl6ZXJzVmFsdWWKAWIKDG1hbmFnZXJWYWx1ZRIOb3BlcmF0aW9uVmFsdWUaD2FwaVZlcnNpb25WYWx1ZSIICM3izf8DEAAyD2ZpZWxkc1R5cGVWYWx1ZToECgJ7fUIQc3VicmVzb3VyY2VWYWx1ZRL4AQoOYWRkcmVzc2VzVmFsdWUSBggBEAEYARoNaG9zdG5hbWVWYWx1ZSJnCglraW5kVmFsdWUSDm5hbWVzcGFjZVZhbHVlGgluYW1lVmFsdWUiCHVpZFZhbHVlKg9hcGlWZXJzaW9uVmFsdWUyFHJlc291cmNlVmVyc2lvblZhbHVlOg5maWVsZFBhdGhWYWx1ZSowChVkZXByZWNhdGVkVG9wb2xvZ3lLZXkSF2RlcHJlY2F0ZWRUb3BvbG9neVZhbHVlMg1ub2RlTmFtZVZhbHVlOgl6b25lVmFsdWVCGgoLCgluYW1lVmFsdWUSCwoJbmFtZVZhbHVlGi4KCW5hbWVWYWx1ZRINcHJvdG9jb2xWYWx1ZRgDIhBhcHBQcm90b2NvbFZhbHVlIhBhZGRyZXNzVHlwZVZhbHVlGgAiAA==',
  ],
];
for (const [apiVersion, kind, base64] of UPSTREAM) {
  test(`an upstream ${kind} decodes, and encodes to the same bytes`, () => {
    const bytes = Buffer.from(base64, 'base64');
    const schema = testSchema(apiVersion, kind);

    const object = decodeProtobuf(bytes, schema);

    assert.deepEqual([object['apiVersion'], object['kind']], [apiVersion, kind]);
    assert.equal(encodeProtobuf(object, schema).toString('base64'), base64);
  });
}

const folder = referenceFolder('test/roundtrip', '../shared/kubernetes/roundtrip');
test(`every kind of upstream's round-trip data is the same in both forms${folder === undefined ? ' (skipped: no data)' : ''}`, {
  skip: folder === undefined,
}, () => {
  const find = testSchemas();
  let count = 0;
  for (const name of readdirSync(folder ?? '.')) {
    if (!name.endsWith('.json')) continue;
    const json = JSON.parse(readFileSync(join(folder ?? '.', name), 'utf8')) as Record<string, unknown>;
    const schema = find(String(json['apiVersion']), String(json['kind']));
    if (schema === undefined) continue;
    const bytes = readFileSync(join(folder ?? '.', name.replace(/json$/, 'pb')));
    assert.deepEqual(decodeProtobuf(bytes, schema), normalize(json, schema), name);
    assert.ok(encodeProtobuf(json, schema).equals(bytes), name);
    count += 1;
  }
  assert.ok(count > 50);
});

const pod = testSchema('v1', 'Pod');

test('negative numbers, empty values and unset pointers survive', () => {
  const object = normalize(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', annotations: { '': '', __proto__: 'x' }, creationTimestamp: '1969-12-31T23:59:59Z' },
      spec: { priority: -5, terminationGracePeriodSeconds: 0, containers: [{ name: 'c', resources: { limits: { cpu: '-1' } } }] },
    },
    pod,
  );

  assert.deepEqual(decodeProtobuf(encodeProtobuf(object, pod), pod), object);
});

test('packed and unpacked numbers are both read', () => {
  const schema = testSchema('v1', 'Pod');
  const group = schema.byName.get('spec');
  assert.ok(group);
  const list = (body: number[]) => {
    const context = Buffer.from([0x72, body.length, ...body]); // spec.securityContext
    const spec = Buffer.from([0x12, context.length, ...context]);
    const envelope = Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x12, spec.length]), spec]);
    return (decodeProtobuf(envelope, schema)['spec'] as { securityContext?: { supplementalGroups?: number[] } }).securityContext
      ?.supplementalGroups;
  };

  assert.deepEqual(list([0x20, 1, 0x20, 2]), [1, 2]);
  assert.deepEqual(list([0x22, 2, 1, 2]), [1, 2]);
});

test('bytes that are no envelope are refused', () => {
  assert.throws(() => readEnvelope(Buffer.from('{}')), ProtobufError);
});

test('decodeProtobuf() of damaged bytes gives an object or a told error', () => {
  const whole = encodeProtobuf(
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', labels: { a: 'b' } }, spec: { containers: [{ name: 'c' }] } },
    pod,
  );
  const damage = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(damage, fc.nat({ max: whole.length }), (changes, length) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        decodeProtobuf(bytes.subarray(0, length), pod);
      } catch (error) {
        assert.ok(
          error instanceof ProtobufError || error instanceof DecodeError || error instanceof TimeParseError,
          String((error as Error).stack),
        );
      }
    }),
    { numRuns: 500 },
  );
});
