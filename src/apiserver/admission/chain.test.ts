// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pods } from '#api';
import type { Resource } from '#machinery';
import { type AdmissionDeps, type AdmissionPlugin, type AdmissionRequest, Reinvocation } from './admission.ts';
import { ADMISSION_ORDER, createAdmissionChain } from './chain.ts';

const DEPS = {} as AdmissionDeps;
const NONE = { enabled: [], disabled: [] };

function request(): AdmissionRequest {
  return {
    operation: 'UPDATE',
    resource: { ...pods, resource: 'things', group: 'example.com', namespaced: false } as unknown as Resource,
    subresource: '',
    namespace: '',
    name: 'x',
    object: { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'x' } } as AdmissionRequest['object'],
    oldObject: undefined,
    dryRun: false,
    user: { name: 'u', uid: '', groups: [], extra: {} },
    warn: () => undefined,
  };
}

test('plugins run in the order of the table, whatever the order they are named in', () => {
  const { names } = createAdmissionChain({
    enabled: ['NodeRestriction', 'AlwaysPullImages', 'NamespaceExists'],
    disabled: ['LimitRanger'],
  });

  assert.deepEqual(
    names,
    ADMISSION_ORDER.filter((name) => names.includes(name)),
  );
  assert.ok(names.indexOf('NamespaceExists') < names.indexOf('NodeRestriction'));
  assert.ok(!names.includes('LimitRanger') && !names.includes('AlwaysDeny') && names.includes('PodTopologyLabels'));
});

test('what cannot be built is refused by name', async (t) => {
  const cases: readonly (readonly [string, Parameters<typeof createAdmissionChain>[0], RegExp])[] = [
    ['an unknown plugin', { ...NONE, enabled: ['Nope'] }, /unknown plugin "Nope"/],
    ['an unknown plugin to disable', { ...NONE, disabled: ['Nope'] }, /unknown plugin "Nope"/],
    ['one of a feature that is not here', { ...NONE, enabled: ['PodGroupProtection'] }, /"PodGroupProtection" is not supported/],
    [
      'a configuration for one that takes none',
      { ...NONE, configurations: new Map([['LimitRanger', {}]]) },
      /"LimitRanger" takes no configuration/,
    ],
    ['EventRateLimit without limits', { ...NONE, enabled: ['EventRateLimit'] }, /limits: Invalid value/],
    ['ImagePolicyWebhook without a server around', { ...NONE, enabled: ['ImagePolicyWebhook'] }, /ImagePolicyWebhook cannot run here/],
    [
      'a level of PodSecurity that is none',
      { ...NONE, configurations: new Map([['PodSecurity', { defaults: { enforce: 'strict' } }]]) },
      /defaults.enforce: Invalid value: "strict"/,
    ],
  ];
  for (const [name, options, said] of cases) await t.test(name, () => assert.throws(() => createAdmissionChain(options), said));
  createAdmissionChain({ ...NONE, disabled: ['PodGroupProtection'] });
});

test('the mutating pass is repeated once where a plugin wants it', async () => {
  const passes: boolean[] = [];
  const plugin: AdmissionPlugin = {
    name: 'MutatingAdmissionWebhook',
    handles: () => true,
    admit(of) {
      of.reinvocation ??= new Reinvocation();
      passes.push(of.reinvocation.isReinvoke);
      of.reinvocation.want();
    },
  };

  await createAdmissionChain({ ...NONE, extra: [plugin] }).runMutating(request(), DEPS);

  assert.deepEqual(passes, [false, true]);
});
