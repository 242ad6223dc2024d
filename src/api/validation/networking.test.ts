// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const group = 'networking.k8s.io';
const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };
const policy = {
  metadata,
  spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }], ports: [{ port: 80 }] }] },
};
const POLICY = { group, version: 'v1', kind: 'NetworkPolicy' };

describeCreate(POLICY, policy, {
  'needs a block': [({ spec }) => (spec.ingress[0].from[0].ipBlock = {}), 'spec.ingress[0].from[0].ipBlock.cidr: Required value'],
  'leaves out parts of the block': [
    ({ spec }) => (spec.ingress[0].from[0].ipBlock.except = ['10.1.0.0/16', '11.0.0.0/16', '10.0.0.0/8']),
    'spec.ingress[0].from[0].ipBlock.except[1]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
    'spec.ingress[0].from[0].ipBlock.except[2]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`',
  ],
  'ends ranges of numbers': [
    ({ spec }) => (spec.ingress[0].ports = [{ endPort: 5 }, { port: 'http', endPort: 5 }, { port: 9, endPort: 5 }]),
    'spec.ingress[0].ports[0].endPort: Invalid value: 5: may not be specified when `port` is not specified',
    'spec.ingress[0].ports[1].endPort: Invalid value: 5: may not be specified when `port` is non-numeric',
    'spec.ingress[0].ports[2].endPort: Invalid value: 9: must be greater than or equal to `port`',
  ],
  'has known types': [
    ({ spec }) => (spec.policyTypes = ['Sideways']),
    'spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"',
  ],
});
const odd = structuredClone(policy);
Object.assign(odd.spec.ingress[0]?.from[0]?.ipBlock ?? {}, { cidr: '10.0.0.1/8' });
describeUpdate(POLICY, odd, { 'keeps blocks that it had': [({ metadata: own }) => (own.labels = { a: 'b' })] });

const ingressClass = { metadata: { name: 'c', resourceVersion: '1' }, spec: { controller: 'ex.io/c' } };
const CLASS = { group, version: 'v1', kind: 'IngressClass' };
describeCreate(CLASS, ingressClass, {
  'needs a controller': [({ spec }) => delete spec.controller, 'spec.controller: Required value'],
  'has a controller with a domain': [
    ({ spec }) => (spec.controller = 'c'),
    'spec.controller: Invalid value: "c": must be a domain-prefixed path (such as "acme.io/foo")',
  ],
  'says where its parameters are': [
    ({ spec }) => (spec.parameters = { kind: 'K', name: 'n', scope: 'Namespace' }),
    "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'",
  ],
});
describeUpdate(CLASS, ingressClass, {
  'keeps its controller': [({ spec }) => (spec.controller = 'ex.io/d'), 'spec.controller: Invalid value: "ex.io/d": field is immutable'],
});

describeCreate(
  { group, version: 'v1', kind: 'IPAddress' },
  { metadata: { name: '10.0.0.1' }, spec: { parentRef: { resource: 'services', namespace: 'n', name: 's' } } },
  {
    'refers by names that paths can have': [
      ({ spec }) => (spec.parentRef.name = 'a/b'),
      `spec.parentRef.name: Invalid value: "a/b": may not contain '/'`,
    ],
  },
);

const slice = {
  metadata,
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.0.0.1'], conditions: {} }],
  ports: [{ name: '', protocol: 'TCP' }],
};
describeCreate({ group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice' }, slice, {
  'hints at each zone once': [
    ({ endpoints }) => (endpoints[0].hints = { forZones: [{ name: 'a' }, { name: 'a' }] }),
    'endpoints[0].hints.forZones[1].name: Duplicate value: "a"',
  ],
  'has not too many addresses': [
    ({ endpoints }) => (endpoints[0].addresses = Array.from({ length: 101 }, () => '10.0.0.1')),
    'endpoints[0].addresses: Too many: 101: must have at most 100 items',
  ],
});
