// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const NODE = { group: '', version: 'v1', kind: 'Node' };
const node = {
  metadata: { name: 'x', resourceVersion: '1' },
  spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.0.0/24'], providerID: 'p' },
  status: { capacity: { cpu: '1' } },
};

describeCreate(NODE, node, {
  'is tainted once by each key and effect': [
    ({ spec }) =>
      (spec.taints = [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', value: 'v', effect: 'NoSchedule' },
      ]),
    'metadata.taints[1]: Duplicate value: {"Key":"a","Value":"v","Effect":"NoSchedule"}: taints must be unique by key and effect pair',
  ],
  'is tainted in known ways': [
    ({ spec }) => (spec.taints = [{ key: 'a', effect: 'Never' }]),
    'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ],
  'has a network of each family': [
    ({ spec }) => (spec.podCIDRs = ['10.0.0.0/24', '10.0.0.0/24']),
    'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for each IP family',
  ],
  'has networks that are some': [
    ({ spec }) => (spec.podCIDRs = ['10.0.0.0/24', 'x']),
    'spec.podCIDRs[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    'spec.podCIDRs: Internal error: invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[1]: <nil> (invalid CIDR address: x)',
    'spec.podCIDRs: Invalid value: ["10.0.0.0/24","x"]: may specify no more than one CIDR for each IP family',
  ],
  'has room to swap': [
    ({ status }) => (status.nodeInfo = { swap: { capacity: 0 } }),
    'metadata.nodeSwapStatus.capacity: Invalid value: 0: must be greater than zero',
  ],
  'declares features by their names': [
    ({ status }) => (status.declaredFeatures = ['Some/thing', 'some']),
    `status.declaredFeatures[1]: Invalid value: "some": invalid feature name "some": must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes`,
  ],
  'keeps old annotations in order': [
    ({ metadata }) => (metadata.annotations = { 'scheduler.alpha.kubernetes.io/taints': '[{"key":"a","effect":"Never"}]' }),
    'metadata.annotations.scheduler.alpha.kubernetes.io/taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ],
  'holds whole things': [
    ({ status }) => (status.capacity = { pods: '500m', cpu: '-1' }),
    'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
    'status.capacity.pods: Invalid value: "500m": must be an integer',
  ],
});

describeUpdate(NODE, node, {
  'keeps its networks': [
    ({ spec }) => (spec.podCIDRs = ['10.0.1.0/24']),
    'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
  ],
  'keeps the name that its provider has for it': [
    ({ spec }) => (spec.providerID = 'q'),
    'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
  ],
  'is at each address once': [
    ({ status }) =>
      (status.addresses = [
        { type: 'InternalIP', address: '10.0.0.1' },
        { type: 'InternalIP', address: '10.0.0.1' },
      ]),
    'status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"10.0.0.1"}',
  ],
  'says what is wrong as a new one, and as a changed one': [
    ({ spec }) => (spec.taints = [{ key: 'a', effect: 'Never' }]),
    'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
  ],
});

describeUpdate(
  NODE,
  node,
  {
    'keeps its networks': [
      ({ spec }) => (spec.podCIDRs = []),
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    ],
    'declares features in their order, each once': [
      ({ status }) => (status.declaredFeatures = ['B', 'A', 'A']),
      'status.declaredFeatures[1]: Invalid value: "A": list must be sorted alphabetically',
      'status.declaredFeatures[2]: Duplicate value: "A"',
    ],
    'holds whole things': [
      ({ status }) => (status.allocatable = { pods: '1.5' }),
      'status.allocatable.pods: Invalid value: "1500m": must be an integer',
    ],
  },
  'status',
);
