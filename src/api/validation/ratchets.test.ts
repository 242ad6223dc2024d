// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { validateObjectUpdate } from './mod.ts';
import { podUpdateCauses } from './pod-update.ts';

// biome-ignore lint/suspicious/noExplicitAny: cases make objects that no type allows
type Draft = any;
const metadata = { name: 'x', namespace: 'n', uid: 'u', resourceVersion: '1' };
const container = { name: 'c', image: 'i', imagePullPolicy: 'Always', terminationMessagePolicy: 'File', resources: {} };
const pod = () => ({
  metadata: { ...metadata } as Draft,
  spec: {
    containers: [structuredClone(container)],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
    securityContext: {},
  } as Draft,
  status: {},
});
const deployment = () => {
  const { metadata: _, spec } = pod();
  const labels = { a: 'b' };
  const template = { metadata: { labels } as Draft, spec };
  const strategy = { type: 'Recreate' };
  return { metadata: { ...metadata }, spec: { replicas: 1, selector: { matchLabels: labels }, template, strategy } };
};

/** Faults of a Pod's spec or metadata that stay where they were. */
const FAULTS: Readonly<Record<string, (of: { metadata: Draft; spec: Draft }) => unknown>> = {
  'a cost of deletion that is no number': ({ metadata }) => (metadata.annotations = { 'controller.kubernetes.io/pod-deletion-cost': 'x' }),
  'parts of huge pages': ({ spec }) => {
    const list = { cpu: '1', 'hugepages-2Mi': '3Mi' };
    spec.containers[0].resources = { limits: list, requests: list };
  },
  'values of selectors among Pods': ({ spec }) => {
    const labelSelector = { matchExpressions: [{ key: 'a', operator: 'In', values: ['-'] }] };
    spec.affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z', labelSelector }] } };
  },
  'values that nodes have to have': ({ spec }) => {
    const nodeSelectorTerms = [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['-'] }] }];
    spec.affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } };
  },
  'selectors to spread by': ({ spec }) => {
    const labelSelector = { matchExpressions: [{ key: '-', operator: 'Exists' }] };
    spec.topologySpreadConstraints = [{ maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule', labelSelector }];
  },
  'paths of tokens outside of their volume': ({ spec }) => {
    const sources = [{ serviceAccountToken: { path: '../t', expirationSeconds: 3600 } }];
    spec.serviceAccountName = 'a';
    spec.volumes = [{ name: 'v', projected: { sources } }];
  },
  "settings of the kernel that are the host's": ({ spec }) => {
    spec.hostNetwork = true;
    spec.securityContext = { sysctls: [{ name: 'net.core.somaxconn', value: '1' }] };
  },
  'addresses with leading zeros': ({ spec }) => (spec.hostAliases = [{ ip: '10.0.0.01', hostnames: ['h'] }]),
};

describe('a Pod that had', () => {
  for (const [name, spoil] of Object.entries(FAULTS)) {
    it(`${name} may be changed otherwise`, () => {
      const [next, previous] = [pod(), pod()];
      spoil(next);
      spoil(previous);
      next.metadata.labels = { changed: 'yes' };
      assert.deepEqual(podUpdateCauses(next as Draft, previous as Draft), []);
    });
  }
});

describe('a template', () => {
  for (const [name, spoil] of Object.entries(FAULTS)) {
    const of = { group: 'apps', version: 'v1', kind: 'Deployment' };
    it(`that had ${name} may be changed otherwise`, () => {
      const [next, previous] = [deployment(), deployment()];
      spoil(next.spec.template);
      spoil(previous.spec.template);
      assert.deepEqual(validateObjectUpdate(of, next as Draft, previous as Draft, ''), []);
    });

    it(`does not get ${name}`, () => {
      const next = deployment();
      spoil(next.spec.template);
      assert.notDeepEqual(validateObjectUpdate(of, next as Draft, deployment() as Draft, ''), []);
    });
  }
});

const values = (value: string) => ({ matchExpressions: [{ key: 'a', operator: 'In', values: [value] }] });
type Case = readonly [of: readonly [group: string, kind: string, subresource?: string], previous: object, next: object, more: object];
/** An object that is wrong, a change that leaves it so, and one that makes it worse. */
const CASES: Readonly<Record<string, Case>> = {
  'the selector of a budget': [
    ['policy', 'PodDisruptionBudget'],
    { spec: { selector: values('-') } },
    { spec: { selector: values('-'), minAvailable: 1 } },
    { spec: { selector: { matchLabels: { a: '-' } } } },
  ],
  'selectors of a network policy, if that of its Pods was wrong': [
    ['networking.k8s.io', 'NetworkPolicy'],
    { spec: { podSelector: values('-') } },
    { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: values('_') }] }] } },
    { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: { matchLabels: { a: '_' } } }] }] } },
  ],
  'ranges of a network policy': [
    ['networking.k8s.io', 'NetworkPolicy'],
    { spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.1/8' } }] }] } },
    { spec: { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.1/8' } }] }] } },
    { spec: { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.2/8' } }] }] } },
  ],
  'rules of an Ingress for wildcards': [
    ['networking.k8s.io', 'Ingress'],
    { spec: { rules: [{ host: '*.a.io', http: { paths: [] } }] } },
    { spec: { rules: [{ host: '*.b.io', http: { paths: [] } }] } },
    { spec: { rules: [{ host: 'b.io', http: { paths: [] } }] } },
  ],
  'addresses of Endpoints': [
    ['', 'Endpoints'],
    { subsets: [{ addresses: [{ ip: '::ffff:1.2.3.4' }] }] },
    { subsets: [{ notReadyAddresses: [{ ip: '::ffff:1.2.3.4' }] }] },
    { subsets: [{ notReadyAddresses: [{ ip: '::ffff:1.2.3.5' }] }] },
  ],
  'networks of a node': [
    ['', 'Node'],
    { spec: { podCIDRs: ['010.0.0.0/8'] } },
    { spec: { podCIDRs: ['010.0.0.0/8'], unschedulable: true } },
    { spec: { podCIDRs: ['020.0.0.0/8'] } },
  ],
  'addresses in the status of an Ingress': [
    ['networking.k8s.io', 'Ingress', 'status'],
    { status: { loadBalancer: { ingress: [{ ip: '1.2.3.04' }] } } },
    { status: { loadBalancer: { ingress: [{ hostname: 'h' }, { ip: '1.2.3.04' }] } } },
    { status: { loadBalancer: { ingress: [{ ip: '1.2.3.05' }] } } },
  ],
};

describe('what was wrong before may stay:', () => {
  for (const [name, [[group, kind, subresource = ''], previous, next, more]] of Object.entries(CASES)) {
    const full = (object: object) => ({ metadata: kind === 'Node' ? { ...metadata, namespace: undefined } : metadata, ...object }) as Draft;
    const causesOf = (object: object) => validateObjectUpdate({ group, version: 'v1', kind }, full(object), full(previous), subresource);

    it(name, () => assert.deepEqual(causesOf(next), []));
    it(`${name}, and no more than that`, () => assert.notDeepEqual(causesOf(more), []));
  }
});
