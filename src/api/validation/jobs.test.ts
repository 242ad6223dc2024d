// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const uid = 'u';
const own = { 'batch.kubernetes.io/controller-uid': uid, 'controller-uid': uid, 'batch.kubernetes.io/job-name': 'w', 'job-name': 'w' };
const spec = {
  containers: [{ name: 'a', image: 'i', terminationMessagePolicy: 'File', imagePullPolicy: 'Always' }],
  restartPolicy: 'Never',
  dnsPolicy: 'ClusterFirst',
  terminationGracePeriodSeconds: 30,
};
const job = {
  metadata: { name: 'w', namespace: 'n', uid, resourceVersion: '1' },
  spec: {
    parallelism: 2,
    completions: 2,
    selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
    template: { metadata: { labels: own }, spec },
  },
  status: {},
};
const JOB = { group: 'batch', version: 'v1', kind: 'Job' };
const shown = (changes: object) => JSON.stringify(Object.fromEntries(Object.entries({ ...own, ...changes }).sort()));

describeCreate(JOB, job, {
  'keeps the labels it is given': [
    ({ spec: { template } }) => (template.metadata.labels['job-name'] = 'x'),
    `spec.template.metadata.labels[job-name]: Invalid value: ${shown({ 'job-name': 'x' })}: must be 'w'`,
  ],
  'needs the labels it selects by': [
    ({ spec: { template } }) => delete template.metadata.labels['job-name'],
    `spec.template.metadata.labels[job-name]: Required value: must be 'w'`,
  ],
  'selects by its own labels only': [
    (object) => (object.spec.selector = { matchExpressions: [{ key: 'controller-uid', operator: 'In', values: ['u', 'v'] }] }),
  ],
  'says what is wrong with exit codes that are not there': [
    (object) => (object.spec.podFailurePolicy = { rules: [{ action: 'Ignore', onExitCodes: { operator: 'In' } }] }),
    'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: null: at least one value is required',
  ],
  'replaces Pods in a known way': [
    (object) => (object.spec.podReplacementPolicy = ''),
    'spec.podReplacementPolicy: Unsupported value: "": supported values: "Failed", "TerminatingOrFailed"',
  ],
});

const suspended = { ...job, spec: { ...job.spec, suspend: true } };
const near = {
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }] },
  },
};
const IMAGE = (path: string, image: string) => {
  const containers = [{ Name: 'a', Image: image, TerminationMessagePolicy: 'File', ImagePullPolicy: 'Always' }];
  const inner = { Containers: containers, RestartPolicy: 'Never', DnsPolicy: 'ClusterFirst', TerminationGracePeriodSeconds: 30 };
  return `${path}: Invalid value: ${JSON.stringify(inner)}: field is immutable`;
};

describeUpdate(JOB, suspended, {
  'moves to other nodes while it is suspended': [
    ({ spec: { template } }) => Object.assign(template.spec, { nodeSelector: { a: 'b' }, affinity: near }),
  ],
  'gets other resources while it is suspended': [
    ({ spec: { template } }) => (template.spec.containers[0].resources = { requests: { cpu: '1' } }),
  ],
  'keeps its images while it is suspended': [
    ({ spec: { template } }) => (template.spec.containers[0].image = 'j'),
    IMAGE('spec.template.spec', 'j'),
  ],
});

const running = { ...suspended, status: { active: 1 } };
describeUpdate(JOB, running, {
  'stays while Pods run': [
    ({ spec: { template } }) => (template.metadata.finalizers = ['a.io/b']),
    `spec.template: Invalid value: ${JSON.stringify({
      Metadata: {
        Labels: Object.fromEntries(Object.entries(own).map(([key, value]) => [`${key.charAt(0).toUpperCase()}${key.slice(1)}`, value])),
        Finalizers: ['a.io/b'],
      },
      Spec: {
        Containers: [{ Name: 'a', Image: 'i', TerminationMessagePolicy: 'File', ImagePullPolicy: 'Always' }],
        RestartPolicy: 'Never',
        DnsPolicy: 'ClusterFirst',
        TerminationGracePeriodSeconds: 30,
      },
    })}: field is immutable`,
  ],
});

const CRON = { group: 'batch', version: 'v1', kind: 'CronJob' };
const cron = {
  metadata: { name: 'w', namespace: 'n', resourceVersion: '1' },
  spec: { schedule: '* * * * *', concurrencyPolicy: 'Allow', jobTemplate: { spec: { template: { metadata: {}, spec } } } },
};

describeCreate(CRON, cron, {
  'has no selector': [
    ({ spec: { jobTemplate } }) => Object.assign(jobTemplate.spec, { manualSelector: true, selector: { matchLabels: { a: 'b' } } }),
    'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
    'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
  ],
  'names its zone in one place': [
    (object) => (object.spec.schedule = 'TZ=Asia/Seoul 0 * * * *'),
    'spec.schedule: Invalid value: "TZ=Asia/Seoul 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
  ],
  'writes its zone as it is written': [
    (object) => (object.spec.timeZone = 'asia/seoul'),
    'spec.timeZone: Invalid value: "asia/seoul": unknown time zone asia/seoul',
  ],
  'runs in a zone that is the same everywhere': [
    (object) => (object.spec.timeZone = 'Local'),
    'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
  ],
});

describeUpdate(
  CRON,
  { ...cron, spec: { ...cron.spec, schedule: 'TZ=UTC * * * * *', timeZone: 'No/Where' } },
  {
    'keeps the zone it had, but not next to another': [
      (object) => (object.spec.schedule = 'TZ=UTC 0 * * * *'),
      'spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule',
    ],
  },
);
