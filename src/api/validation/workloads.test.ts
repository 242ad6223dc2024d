// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const labels = { app: 'w' };
const template = {
  metadata: { labels },
  spec: {
    containers: [{ name: 'a', image: 'i', terminationMessagePolicy: 'File', imagePullPolicy: 'Always' }],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
  },
};
const metadata = { name: 'w', namespace: 'n', uid: 'u', resourceVersion: '1' };
const set = {
  metadata,
  spec: {
    replicas: 1,
    serviceName: 's',
    selector: { matchLabels: labels },
    template,
    podManagementPolicy: 'Parallel',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
  },
  status: { replicas: 1, collisionCount: 2 },
};
const STATEFUL_SET = { group: 'apps', version: 'v1', kind: 'StatefulSet' };

describeCreate(STATEFUL_SET, set, {
  'knows how Pods are managed': [
    ({ spec }) => (spec.podManagementPolicy = 'Random'),
    `spec.podManagementPolicy: Invalid value: "Random": must be 'OrderedReady' or 'Parallel'`,
  ],
  'lets some Pods be missing': [
    ({ spec }) => (spec.updateStrategy.rollingUpdate.maxUnavailable = 0),
    'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0',
  ],
  'has no deadline': [
    ({ spec }) => (spec.template.spec.activeDeadlineSeconds = 5),
    'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in StatefulSet is not Supported',
  ],
  'mounts what its claims become': [
    ({ spec }) => {
      spec.volumeClaimTemplates = [
        { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      ];
      spec.template.spec.containers[0].volumeMounts = [{ name: 'data', mountPath: '/data' }];
    },
  ],
  'does not mount what is nowhere': [
    ({ spec }) => (spec.template.spec.containers[0].volumeMounts = [{ name: 'data', mountPath: '/data' }]),
    'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"',
  ],
  'is the name of hosts': [({ metadata: meta }) => (meta.name = 'a.b'), 'metadata.name: Invalid value: "a.b": must not contain dots'],
  'is served by a host': [({ spec }) => (spec.serviceName = 'a.b'), 'spec.serviceName: Invalid value: "a.b": must not contain dots'],
  'keeps claims in a known way': [
    ({ spec }) => (spec.persistentVolumeClaimRetentionPolicy = { whenDeleted: 'Lose', whenScaled: 'Retain' }),
    'spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: "Lose": supported values: "Retain", "Delete"',
  ],
  'selects by labels that can be': [
    ({ spec }) => (spec.selector.matchLabels = { app: 'a b' }),
    `spec.selector.matchLabels: Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    'spec.selector: Invalid value: {"matchLabels":{"app":"a b"}}',
  ],
});

describeUpdate(
  STATEFUL_SET,
  { ...set, spec: { ...set.spec, serviceName: 'a.b', template: { ...template, spec: { ...template.spec, containers: [] } } } },
  { 'is let be where it was wrong before': [({ spec }) => (spec.replicas = 2)] },
);

describeUpdate(
  STATEFUL_SET,
  set,
  {
    'counts no more than there are': [
      ({ status }) => Object.assign(status, { readyReplicas: 2, availableReplicas: 3 }),
      'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
      'status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas',
      'status.availableReplicas: Invalid value: 3: cannot be greater than status.readyReplicas',
    ],
    'counts collisions up': [({ status }) => (status.collisionCount = 1), 'status.collisionCount: Invalid value: 1: cannot be decremented'],
  },
  'status',
);

const uid = 'u';
const own = { 'batch.kubernetes.io/controller-uid': uid, 'controller-uid': uid, 'batch.kubernetes.io/job-name': 'w', 'job-name': 'w' };
const job = {
  metadata,
  spec: {
    parallelism: 2,
    completions: 2,
    completionMode: 'Indexed',
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
    template: { metadata: { labels: own }, spec: { ...template.spec, restartPolicy: 'Never' } },
  },
};
const JOB = { group: 'batch', version: 'v1', kind: 'Job' };

describeCreate(JOB, job, {
  'fails indexes only with a limit for each': [
    ({ spec }) => (spec.maxFailedIndexes = 3),
    'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
    'spec.maxFailedIndexes: Invalid value: 3: must be less than or equal to completions',
  ],
  'is managed by somebody with a domain': [
    ({ spec }) => (spec.managedBy = `${'a'.repeat(60)}.io/x`),
    'spec.managedBy: Too long: may not be more than 63 bytes',
  ],
  'looks at containers that there are': [
    ({ spec }) =>
      (spec.podFailurePolicy = { rules: [{ action: 'FailIndex', onExitCodes: { containerName: 'b', operator: 'In', values: [1, 1] } }] }),
    'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
    'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "b": must be one of the container or initContainer names in the pod template',
    'spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Duplicate value: 1',
  ],
  'succeeds by indexes that there are': [
    ({ spec }) => (spec.successPolicy = { rules: [{ succeededIndexes: '0,5' }, {}] }),
    'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0,5": error parsing succeededIndexes: too large index: "5"',
    'spec.successPolicy.rules[1]: Required value: at least one of succeededCount or succeededIndexes must be specified',
  ],
});

describeUpdate(JOB, job, {
  'grows as a whole': [({ spec }) => Object.assign(spec, { completions: 3, parallelism: 3 })],
  'does not grow in part': [
    ({ spec }) => (spec.completions = 3),
    'spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism',
  ],
});
