// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod } from '../generated/core/v1.ts';
import { podStatusCauses } from './pod-status-update.ts';

const pod = (spec: object, status: object) =>
  ({
    metadata: { name: 'p', namespace: 'n', uid: 'u', resourceVersion: '1' },
    spec: { containers: [], ...spec },
    status,
  }) as unknown as Pod;
const said = (next: Pod, previous: Pod) => podStatusCauses(next, previous).map(({ field, message }) => `${field}: ${message}`);

describe('a container that has exited', () => {
  const rules: Container['restartPolicyRules'] = [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }];
  const others: Container['restartPolicyRules'] = [{ action: 'RestartAllContainers', exitCodes: { operator: 'NotIn', values: [42] } }];
  interface Case {
    readonly policy: string;
    readonly own?: Partial<Container>;
    readonly exitCode: number;
    readonly restarts: boolean;
  }
  const CASES: Readonly<Record<string, Case>> = {
    'runs again where all do': { policy: 'Always', exitCode: 0, restarts: true },
    'runs again where it failed': { policy: 'OnFailure', exitCode: 1, restarts: true },
    'has done where it did not fail': { policy: 'OnFailure', exitCode: 0, restarts: false },
    'has done where none runs again': { policy: 'Never', exitCode: 1, restarts: false },
    'has its own policy': { policy: 'Never', own: { restartPolicy: 'OnFailure' }, exitCode: 1, restarts: true },
    'has its own policy, which may be to stop': { policy: 'Always', own: { restartPolicy: 'Never' }, exitCode: 1, restarts: false },
    'has rules for its exit': { policy: 'Never', own: { restartPolicy: 'Never', restartPolicyRules: rules }, exitCode: 42, restarts: true },
    'has rules for other exits': {
      policy: 'Never',
      own: { restartPolicy: 'Never', restartPolicyRules: rules },
      exitCode: 1,
      restarts: false,
    },
    'has rules for all other exits': {
      policy: 'Never',
      own: { restartPolicy: 'Never', restartPolicyRules: others },
      exitCode: 1,
      restarts: true,
    },
  };
  for (const [what, { policy, own, exitCode, restarts }] of Object.entries(CASES))
    it(what, () => {
      const container = { name: 'a', image: 'i', resources: {}, ...own };
      for (const [containers, statuses] of [
        ['containers', 'containerStatuses'],
        ['initContainers', 'initContainerStatuses'],
      ] as const) {
        const spec = { restartPolicy: policy, [containers]: [container] };
        const before = pod(spec, { [statuses]: [{ name: 'a', state: { terminated: { exitCode } } }] });
        const after = pod(spec, { [statuses]: [{ name: 'a', state: { running: {} } }] });
        const refusal = `status.${statuses}[0].state: Forbidden: may not be transitioned to non-terminated state`;
        assert.deepEqual(said(after, before), restarts ? [] : [refusal]);
      }
    });

  it('may be gone from the status', () => {
    const before = pod({ restartPolicy: 'Never' }, { containerStatuses: [{ name: 'a', state: { terminated: { exitCode: 0 } } }] });

    assert.deepEqual(said(pod({ restartPolicy: 'Never' }, {}), before), []);
  });

  it('never runs again if it is ephemeral', () => {
    const spec = { restartPolicy: 'Always', ephemeralContainers: [{ name: 'e', image: 'i', resources: {} }] };
    const before = pod(spec, { ephemeralContainerStatuses: [{ name: 'e', state: { terminated: { exitCode: 1 } } }] });
    const after = pod(spec, { ephemeralContainerStatuses: [{ name: 'e', state: { running: {} } }] });

    assert.deepEqual(said(after, before), [
      'status.ephemeralContainerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
    ]);
  });
});

describe('the node that a Pod is nominated for', () => {
  const bound = { nodeName: 'n1' };

  it('cannot be set once the Pod is bound', () => {
    assert.deepEqual(said(pod(bound, { nominatedNodeName: 'n2' }), pod(bound, {})), [
      'status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node',
    ]);
  });

  it('may stay, and go', () => {
    const before = pod(bound, { nominatedNodeName: 'n2' });

    assert.deepEqual(said(before, before), []);
    assert.deepEqual(said(pod(bound, {}), before), []);
  });

  it('is set while it is not', () => assert.deepEqual(said(pod({}, { nominatedNodeName: 'n2' }), pod({}, {})), []));
});
