// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '#api/core/v1';
import { detailsText, type Level, reasonsText, violationsOf } from './checks.ts';

const pod = (spec: Partial<PodSpec>, container: object = {}) => ({
  metadata: {},
  spec: { containers: [{ name: 'c', image: 'i', resources: {}, ...container }], ...spec } as PodSpec,
});

const KEPT: Partial<PodSpec> = { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } };
const KEPT_BOX = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };

for (const [level, subject, text] of [
  ['privileged', pod({ hostNetwork: true }), ''],
  ['baseline', pod({}), ''],
  ['baseline', pod({ hostNetwork: true, hostPID: true }), 'host namespaces (hostNetwork=true, hostPID=true)'],
  ['baseline', pod({}, { ports: [{ containerPort: 80, hostPort: 80 }] }), 'hostPort (container "c" uses hostPort 80)'],
  [
    'baseline',
    pod({}, { securityContext: { privileged: true } }),
    'privileged (container "c" must not set securityContext.privileged=true)',
  ],
  [
    'baseline',
    {
      ...pod(
        { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
        { securityContext: { appArmorProfile: { type: 'Unconfined' } } },
      ),
      metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' } },
    },
    'forbidden AppArmor profiles (pod and container "c" and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/c="unconfined"")',
  ],
  [
    'baseline',
    pod({
      containers: ['z', 'a'].map((name) => ({ name, livenessProbe: { httpGet: { host: '10.0.0.1', port: 1 } } })) as PodSpec['containers'],
    }),
    'probe or lifecycle host (containers "a", "z" use probe or lifecycle host "10.0.0.1")',
  ],
  ['restricted', pod(KEPT, { securityContext: KEPT_BOX }), ''],
  [
    'restricted',
    pod(
      { securityContext: { runAsNonRoot: false } },
      { securityContext: { ...KEPT_BOX, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } },
    ),
    'runAsNonRoot != true (pod must not set securityContext.runAsNonRoot=false)',
  ],
] as [Level, ReturnType<typeof pod>, string][]) {
  test(`${level} says ${JSON.stringify(text)} of ${JSON.stringify(subject.spec)}`, () => {
    assert.equal(detailsText(violationsOf(level, subject)), text);
  });
}

test('a plain Pod misses four things at the restricted level', () => {
  const reasons = reasonsText(violationsOf('restricted', pod({})));

  assert.equal(reasons, 'allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile');
});
