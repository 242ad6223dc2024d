// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { objectWarnings } from './object-warnings.ts';

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
  'a NetworkPolicy with a range in another form': [
    'networking.k8s.io',
    'NetworkPolicy',
    { metadata: {}, spec: { egress: [{ to: [{ ipBlock: { cidr: '2001:DB8::/32' } }] }] } },
    'spec.egress[0].to[0].ipBlock.cidr: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical format ("2001:db8::/32")',
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

it('an update that leaves the generation says nothing of the template', () => {
  const object = {
    metadata: { generation: 1 },
    spec: { template: { spec: { containers: [], nodeSelector: { 'beta.kubernetes.io/os': 'x' } } } },
  };
  const warnings = objectWarnings({ group: 'apps', kind: 'Deployment' });

  assert.deepEqual(warnings(object as never, { ...object, metadata: { generation: 1 } } as never), []);
  assert.equal(warnings(object as never, { ...object, metadata: { generation: 0 } } as never).length, 1);
});
