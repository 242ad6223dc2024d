// SPDX-License-Identifier: Apache-2.0
// The FlowSchemas and PriorityLevelConfigurations that every cluster has. `flow-controller.ts` keeps them.
// @source upstream apiserver pkg/apis/flowcontrol/bootstrap/default.go
import type { FlowSchema, PriorityLevelConfiguration } from '#api/flowcontrol/v1';
import type { Draft } from '#machinery';

type Level = Draft<PriorityLevelConfiguration>;
type Schema = Draft<FlowSchema>;
type Rule = NonNullable<FlowSchema['spec']['rules']>[number];
type Subject = Rule['subjects'][number];

/** 'true': the spec is the system's to keep. */
export const AUTO_UPDATE_ANNOTATION = 'apf.kubernetes.io/autoupdate-spec';
const AUTO_UPDATE = { [AUTO_UPDATE_ANNOTATION]: 'true' };
const SHUFFLE = { queues: 64, handSize: 6, queueLengthLimit: 50 };

function limited(name: string, nominalConcurrencyShares: number, lendablePercent: number, queuing: object | undefined = SHUFFLE): Level {
  const limitResponse = queuing === undefined ? { type: 'Reject' } : { type: 'Queue', queuing };
  return {
    metadata: { name, annotations: AUTO_UPDATE },
    spec: { type: 'Limited', limited: { nominalConcurrencyShares, lendablePercent, limitResponse } },
  } as Level;
}

export function priorityLevels(): readonly Level[] {
  return [
    {
      metadata: { name: 'exempt', annotations: AUTO_UPDATE },
      spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } },
    } as Level,
    limited('catch-all', 5, 0, undefined),
    limited('system', 30, 33),
    limited('node-high', 40, 25),
    limited('leader-election', 10, 0, { queues: 16, handSize: 4, queueLengthLimit: 50 }),
    limited('workload-high', 40, 50, { ...SHUFFLE, queues: 128 }),
    limited('workload-low', 100, 90, { ...SHUFFLE, queues: 128 }),
    limited('global-default', 20, 50, { ...SHUFFLE, queues: 128 }),
  ];
}

const group = (name: string): Subject => ({ kind: 'Group', group: { name } });
const user = (name: string): Subject => ({ kind: 'User', user: { name } });
const SYSTEM_ACCOUNTS: Subject = { kind: 'ServiceAccount', serviceAccount: { namespace: 'kube-system', name: '*' } };
const EVERYBODY = [group('system:unauthenticated'), group('system:authenticated')];
const CONTROL_PLANE = [user('system:kube-controller-manager'), user('system:kube-scheduler')];

const EVERYTHING: Omit<Rule, 'subjects'> = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};
const leases = (verbs: string[]) => ({ verbs, apiGroups: ['coordination.k8s.io'], resources: ['leases'], namespaces: ['*'] });

interface Flow {
  readonly level: string;
  readonly precedence: number;
  readonly by?: 'ByUser' | 'ByNamespace';
  readonly subjects: Subject[];
  readonly rules?: Omit<Rule, 'subjects'>;
}

function flow(name: string, { level, precedence, by, subjects, rules = EVERYTHING }: Flow): Schema {
  return {
    metadata: { name, annotations: AUTO_UPDATE },
    spec: {
      priorityLevelConfiguration: { name: level },
      matchingPrecedence: precedence,
      ...(by === undefined ? {} : { distinguisherMethod: { type: by } }),
      rules: [{ subjects, ...rules }],
    },
  };
}

export function flowSchemas(): readonly Schema[] {
  const nodes = [group('system:nodes')];
  return [
    flow('exempt', { level: 'exempt', precedence: 1, subjects: [group('system:masters')] }),
    flow('probes', {
      level: 'exempt',
      precedence: 2,
      subjects: EVERYBODY,
      rules: { nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/readyz', '/livez'] }] },
    }),
    flow('system-leader-election', {
      level: 'leader-election',
      precedence: 100,
      by: 'ByUser',
      subjects: [...CONTROL_PLANE, SYSTEM_ACCOUNTS],
      rules: { resourceRules: [leases(['get', 'create', 'update'])] },
    }),
    flow('system-node-high', {
      level: 'node-high',
      precedence: 400,
      by: 'ByUser',
      subjects: nodes,
      rules: {
        resourceRules: [
          { verbs: ['*'], apiGroups: [''], resources: ['nodes', 'nodes/status'], clusterScope: true, namespaces: ['*'] },
          leases(['*']),
        ],
      },
    }),
    flow('system-nodes', { level: 'system', precedence: 500, by: 'ByUser', subjects: nodes }),
    flow('kube-controller-manager', { level: 'workload-high', precedence: 800, by: 'ByNamespace', subjects: CONTROL_PLANE.slice(0, 1) }),
    flow('kube-scheduler', { level: 'workload-high', precedence: 800, by: 'ByNamespace', subjects: CONTROL_PLANE.slice(1) }),
    flow('kube-system-service-accounts', { level: 'workload-high', precedence: 900, by: 'ByNamespace', subjects: [SYSTEM_ACCOUNTS] }),
    flow('service-accounts', { level: 'workload-low', precedence: 9000, by: 'ByUser', subjects: [group('system:serviceaccounts')] }),
    flow('global-default', { level: 'global-default', precedence: 9900, by: 'ByUser', subjects: EVERYBODY }),
    flow('catch-all', { level: 'catch-all', precedence: 10_000, by: 'ByUser', subjects: EVERYBODY }),
  ];
}

/** What the status of a schema says of its priority level. */
export function danglingCondition(level: string, exists: boolean, time: string) {
  const what = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return {
    type: 'Dangling',
    status: exists ? 'False' : 'True',
    lastTransitionTime: time,
    reason: exists ? 'Found' : 'NotFound',
    message: exists ? `${what} and it exists` : `${what} but there is no such object`,
  };
}
