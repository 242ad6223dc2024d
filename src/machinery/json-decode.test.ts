// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSchema, testSchemas } from './_test-schemas.ts';
import { decodeJson } from './json-decode.ts';
import { explainJson, JsonSyntaxError } from './json-syntax.ts';
import { DecodeError, normalize } from './normalize.ts';

const pod = testSchema('v1', 'Pod');
const configMap = testSchema('v1', 'ConfigMap');
const decode = (text: string, schema = pod) => decodeJson(text, schema, { strict: true });

test('decodeJson() puts fields in order, drops zeros and unknowns, and fills in what is always printed', () => {
  const { object, strictErrors } = decode(
    '{"spec":{"containers":[{"image":"i","name":"c","bogus":1,"resources":{"limits":{"memory":"1024Mi","cpu":0.5}}}],"nodeName":""},"metadata":{"name":"p","labels":null},"kind":"Pod"}',
  );

  assert.equal(
    JSON.stringify(object),
    '{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}]},"status":{}}',
  );
  assert.deepEqual(strictErrors, ['unknown field "spec.containers[0].bogus"']);
});

test('duplicate and unknown fields are reported in document order, each once', () => {
  const { strictErrors, object } = decode(
    '{"metadata":{"name":"a","name":"b"},"data":{"k":"1","k":"2","k":"3"},"nope":{"x":1,"x":2}}',
    configMap,
  );

  assert.deepEqual(strictErrors, ['duplicate field "metadata.name"', 'duplicate field "data.k"', 'unknown field "nope"']);
  assert.deepEqual(object['data'], { k: '3' });
});

const mismatches: readonly (readonly [string, string])[] = [
  ['{"metadata":"x"}', 'json: cannot unmarshal string into Go struct field Pod.metadata of type v1.ObjectMeta'],
  [
    '{"metadata":{"labels":["a"]}}',
    'json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string',
  ],
  ['{"metadata":{"labels":{"a":1}}}', 'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string'],
  ['{"spec":{"containers":{}}}', 'json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container'],
  ['{"spec":{"hostNetwork":"true"}}', 'json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool'],
  ['{"spec":{"priority":1.5}}', 'json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32'],
  ['{"spec":{"priority":9999999999}}', 'json: cannot unmarshal number 9999999999 into Go struct field PodSpec.spec.priority of type int32'],
  ['{"metadata":{"creationTimestamp":"soon"}}', 'parsing time "soon" as "2006-01-02T15:04:05Z07:00": cannot parse "soon" as "2006"'],
  [
    '{"spec":{"containers":[{"resources":{"limits":{"cpu":{}}}}]}}',
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  ],
];
for (const [text, message] of mismatches) {
  test(`decodeJson(${text}) is refused`, () => {
    assert.throws(
      () => decode(text),
      (error) => error instanceof DecodeError && error.message === message,
    );
  });
}

const faults: readonly (readonly [string, string])[] = [
  ['', 'unexpected end of JSON input'],
  ['{"a":"b', 'unexpected end of JSON input'],
  ['hello', "invalid character 'h' looking for beginning of value"],
  ['{} x', "invalid character 'x' after top-level value"],
  ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
  ['[1 2]', "invalid character '2' after array element"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['{"a":tru }', "invalid character ' ' in literal true (expecting 'e')"],
  ['-x', "invalid character 'x' in numeric literal"],
  ['1.x', "invalid character 'x' after decimal point in numeric literal"],
  ['"\\q"', "invalid character 'q' in string escape code"],
  ['"a\nb"', "invalid character '\\n' in string literal"],
  ['01', "invalid character '1' after top-level value"],
];
for (const [text, message] of faults) {
  test(`the fault of ${JSON.stringify(text)} is told as Go tells it`, () => assert.equal(explainJson(text), message));
}

test('a body that is no object is a syntax error, and null is an empty object', () => {
  assert.throws(() => decode('[]'), /^JsonSyntaxError: json: cannot unmarshal array into Go value of type struct \{ APIVersion string/);
  assert.deepEqual(decode('null', configMap).object, { metadata: {} });
});

test('null within a list or map is nothing of its type, as it comes back from the store', () => {
  const decoded = decode('{"data":{"a":null},"stringData":{"b":null}}', testSchema('v1', 'Secret')).object;

  assert.deepEqual([decoded['data'], decoded['stringData']], [{ a: '' }, { b: '' }]);
});

test('deep nesting is refused or dropped, never a crash', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);

  assert.deepEqual(decode(`{"unknown":${deep}}`, configMap).object, { metadata: {} });
  assert.throws(() => decode(`{"data":${deep}}`, testSchema('apps/v1', 'ControllerRevision')), /exceeded max depth/);
  const schemas = `${'{"properties":{"a":'.repeat(20_000)}{}${'}}'.repeat(20_000)}`;
  const crd = `{"spec":{"versions":[{"schema":{"openAPIV3Schema":${schemas}}}]}}`;
  assert.throws(() => decode(crd, testSchema('apiextensions.k8s.io/v1', 'CustomResourceDefinition')), /exceeded max depth/);
});

