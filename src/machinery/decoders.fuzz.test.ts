// SPDX-License-Identifier: Apache-2.0
// Whatever decoders of outside input are given, they give a value or an error that says what is wrong. `SAGONG_FUZZ_RUNS` sets how
// many inputs each is tried with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { damaged, fuzzRuns, quietly } from './_fuzzing.ts';
import { testSchema } from './_test-schemas.ts';
import { parseFieldSelector } from './fields.ts';
import { decodeJson } from './json-decode.ts';
import { applyJsonPatch, checkJsonPatch, PatchError, PatchSyntaxError } from './json-patch.ts';
import { JsonSyntaxError } from './json-syntax.ts';
import { parseSelector, Selector } from './labels.ts';
import { applyPatch, updateManagedFields } from './managed-fields/mod.ts';
import { applyMergePatch } from './merge-patch.ts';
import { DecodeError, normalize } from './normalize.ts';
import { decodeProtobuf, encodeProtobuf } from './protobuf-codec.ts';
import { ProtobufError } from './protobuf-wire.ts';
import { canonicalQuantity, findQuantity, formatQuantity, parseQuantity, quantityProblem } from './quantity.ts';
import { ApiError } from './status.ts';
import { applyStrategicPatch, StrategicPatchError } from './strategic-patch.ts';
import { canonicalMicroTime, canonicalTime, TimeParseError } from './time.ts';
import { decodeYaml } from './yaml-codec.ts';

const RUNS = fuzzRuns(2_000);
const SLOW_RUNS = fuzzRuns(500);
const pod = testSchema('v1', 'Pod');
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', labels: { a: 'b' }, annotations: { '': 'é' }, creationTimestamp: '2026-01-02T03:04:05Z', finalizers: ['x/y'] },
  spec: {
    priority: -5,
    containers: [
      {
        name: 'c',
        image: 'i',
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { limits: { cpu: '1500m' } },
        env: [{ name: 'A', value: '' }],
      },
    ],
    tolerations: [{ key: 'k', operator: 'Exists', tolerationSeconds: 9007199254740991 }],
  },
};
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ':',
  ',',
  'null',
  'true',
  '1e400',
  '-0',
  '1.5',
  '\\u0000',
  '\\ud800',
  '__proto__',
  '&a ',
  '*a',
  '!!x ',
  '- ',
  '\n',
  '\t',
  '# ',
  '| ',
  '? ',
  '<<: ',
  '%',
  '...',
  '---\n',
];
const check = (arbitrary: fc.Arbitrary<string>, run: (text: string) => void, numRuns = RUNS) =>
  fc.assert(fc.property(arbitrary, run), { numRuns });

test('JSON', () => {
  check(damaged([JSON.stringify(POD), '[]', '"x"', '1'], TOKENS), (text) => {
    for (const strict of [true, false]) quietly(() => decodeJson(text, pod, { strict }), JsonSyntaxError, DecodeError);
  });
  const bytes = fc.uint8Array({ maxLength: 60 });
  fc.assert(
    fc.property(bytes, (body) => quietly(() => decodeJson(body, pod, { strict: true }), JsonSyntaxError, DecodeError)),
    { numRuns: RUNS },
  );
});

test('JSON that nests without end', () => {
  for (const [open, close] of ['[]', '{}'].map((pair) => [...pair] as [string, string])) {
    const piece = open === '{' ? '{"a":' : open;
    for (const depth of [1_000, 100_000, 1_000_000]) {
      const text = `{"metadata":{"annotations":${piece.repeat(depth)}1${close.repeat(depth)}}}`;
      assert.throws(
        () => decodeJson(text, pod, { strict: true }),
        (error) => error instanceof JsonSyntaxError || error instanceof DecodeError,
      );
    }
  }
});

