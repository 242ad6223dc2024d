// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const group = 'storage.k8s.io';
const metadata = { name: 'x', resourceVersion: '1' };
const storageClass = { metadata, provisioner: 'ex.io/p', parameters: { a: 'b' }, reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' };
const CLASS = { group, version: 'v1', kind: 'StorageClass' };

describeCreate(CLASS, storageClass, {
  'needs a provisioner': [(object) => delete object.provisioner, 'provisioner: Required value'],
  'names all parameters': [(object) => (object.parameters = { '': 'x' }), 'parameters: Invalid value: "": field can not be empty.'],
  'gives each topology key once, with values': [
    (object) =>
      (object.allowedTopologies = [
        {
          matchLabelExpressions: [
            { key: 'k', values: ['a', 'a'] },
            { key: 'k', values: [] },
          ],
        },
      ]),
    'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
    'allowedTopologies[0].matchLabelExpressions[1].values: Required value',
    'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "k"',
  ],
});
describeUpdate(CLASS, storageClass, {
  'keeps parameters and provisioner': [
    (object) => Object.assign(object, { parameters: {}, provisioner: 'ex.io/q' }),
    'parameters: Invalid value: {}: field is immutable',
    'provisioner: Invalid value: "ex.io/q": field is immutable',
  ],
});

describeCreate(
  { group, version: 'v1', kind: 'VolumeAttachment' },
  { metadata, spec: { attacher: 'ex.io', nodeName: 'n', source: { persistentVolumeName: 'pv' } } },
  {
    'attaches one thing': [
      ({ spec }) => (spec.source.inlineVolumeSpec = {}),
      'spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName',
    ],
    'attaches less of inline volumes': [
      ({ spec }) =>
        (spec.source = { inlineVolumeSpec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1' }, hostPath: { path: '/x' } } }),
      'spec.source.inlineVolumeSpec.capacity: Forbidden: may not be specified in the context of inline volumes',
      'spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes',
    ],
  },
);

const volume = {
  metadata,
  spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, nfs: { server: 's', path: '/x' }, volumeMode: 'Filesystem' },
};
const VOLUME = { group: '', version: 'v1', kind: 'PersistentVolume' };
describeCreate(VOLUME, volume, {
  'has an attributes class with a driver': [
    ({ spec }) => (spec.volumeAttributesClassName = 'c'),
    'spec.csi: Required value: has to be specified when using volumeAttributesClassName',
  ],
  'has an absolute path': [({ spec }) => (spec.nfs.path = 'x'), 'spec.nfs.path: Invalid value: "x": must be an absolute path'],
});

describeCreate(
  { group, version: 'v1', kind: 'CSINode' },
  { metadata, spec: { drivers: [{ name: 'ex.io', nodeID: 'n', topologyKeys: ['a'] }] } },
  {
    'counts volumes': [
      ({ spec }) => (spec.drivers[0].allocatable = { count: -1 }),
      'spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0',
    ],
    'has each key once': [({ spec }) => spec.drivers[0].topologyKeys.push('a'), 'spec.drivers[0]: Duplicate value: "a"'],
  },
);
