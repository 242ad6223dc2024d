// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conversionProblem, goPackageOf, goTypeOf } from './registered-kinds.ts';

const TYPES: readonly (readonly [apiVersion: string, kind: string, type: string | undefined])[] = [
  ['v1', 'Pod', 'v1.Pod'],
  ['apps/v1', 'Deployment', 'v1.Deployment'],
  ['apps/v1beta1', 'Deployment', 'v1beta1.Deployment'],
  ['extensions/v1beta1', 'Ingress', 'v1beta1.Ingress'],
  ['v1', 'List', 'v1.List'],
  ['apps/v1', 'List', undefined],
  ['v1', 'DeleteOptions', 'v1.DeleteOptions'],
  ['autoscaling/v2', 'DeleteOptions', 'v1.DeleteOptions'],
  ['nobody/v1', 'DeleteOptions', undefined],
  ['v1', 'Deployment', undefined],
  ['apps/v2', 'Deployment', undefined],
  ['v1', 'pod', undefined],
];
for (const [apiVersion, kind, type] of TYPES) {
  test(`${kind} of ${apiVersion} is ${type ?? 'no kind'}`, () => assert.equal(goTypeOf(apiVersion, kind), type));
}

test('groups have the packages of upstream', () => {
  assert.deepEqual(['', 'apps', 'rbac.authorization.k8s.io', 'events.k8s.io'].map(goPackageOf), ['core', 'apps', 'rbac', 'core']);
});

test('a kind in place of another is told from one that there is none of', () => {
  const configMap = { group: '', kind: 'ConfigMap' };

  assert.equal(conversionProblem('v1', 'Secret', configMap), 'converting (v1.Secret) to (core.ConfigMap): unknown conversion');
  assert.equal(
    conversionProblem('v2', 'ConfigMap', configMap),
    'no kind "ConfigMap" is registered for version "v2" in scheme "pkg/api/legacyscheme/scheme.go:30"',
  );
});
