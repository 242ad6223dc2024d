// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RuleWithOperations } from '#api/admissionregistration/v1';
import { denial } from './call.ts';
import { candidates } from './credentials.ts';
import { readAnswer } from './review.ts';
import { decodeReview } from './review-form.ts';
import { isExempt, type RuleTarget, ruleMatches } from './rules.ts';

const RULE: RuleWithOperations = { operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] };
const TARGET: RuleTarget = { operation: 'CREATE', group: 'apps', version: 'v1', resource: 'deployments', subresource: '', namespace: 'ns' };

test('ruleMatches() compares operation, group, version, resource with subresource, and scope', async (t) => {
  const cases: readonly (readonly [Partial<RuleWithOperations>, Partial<RuleTarget>, boolean])[] = [
    [{}, {}, true],
    [{ operations: ['*'] }, { operation: 'DELETE' }, true],
    [{}, { operation: 'DELETE' }, false],
    [{ apiGroups: ['*'] }, { group: 'x' }, true],
    [{}, { group: '' }, false],
    [{}, { version: 'v2' }, false],
    [{}, { subresource: 'scale' }, false],
    [{ resources: ['deployments/scale'] }, { subresource: 'scale' }, true],
    [{ resources: ['deployments/*'] }, { subresource: 'scale' }, true],
    [{ resources: ['deployments/*'] }, {}, true],
    [{ resources: ['*/scale'] }, { subresource: 'scale' }, true],
    [{ resources: ['*'] }, { subresource: 'scale' }, false],
    [{ resources: ['*/*'] }, { subresource: 'scale' }, true],
    [{ scope: 'Cluster' }, {}, false],
    [{ scope: 'Namespaced' }, {}, true],
    [{ scope: '*' }, { namespace: '' }, true],
    [{ scope: 'Cluster', apiGroups: [''], resources: ['namespaces'] }, { group: '', resource: 'namespaces' }, true],
    [{ scope: 'Namespaced', apiGroups: [''], resources: ['namespaces'] }, { group: '', resource: 'namespaces' }, false],
  ];
  for (const [rule, target, expected] of cases) {
    await t.test(`${JSON.stringify(rule)} and ${JSON.stringify(target)}: ${expected}`, () => {
      assert.equal(ruleMatches({ ...RULE, ...rule }, { ...TARGET, ...target }), expected);
    });
  }
});

test('isExempt() spares what configures admission', () => {
  assert.ok(isExempt({ group: 'admissionregistration.k8s.io', resource: 'mutatingwebhookconfigurations' }));
  assert.ok(!isExempt({ group: 'example.com', resource: 'mutatingwebhookconfigurations' }));
});

test('denial() is never a success', () => {
  const cases: readonly (readonly [object | undefined, number, string])[] = [
    [undefined, 400, 'admission webhook "w" denied the request without explanation'],
    [{ code: 200, status: 'Success', reason: 'Why' }, 400, 'admission webhook "w" denied the request: Why'],
    [{ code: 409, message: 'no' }, 409, 'admission webhook "w" denied the request: no'],
  ];
  for (const [status, code, message] of cases) {
    const error = denial('w', status as Record<string, unknown>);
    assert.deepEqual([error.code, error.message, error.status.status], [code, message, 'Failure']);
  }
});

test('readAnswer() takes any answer without failing in another way than by its own errors', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (response, isMutating) => {
      const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response };
      try {
        assert.equal(typeof readAnswer('v1', 'u', isMutating, decodeReview('v1', body)).allowed, 'boolean');
      } catch (error) {
        assert.match((error as Error).message, /webhook|expected|json: cannot unmarshal/);
      }
    }),
  );
});

test('candidates() tries the host with its port first, then wildcards, then all hosts', () => {
  assert.deepEqual(candidates('a.b.svc:443'), ['a.b.svc:443', '*.b.svc:443', '*.svc:443', 'a.b.svc', '*.b.svc', '*.svc', '*:443', '*']);
  assert.deepEqual(candidates('a:8443'), ['a:8443', '*:8443']);
});
