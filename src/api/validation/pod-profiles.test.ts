// SPDX-License-Identifier: Apache-2.0
import { describeCreate } from './_cases.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' };
const pod = {
  metadata: { name: 'p', namespace: 'n' },
  spec: {
    containers: [{ name: 'a', image: 'i', terminationMessagePolicy: 'File', imagePullPolicy: 'Always' }],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    serviceAccountName: 'default',
  },
};
const LONG = `${'a'.repeat(60)}.`.repeat(5);

describeCreate(POD, pod, {
  'has the profiles of its annotations': [
    ({ metadata, spec }) => {
      metadata.annotations = {
        'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
        'container.apparmor.security.beta.kubernetes.io/a': 'localhost/x',
      };
      spec.securityContext = { seccompProfile: { type: 'RuntimeDefault' }, appArmorProfile: { type: 'Localhost', localhostProfile: 'y' } };
    },
    'spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match',
    'spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor profile in annotation and field must match',
  ],
  'has profiles that are files below a folder': [
    ({ spec }) => {
      spec.securityContext = { seccompProfile: { type: 'Localhost', localhostProfile: '/a/../b' } };
    },
    'spec.securityContext.seccompProfile.localhostProfile: Invalid value: "/a/../b": must be a relative path',
    `spec.securityContext.seccompProfile.localhostProfile: Invalid value: "/a/../b": must not contain '..'`,
  ],
  'has seccomp profiles of known types': [
    ({ spec }) => {
      spec.securityContext = { seccompProfile: { type: 'Odd', localhostProfile: 'x' } };
    },
    'spec.securityContext.seccompProfile.type: Unsupported value: "Odd": supported values: "Localhost", "RuntimeDefault", "Unconfined"',
    'spec.securityContext.seccompProfile.localhostProfile: Invalid value: {"Type":"Odd","LocalhostProfile":"x"}: can only be set when seccomp type is Localhost',
  ],
  'tells apart by labels that it does not select by': [
    ({ spec }) =>
      (spec.affinity = {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            {
              topologyKey: 'z',
              labelSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] },
              matchLabelKeys: ['a'],
              mismatchLabelKeys: ['b', 'a'],
            },
          ],
        },
      }),
    'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys',
  ],
  'has keys of labels only beside a selector': [
    ({ spec }) =>
      (spec.topologySpreadConstraints = [{ maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule', matchLabelKeys: ['a'] }]),
    'spec.topologySpreadConstraints[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set',
  ],
  'is of a runtime that has a name': [
    ({ spec }) => (spec.runtimeClassName = ''),
    `spec.runtimeClassName: Invalid value: "": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
  ],
  'looks in domains of bounded length': [
    ({ spec }) => (spec.dnsConfig = { searches: [LONG] }),
    `spec.dnsConfig.searches[0]: Invalid value: "${LONG.slice(0, -1)}": must be no more than 253 characters`,
  ],
  'uses nothing of Linux on Windows': [
    ({ spec }) => Object.assign(spec, { os: { name: 'windows' }, securityContext: { seLinuxChangePolicy: 'Recursive', sysctls: [] } }),
    'spec.securityContext.seLinuxChangePolicy: Forbidden: cannot be set for a windows pod',
  ],
});
