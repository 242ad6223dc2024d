// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linesOf } from './_cases.ts';
import { podResizeCauses, podStatusCauses, podUpdateCauses } from './mod.ts';

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
    `status.conditions[0].Type: Invalid value: "bad type": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
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
    'spec: Forbidden: only cpu and memory resources are mutable',
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
