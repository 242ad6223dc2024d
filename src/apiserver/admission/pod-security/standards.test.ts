// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '#api/core/v1';
import { detailsText, type Level, reasonsText, violationsOf } from './standards.ts';

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

const box = (securityContext: object) => pod({}, { securityContext });
const remapped = { hostUsers: false };

for (const [about, level, minor, subject, text] of [
  [
    "hosts of probes are nobody's business before 1.34",
    'baseline',
    33,
    pod({}, { livenessProbe: { tcpSocket: { host: 'h', port: 1 } } }),
    '',
  ],
  [
    'hosts of probes are restricted since 1.34',
    'baseline',
    34,
    pod({}, { livenessProbe: { tcpSocket: { host: 'h', port: 1 } } }),
    'probe or lifecycle host (container "c" uses probe or lifecycle host "h")',
  ],
  ['container_engine_t is allowed since 1.31', 'baseline', 31, box({ seLinuxOptions: { type: 'container_engine_t' } }), ''],
  [
    'container_engine_t is not allowed before',
    'baseline',
    30,
    box({ seLinuxOptions: { type: 'container_engine_t' } }),
    'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "container_engine_t")',
  ],
  [
    'sysctls were fewer',
    'baseline',
    28,
    pod({
      securityContext: {
        sysctls: ['net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_fin_timeout', 'toString'].map((name) => ({ name, value: '1' })),
      },
    }),
    'forbidden sysctls (net.ipv4.tcp_fin_timeout, toString)',
  ],
  [
    'memory of sockets may be set since 1.32',
    'baseline',
    32,
    pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] } }),
    '',
  ],
  ['fields of seccomp did not count before 1.19', 'baseline', 18, box({ seccompProfile: { type: 'Unconfined' } }), ''],
  [
    'annotations of seccomp counted before 1.19',
    'restricted',
    0,
    {
      ...pod({ securityContext: { runAsNonRoot: true } }),
      metadata: {
        annotations: {
          'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
          'container.seccomp.security.alpha.kubernetes.io/c': 'localhost/x',
        },
      },
    },
    'seccompProfile (forbidden annotation seccomp.security.alpha.kubernetes.io/pod="unconfined")',
  ],
  [
    'the first restricted level knew neither escalation nor drops',
    'restricted',
    7,
    box({ capabilities: { add: ['SYS_TIME'] } }),
    'non-default capabilities (container "c" must not include "SYS_TIME" in securityContext.capabilities.add), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true)',
  ],
  [
    'Windows had to say what Linux has',
    'restricted',
    24,
    pod({ ...KEPT, os: { name: 'windows' } }),
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"])',
  ],
  ['Windows need not since 1.25', 'restricted', 25, pod({ ...KEPT, os: { name: 'windows' } }), ''],
  ['a user namespace unmasks /proc since 1.35', 'baseline', 35, pod(remapped, { securityContext: { procMount: 'Unmasked' } }), ''],
  [
    'a user namespace does not unmask /proc before',
    'baseline',
    34,
    pod(remapped, { securityContext: { procMount: 'Unmasked' } }),
    'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'the restricted level masks /proc for all, after what it says of capabilities',
    'restricted',
    Infinity,
    pod(
      { ...remapped, securityContext: { runAsUser: 0, seccompProfile: { type: 'RuntimeDefault' } } },
      { securityContext: { allowPrivilegeEscalation: false, procMount: 'Unmasked' } },
    ),
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), procMount (container "c" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'root in a user namespace was root',
    'restricted',
    34,
    pod({ ...remapped, securityContext: { runAsUser: 0, seccompProfile: { type: 'RuntimeDefault' } } }, { securityContext: KEPT_BOX }),
    'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), runAsUser=0 (pod must not set runAsUser=0)',
  ],
  ['a version to come is the newest', 'baseline', 99, pod({ hostIPC: true }), 'host namespaces (hostIPC=true)'],
] as [string, Level, number, ReturnType<typeof pod>, string][]) {
  test(`at 1.${minor}: ${about}`, () => {
    assert.equal(detailsText(violationsOf(level, subject, minor)), text);
  });
}
