// SPDX-License-Identifier: Apache-2.0
// The bounds of LimitRanges, a fact per row: what is said of a Pod or a claim that does not keep to them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { persistentvolumeclaims } from '#api';
import type { Resource } from '#machinery';
import { admitted, type Given, pod } from './_test-plugins.ts';
import { limitRanger } from './limit-ranger.ts';

type Amounts = Readonly<Record<string, string>>;
const container = (requests: Amounts, limits: Amounts, more: object = {}) => ({
  name: 'c',
  image: 'i',
  resources: { requests, limits },
  ...more,
});
const podOf = (...containers: object[]): Given => ({ object: pod({ containers }) });
const withInit = (init: object, ...containers: object[]): Given => ({ object: pod({ containers, initContainers: [init] }) });
const claim = (requests: Amounts): Given => ({
  resource: persistentvolumeclaims as unknown as Resource,
  object: { spec: { resources: { requests } } },
});
const ofContainer = (bounds: object) => ({ type: 'Container', ...bounds });
const ofPod = (bounds: object) => ({ type: 'Pod', ...bounds });
const ofClaim = (bounds: object) => ({ type: 'PersistentVolumeClaim', ...bounds });

async function said(given: Given, item: object): Promise<string> {
  const limitranges = [{ metadata: { name: 'r', namespace: 'ns' }, spec: { limits: [item] } }];
  try {
    await admitted(limitRanger, given, { objects: { limitranges } });
    return '';
  } catch (error) {
    return (error as Error).message.replace(/^.* is forbidden: /, '');
  }
}

const FACTS: readonly (readonly [given: Given, item: object, expected: string])[] = [
  [podOf(container({ cpu: '100m' }, {})), ofContainer({ min: { cpu: '50m' } }), ''],
  [podOf(container({ cpu: '100m' }, { cpu: '200m' })), ofContainer({ max: { cpu: '200m' } }), ''],
  [podOf(container({}, {})), ofContainer({ min: { cpu: '50m' } }), 'minimum cpu usage per Container is 50m.  No request is specified'],
  [
    podOf(container({ cpu: '40m' }, {})),
    ofContainer({ min: { cpu: '50m' } }),
    'minimum cpu usage per Container is 50m, but request is 40m',
  ],
  [
    podOf(container({ cpu: '50m' }, { cpu: '40m' })),
    ofContainer({ min: { cpu: '50m' } }),
    'minimum cpu usage per Container is 50m, but limit is 40m',
  ],
  [podOf(container({ cpu: '1' }, {})), ofContainer({ max: { cpu: '1' } }), 'maximum cpu usage per Container is 1.  No limit is specified'],
  [podOf(container({}, { cpu: '2' })), ofContainer({ max: { cpu: '1' } }), 'maximum cpu usage per Container is 1, but limit is 2'],
  [
    podOf(container({ cpu: '2' }, { cpu: '1' })),
    ofContainer({ max: { cpu: '1' } }),
    'maximum cpu usage per Container is 1, but request is 2',
  ],
  [
    podOf(container({}, { cpu: '1' })),
    ofContainer({ maxLimitRequestRatio: { cpu: '2' } }),
    'cpu max limit to request ratio per Container is 2, but no request is specified or request is 0',
  ],
  [
    podOf(container({ cpu: '1' }, { cpu: '0' })),
    ofContainer({ maxLimitRequestRatio: { cpu: '2' } }),
    'cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0',
  ],
  [
    podOf(container({ cpu: '1' }, { cpu: '3' })),
    ofContainer({ maxLimitRequestRatio: { cpu: '2' } }),
    'cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000',
  ],
  [
    podOf(container({ cpu: '1250m' }, { cpu: '2500m' })),
    ofContainer({ maxLimitRequestRatio: { cpu: '1500m' } }),
    'cpu max limit to request ratio per Container is 1500m, but provided ratio is 2.000000',
  ],
  [podOf(container({ cpu: '1' }, { cpu: '2' })), ofContainer({ maxLimitRequestRatio: { cpu: '2' } }), ''],
  [
    withInit(container({}, { cpu: '2' }), container({}, { cpu: '1' })),
    ofContainer({ max: { cpu: '1' } }),
    'maximum cpu usage per Container is 1, but limit is 2',
  ],
  [
    podOf(container({}, { cpu: '1' }), container({}, { cpu: '1' })),
    ofPod({ max: { cpu: '1' } }),
    'maximum cpu usage per Pod is 1, but limit is 2',
  ],
  [withInit(container({}, { cpu: '1' }), container({}, { cpu: '1' })), ofPod({ max: { cpu: '1' } }), ''],
  [
    withInit(container({}, { cpu: '1' }, { restartPolicy: 'Always' }), container({}, { cpu: '1' })),
    ofPod({ max: { cpu: '1' } }),
    'maximum cpu usage per Pod is 1, but limit is 2',
  ],
  [{ object: pod({ containers: [container({ cpu: '1' }, { cpu: '1' })], overhead: { cpu: '1' } }) }, ofPod({ max: { cpu: '1' } }), ''],
  [
    { object: pod({ containers: [container({}, {})], resources: { limits: { cpu: '2' } } }) },
    ofPod({ max: { cpu: '1' } }),
    'maximum cpu usage per Pod is 1, but limit is 2',
  ],
  [
    claim({ storage: '1Gi' }),
    ofClaim({ min: { storage: '5Gi' } }),
    'minimum storage usage per PersistentVolumeClaim is 5Gi, but request is 1Gi',
  ],
  [
    claim({ storage: '9Gi' }),
    ofClaim({ max: { storage: '5Gi' } }),
    'maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 9Gi',
  ],
  [claim({}), ofClaim({ max: { storage: '5Gi' } }), 'maximum storage usage per PersistentVolumeClaim is 5Gi.  No request is specified'],
  [claim({ storage: '5Gi' }), ofClaim({ min: { storage: '5Gi' }, max: { storage: '5Gi' } }), ''],
  [claim({ storage: '9Gi' }), ofContainer({ max: { storage: '5Gi' } }), ''],
];

for (const [index, [given, item, expected]] of FACTS.entries())
  test(`LimitRanger ${expected === '' ? 'has nothing to say' : `says: ${expected}`} (${index})`, async () => {
    assert.equal(await said(given, item), expected);
  });
