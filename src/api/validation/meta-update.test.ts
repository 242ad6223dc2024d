// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };
const core = (kind: string) => ({ group: '', version: 'v1', kind });
const LABEL = `metadata.labels: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;

describeUpdate(
  core('ConfigMap'),
  { metadata },
  {
    'is looked at three times': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL, LABEL, LABEL],
    'has finalizers with a domain': [
      ({ metadata }) => (metadata.finalizers = ['odd']),
      'metadata.finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified',
      'metadata.finalizers[0]: Invalid value: "odd": name is neither a standard finalizer name nor is it fully qualified',
    ],
  },
);

describeUpdate(
  core('Event'),
  { metadata, involvedObject: { namespace: 'n' }, type: 'Normal' },
  {
    'is looked at once': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL],
    'has any finalizers': [({ metadata }) => (metadata.finalizers = ['odd'])],
  },
);

describeUpdate(
  { group: 'apps', version: 'v1', kind: 'ControllerRevision' },
  { metadata, revision: 1, data: {} },
  {
    'is looked at twice': [({ metadata }) => (metadata.labels = { a: '-' }), LABEL, LABEL],
  },
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
