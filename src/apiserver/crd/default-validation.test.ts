// SPDX-License-Identifier: Apache-2.0
// What is said of defaults when a definition is written: a fact per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldPath } from '#machinery';
import { defaultCauses } from './default-validation.ts';
import { RuleEngine } from './rule-engine.ts';
import { defaultRules } from './rule-validation.ts';
import type { SchemaProps } from './schema-props.ts';

const text: SchemaProps = { type: 'string' };
const object = (properties: Readonly<Record<string, SchemaProps>>, more: SchemaProps = {}): SchemaProps => ({
  type: 'object',
  properties,
  ...more,
});
const embedded = (metadata: Readonly<Record<string, SchemaProps>>) =>
  object({ metadata: object(metadata) }, { 'x-kubernetes-embedded-resource': true });
const rule = (expression: string, more: object = {}) => [{ rule: expression, message: 'no', ...more }];
const META = 'must result in valid metadata: ';

const ROWS: readonly (readonly [schema: Readonly<Record<string, SchemaProps>>, causes: readonly string[]])[] = [
  [{ a: { ...text, default: 'x' } }, []],
  [{ a: object({ b: text }, { default: { c: 1 } }) }, ['s.properties[a].default: Invalid value: {"c":1}: must not have unknown fields']],
  [{ a: embedded({ name: { ...text, default: 'fine' } }) }, []],
  [
    { a: embedded({ name: { ...text, default: 'a/b' } }) },
    [
      `s.properties[a].properties[metadata].properties[name].default: Invalid value: "a/b": ${META}metadata.name: Invalid value: "a/b": may not contain '/'`,
    ],
  ],
  [
    { a: embedded({ labels: { type: 'object', additionalProperties: text, default: { 'x y': 'z' } } }) },
    [
      `s.properties[a].properties[metadata].properties[labels].default: Invalid value: {"x y":"z"}: ${META}metadata.labels: Invalid value: "x y": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
  ],
  [
    { a: embedded({ name: { type: 'integer', default: 1 } }) },
    [
      `s.properties[a].properties[metadata].properties[name].default: Invalid value: 1: ${META}metadata: Invalid value: {"name":1}: json: cannot unmarshal number into Go struct field ObjectMeta.name of type string`,
    ],
  ],
  [
    { a: object({}, { 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true, default: { metadata: 1 } }) },
    ['s.properties[a].default.metadata: Invalid value: 1: json: cannot unmarshal number into Go value of type v1.ObjectMeta'],
  ],
  [{ a: { ...text, default: 'kube', 'x-kubernetes-validations': rule("self.startsWith('kube')") } }, []],
  [
    { a: { ...text, default: 'x', 'x-kubernetes-validations': rule("self.startsWith('kube')") } },
    ['s.properties[a].default: Invalid value: "x": no'],
  ],
  [
    { a: { ...text, default: 'x', 'x-kubernetes-validations': rule('oldSelf.hasValue()', { optionalOldSelf: true }) } },
    ['s.properties[a].default: Invalid value: "x": no'],
  ],
  [{ a: { ...text, default: 'x', 'x-kubernetes-validations': rule('oldSelf.orValue(self) == self', { optionalOldSelf: true }) } }, []],
  [
    { a: embedded({ name: { ...text, default: 'x', 'x-kubernetes-validations': rule("self == 'one'") } }) },
    ['s.properties[a].properties[metadata].properties[name].default: Invalid value: "x": no'],
  ],
];

test('defaultCauses() judges a default as a value of its own, and one of metadata as a part of the object around it', async () => {
  const engine = new RuleEngine();
  await engine.load();

  for (const [properties, expected] of ROWS) {
    const causes = defaultCauses(object(properties), new FieldPath('s'), { requirePruned: true, rules: defaultRules(engine) });

    assert.deepEqual(
      causes.map(({ field, message }) => `${field}: ${message}`),
      expected,
    );
  }
});
