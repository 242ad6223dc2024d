// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };

describeUpdate(
  { group: '', version: 'v1', kind: 'ResourceQuota' },
  { metadata, spec: { hard: { pods: '1' } } },
  {
    'counts whole things': [
      (object) => (object.status = { used: { pods: '500m' } }),
      'status.used[pods]: Invalid value: "500m": must be an integer',
    ],
  },
  'status',
);

describeCreate(
  { group: '', version: 'v1', kind: 'Event' },
  {
    metadata,
    involvedObject: { namespace: 'n' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingComponent: 'c',
    reportingInstance: 'i',
    action: 'a',
    reason: 'r',
    type: 'Normal',
  },
  {
    'is short': [(event) => (event.reason = 'r'.repeat(129)), 'reason: Invalid value: "": can have at most 128 characters'],
    'says what was done': [(event) => delete event.action, 'action: Required value'],
  },
);

const claim = {
  metadata,
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } }, volumeMode: 'Filesystem' },
  status: { phase: 'Bound', capacity: { storage: '2Gi' } },
};
const CLAIM = { group: '', version: 'v1', kind: 'PersistentVolumeClaim' };
describeCreate(CLAIM, claim, {
  'asks for some storage': [
    ({ spec }) => (spec.resources.requests.storage = '0'),
    'spec.resources[storage]: Invalid value: "0": must be greater than zero',
  ],
  'names what it is made from': [
    ({ spec }) => (spec.dataSource = { kind: 'VolumeSnapshot', name: 's' }),
    `spec.dataSource: Invalid value: "VolumeSnapshot": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
  ],
});
describeUpdate(CLAIM, claim, {
  'grows once bound': [({ spec }) => (spec.resources.requests.storage = '3Gi')],
  'does not shrink': [
    ({ spec }) => (spec.resources.requests.storage = '1Gi'),
    'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
  ],
});
