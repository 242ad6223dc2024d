// SPDX-License-Identifier: Apache-2.0
// Pods: the status a creator gets, graceful deletion, what each endpoint may change, fields to select by.
import {
  defaultsOf,
  ephemeralContainersCauses,
  podResizeCauses,
  podStatusCauses,
  pods,
  podUpdateCauses,
  podWarnings,
  qosClassOf,
  validateObject,
} from '#api';
import type { Pod } from '#api/core/v1';
import { formatTime } from '#component';
import { type DeepReadonly, deepCopy, semanticEqual } from '#machinery';
import { defaultStrategy, keepGeneration, restore, restoreMeta } from '../default-strategy.ts';
import type { GracefulDeletion, MutableObject, Strategy, SubresourceRules } from '../strategy.ts';
import { preparePod } from './pod-preparation.ts';

type Old = DeepReadonly<MutableObject>;
const asPod = (object: MutableObject | Old) => object as unknown as Pod;

/** Upstream's CheckGracefulDelete of Pods: nothing to wait for where no node runs it, or where it has finished. */
export function podGracefulDeletion(pod: DeepReadonly<Pod>, asked: number | undefined): GracefulDeletion {
  let period = asked ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  if (!pod.spec.nodeName) period = 0;
  const phase = pod.status?.phase;
  if (phase === 'Failed' || phase === 'Succeeded') period = 0;
  if (period < 0) period = 1;
  return { graceful: true, gracePeriodSeconds: period };
}

const FIELDS = [
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'spec.hostNetwork',
  'status.phase',
  'status.podIP',
  'status.podIPs',
  'status.nominatedNodeName',
] as const;

function podField({ spec, status }: DeepReadonly<Pod>, name: string): string | undefined {
  switch (name) {
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.restartPolicy':
      return spec.restartPolicy ?? '';
    case 'spec.schedulerName':
      return spec.schedulerName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'spec.hostNetwork':
      return String(spec.hostNetwork ?? false);
    case 'status.phase':
      return status?.phase ?? '';
    case 'status.podIP':
      return status?.podIPs?.[0]?.ip ?? status?.podIP ?? '';
    case 'status.podIPs':
      return ''; // Known as a field, and never filled in.
    case 'status.nominatedNodeName':
      return status?.nominatedNodeName ?? '';
    default:
      return undefined;
  }
}

/** `podIP` is the first of `podIPs`; where they differ, it is the one that counts. */
function alignAddresses({ status }: Pod): void {
  const ip = status?.podIP;
  const first = status?.podIPs?.[0]?.ip;
  if (status === undefined || ip === first) return;
  if (ip) status.podIPs = [{ ip }];
  else if (first) status.podIP = first;
}

const podDefaults = defaultsOf('v1', 'Pod');

/** The QoS class never changes, and a Pod that was scheduled stays observed. */
function keepStatusFacts(next: Pod, previous: DeepReadonly<Pod>): void {
  if (previous.status?.qosClass && !next.status?.qosClass) next.status = { ...next.status, qosClass: previous.status.qosClass };
}

const status: SubresourceRules = {
  resetFields: ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
  prepareForUpdate(next, previous) {
    restore(next, previous, 'spec');
    restoreMeta(next.metadata, previous.metadata, ['ownerReferences', 'deletionTimestamp', 'generation']);
    keepStatusFacts(asPod(next), asPod(previous));
  },
  validateUpdate: (next, previous) => podStatusCauses(asPod(next), asPod(previous)),
};

const ephemeralcontainers: SubresourceRules = {
  resetFields: ['status'],
  prepareForUpdate(next, previous) {
    const wanted = asPod(next).spec.ephemeralContainers;
    restore(next, previous, 'status');
    restore(next, previous, 'spec');
    restoreMeta(
      next.metadata,
      previous.metadata,
      Object.keys({ ...next.metadata, ...previous.metadata }).filter(
        (key) => key !== 'resourceVersion' && key !== 'managedFields',
      ) as never,
    );
    if (wanted === undefined) delete asPod(next).spec.ephemeralContainers;
    else asPod(next).spec.ephemeralContainers = wanted;
    keepGeneration(next, previous);
  },
  validateUpdate: (next, previous) => ephemeralContainersCauses(asPod(next), asPod(previous)),
};

/** Takes the resources (and resize policies) of containers by name, and pod-level resources; the rest stays. */
const resize: SubresourceRules = {
  resetFields: ['status'],
  prepareForUpdate(next, previous) {
    const wanted = asPod(next).spec;
    restore(next, previous, 'status');
    const spec = deepCopy(asPod(previous).spec) as Pod['spec'];
    for (const key of ['containers', 'initContainers'] as const) {
      for (const container of spec[key] ?? []) {
        const given = wanted[key]?.find(({ name }) => name === container.name);
        if (given === undefined) continue;
        container.resources = given.resources;
        if (given.resizePolicy !== undefined) container.resizePolicy = given.resizePolicy;
      }
    }
    const sameShape = (['containers', 'initContainers'] as const).every(
      (key) => (wanted[key] ?? []).map(({ name }) => name).join() === (spec[key] ?? []).map(({ name }) => name).join(),
    );
    if (wanted.resources !== undefined) spec.resources = wanted.resources;
    // A changed list of containers is left for validation to refuse.
    if (sameShape) asPod(next).spec = spec;
    if (!semanticEqual(asPod(next).spec, asPod(previous).spec)) keepGeneration(next, previous);
  },
  validateUpdate: (next, previous) => podResizeCauses(asPod(next), asPod(previous)),
};

export function podStrategy(): Strategy {
  return defaultStrategy(pods, {
    generation: true,
    applyDefaults(object) {
      podDefaults?.(object);
      alignAddresses(asPod(object));
    },
    selectableFields: FIELDS,
    resetFields: ['status'],
    initialStatus: (object) => ({ phase: 'Pending', qosClass: qosClassOf(asPod(object)) }),
    afterPrepareForCreate(object, { now }) {
      const { spec } = asPod(object);
      preparePod(asPod(object));
      // A gate says who must act before scheduling; the condition is the scheduler's.
      if ((spec.schedulingGates ?? []).length > 0) gate(asPod(object), now);
    },
    validate: (object) => validateObject({ group: '', version: 'v1', kind: 'Pod' }, object),
    validateUpdate: (next, previous) => podUpdateCauses(asPod(next), asPod(previous)),
    warnings: (object, previous) => podWarnings(asPod(object), previous === undefined ? undefined : asPod(previous)),
    gracefulDeletion: (object, asked) => podGracefulDeletion(asPod(object), asked),
    fieldValue: (object, name) => podField(asPod(object), name),
    subresources: { status, ephemeralcontainers, resize },
  });
}

function gate(pod: Pod, now: number): void {
  pod.status.conditions = [
    {
      type: 'PodScheduled',
      status: 'False',
      lastProbeTime: null as never,
      lastTransitionTime: formatTime(now),
      reason: 'SchedulingGated',
      message: 'Scheduling is blocked due to non-empty scheduling gates',
    },
  ];
}
