// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectWarnings } from './object-warnings.ts';
import { podStatusWarnings, statusWarnings } from './status-warnings.ts';

const container = { name: 'a', image: 'i' };
const template = { metadata: {}, spec: { containers: [container] } };
type Case = readonly [group: string, kind: string, object: object, ...expected: string[]];

const CASES: Readonly<Record<string, Case>> = {
  'an Ingress with the class of old': [
    'networking.k8s.io',
    'Ingress',
    { metadata: { annotations: { 'kubernetes.io/ingress.class': 'x' } }, spec: {} },
    `annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`,
  ],
  'a StatefulSet that forgets nothing': [
    'apps',
    'StatefulSet',
    { metadata: { name: 's' }, spec: { template, revisionHistoryLimit: -1 } },
    'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended',
  ],
  'a Job that is hard to follow': [
    'batch',
    'Job',
    { metadata: { name: 'j' }, spec: { template, completionMode: 'Indexed', completions: 100_001, parallelism: 10_001 } },
    'spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail',
  ],
  'a CronJob whose Pods cannot be hosts': [
    'batch',
    'CronJob',
    { metadata: { name: 'a.b' }, spec: { jobTemplate: { spec: { template } } } },
    'metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]',
  ],
  'a ResourceQuota of more than there may be': [
    '',
    'ResourceQuota',
    {
      metadata: {},
      spec: {
        hard: {
          cpu: '2',
          'limits.cpu': '1',
          'requests.memory': '3Gi',
          memory: '1Gi',
          'limits.memory': '2Gi',
          'requests.storage': '3Gi',
          'limits.storage': '3Gi',
          'requests.ephemeral-storage': '3Gi',
        },
      },
    },
    'ResourceQuota cpu (2) should be less than limits.cpu (1)',
    'ResourceQuota requests.memory (3Gi) should be less than limits.memory (2Gi)',
  ],
  'a CSIStorageCapacity of nodes by labels of old': [
    'storage.k8s.io',
    'CSIStorageCapacity',
    {
      metadata: {},
      nodeTopology: {
        matchExpressions: [{ key: 'a' }, { key: 'beta.kubernetes.io/arch' }],
        matchLabels: { 'beta.kubernetes.io/os': 'linux' },
      },
    },
    'nodeTopology.matchExpressions[1].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead',
    'nodeTopology.matchLabels.beta.kubernetes.io/os: deprecated since v1.14; use "kubernetes.io/os" instead',
  ],
  'a NetworkPolicy with a range in another form': [
    'networking.k8s.io',
    'NetworkPolicy',
    { metadata: {}, spec: { egress: [{ to: [{ ipBlock: { cidr: '2001:DB8::/32' } }] }] } },
    'spec.egress[0].to[0].ipBlock.cidr: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical format ("2001:db8::/32")',
  ],
  'an EndpointSlice of names': [
    'discovery.k8s.io',
    'EndpointSlice',
    { metadata: {}, addressType: 'FQDN', endpoints: [{ addresses: ['a.b'] }] },
    'spec.addressType: FQDN endpoints are deprecated',
  ],
  'an EndpointSlice with an address in another form': [
    'discovery.k8s.io',
    'EndpointSlice',
    { metadata: {}, addressType: 'IPv6', endpoints: [{ addresses: ['::1', '2001:DB8::1'] }] },
    'endpoints[0].addresses[1]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
  ],
  'Endpoints with an address in another form': [
    '',
    'Endpoints',
    { metadata: {}, subsets: [{ addresses: [{ ip: '1.2.3.4' }], notReadyAddresses: [{ ip: '2001:DB8::1' }] }] },
    'subsets[0].notReadyAddresses[0].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
  ],
  'a driver in capitals': [
    'resource.k8s.io',
    'ResourceSlice',
    { metadata: {}, spec: { driver: 'Ex.io' } },
    'spec.driver: driver names should be lowercase; "Ex.io" contains uppercase characters',
  ],
  'a StatefulSet that claims parts of bytes': [
    'apps',
    'StatefulSet',
    { metadata: {}, spec: { template, volumeClaimTemplates: [{ spec: { resources: { requests: { storage: '500m' } } } }] } },
    'spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer',
  ],
  'a RuntimeClass by a label of old': [
    'node.k8s.io',
    'RuntimeClass',
    { metadata: {}, scheduling: { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } } },
    'scheduling.nodeSelector: deprecated since v1.14; use "kubernetes.io/os" instead',
  ],
};

