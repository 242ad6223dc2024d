// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespaces } from '#api';
import type { KubeObject, Resource } from '#machinery';
import { admitted, refused, type World } from '../_test-plugins.ts';
import { podSecurity } from './mod.ts';
import { defaultPolicy, type Labels, policyOf } from './namespace-policy.ts';

const labelled = (labels: Readonly<Record<string, string>>): Labels =>
  Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]));

for (const [about, labels, text] of [
  ['nothing', { other: 'x' }, 'privileged:latest privileged:latest privileged:latest'],
  [
    'enforce alone, which warns too',
    { enforce: 'restricted', 'enforce-version': 'v1.30' },
    'restricted:v1.30 privileged:latest restricted:v1.30',
  ],
  [
    'enforce with a version to warn about',
    { enforce: 'baseline', 'warn-version': 'v1.20' },
    'baseline:latest privileged:latest baseline:v1.20',
  ],
  ['warn less than enforce', { enforce: 'restricted', warn: 'baseline' }, 'restricted:latest privileged:latest baseline:latest'],
  ['nonsense', { enforce: 'x', audit: 'x', warn: 'x', 'enforce-version': '1.30' }, 'restricted:latest privileged:latest privileged:latest'],
] as [string, Record<string, string>, string][]) {
  test(`the policy of labels that say ${about}`, () => {
    const policy = policyOf(labelled(labels), defaultPolicy({}));

    assert.equal([policy.enforce, policy.audit, policy.warn].map((it) => it.text).join(' '), text);
  });
}

test('the default policy warns as it says, whatever it enforces', () => {
  assert.equal(policyOf({}, defaultPolicy({ enforce: 'restricted' })).warn.text, 'privileged:latest');
});

const open = (name: string, owner?: string) => ({
  metadata: {
    name,
    namespace: 'x',
    ...(owner === undefined
      ? {}
      : { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }] }),
  },
  spec: { hostNetwork: true, containers: [] },
});
const world: World = {
  objects: { pods: [open('b', 'set'), open('a'), { ...open('c'), spec: { hostPID: true, runtimeClassName: 'vm', containers: [] } }] },
};
const namespace = (labels: Record<string, string>) => ({ metadata: { name: 'x', labels: labelled(labels) } });
const resource = namespaces as unknown as Resource;

async function warningsOf(old: Record<string, string> | undefined, next: Record<string, string>, configuration = {}): Promise<string[]> {
  const said: string[] = [];
  const update = { resource, operation: 'UPDATE', oldObject: namespace(old ?? {}) } as const;
  await admitted(
    podSecurity(configuration),
    { resource, ...(old === undefined ? {} : update), object: namespace(next) as unknown as KubeObject },
    { ...world, warn: (text) => void said.push(text) },
  );
  return said;
}

const FOUND = [
  'existing pods in namespace "x" violate the new PodSecurity enforce level "baseline:latest"',
  'a (and 1 other pod): host namespaces',
  'c: host namespaces',
];
for (const [about, old, next, configuration, warnings] of [
  [
    'a stricter level',
    {},
    { enforce: 'baseline' },
    {},
    ['existing pods in namespace "x" violate the new PodSecurity enforce level "baseline:latest"', 'a (and 2 other pods): host namespaces'],
  ],
  [
    'a stricter level, without Pods of exempt classes',
    {},
    { enforce: 'baseline' },
    { exemptions: { runtimeClasses: ['vm'] } },
    FOUND.slice(0, 2),
  ],
  ['a laxer level', { enforce: 'restricted' }, { enforce: 'baseline' }, {}, []],
  [
    'a laxer level of another version',
    { enforce: 'restricted', 'enforce-version': 'v1.20' },
    { enforce: 'baseline' },
    { exemptions: { runtimeClasses: ['vm'] } },
    FOUND.slice(0, 2),
  ],
  [
    'a level on a namespace that is exempt',
    {},
    { enforce: 'baseline', audit: 'restricted' },
    { exemptions: { namespaces: ['x'] } },
    ['namespace "x" is exempt from Pod Security, and the policy (enforce=baseline:latest, audit=restricted:latest) will be ignored'],
  ],
  [
    'a new namespace that is exempt',
    undefined,
    { warn: 'baseline' },
    { exemptions: { namespaces: ['x'] } },
    ['namespace "x" is exempt from Pod Security, and the policy (warn=baseline:latest) will be ignored'],
  ],
  ['a new namespace', undefined, { enforce: 'baseline' }, {}, []],
] as [string, Record<string, string> | undefined, Record<string, string>, object, string[]][]) {
  test(`${about} warns of ${warnings.length} things`, async () => {
    assert.deepEqual(await warningsOf(old, next, configuration), warnings);
  });
}

test('labels must be readable, unless they were as unreadable before', async () => {
  const [bad, worse] = [namespace({ enforce: 'x' }), namespace({ enforce: 'x', 'warn-version': '1' })];

  await refused(podSecurity(), { resource, object: bad }, /must be one of privileged, baseline, restricted/);
  await refused(podSecurity(), { resource, operation: 'UPDATE', oldObject: bad, object: worse }, /must be "latest" or "v1.x"/);
  await admitted(podSecurity(), { resource, operation: 'UPDATE', oldObject: bad, object: bad });
});
