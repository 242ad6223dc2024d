// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linesOf } from './_cases.ts';
import { ephemeralContainersCauses, podResizeCauses, podStatusCauses, podUpdateCauses } from './mod.ts';

const container = (name: string) => ({
  name,
  image: 'i',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'Always',
  resources: { requests: { cpu: '1' } },
});
const pod = {
  metadata: { name: 'p', namespace: 'n', resourceVersion: '1' },
  spec: {
    containers: [container('a')],
    initContainers: [container('b')],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    serviceAccountName: 'default',
    schedulingGates: [{ name: 'g' }],
    activeDeadlineSeconds: 50,
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }] },
      },
    },
  },
};
// biome-ignore lint/suspicious/noExplicitAny: cases change objects in ways that their types forbid
type Change = (object: any) => void;
const MIRROR = 'kubernetes.io/config.mirror';
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/a';
const ephemeral = (name: string) => ({ ...container(name), resources: undefined });
type Rule = typeof podUpdateCauses;
const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const TERMS = `spec.affinity.nodeAffinity.${REQUIRED}.nodeSelectorTerms`;

const CASES: Readonly<Record<string, readonly [Rule, Change, ...string[]]>> = {
  'a gated Pod may be held to more': [
    podUpdateCauses,
    ({ spec }) => spec.affinity.nodeAffinity[REQUIRED].nodeSelectorTerms[0].matchExpressions.push({ key: 'b', operator: 'Exists' }),
  ],
  'a gated Pod may not go to more nodes': [
    podUpdateCauses,
    ({ spec }) => spec.affinity.nodeAffinity[REQUIRED].nodeSelectorTerms.push({}),
    `${TERMS}: Invalid value: [{"MatchExpressions":[{"Key":"a","Operator":"Exists"}]},{}]: no additions/deletions to non-empty NodeSelectorTerms list are allowed`,
  ],
  'a deadline does not move away': [
    podUpdateCauses,
    ({ spec }) => (spec.activeDeadlineSeconds = 60),
    'spec.activeDeadlineSeconds: Invalid value: 60: must be less than or equal to previous value',
  ],
  'conditions have qualified names': [
    podStatusCauses,
    (object) => (object.status = { conditions: [{ type: 'bad type', status: 'True' }] }),
    `metadata.conditions[0].Type: Invalid value: "bad type": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  ],
  'addresses are one per family': [
    podStatusCauses,
    (object) => (object.status = { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }] }),
    'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.2"}]: may specify no more than one IP for each IP family',
  ],
  'claims have statuses of their own': [
    podStatusCauses,
    (object) => (object.status = { resourceClaimStatuses: [{ name: 'c' }] }),
    'status.resourceClaimStatuses[0].name: Invalid value: "c": must match the name of an entry in `spec.resourceClaims`',
  ],
  'containers may be resized': [podResizeCauses, ({ spec }) => (spec.containers[0].resources.requests.cpu = '2')],
  'what ran before may not': [
    podResizeCauses,
    ({ spec }) => (spec.initContainers[0].resources.requests.cpu = '2'),
    'spec: Forbidden: resources for non-sidecar init containers are immutable',
  ],
  'AppArmor profiles stay': [
    podUpdateCauses,
    ({ metadata }) => (metadata.annotations = { [APPARMOR]: 'unconfined' }),
    `metadata.annotations[${APPARMOR}]: Forbidden: may not add AppArmor annotations`,
  ],
  'mirrors are made, not changed': [
    podUpdateCauses,
    ({ metadata }) => (metadata.annotations = { [MIRROR]: 'x' }),
    `metadata.annotations[${MIRROR}]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`,
    `metadata.annotations[${MIRROR}]: Forbidden: may not add mirror pod annotation`,
    `metadata.annotations[${MIRROR}]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`,
  ],
  'containers stay as many as they are': [
    podUpdateCauses,
    ({ spec }) => delete spec.initContainers,
    'spec.initContainers: Forbidden: pod updates may not add or remove containers',
  ],
  'tolerations are looked at as of a new Pod, and as changed ones': [
    podUpdateCauses,
    ({ spec }) => (spec.tolerations = [{ key: 'a', operator: 'Exists', value: 'v' }]),
    'spec.tolerations[0].operator: Invalid value: "v": value must be empty when `operator` is \'Exists\'',
    'spec.tolerations[0].operator: Invalid value: "v": value must be empty when `operator` is \'Exists\'',
  ],
  'images too': [
    podUpdateCauses,
    ({ spec }) => (spec.containers[0].image = ' j'),
    'spec.containers[0].image: Invalid value: " j": must not have leading or trailing whitespace',
    'spec.containers[0].image: Invalid value: " j": must not have leading or trailing whitespace',
  ],
  'the class of service stays': [
    podStatusCauses,
    (object) => (object.status = { qosClass: 'BestEffort' }),
    'status.qosClass: Invalid value: "BestEffort": field is immutable',
  ],
  'generations are counted up': [
    podStatusCauses,
    (object) => (object.status = { observedGeneration: -1 }),
    'status.observedGeneration: Invalid value: -1: must be a non-negative integer',
  ],
  'generations of conditions too': [
    podStatusCauses,
    (object) => (object.status = { conditions: [{ type: 'Ready', status: 'True', observedGeneration: -1 }] }),
    'metadata.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer',
  ],
  'health is of things asked for, once each': [
    podStatusCauses,
    (object) => {
      const resources = [
        { resourceID: 'a', health: 'Healthy' },
        { resourceID: 'a', health: 'Sick' },
      ];
      object.status = { containerStatuses: [{ name: 'a', allocatedResourcesStatus: [{ name: 'example.com/gpu', resources }] }] };
    },
    `status.containerStatuses[0].allocatedResourcesStatus[0].name: Invalid value: "example.com/gpu": must match one of the container's resource requests`,
    'status.containerStatuses[0].allocatedResourcesStatus[0].resources[1].health: Unsupported value: "Sick": supported values: "Healthy", "Unhealthy", "Unknown"',
    'status.containerStatuses[0].allocatedResourcesStatus[0].resources[1].resourceID: Duplicate value: "a"',
  ],
  'health is of claims by their names': [
    podStatusCauses,
    (object) => (object.status = { containerStatuses: [{ name: 'a', allocatedResourcesStatus: [{ name: 'claim:c/r' }] }] }),
    `status.containerStatuses[0].allocatedResourcesStatus[0].name: Invalid value: "claim:c/r": must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty`,
  ],
  'ephemeral containers have nothing': [
    podStatusCauses,
    (object) => (object.status = { ephemeralContainerStatuses: [{ name: 'e', allocatedResourcesStatus: [{ name: 'cpu' }] }] }),
    'status.ephemeralContainerStatuses[0].allocatedResourcesStatus: Forbidden: must not be specified in container status',
  ],
  'the claim of extended resources says what for': [
    podStatusCauses,
    (object) => (object.status = { extendedResourceClaimStatus: { requestMappings: [], resourceClaimName: '' } }),
    'status.extendedResourceClaimStatus.requestMappings: Required value: at least one request mapping is required',
    'status.extendedResourceClaimStatus.resourceClaimName: Required value',
  ],
  'the claim of extended resources is of containers': [
    podStatusCauses,
    (object) => {
      const requestMappings = [
        { containerName: 'a', resourceName: 'example.com/gpu', requestName: 'r' },
        { containerName: 'x', resourceName: 'example.com/gpu', requestName: 'r' },
      ];
      object.status = { extendedResourceClaimStatus: { requestMappings, resourceClaimName: 'c' } };
    },
    'status.extendedResourceClaimStatus.requestMappings[0].resourceName: Invalid value: "example.com/gpu": must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests',
    'status.extendedResourceClaimStatus.requestMappings[1].containerName: Invalid value: "x": must match the name of an entry in spec.initContainers.name or spec.containers.name',
  ],
  'addresses are right, and few': [
    podStatusCauses,
    (object) => (object.status = { podIPs: [{ ip: 'x' }, { ip: '10.0.0.1' }, { ip: '10.0.0.1' }] }),
    'status.podIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    'status.podIPs: Invalid value: [{"IP":"x"},{"IP":"10.0.0.1"},{"IP":"10.0.0.1"}]: may specify no more than one IP for each IP family',
  ],
  'users have numbers': [
    podStatusCauses,
    (object) => (object.status = { containerStatuses: [{ name: 'a', user: { linux: { uid: -1, gid: 1, supplementalGroups: [-2] } } }] }),
    'status.containerStatuses[0].linux.uid: Invalid value: -1: must be between 0 and 2147483647, inclusive',
    'status.containerStatuses[0].linux.supplementalGroups[0]: Invalid value: -2: must be between 0 and 2147483647, inclusive',
  ],
  'only cpu and memory may be resized': [
    podResizeCauses,
    ({ spec }) => (spec.containers[0].resources.requests['ephemeral-storage'] = '1Gi'),
    'spec: Forbidden: only cpu and memory resources are mutable',
  ],
  'what was asked for may not be given up': [
    podResizeCauses,
    ({ spec }) => (spec.containers[0].resources = {}),
    'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
  ],
  'no container goes in a resize': [
    podResizeCauses,
    ({ spec }) => delete spec.initContainers,
    'spec.initContainers: Forbidden: initContainers may not be added or removed on resize',
  ],
  'ephemeral containers have names of their own': [
    ephemeralContainersCauses,
    ({ spec }) => (spec.ephemeralContainers = [ephemeral('a')]),
    'spec.ephemeralContainers[0].name: Duplicate value: "a"',
  ],
  'ephemeral containers look at what there is': [
    ephemeralContainersCauses,
    ({ spec }) => (spec.ephemeralContainers = [{ ...ephemeral('e'), targetContainerName: 'q' }]),
    'spec.ephemeralContainers[0].targetContainerName: Not found: "q"',
  ],
};

describe('a changed Pod', () => {
  for (const [name, [rule, change, ...expected]] of Object.entries(CASES)) {
    it(name, () => {
      const next = structuredClone(pod);
      change(next);
      assert.deepEqual(linesOf(rule(next as never, structuredClone(pod) as never)), expected);
    });
  }
});