test('YAML', () => {
  const texts = [
    'apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  labels: {a: b}\nspec:\n  containers:\n  - name: c\n    args: [x, "y"]\n',
    'a: &x 1\nb: *x\n',
    '{}',
    '- 1\n',
  ];
  check(
    damaged(texts, TOKENS),
    (text) => {
      for (const strict of [true, false]) quietly(() => decodeYaml(text, pod, { strict }), JsonSyntaxError, DecodeError);
    },
    SLOW_RUNS,
  );
});

test('protobuf', () => {
  const whole = encodeProtobuf(normalize(POD, pod), pod);
  const damage = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { maxLength: 6 });
  fc.assert(
    fc.property(damage, fc.nat({ max: whole.length }), (changes, length) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      quietly(() => encodeProtobuf(decodeProtobuf(bytes.subarray(0, length), pod), pod), ProtobufError, DecodeError, TimeParseError);
    }),
    { numRuns: RUNS },
  );
});

const pointer = fc.constantFrom(
  '',
  '/',
  '/metadata',
  '/metadata/labels/a',
  '/spec/containers/0',
  '/spec/containers/-',
  '/spec/containers/99999999999',
  '/~2',
  '/__proto__/x',
  '/constructor',
  'x',
  '/spec/containers/0/ports/-1',
  '/metadata/labels/~1~0',
);
const operation = fc.record(
  {
    op: fc.constantFrom('add', 'remove', 'replace', 'test', 'move', 'copy', 'x'),
    path: pointer,
    from: pointer,
    value: fc.jsonValue({ maxDepth: 3 }),
  },
  { requiredKeys: ['op'] },
);

test('JSON patches', () => {
  fc.assert(
    fc.property(fc.oneof(fc.array(operation, { maxLength: 6 }), fc.jsonValue()), (patch) => {
      const before = JSON.stringify(POD);
      quietly(() => applyJsonPatch(structuredClone(POD), checkJsonPatch(patch)), PatchError, PatchSyntaxError);
      assert.equal(JSON.stringify(POD), before);
      assert.equal(({} as { x?: unknown }).x, undefined);
    }),
    { numRuns: RUNS },
  );
});

const key = fc.constantFrom(
  'metadata',
  'spec',
  'containers',
  'name',
  'labels',
  'a',
  'env',
  'ports',
  '$patch',
  '$retainKeys',
  '$deleteFromPrimitiveList/finalizers',
  '$setElementOrder/containers',
  'finalizers',
  '__proto__',
  'tolerations',
  'resources',
  'limits',
  'cpu',
);
const change = fc.object({
  key,
  maxDepth: 5,
  maxKeys: 4,
  values: [
    fc.constantFrom('c', 'delete', 'replace', 'merge', '', 'x'),
    fc.integer(),
    fc.constant(null),
    fc.boolean(),
    fc.constant([]),
    fc.constant([{ name: 'c', $patch: 'delete' }]),
  ],
});

test('merge patches', () => {
  fc.assert(
    fc.property(fc.oneof(change, fc.jsonValue()), (patch) => {
      applyMergePatch(structuredClone(POD), patch);
      assert.equal(({} as { a?: unknown }).a, undefined);
    }),
    { numRuns: RUNS },
  );
});

test('strategic merge patches', () => {
  fc.assert(
    fc.property(change, (patch) => {
      quietly(
        () => normalize(applyStrategicPatch(structuredClone(POD), patch, pod), pod),
        StrategicPatchError,
        DecodeError,
        TimeParseError,
      );
    }),
    { numRuns: RUNS },
  );
});

test('apply configurations, and what follows on them', () => {
  const of = { schema: pod, manager: 'm', apiVersion: 'v1', time: '2026-01-02T03:04:05Z' };
  const live = normalize(POD, pod);
  const entries = updateManagedFields({ ...of, manager: 'before', live: undefined, next: live });
  const owned = { ...live, metadata: { ...(live['metadata'] as object), managedFields: entries } };
  fc.assert(
    fc.property(change, fc.boolean(), (configuration, force) => {
      const patch = { ...configuration, apiVersion: 'v1', kind: 'Pod' };
      quietly(() => applyPatch({ ...of, live: owned, patch, force }), ApiError, DecodeError, TimeParseError);
    }),
    { numRuns: SLOW_RUNS },
  );
});

