// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const SERVICE = { group: '', version: 'v1', kind: 'Service' };
const BOTH = 'RequireDualStack';
const RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
const service = {
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

describeCreate(SERVICE, service, {
  'may use the port of the kubelet': [({ spec }) => (spec.ports[0].port = 10250)],
  'balances from ranges of its annotation': [
    ({ metadata }) => (metadata.annotations = { [RANGES]: 'foo.bar' }),
    'metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Invalid value: "foo.bar": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
  ],
  'listens to ranges in the spec first': [
    ({ metadata, spec }) => {
      metadata.annotations = { [RANGES]: 'foo.bar' };
      spec.loadBalancerSourceRanges = ['1.2.3.0/24'];
    },
  ],
  'balances only where there is a balancer': [
    ({ metadata, spec }) => {
      metadata.annotations = { [RANGES]: '' };
      Object.assign(spec, {
        type: 'ClusterIP',
        externalTrafficPolicy: undefined,
        allocateLoadBalancerNodePorts: undefined,
        loadBalancerClass: 'x',
      });
    },
    "metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: Forbidden: may only be used when `type` is 'LoadBalancer'",
    "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
  ],
  'has no address in place of a name': [
    ({ spec }) => {
      for (const name of ['externalTrafficPolicy', 'allocateLoadBalancerNodePorts', 'internalTrafficPolicy']) delete spec[name];
      Object.assign(spec, { type: 'ExternalName', externalName: 'f.b', ports: [] });
    },
    'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
    'spec.ipFamilies: Forbidden: may not be set for ExternalName services',
    'spec.ipFamilyPolicy: Forbidden: may not be set for ExternalName services',
  ],
  'has no addresses where it has none at all': [
    ({ spec }) => Object.assign(spec, { clusterIP: 'None', clusterIPs: ['None', '10.0.0.5'], ipFamilyPolicy: BOTH }),
    `spec.clusterIPs[0]: Invalid value: "None": may not be set to 'None' for LoadBalancer services`,
    `spec.clusterIPs: Invalid value: ["None","10.0.0.5"]: 'None' must be the first and only value`,
  ],
  'has none only in the first place': [
    ({ spec }) => Object.assign(spec, { clusterIPs: ['10.0.0.5', 'None'], ipFamilyPolicy: BOTH }),
    'spec.clusterIPs[1]: Invalid value: "None": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
  'has one address of each family': [
    ({ spec }) => Object.assign(spec, { clusterIPs: ['10.0.0.5', '10.0.0.6'], ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: BOTH }),
    'spec.clusterIPs: Invalid value: ["10.0.0.5","10.0.0.6"]: may specify no more than one IP for each IP family',
    'spec.clusterIPs[1]: Invalid value: "10.0.0.6": expected an IPv6 value as indicated by `ipFamilies[1]`',
  ],
  'has two addresses at most': [
    ({ spec }) =>
      Object.assign(spec, { clusterIPs: ['10.0.0.5', '2001:db8::1', '10.0.0.6'], ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: BOTH }),
    'spec.clusterIPs: Invalid value: ["10.0.0.5","2001:db8::1","10.0.0.6"]: may only hold up to 2 values',
  ],
  'asks for known families once': [
    ({ spec }) => Object.assign(spec, { clusterIP: undefined, clusterIPs: undefined, ipFamilies: ['x', 'x'], ipFamilyPolicy: BOTH }),
    'spec.ipFamilies[0]: Unsupported value: "x": supported values: "IPv4", "IPv6"',
    'spec.ipFamilies[1]: Unsupported value: "x": supported values: "IPv4", "IPv6"',
    'spec.ipFamilies[1]: Duplicate value: "x"',
  ],
  'is outside at addresses that reach outside': [
    ({ spec }) => (spec.externalIPs = ['127.0.0.1', '0.0.0.0', 'myhost']),
    'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    'spec.externalIPs[1]: Invalid value: "0.0.0.0": may not be unspecified (0.0.0.0)',
    'spec.externalIPs[2]: Invalid value: "myhost": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
  ],
});

describeUpdate(SERVICE, service, {
  'gets a second address': [
    ({ spec }) => Object.assign(spec, { clusterIPs: ['10.0.0.5', '2001:db8::1'], ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: BOTH }),
  ],
  'keeps the class of its balancer': [
    ({ spec }) => (spec.loadBalancerClass = 'x.io/y'),
    'spec.loadBalancerClass: Invalid value: "x.io/y": may not change once set',
  ],
});
