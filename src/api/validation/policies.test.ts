// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { describeCreate, linesOf } from './_cases.ts';
import { matchConstraintsCauses } from './policies.ts';

const group = 'admissionregistration.k8s.io';
const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: '*' };
const match = { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {}, resourceRules: [rule] };
const binding = { metadata: { name: 'b' }, spec: { policyName: 'p', matchResources: match } };
const MUTATING = 'supported values: "*", "CONNECT", "CREATE", "UPDATE"';

describeCreate({ group, version: 'v1', kind: 'MutatingAdmissionPolicyBinding' }, binding, {
  'changes nothing that is deleted': [
    ({ spec }) => (spec.matchResources.resourceRules[0].operations = ['CREATE', 'DELETE']),
    `spec.matchResources.resourceRules.operations: Unsupported value: "DELETE": ${MUTATING}`,
  ],
  'says how it matches': [
    ({ spec }) => Object.assign(spec.matchResources, { matchPolicy: '', objectSelector: undefined }),
    'spec.matchResources.matchPolicy: Unsupported value: "": supported values: "Equivalent", "Exact"',
    'spec.matchResources.objectSelector: Required value',
  ],
  'finds its parameters in one way': [
    ({ spec }) => (spec.paramRef = { name: 'a', selector: {}, parameterNotFoundAction: '' }),
    'spec.paramRef.name: Forbidden: name and selector are mutually exclusive',
    'spec.paramRef.selector: Forbidden: name and selector are mutually exclusive',
    'spec.paramRef.parameterNotFoundAction: Required value',
  ],
});

describeCreate(
  { group, version: 'v1', kind: 'ValidatingAdmissionPolicyBinding' },
  { ...binding, spec: { ...binding.spec, validationActions: ['Deny'] } },
  {
    'may look at what is deleted': [({ spec }) => (spec.matchResources.resourceRules[0].operations = ['DELETE'])],
  },
);

it('a policy that changes objects does not match deletes', () => {
  const given = { ...match, resourceRules: [{ ...rule, operations: ['DELETE'] }] } as never;

  assert.deepEqual(linesOf(matchConstraintsCauses(given)), []);
  assert.deepEqual(linesOf(matchConstraintsCauses(given, true)), [
    `spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": ${MUTATING}`,
  ]);
});
