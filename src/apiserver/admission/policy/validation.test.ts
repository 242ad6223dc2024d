// SPDX-License-Identifier: Apache-2.0
// What is said of admission policies when they are written: a fact per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as cel from '../../cel/mod.ts';
import { mutatingPolicyCauses, policyStatusCauses, validatingPolicyCauses } from './validation.ts';

const MATCH = {
  matchPolicy: 'Equivalent',
  namespaceSelector: {},
  objectSelector: {},
  resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'], scope: '*' }],
};
const policyOf = (spec: object, name = 'p') =>
  ({
    metadata: { name },
    spec: { failurePolicy: 'Fail', matchConstraints: MATCH, validations: [{ expression: 'true' }], ...spec },
  }) as never;
const mutatingOf = (spec: object) =>
  ({
    metadata: { name: 'p' },
    spec: { failurePolicy: 'Fail', reinvocationPolicy: 'Never', matchConstraints: MATCH, ...spec },
  }) as never;
const texts = (causes: readonly { readonly field: string; readonly message: string }[]) =>
  causes.map(({ field, message }) => `${field}: ${message}`);
const undeclared = (at: number, text: string) =>
  `compilation failed: ERROR: <input>:1:${at}: undeclared reference to 'variables' (in container '')\n | ${text}\n | ${'.'.repeat(at - 1)}^`;
const VARIABLES = [{ name: 'a', expression: '1' }];

const ROWS: readonly (readonly [what: string, spec: object, causes: readonly string[]])[] = [
  ['variables in validations', { variables: VARIABLES, validations: [{ expression: 'variables.a == 1' }] }, []],
  [
    'match conditions, which come before variables',
    { variables: VARIABLES, matchConditions: [{ name: 'c', expression: 'variables.a == 1' }] },
    [`spec.matchConditions[0].expression: Invalid value: "variables.a == 1": ${undeclared(1, 'variables.a == 1')}`],
  ],
  [
    'variables where none are declared',
    { validations: [{ expression: 'variables.a == 1' }] },
    [`spec.validations[0].expression: Invalid value: "variables.a == 1": ${undeclared(1, 'variables.a == 1')}`],
  ],
  [
    'a value expression, whose places are those of the text without blanks around it',
    { auditAnnotations: [{ key: 'k', valueExpression: '  x' }] },
    [
      `spec.auditAnnotations[0].valueExpression: Invalid value: "  x": compilation failed: ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^`,
    ],
  ],
];

for (const [what, spec, expected] of ROWS) {
  test(`validatingPolicyCauses() of ${what}`, () => {
    const found = texts(validatingPolicyCauses(policyOf(spec), cel));

    assert.deepEqual(
      found.map((text) => text.replaceAll('\\n', '\n')),
      expected,
    );
  });
}

test('the key of an annotation needs the name of the policy', () => {
  const [cause] = validatingPolicyCauses(policyOf({ auditAnnotations: [{ key: 'k', valueExpression: '"v"' }] }, ''), cel);

  assert.equal(cause?.message, 'Invalid value: "k": requires metadata.name be non-empty');
});

test('an update looks at match conditions again when they or the parameters change', () => {
  const conditions = { matchConditions: [{ name: 'c', expression: 'params.x == 1' }] };
  const withParams = { ...conditions, paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } };
  const count = (next: object, previous?: object) =>
    validatingPolicyCauses(policyOf(next), cel, previous === undefined ? undefined : policyOf(previous)).length;

  assert.deepEqual([count(conditions), count(conditions, conditions), count(conditions, withParams), count(conditions, {})], [1, 0, 1, 1]);
});

test('a mutating policy has the same rules for match conditions', () => {
  const mutations = [{ patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "remove", path: "/spec"}]' } }];
  const spec = { variables: VARIABLES, mutations, matchConditions: [{ name: 'c', expression: 'variables.a == 1' }] };

  const fresh = mutatingPolicyCauses(mutatingOf(spec), cel);
  const again = mutatingPolicyCauses(mutatingOf(spec), cel, mutatingOf(spec));

  assert.deepEqual(
    fresh.map(({ field }) => field),
    ['spec.matchConditions[0].expression'],
  );
  assert.deepEqual(again, []);
});

test('policyStatusCauses() wants a warning and the path of its field', () => {
  const expressionWarnings = [
    { fieldRef: 'spec.validations[0].expression', warning: 'w' },
    { fieldRef: ' ', warning: '' },
    { fieldRef: 'spec[', warning: 'w' },
  ];

  const causes = texts(policyStatusCauses({ status: { typeChecking: { expressionWarnings } } } as never));

  const at = 'status.typeChecking.expressionWarnings';
  assert.deepEqual(causes.slice(0, 2), [`${at}[1].warning: Required value`, `${at}[1].fieldRef: Required value`]);
  assert.match(causes[2] ?? '', /\[2\]\.fieldRef: Invalid value: "spec\[": invalid JSONPath: /);
});
