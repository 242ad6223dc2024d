// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#api/core/v1';
import type { MutableObject } from '../strategy.ts';
import { podStrategy } from './pods.ts';

const strategy = podStrategy();
const scope = { now: 0, namespace: 'n' } as never;
const resources = (cpu: string) => ({ requests: { cpu } });

const before = {
  metadata: { name: 'p', labels: { a: 'b' }, annotations: { a: 'b' }, finalizers: ['a.b/c'], generation: 2 },
  spec: { nodeName: 'n', containers: [{ name: 'a', image: 'one', resources: resources('1') }] },
  status: {
    phase: 'Running',
    qosClass: 'Burstable',
    observedGeneration: 2,
    conditions: [
      { type: 'Ready', status: 'True', observedGeneration: 2 },
      { type: 'Ready', status: 'False', observedGeneration: 1 },
    ],
  },
} as unknown as Pod;

/** What the endpoint makes of the Pod with changes. */
function prepared(subresource: string, change: (pod: Pod) => void): Pod {
  const next = structuredClone(before);
  change(next);
  const rules = strategy.subresources[subresource];
  assert.ok(rules);
  rules.prepareForUpdate(next as unknown as MutableObject, before as unknown as MutableObject, scope);
  return next;
}

describe('the status of a Pod', () => {
  it('keeps which generations were seen, and the class of quality', () => {
    const { status } = prepared('status', (pod) => {
      pod.status = {
        phase: 'Failed',
        conditions: [
          { type: 'Ready', status: 'False' },
          { type: 'Other', status: 'True' },
          { type: 'Ready', status: 'True' },
        ],
      } as Pod['status'];
    });

    assert.deepEqual([status.qosClass, status.observedGeneration, status.phase], ['Burstable', 2, 'Failed']);
    assert.deepEqual(
      status.conditions?.map(({ observedGeneration }) => observedGeneration),
      [2, undefined, 1],
    );
  });

  it('takes labels and finalizers too, and neither the spec nor a generation', () => {
    const pod = prepared('status', (next) => {
      next.metadata.labels = { c: 'd' };
      delete next.metadata.finalizers;
      next.metadata.generation = 9;
      next.spec.nodeName = 'other';
    });

    assert.deepEqual(pod.metadata, { name: 'p', labels: { c: 'd' }, annotations: { a: 'b' }, generation: 2 });
    assert.equal(pod.spec.nodeName, 'n');
  });
});

describe('ephemeral containers of a Pod', () => {
  it('are all that their endpoint takes, and make a generation', () => {
    const wanted = { name: 'debug', image: 'two', resources: {} };
    const pod = prepared('ephemeralcontainers', (next) => {
      next.spec.ephemeralContainers = [wanted];
      next.spec.nodeName = 'other';
      next.metadata.labels = {};
      next.status.phase = 'Failed';
    });

    const expected = structuredClone(before);
    expected.spec.ephemeralContainers = [wanted];
    expected.metadata.generation = 3;
    assert.deepEqual(pod, expected);
  });
});

describe('a resize of a Pod', () => {
  it('takes the resources of containers and their policies, nothing else', () => {
    const resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'NotRequired' as const }];
    const pod = prepared('resize', (next) => {
      next.spec.containers = [{ name: 'a', image: 'two', resources: resources('2'), resizePolicy }];
      next.spec.resources = resources('3');
      next.metadata.annotations = {};
    });

    const expected = structuredClone(before);
    expected.spec.containers = [{ name: 'a', image: 'one', resources: resources('2'), resizePolicy }];
    expected.spec.resources = resources('3');
    expected.metadata.generation = 3;
    assert.deepEqual(pod, expected);
  });

  it('leaves containers of other names for validation to refuse', () => {
    const pod = prepared('resize', ({ spec }) => {
      spec.containers = [{ name: 'b', image: 'two', resources: {} }];
    });

    assert.equal(pod.spec.containers[0]?.name, 'b');
    const causes = strategy.subresources['resize']?.validateUpdate(pod as never, before as never, scope) ?? [];
    assert.notEqual(causes.length, 0);
  });
});

describe('an AppArmor annotation of a new Pod', () => {
  const KEY = 'container.apparmor.security.beta.kubernetes.io/a';
  const WARNING = `metadata.annotations[${KEY}]: deprecated since v1.30; use the "appArmorProfile" field instead`;
  type Profile = { type: 'Localhost' | 'RuntimeDefault' | 'Unconfined'; localhostProfile?: string };
  interface Case {
    readonly annotation: string;
    readonly pod?: Profile;
    readonly container?: Profile;
    readonly expected?: Profile;
    readonly warns: boolean;
  }

  function made({ annotation, pod: common, container }: Case) {
    const warnings: string[] = [];
    const spec = {
      securityContext: { ...(common && { appArmorProfile: common }) },
      containers: [{ name: 'a', image: 'i', resources: {}, ...(container && { securityContext: { appArmorProfile: container } }) }],
    };
    const pod = { metadata: { name: 'p', annotations: { [KEY]: annotation } }, spec } as unknown as Pod;
    const warn = (text: string) => warnings.push(text);
    strategy.prepareForCreate(pod as unknown as MutableObject, { now: 0, namespace: 'n', warn } as never);
    return { profile: pod.spec.containers[0]?.securityContext?.appArmorProfile, warnings };
  }

  const [plain, open, local] = [{ type: 'RuntimeDefault' as const }, { type: 'Unconfined' as const }, { type: 'Localhost' as const }];
  const CASES: Readonly<Record<string, Case>> = {
    'becomes the field': { annotation: 'runtime/default', expected: plain, warns: true },
    'may name a profile': { annotation: 'localhost/x', expected: { ...local, localhostProfile: 'x' }, warns: true },
    'is not needed where the Pod says the same': { annotation: 'unconfined', pod: open, warns: false },
    'is heard where the Pod names another profile': {
      annotation: 'localhost/x',
      pod: { ...local, localhostProfile: 'y' },
      expected: { ...local, localhostProfile: 'x' },
      warns: true,
    },
    'gives way to the field of the container': { annotation: 'unconfined', container: plain, expected: plain, warns: false },
    'has no effect if it is unknown': { annotation: 'odd', warns: true },
    'has no effect if it names nothing': { annotation: 'localhost/', warns: true },
    'has no effect if the name is padded': { annotation: 'localhost/ x', warns: true },
  };
  for (const [what, row] of Object.entries(CASES))
    it(what, () => assert.deepEqual(made(row), { profile: row.expected, warnings: row.warns ? [WARNING] : [] }));
});
