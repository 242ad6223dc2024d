// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findResource, findSchema } from '#api';
import * as cel from '../../cel/mod.ts';
import { checkTypes, type GroupVersionKind, type TypeSource, typesToCheck } from './type-checking.ts';

const TYPES: TypeSource = {
  kindsOf(group, version, resource) {
    const found = findResource(group, version, resource);
    return found === undefined ? [] : [{ group, version, kind: found.kind }];
  },
  typeOf(kind: GroupVersionKind) {
    const schema = findSchema(kind);
    return schema === undefined ? undefined : cel.typeOfStruct(schema);
  },
};

function policyOf(rules: readonly object[], validations: readonly object[]) {
  return { metadata: { name: 'p' }, spec: { matchConstraints: { resourceRules: rules }, validations } } as never;
}
const rule = (apiGroups: string[], resources: string[]) => ({ apiGroups, apiVersions: ['v1'], operations: ['*'], resources });

test('checkTypes() warns of fields that a named resource does not have', () => {
  const policy = policyOf(
    [rule(['apps'], ['deployments', 'replicasets'])],
    [{ expression: 'object.spec.replicas > 1' }, { expression: 'object.replicas > 1', messageExpression: 'object.spec.replicas' }],
  );

  const warnings = checkTypes(policy, TYPES, cel);

  assert.deepEqual(warnings, [
    {
      fieldRef: 'spec.validations[1].expression',
      warning:
        "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n" +
        "\napps/v1, Kind=ReplicaSet: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n",
    },
  ]);
});

test('rules with wildcards and unknown resources are not checked', () => {
  const rules = [
    rule(['*'], ['deployments']),
    rule(['apps'], ['*', 'replicasets']),
    rule(['apps'], ['nonsense']),
    rule([''], ['pods/status']),
  ];

  const kinds = typesToCheck(policyOf(rules, []), TYPES);

  assert.deepEqual(kinds, [{ group: 'apps', version: 'v1', kind: 'ReplicaSet' }]);
});

test('a rule of more than ten kinds is cut, and the last one checked', () => {
  const source = {
    kindsOf: (group: string, version: string, resource: string) => [{ group, version, kind: resource }],
  };
  const many = Array.from({ length: 12 }, (_, index) => `r${index + 10}`);

  const kinds = typesToCheck(policyOf([rule(['b'], ['x']), rule(['a'], many), rule(['c'], ['y'])], []), source);

  assert.deepEqual(
    kinds.map(({ kind }) => kind),
    [...many.slice(0, 10), 'x'],
  );
});

test('what has no one type in a schema cannot be named, but an integer or a string can be anything', () => {
  const rows: readonly (readonly [expression: string, problem: RegExp | undefined])[] = [
    ['object.spec.template.spec.containers[0].resources.limits', /undefined field 'limits'/],
    ['object.spec.template.spec.containers[0].livenessProbe.httpGet.port == 80', undefined],
    ['object.spec.strategy.rollingUpdate.maxSurge == "10%"', undefined],
    ['object.metadata.creationTimestamp < timestamp("2030-01-01T00:00:00Z")', undefined],
    ['object.metadata.managedFields[0].fieldsV1.f', /undefined field 'f'/],
    ['object.metadata.labels.size() > "1"', /found no matching overload for '_>_' applied to '\(int, string\)'/],
  ];

  for (const [expression, problem] of rows) {
    const [warning] = checkTypes(policyOf([rule(['apps'], ['deployments'])], [{ expression }]), TYPES, cel);

    if (problem === undefined) assert.equal(warning, undefined, expression);
    else assert.match(warning?.warning ?? '', problem);
  }
});

test('parameters have the type of their kind; of a kind that is not served they can be anything', () => {
  const of = (kind: string) => {
    const policy = policyOf([rule(['apps'], ['deployments'])], [{ expression: 'params.odd.size() > 0' }]) as { spec: object };
    return checkTypes({ ...policy, spec: { ...policy.spec, paramKind: { apiVersion: 'v1', kind } } } as never, TYPES, cel);
  };

  assert.match(of('ConfigMap')[0]?.warning ?? '', /undefined field 'odd'/);
  assert.deepEqual(of('Nothing'), []);
});
