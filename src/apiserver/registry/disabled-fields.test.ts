// SPDX-License-Identifier: Apache-2.0
// Fields of features that are off: gone from what is new, kept where they are in use.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropDisabledOf } from './disabled-fields.ts';
import type { MutableObject } from './strategy.ts';

const template = (spec: object) => ({ spec: { template: { spec } } });
const withSignal = { containers: [{ name: 'c', lifecycle: { stopSignal: 'SIGUSR1' } }] };
const withoutSignal = { containers: [{ name: 'c' }] };
const projecting = (...sources: object[]) => ({ volumes: [{ name: 'v', projected: { sources } }] });
const rolling = (rollingUpdate: object) => ({ spec: { updateStrategy: { rollingUpdate } } });
const slice = (device: object) => ({ spec: { devices: [device] } });

const CASES: readonly (readonly [fact: string, kind: string, object: object, previous: object | undefined, after: object])[] = [
  ['a stop signal goes, and the lifecycle that held nothing else', '/Pod', { spec: withSignal }, undefined, { spec: withoutSignal }],
  [
    'hooks stay beside it',
    '/Pod',
    { spec: { initContainers: [{ lifecycle: { stopSignal: 'SIGUSR1', preStop: {} } }] } },
    undefined,
    { spec: { initContainers: [{ lifecycle: { preStop: {} } }] } },
  ],
  [
    'a lifecycle that was empty stays so',
    '/Pod',
    { spec: { containers: [{ lifecycle: {} }] } },
    undefined,
    { spec: { containers: [{ lifecycle: {} }] } },
  ],
  [
    'a Node takes no configuration from elsewhere',
    '/Node',
    { spec: { configSource: {}, unschedulable: true }, status: { config: {}, capacity: {} } },
    undefined,
    { spec: { unschedulable: true }, status: { capacity: {} } },
  ],
  [
    'a Node may keep it',
    '/Node',
    { spec: { configSource: { a: 1 } } },
    { spec: { configSource: {} } },
    { spec: { configSource: { a: 1 } } },
  ],
  ['templates are Pods', 'apps/Deployment', template(withSignal), undefined, template(withoutSignal)],
  ['what a template uses it may go on using', 'apps/Deployment', template(withSignal), template(withSignal), template(withSignal)],
  ['what it does not use it may not begin to', 'apps/Deployment', template(withSignal), template(withoutSignal), template(withoutSignal)],
  [
    'so are those of Jobs to come',
    'batch/CronJob',
    { spec: { jobTemplate: template({ schedulingGroup: { podGroupName: 'g' } }) } },
    undefined,
    { spec: { jobTemplate: template({}) } },
  ],
  [
    'trust bundles and certificates are not projected',
    '/PodTemplate',
    { template: { spec: projecting({ clusterTrustBundle: { path: 'x' } }, { podCertificate: {} }, { secret: {} }) } },
    undefined,
    { template: { spec: projecting({}, {}, { secret: {} }) } },
  ],
  [
    'a StatefulSet rolls one by one',
    'apps/StatefulSet',
    rolling({ partition: 1, maxUnavailable: 2 }),
    undefined,
    rolling({ partition: 1 }),
  ],
  [
    'a claim has no source in another namespace',
    '/PersistentVolumeClaim',
    { spec: { dataSourceRef: { kind: 'K', name: 'n', namespace: 'o' } } },
    undefined,
    { spec: {} },
  ],
  [
    'an odd source means an empty volume',
    '/PersistentVolumeClaim',
    { spec: { dataSource: { apiGroup: 'x.org', kind: 'K', name: 'n' } } },
    undefined,
    { spec: {} },
  ],
  [
    'a snapshot is no odd source',
    '/PersistentVolumeClaim',
    { spec: { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'n' } } },
    undefined,
    { spec: { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'n' } } },
  ],
  [
    'attributes of devices are single values',
    'resource.k8s.io/ResourceSlice',
    slice({ attributes: { a: { ints: [1] }, b: { int: 1 } } }),
    undefined,
    slice({ attributes: { a: {}, b: { int: 1 } } }),
  ],
  [
    'a driver does not hold back Pods',
    'storage.k8s.io/CSIDriver',
    { spec: { preventPodSchedulingIfMissing: true } },
    undefined,
    { spec: {} },
  ],
];

for (const [fact, name, object, previous, after] of CASES) {
  test(`${name}: ${fact}`, () => {
    const [group = '', kind = ''] = name.split('/');
    const copy = structuredClone(object) as unknown as MutableObject;

    dropDisabledOf({ group, kind })?.(copy, previous as unknown as MutableObject | undefined);

    assert.deepEqual(copy, after);
  });
}

test('a kind without such fields costs nothing', () => {
  assert.equal(dropDisabledOf({ group: '', kind: 'ConfigMap' }), undefined);
});
