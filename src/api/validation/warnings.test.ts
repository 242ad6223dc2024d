// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podWarnings, warningsOf } from './mod.ts';

describe('warnings', () => {
  const cases: Readonly<Record<string, readonly [object, ...string[]]>> = {
    'ports that overlap': [
      {
        containers: [
          { name: 'a', ports: [{ containerPort: 1, protocol: 'TCP' }] },
          { name: 'b', ports: [{ containerPort: 1, hostPort: 2, protocol: 'TCP' }] },
        ],
      },
      'spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]',
    ],
    'ports that are ambiguous': [
      {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 1, hostPort: 2, protocol: 'TCP' },
              { containerPort: 1, hostPort: 2, hostIP: '10.0.0.1', protocol: 'TCP' },
            ],
          },
        ],
      },
      'spec.containers[0].ports[1]: dangerously ambiguous port definition with spec.containers[0].ports[0]',
    ],
    'a negative grace period': [
      { terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
    'affinity to nothing': [
      { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z' }] } } },
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod',
    ],
    'files of one path': [
      {
        volumes: [
          {
            name: 'v',
            projected: { sources: [{ serviceAccountToken: { path: 't' } }, { configMap: { items: [{ key: 'k', path: 't' }] } }] },
          },
        ],
      },
      'volume "v" (Projected): overlapping paths: "t" (ConfigMap "") with "t" (ServiceAccountToken)',
    ],
    'files of a path each, against all before them': [
      {
        volumes: [
          {
            name: 'v',
            projected: {
              sources: [
                { serviceAccountToken: { path: 'a/b' } },
                { downwardAPI: { items: [{ path: 'a/' }, { path: 'a' }] } },
                { secret: { name: 's', items: [{ key: 'k', path: 'ab' }] } },
              ],
            },
          },
        ],
      },
      'volume "v" (Projected): overlapping paths: "a" (DownwardAPI) with "a/b" (ServiceAccountToken)',
      'volume "v" (Projected): overlapping paths: "a" (DownwardAPI) with "a/b" (ServiceAccountToken)',
      'volume "v" (Projected): overlapping paths: "a" (DownwardAPI) with "a" (DownwardAPI)',
    ],
    'names of ports that are not one': [
      {
        initContainers: [{ name: 'i', restartPolicy: 'Always', ports: [{ name: 'http', containerPort: 1, protocol: 'TCP' }] }],
        containers: [
          { name: 'a', ports: [{ name: 'other', containerPort: 2, protocol: 'TCP' }] },
          { name: 'b', ports: [{ name: 'http', containerPort: 3, protocol: 'TCP' }] },
          { name: 'c', ports: [{ name: 'http', containerPort: 4, protocol: 'TCP' }] },
        ],
      },
      ...[1, 2].map(
        (index) =>
          `spec.containers[${index}].ports[0]: duplicate port name "http" with spec.initContainers[0].ports[0], services and probes that select ports by name will use spec.initContainers[0].ports[0]`,
      ),
    ],
    'old labels of nodes': [
      { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } },
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    ],
    'long forms of addresses': [
      { dnsConfig: { nameservers: ['2001:DB8::1'] }, hostAliases: [{ ip: '0:0::1' }] },
      'spec.dnsConfig.nameservers[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
      'spec.hostAliases[0].ip: IPv6 address "0:0::1" should be in RFC 5952 canonical format ("::1")',
    ],
    'a file in the place of a folder': [
      {
        volumes: [
          {
            name: 'v',
            configMap: {
              name: 'c',
              items: [
                { key: 'a', path: 'a/b' },
                { key: 'b', path: 'a' },
              ],
            },
          },
        ],
      },
      'volume "v" (ConfigMap "c"): overlapping paths: "a" with "a/b"',
    ],
    'projections of nothing': [
      { volumes: [{ name: 'v', projected: { sources: [{}] } }] },
      'volume "v" (Projected) has no sources provided',
    ],
  };
  for (const [name, [spec, ...expected]] of Object.entries(cases))
    it(`tell of ${name}`, () => assert.deepEqual(podWarnings({ metadata: { name: 'p' }, spec } as never, undefined), expected));

  it('are for new Pods', () => {
    const next = { metadata: { name: 'p' }, spec: { terminationGracePeriodSeconds: -1 } };
    assert.deepEqual(podWarnings(next as never, { metadata: { name: 'p' }, spec: {} } as never), []);
  });
});

const OTHERS: Readonly<Record<string, readonly [of: string, object: object, ...string[]]>> = {
  'settings that do nothing': [
    '/Service',
    { spec: { type: 'ClusterIP', externalName: 'x' } },
    'spec.externalName is ignored when spec.type is not "ExternalName"',
  ],
  'settings of headless Services that do nothing': [
    '/Service',
    { spec: { type: 'ClusterIP', clusterIP: 'None', loadBalancerIP: '1.2.3.4', externalIPs: ['1.2.3.4'], sessionAffinity: 'ClientIP' } },
    'spec.loadBalancerIP is ignored for headless services',
    'spec.externalIPs is ignored for headless services',
    'spec.SessionAffinity is ignored for headless services',
  ],
  'addresses outside': [
    '/Service',
    { spec: { type: 'ClusterIP', clusterIP: '1.2.3.5', externalIPs: ['2001:DB8::1'], trafficDistribution: 'PreferClose' } },
    'spec.externalIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
    'spec.externalIPs is deprecated and may no longer be implemented in some clusters',
    'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
  ],
  'addresses outside of names': [
    '/Service',
    { spec: { type: 'ExternalName', externalName: 'x', externalIPs: ['1.2.3.4'] } },
    'spec.externalIPs is ignored when spec.type is "ExternalName"',
  ],
  'parts of bytes': [
    '/PersistentVolumeClaim',
    { spec: { resources: { requests: { storage: '500m' }, limits: { storage: '1500m' } } } },
    'spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer',
    'spec.resources.limits[storage]: fractional byte value "1500m" is invalid, must be an integer',
  ],
  'old ways of volumes': [
    '/PersistentVolume',
    {
      spec: {
        persistentVolumeReclaimPolicy: 'Recycle',
        glusterfs: {},
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'beta.kubernetes.io/arch', operator: 'Exists' }] }] } },
      },
    },
    'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    'spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead',
    'spec.glusterfs: deprecated in v1.25, non-functional in v1.26+',
  ],
  'old names of nodes': [
    '/Node',
    { spec: { externalID: 'x', podCIDRs: ['2001:DB8::/64'] } },
    'spec.externalID: this field is deprecated, and is unused by Kubernetes',
    'spec.podCIDRs[0]: IPv6 CIDR value "2001:DB8::/64" should be in RFC 5952 canonical format ("2001:db8::/64")',
  ],
};

describe('warnings of other kinds', () => {
  for (const [name, [of, object, ...expected]] of Object.entries(OTHERS)) {
    it(`tell of ${name}`, () => {
      const [group = '', kind = ''] = of.split('/');
      assert.deepEqual(warningsOf({ group, kind }, { metadata: {}, ...object } as never, true), expected);
    });
  }
});
