// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const SCHEMA = { group: 'flowcontrol.apiserver.k8s.io', version: 'v1', kind: 'FlowSchema' };
const schema = {
  metadata: { name: 'f', resourceVersion: '1' },
  spec: {
    matchingPrecedence: 50,
    priorityLevelConfiguration: { name: 'p' },
    rules: [
      {
        subjects: [{ kind: 'ServiceAccount', serviceAccount: { name: '*', namespace: 'n' } }],
        resourceRules: [{ verbs: ['get'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['/a/*'] }],
      },
    ],
  },
  status: {},
};
const VERBS = '"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"';

describeCreate(SCHEMA, schema, {
  'speaks of verbs that there are': [
    ({ spec }) => (spec.rules[0].resourceRules[0].verbs = ['feed']),
    `spec.rules[0].resourceRules[0].verbs: Unsupported value: ["feed"]: supported values: ${VERBS}`,
  ],
  'speaks of paths with verbs of resources': [
    ({ spec }) => (spec.rules[0].nonResourceRules[0].verbs = ['post']),
    `spec.rules[0].nonResourceRules[0].verbs: Unsupported value: ["post"]: supported values: ${VERBS}`,
  ],
  'speaks of some verb': [
    ({ spec }) => (spec.rules[0].nonResourceRules[0].verbs = []),
    'spec.rules[0].nonResourceRules[0].verbs: Required value: verbs must contain at least one value',
  ],
  'ends paths in a star alone': [
    ({ spec }) => (spec.rules[0].nonResourceRules[0].nonResourceURLs = ['/health*', '/*/*']),
    'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/health*": wildcard can only do suffix matching',
    'spec.rules[0].nonResourceRules[0].nonResourceURLs[1]: Invalid value: "/*/*": wildcard can only do suffix matching',
  ],
  'names namespaces': [
    ({ spec }) => (spec.rules[0].resourceRules[0].namespaces = ['-foo']),
    `spec.rules[0].resourceRules[0].namespaces[0]: Invalid value: "-foo": each member of this list must be '*' or a DNS-1123 label; a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
  ],
  'names one subject at a time': [
    ({ spec }) => (spec.rules[0].subjects = [{ kind: 'ServiceAccount', user: { name: 'u' }, group: { name: 'g' } }]),
    `spec.rules[0].subjects[0].serviceAccount: Required value: serviceAccount is required when subject kind is 'ServiceAccount'`,
    `spec.rules[0].subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'`,
    `spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'`,
  ],
});

describeUpdate(
  SCHEMA,
  schema,
  {
    'has one condition of a type': [
      ({ status }) => (status.conditions = [{ type: '1' }, { type: '1' }, {}]),
      'status.conditions[1].type: Duplicate value: "1"',
      'status.conditions[2].type: Required value: must not be empty',
    ],
  },
  'status',
);

const LEVEL = { group: 'flowcontrol.apiserver.k8s.io', version: 'v1', kind: 'PriorityLevelConfiguration' };
const queuing = { queues: 64, handSize: 6, queueLengthLimit: 50 };
const level = {
  metadata: { name: 'p' },
  spec: { type: 'Limited', limited: { nominalConcurrencyShares: 5, limitResponse: { type: 'Queue', queuing } } },
};

describeCreate(LEVEL, level, {
  'deals hands that a hash can choose': [
    ({ spec }) => Object.assign(spec.limited.limitResponse.queuing, { queues: 512, handSize: 8 }),
    'spec.limited.limitResponse.queuing.handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60',
  ],
  'is exempt only by the name': [
    (object) => Object.assign(object, { metadata: { name: 'exempt' }, spec: { type: 'Odd' } }),
    `spec.type: Invalid value: "Odd": must be 'Exempt' if and only if \`name\` is 'exempt'`,
    'spec.type: Unsupported value: "Odd": supported values: "Exempt", "Limited"',
  ],
});
