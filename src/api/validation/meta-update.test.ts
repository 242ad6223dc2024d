// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };
const core = (kind: string) => ({ group: '', version: 'v1', kind });
const LABEL = `metadata.labels: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;

const ODD = 'metadata.finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified';
const CONFLICT =
  'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set';
const PREFIX = `metadata.generateName: Invalid value: "Up": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;

describeUpdate(
  core('ConfigMap'),
  { metadata },
  {
    'has its labels looked at by all and by its kind, twice each': [
      ({ metadata }) => (metadata.labels = { a: '-' }),
      LABEL,
      LABEL,
      LABEL,
      LABEL,
    ],
    'has finalizers with a domain': [({ metadata }) => (metadata.finalizers = ['odd']), ODD, ODD],
    'has no two finalizers that contradict each other': [
      ({ metadata }) => (metadata.finalizers = ['orphan', 'foregroundDeletion']),
      CONFLICT,
      CONFLICT,
    ],
    'has a prefix that its kind takes': [({ metadata }) => (metadata.generateName = 'Up'), PREFIX],
    'keeps its uid, which all and its kind say once each': [
      ({ metadata }) => (metadata.uid = 'u'),
      'metadata.uid: Invalid value: "u": field is immutable',
      'metadata.uid: Invalid value: "u": field is immutable',
    ],
  },
);

describeUpdate(
  core('Event'),
  { metadata, involvedObject: { namespace: 'n' }, type: 'Normal' },
  {
    'is looked at by all': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL, LABEL],
    'has any finalizers': [({ metadata }) => (metadata.finalizers = ['odd'])],
  },
);

describeUpdate(
  { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' },
  { metadata },
  {
    'is looked at as a change by its kind': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL, LABEL, LABEL],
    'has any finalizers': [({ metadata }) => (metadata.finalizers = ['odd'])],
  },
);

describeUpdate(
  { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'Role' },
  { metadata },
  {
    'is looked at three times by its kind': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL, LABEL, LABEL, LABEL, LABEL],
  },
);

describeUpdate(
  { group: 'batch', version: 'v1', kind: 'CronJob' },
  { metadata },
  { 'is looked at by all': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL, LABEL] },
  'status',
);

describeCreate(
  core('Secret'),
  { metadata, type: 'kubernetes.io/dockercfg', data: { '.dockercfg': 'e30=' } },
  {
    'holds an object': [
      (it) => (it.data['.dockercfg'] = 'W10='),
      'data[.dockercfg]: Invalid value: "<secret contents redacted>": json: cannot unmarshal array into Go value of type map[string]interface {}',
    ],
    'holds what is asked for': [(it) => (it.data = {}), 'data[.dockercfg]: Required value'],
    'holds a key': [
      (it) => Object.assign(it, { type: 'kubernetes.io/ssh-auth', data: { 'ssh-privatekey': '' } }),
      'data[ssh-privatekey]: Required value',
    ],
  },
);
