// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const PV = { group: '', version: 'v1', kind: 'PersistentVolume' };
const volume = {
  metadata: { name: 'x', resourceVersion: '1' },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    hostPath: { path: '/a', type: '' },
    volumeMode: 'Filesystem',
  },
};
const key = 'failure-domain.beta.kubernetes.io/zone';
const local = {
  ...volume,
  spec: {
    ...volume.spec,
    nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: ['a'] }] }] } },
  },
};

describeCreate(PV, volume, {
  'does not recycle the whole disk': [
    ({ spec }) => Object.assign(spec, { persistentVolumeReclaimPolicy: 'Recycle', hostPath: { path: '/a/..', type: '' } }),
    `spec.hostPath.path: Invalid value: "/a/..": must not contain '..'`,
    `spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'`,
  ],
  'has a mode where it has one': [
    ({ spec }) => (spec.volumeMode = ''),
    'spec.volumeMode: Unsupported value: "": supported values: "Block", "Filesystem"',
  ],
});

describeUpdate(PV, local, {
  'may use the new names of its labels': [
    ({ spec }) => (spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key = 'topology.kubernetes.io/zone'),
  ],
  'stays where it is': [
    ({ spec }) => (spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values = ['b']),
    'nodeAffinity: Invalid value: {"Required":{"NodeSelectorTerms":[{"MatchExpressions":[{"Key":"failure-domain.beta.kubernetes.io/zone","Operator":"In","Values":["b"]}]}]}}: field is immutable, except for updating from beta label to GA',
  ],
});