test('decodeJson() of any JSON gives an object or a DecodeError, and normalizing twice changes nothing', () => {
  const names = ['metadata', 'name', 'labels', 'spec', 'containers', 'data', 'status', 'ports', 'x'];
  const key = fc.oneof(fc.constantFrom(...names), fc.string({ maxLength: 3 }));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, true, 1, 1.5, 'a', '', '1Gi'),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, tree, { maxKeys: 4 }), (value) => {
      try {
        const { object } = decode(JSON.stringify(value));
        assert.equal(JSON.stringify(normalize(object, pod)), JSON.stringify(object));
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('decodeJson() of any text gives an object or a told error', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        decode(text);
      } catch (error) {
        assert.ok(error instanceof JsonSyntaxError || error instanceof DecodeError, String(error));
        assert.notEqual(error.message, 'invalid JSON');
      }
    }),
    { numRuns: 500 },
  );
});

test('every type has a normal form of nothing', () => {
  const find = testSchemas();
  for (const [apiVersion, kind] of [
    ['v1', 'Service'],
    ['apps/v1', 'Deployment'],
    ['v1', 'Event'],
    ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
  ] as const) {
    const schema = find(apiVersion, kind);
    assert.ok(schema);
    assert.doesNotThrow(() => normalize({}, schema));
  }
});

const numbers: [field: string, written: string, outcome: unknown][] = [
  ['replicas', '2147483647', 2_147_483_647],
  ['replicas', '2147483648', 'number 2147483648'],
  ['replicas', '1e1', 'number 1e1'],
  ['replicas', '1.0', 'number 1.0'],
  ['replicas', '-0', 0],
  ['generation', '9223372036854775807', 2 ** 63 - 1024],
  ['generation', '9223372036854775808', 'number 9223372036854775808'],
  ['generation', '-9223372036854775808', -(2 ** 63)],
  ['generation', '-9223372036854775809', 'number -9223372036854775809'],
  ['generation', '1e400', 'number 1e400'],
];
for (const [field, written, outcome] of numbers) {
  test(`${field}: ${written} is read as upstream reads it`, () => {
    const text = field === 'replicas' ? `{"spec":{"replicas": ${written}}}` : `{"metadata":{"generation":${written}}}`;
    const read = () => decode(text, testSchema('v1', 'ReplicationController')).object;
    if (typeof outcome === 'string') {
      const where =
        field === 'replicas' ? 'ReplicationControllerSpec.spec.replicas of type int32' : 'ObjectMeta.metadata.generation of type int64';
      assert.throws(read, new DecodeError(`json: cannot unmarshal ${outcome} into Go struct field ${where}`));
    } else {
      const { spec, metadata } = read() as { spec: { replicas: unknown }; metadata: { generation: unknown } };
      assert.equal((field === 'replicas' ? spec.replicas : metadata.generation) ?? 0, outcome);
    }
  });
}

test('a quantity may be written as a number of any length', () => {
  const text = '{"spec":{"containers":[{"resources":{"limits":{"memory":1234567890123456789,"cpu":1.50}}}]}}';
  const { spec } = decode(text).object as { spec: { containers: { resources: object }[] } };

  assert.deepEqual(spec.containers[0]?.resources, { limits: { cpu: '1500m', memory: '1234567890123456789' } });
});

test('half a character is replaced, as upstream does', () => {
  const { object } = decode('{"data":{"a":"x\\ud800y","b":"\\ud83d\\ude00"}}', configMap);

  assert.deepEqual(object['data'], { a: 'x\ufffdy', b: '\u{1f600}' });
});