test('managed fields that somebody made up', () => {
  const name = fc.constantFrom(
    'f:metadata',
    'f:spec',
    'k:{"name":"c"}',
    'k:{',
    'v:1',
    'i:0',
    'i:x',
    '.',
    '',
    'f:',
    'k:null',
    'f:__proto__',
  );
  const fieldsV1 = fc.object({ key: name, maxDepth: 4, values: [fc.constant({}), fc.integer(), fc.constant(null)] });
  const entry = fc.record(
    {
      manager: fc.string(),
      operation: fc.constantFrom('Apply', 'Update', 'x'),
      apiVersion: fc.constantFrom('v1', 'v2', ''),
      fieldsType: fc.constantFrom('FieldsV1', ''),
      fieldsV1: fc.oneof(fieldsV1, fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const live = normalize(POD, pod);
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 3 }), (managedFields) => {
      const next = { ...live, metadata: { ...(live['metadata'] as object), managedFields } };
      const of = { schema: pod, manager: 'm', apiVersion: 'v1', time: '2026-01-02T03:04:05Z' };
      quietly(() => updateManagedFields({ ...of, live, next }), ApiError);
    }),
    { numRuns: RUNS },
  );
});

test('label and field selectors', () => {
  const texts = ['a=b,c!=d', 'a in (b,c),d notin (e)', '!a', 'a>1,b<2', 'metadata.name=a,spec.nodeName!=b'];
  const tokens = ['=', '==', '!=', '!', ' in ', ' notin ', '(', ')', ',', '>', '<', ' ', '\\', '/', 'a'.repeat(70), '-'];
  check(damaged(texts, tokens), (text) => {
    for (const parse of [parseSelector, parseFieldSelector]) {
      let selector: ReturnType<typeof parse> | undefined;
      // Told errors: the handler makes a 400 of their message.
      try {
        selector = parse(text);
      } catch (error) {
        assert.ok(
          error instanceof Error && !(error instanceof TypeError) && !(error instanceof RangeError),
          String((error as Error).stack),
        );
      }
      if (selector instanceof Selector) selector.matches({ a: 'b' });
    }
  });
});

test('quantities: what is read is written and read the same again', () => {
  check(
    damaged(
      ['1', '1.5', '-100m', '2Gi', '1e3', '1E', '.5', '5.', '9223372036854775807', '0.000000001', '12345678901234567890Ki'],
      ['.', '-', '+', 'e', 'E', 'i', 'k', 'Mi', 'n', 'u', '9'.repeat(30), '0'.repeat(30), ' '],
    ),
    (text) => {
      const found = findQuantity(text);
      if (found === undefined) {
        assert.throws(
          () => parseQuantity(text),
          (error) => error instanceof RangeError && error.message === quantityProblem(text),
        );
        return;
      }
      const written = formatQuantity(found);
      assert.equal(canonicalQuantity(written), written, text);
    },
  );
});

test('times: what is read is written and read the same again', () => {
  check(
    damaged(
      ['2026-01-02T03:04:05Z', '2024-02-29T23:59:59.123456789+09:00', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59-11:59'],
      ['Z', '+', '-', ':', 'T', '.', '0', '9', '60', '30', ','],
    ),
    (text) => {
      for (const canonical of [canonicalTime, canonicalMicroTime]) {
        quietly(() => {
          const once = canonical(text);
          // What a zone moves out of the four digits of a year cannot be read back.
          if (/^\d{4}-/.test(once)) assert.equal(canonical(once), once, text);
        }, TimeParseError);
      }
    },
  );
});
