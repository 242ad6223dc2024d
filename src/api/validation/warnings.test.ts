// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { podWarnings, warningsOf } from './mod.ts';

describe('warnings', () => {
  const cases: Readonly<Record<string, readonly [object, ...string[]]>> = {
    'ports that overlap': [
      {
        containers: [
          { name: 'a', ports: [{ containerPort: 1, protocol: 'TCP' }] },
          { name: 'b', ports: [{ containerPort: 1, hostPort: 2, protocol: 'TCP' }] },
        ],
      },
      'spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]',
    ],
    'ports that are ambiguous': [
      {
        containers: [
          {
            name: 'a',
            ports: [
              { containerPort: 1, hostPort: 2, protocol: 'TCP' },
              { containerPort: 1, hostPort: 2, hostIP: '10.0.0.1', protocol: 'TCP' },
            ],
          },
        ],
      },
      'spec.containers[0].ports[1]: dangerously ambiguous port definition with spec.containers[0].ports[0]',
    ],
    'a negative grace period': [
      { terminationGracePeriodSeconds: -1 },
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
    'affinity to nothing': [
      { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'z' }] } } },
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod',
    ],
    'a file in place of a token': [
      {
        volumes: [
          {
            name: 'v',
            projected: { sources: [{ serviceAccountToken: { path: 't' } }, { configMap: { items: [{ key: 'k', path: 't' }] } }] },
          },
        ],
      },
      'spec.volumes[0].projected.sources.configMap[0]: has duplicated path with ServiceAccountToken "t"',
    ],
  };
  for (const [name, [spec, ...expected]] of Object.entries(cases))
    it(`tell of ${name}`, () => assert.deepEqual(podWarnings({ metadata: { name: 'p' }, spec } as never, undefined), expected));

  it('tell of settings of a Service that do nothing', () => {
    const service = { metadata: {}, spec: { type: 'ClusterIP', externalName: 'x' } };
    const expected = ['spec.externalName is ignored when spec.type is not "ExternalName"'];
    assert.deepEqual(warningsOf({ group: '', kind: 'Service' }, service as never, true), expected);
  });
});