describe('a warning is given of', () => {
  for (const [name, [group, kind, object, ...expected]] of Object.entries(CASES))
    it(name, () => assert.deepEqual(objectWarnings({ group, kind })(object as never), expected));
});

const OLD_LABEL = { spec: { containers: [], nodeSelector: { 'beta.kubernetes.io/os': 'x' } } };
type Change = readonly [group: string, kind: string, next: object, previous: object, ...expected: string[]];
const OF_LABEL = 'spec.template.spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead';
const generation = (number: number) => ({ metadata: { generation: number }, spec: { template: OLD_LABEL } });
const daemons = (number: string) => ({
  metadata: { annotations: { 'deprecated.daemonset.template.generation': number } },
  spec: { template: OLD_LABEL },
});
const account = (annotations: object) => ({ metadata: { annotations } });
const enforced = { 'kubernetes.io/enforce-mountable-secrets': 'true' };
const zoned = { metadata: { generation: 1 }, spec: { schedule: 'TZ=UTC 0 0 * * *', jobTemplate: { spec: { template } } } };

const CHANGES: Readonly<Record<string, Change>> = {
  'says nothing of a template of the same generation': ['apps', 'Deployment', generation(1), generation(1)],
  'speaks of a template of another generation': ['apps', 'Deployment', generation(2), generation(1), OF_LABEL],
  'of daemons goes by the generation of their template': ['apps', 'DaemonSet', daemons('1'), daemons('1')],
  'of daemons speaks of another template': ['apps', 'DaemonSet', daemons('2'), daemons('1'), OF_LABEL],
  'says once that secrets are enforced': ['', 'ServiceAccount', account(enforced), account(enforced)],
  'says that secrets are enforced now': [
    '',
    'ServiceAccount',
    account(enforced),
    account({}),
    'metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets',
  ],
  'says every time that the schedule has a zone': [
    'batch',
    'CronJob',
    zoned,
    zoned,
    'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details',
  ],
  'of an EndpointSlice says nothing of names': [
    'discovery.k8s.io',
    'EndpointSlice',
    { metadata: {}, addressType: 'FQDN' },
    { metadata: {}, addressType: 'FQDN' },
  ],
};

describe('an update', () => {
  for (const [name, [group, kind, next, previous, ...expected]] of Object.entries(CHANGES))
    it(name, () => assert.deepEqual(objectWarnings({ group, kind })(next as never, previous as never), expected));
});

describe('a status', () => {
  const told = (path: string) => `${path}: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")`;

  it('of a Service is told of its own addresses, not of the spec', () => {
    const service = { metadata: {}, spec: { externalIPs: ['1.2.3.4'] }, status: { loadBalancer: { ingress: [{ ip: '2001:DB8::1' }] } } };
    assert.deepEqual(statusWarnings({ group: '', kind: 'Service' })?.(service as never), [told('status.loadBalancer.ingress[0]')]);
  });

  it('of an Ingress is told of addresses', () => {
    const ingress = { metadata: {}, spec: {}, status: { loadBalancer: { ingress: [{ hostname: 'a' }, { ip: '2001:DB8::1' }] } } };
    const of = { group: 'networking.k8s.io', kind: 'Ingress' };
    assert.deepEqual(statusWarnings(of)?.(ingress as never), [told('status.loadBalancer.ingress[1]')]);
  });

  it('of a Pod is told of addresses', () => {
    const pod = { metadata: {}, spec: {}, status: { podIPs: [{ ip: '1.2.3.4' }], hostIPs: [{ ip: '2001:DB8::1' }] } };
    assert.deepEqual(podStatusWarnings(pod as never), [told('status.hostIPs[0].ip')]);
  });
});
