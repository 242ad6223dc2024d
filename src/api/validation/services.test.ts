// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const OF = { group: '', version: 'v1', kind: 'Service' };
const valid = {
  metadata: { name: 's', namespace: 'n', resourceVersion: '1' },
  spec: {
    type: 'LoadBalancer',
    clusterIP: '10.0.0.5',
    clusterIPs: ['10.0.0.5'],
    ipFamilies: ['IPv4'],
    ipFamilyPolicy: 'SingleStack',
    ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
    sessionAffinity: 'None',
    allocateLoadBalancerNodePorts: true,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
  },
};

describeCreate(OF, valid, {
  'has addresses of the families that it asks for': [
    ({ spec }) => (spec.ipFamilies = ['IPv6']),
    'spec.clusterIPs[0]: Invalid value: "10.0.0.5": expected an IPv6 value as indicated by `ipFamilies[0]`',
  ],
  'routes from outside in some way': [({ spec }) => delete spec.externalTrafficPolicy, 'spec.externalTrafficPolicy: Required value'],
  'says how long clients stick': [
    ({ spec }) => Object.assign(spec, { sessionAffinity: 'ClientIP', sessionAffinityConfig: {} }),
    'spec.sessionAffinityConfig.clientIP: Required value: when session affinity type is ClientIP',
  ],
  'balances from ranges': [
    ({ spec }) => (spec.loadBalancerSourceRanges = ['10.0.0.1/24']),
    'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.1/24": must not have bits set beyond the prefix length',
  ],
});

describeUpdate(OF, valid, {
  'keeps its address': [
    ({ spec }) => Object.assign(spec, { clusterIP: '10.0.0.6', clusterIPs: ['10.0.0.6'] }),
    'spec.clusterIPs[0]: Invalid value: ["10.0.0.6"]: may not change once set',
  ],
  'keeps its family': [
    ({ spec }) => (spec.ipFamilies = ['IPv6']),
    'spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set',
    'spec.clusterIPs[0]: Invalid value: "10.0.0.5": expected an IPv6 value as indicated by `ipFamilies[0]`',
  ],
});

describeUpdate(
  OF,
  valid,
  {
    'says how traffic to an address arrives': [
      (object) =>
        (object.status = {
          loadBalancer: {
            ingress: [
              { ip: '10.1.1.1', ipMode: 'Magic' },
              { hostname: 'h', ipMode: 'VIP' },
            ],
          },
        }),
      'status.loadBalancer.ingress[0].ipMode: Unsupported value: "Magic": supported values: "Proxy", "VIP"',
      'status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set',
    ],
  },
  'status',
);
