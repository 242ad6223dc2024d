// SPDX-License-Identifier: Apache-2.0
// What SetDefaults fills in, and what it leaves alone: one fact per row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '../machinery/mod.ts';
import { defaultsOf } from './defaults.ts';

/** The value at a path of an object after its defaults: `spec.ports.0.protocol`. */
function after(apiVersion: string, kind: string, object: object, path: string): unknown {
  const copy = structuredClone({ metadata: { name: 'x' }, ...object }) as unknown as KubeObject;
  defaultsOf(apiVersion, kind)?.(copy);
  return path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], copy);
}

const pod = (spec: object, ...resources: object[]) => ({
  spec: { containers: resources.map((one, index) => ({ name: `c${index}`, resources: one })), ...spec },
});
const METADATA_NAME = 'kubernetes.io/metadata.name';

const CASES: readonly (readonly [fact: string, kind: string, object: object, path: string, value: unknown])[] = [
  [
    'without limits a Pod requests nothing of its own',
    'v1/Pod',
    pod({ resources: { requests: { cpu: '1' } } }, { requests: { memory: '1Gi' } }),
    'spec.resources.requests',
    { cpu: '1' },
  ],
  [
    'with limits it requests what its containers do together',
    'v1/Pod',
    pod({ resources: { limits: { cpu: '2' } } }, { requests: { cpu: '250m', memory: '1Gi' } }, { requests: { cpu: '1' } }),
    'spec.resources.requests',
    { cpu: '1250m', memory: '1Gi' },
  ],
  ['or else its limits', 'v1/Pod', pod({ resources: { limits: { memory: '2Gi' } } }, {}), 'spec.resources.requests', { memory: '2Gi' }],
  [
    'huge pages of containers are limits of the Pod',
    'v1/Pod',
    pod({ resources: { limits: { cpu: '2' } } }, { limits: { 'hugepages-2Mi': '4Mi' } }, { limits: { 'hugepages-2Mi': '2Mi' } }),
    'spec.resources.limits',
    { cpu: '2', 'hugepages-2Mi': '6Mi' },
  ],
  ['a Pod without resources of its own gets none', 'v1/Pod', pod({}, { limits: { 'hugepages-2Mi': '4Mi' } }), 'spec.resources', undefined],
  ['requests follow limits', 'v1/Pod', pod({}, { limits: { cpu: '1' } }), 'spec.containers.0.resources.requests', { cpu: '1' }],
  [
    'no resource is finer than a thousandth',
    'v1/Pod',
    pod({}, { requests: { cpu: '100u' } }),
    'spec.containers.0.resources.requests.cpu',
    '1m',
  ],
  [
    'so it is for claims',
    'v1/PersistentVolumeClaim',
    { spec: { resources: { requests: { storage: '1.0001' } } } },
    'spec.resources.requests.storage',
    '1001m',
  ],
  ['for volumes', 'v1/PersistentVolume', { spec: { capacity: { storage: '100n' } } }, 'spec.capacity.storage', '1m'],
  ['for quotas', 'v1/ResourceQuota', { spec: { hard: { cpu: '1500u' } } }, 'spec.hard.cpu', '2m'],
  ['and for ranges', 'v1/LimitRange', { spec: { limits: [{ type: 'Pod', max: { cpu: '1500u' } }] } }, 'spec.limits.0.max.cpu', '2m'],
  [
    'a limit is the request where there is none, the minimum where there is no limit',
    'v1/LimitRange',
    { spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { cpu: '1', memory: '1' } }] } },
    'spec.limits.0.defaultRequest',
    { cpu: '2', memory: '1' },
  ],
  [
    "a namespace's name is its label, whatever the label was",
    'v1/Namespace',
    { metadata: { name: 'n', labels: { [METADATA_NAME]: 'other' } } },
    'metadata.labels',
    { [METADATA_NAME]: 'n' },
  ],
  [
    'a Service of an unknown type has no policy for traffic',
    'v1/Service',
    { spec: { type: 'Odd' } },
    'spec.internalTrafficPolicy',
    undefined,
  ],
  ['a Service with addresses has', 'v1/Service', { spec: { type: 'NodePort' } }, 'spec.internalTrafficPolicy', 'Cluster'],
  [
    'external addresses make a Service reachable from outside',
    'v1/Service',
    { spec: { externalIPs: ['1.2.3.4'] } },
    'spec.externalTrafficPolicy',
    'Cluster',
  ],
  ['a port targets itself', 'v1/Service', { spec: { ports: [{ port: 80, targetPort: '' }] } }, 'spec.ports.0.targetPort', 80],
  [
    'sessions by client last three hours',
    'v1/Service',
    { spec: { sessionAffinity: 'ClientIP' } },
    'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
    10_800,
  ],
  [
    'a Job with limits per index has none as a whole',
    'batch/v1/Job',
    { spec: { backoffLimitPerIndex: 1, template: {} } },
    'spec.backoffLimit',
    2 ** 31 - 1,
  ],
  [
    'a Job with a policy for failures replaces Pods when they failed',
    'batch/v1/Job',
    { spec: { podFailurePolicy: {}, template: {} } },
    'spec.podReplacementPolicy',
    'Failed',
  ],
  [
    'a behaviour is filled on both sides',
    'autoscaling/v2/HorizontalPodAutoscaler',
    { spec: { behavior: { scaleUp: {} } } },
    'spec.behavior.scaleDown.selectPolicy',
    'Max',
  ],
  [
    'a policy with egress rules is about both',
    'networking.k8s.io/v1/NetworkPolicy',
    { spec: { egress: [{}] } },
    'spec.policyTypes',
    ['Ingress', 'Egress'],
  ],
  [
    'a subject that is an account has no group',
    'rbac.authorization.k8s.io/v1/RoleBinding',
    { roleRef: {}, subjects: [{ kind: 'ServiceAccount', name: 's' }] },
    'subjects.0.apiGroup',
    undefined,
  ],
];

for (const [fact, name, object, path, value] of CASES) {
  test(`${name}: ${fact}`, () => {
    const at = name.lastIndexOf('/');

    assert.deepEqual(after(name.slice(0, at), name.slice(at + 1), object, path), value);
  });
}
