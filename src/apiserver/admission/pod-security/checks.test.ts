// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '#api/core/v1';
import { detailsText, type Level, reasonsText, violationsOf } from './checks.ts';

const pod = (spec: Partial<PodSpec>, container: object = {}) => ({
  metadata: {},
  spec: { containers: [{ name: 'c', image: 'i', resources: {}, ...container }], ...spec } as PodSpec,
});

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
] as [Level, ReturnType<typeof pod>, string][]) {
  test(`${level} says ${JSON.stringify(text)} of ${JSON.stringify(subject.spec)}`, () => {
    assert.equal(detailsText(violationsOf(level, subject)), text);
  });
}

test('a plain Pod misses four things at the restricted level', () => {
  const reasons = reasonsText(violationsOf('restricted', pod({})));

  assert.equal(reasons, 'allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile');
});
