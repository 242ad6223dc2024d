// SPDX-License-Identifier: Apache-2.0
import { describeCreate } from './_cases.ts';

const RBAC = 'rbac.authorization.k8s.io';
const metadata = { name: 'b', namespace: 'n' };
const binding = {
  metadata,
  roleRef: { apiGroup: RBAC, kind: 'Role', name: 'r' },
  subjects: [{ kind: 'User', apiGroup: RBAC, name: 'u' }],
};

describeCreate({ group: RBAC, version: 'v1', kind: 'RoleBinding' }, binding, {
  'grants a role of a known kind': [
    ({ roleRef }) => (roleRef.kind = 'Duty'),
    'roleRef.kind: Unsupported value: "Duty": supported values: "Role", "ClusterRole"',
  ],
  'grants a role that a path can name': [
    ({ roleRef }) => (roleRef.name = 'a/b%'),
    `roleRef.name: Invalid value: "a/b%": may not contain '/'`,
    `roleRef.name: Invalid value: "a/b%": may not contain '%'`,
  ],
  'grants to a known kind of subject': [
    ({ subjects }) => (subjects[0].kind = 'Robot'),
    'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
  ],
});

const PRIORITY = { group: 'scheduling.k8s.io', version: 'v1', kind: 'PriorityClass' };
describeCreate(
  PRIORITY,
  { metadata: { name: 'system-node-critical' }, value: 2_000_001_000 },
  {
    'of the system is not the default': [
      (object) => (object.globalDefault = true),
      `metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: globalDefault of system-node-critical PriorityClass must be false`,
    ],
  },
);

const BUDGET = { group: 'policy', version: 'v1', kind: 'PodDisruptionBudget' };
describeCreate(
  BUDGET,
  { metadata, spec: { minAvailable: 1, selector: {} } },
  {
    'evicts unhealthy Pods in a known way': [
      ({ spec }) => (spec.unhealthyPodEvictionPolicy = ''),
      'spec.unhealthyPodEvictionPolicy: Unsupported value: "": supported values: "AlwaysAllow", "IfHealthyBudget"',
    ],
  },
);
