// SPDX-License-Identifier: Apache-2.0
// Pods: the status a creator gets, graceful deletion, what each endpoint may change, fields to select by.
import {
  defaultsOf,
  ephemeralContainersCauses,
  findSchema,
  podResizeCauses,
  podStatusCauses,
  podStatusWarnings,
  pods,
  podUpdateCauses,
  podWarnings,
  qosClassOf,
  validateObject,
} from '#api';
import type { Container, Pod } from '#api/core/v1';
import { formatTime } from '#component';
import { type DeepReadonly, deepCopy } from '#machinery';
import { defaultStrategy, keepGeneration, resetMetaForStatus, restore, restoreMeta } from '../default-strategy.ts';
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

/** What a status says of before is not forgotten: the QoS class, and which generations were seen. */
function keepStatusFacts(next: Pod, { status: before }: DeepReadonly<Pod>): void {
  const { status } = next;
  if (!status || !before) return;
  if (before.qosClass && !status.qosClass) status.qosClass = before.qosClass;
  if (before.observedGeneration && !status.observedGeneration) status.observedGeneration = before.observedGeneration;
  const seen = Map.groupBy(before.conditions ?? [], ({ type }) => type);
  for (const condition of status.conditions ?? []) {
    // There may be several conditions of a type: they are met in their order.
    const generation = seen.get(condition.type)?.shift()?.observedGeneration;
    if (generation && !condition.observedGeneration) condition.observedGeneration = generation;
  }
}

const status: SubresourceRules = {
  resetFields: ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
  warnings: (object) => podStatusWarnings(asPod(object)),
  prepareForUpdate(next, previous) {
    restore(next, previous, 'spec');
    restoreMeta(next.metadata, previous.metadata, ['ownerReferences', 'deletionTimestamp', 'generation']);
    keepStatusFacts(asPod(next), asPod(previous));
  },
  validateUpdate: (next, previous) => podStatusCauses(asPod(next), asPod(previous)),
};

const PARTS = findSchema({ group: '', version: 'v1', kind: 'Pod' })?.byName.get('spec')?.schema;
const SPEC_FIELDS = PARTS?.kind === 'struct' ? [...PARTS.byName.keys()] : [];
/** All of a Pod but some fields of its spec. */
const allBut = (...kept: readonly string[]) => [
  'status',
  'metadata',
  ...SPEC_FIELDS.filter((name) => !kept.includes(name)).map((name) => `spec.${name}`),
];

const ephemeralcontainers: SubresourceRules = {
  resetFields: allBut('ephemeralContainers'),
  prepareForUpdate(next, previous) {
    const wanted = asPod(next).spec.ephemeralContainers;
    restore(next, previous, 'status');
    restore(next, previous, 'spec');
    resetMetaForStatus(next, previous);
    if (wanted === undefined) delete asPod(next).spec.ephemeralContainers;
    else asPod(next).spec.ephemeralContainers = wanted;
    keepGeneration(next, previous);
  },
  validateUpdate: (next, previous) => ephemeralContainersCauses(asPod(next), asPod(previous)),
};

const LISTS = ['containers', 'initContainers'] as const;

/** Containers as they were, with the resources that are asked for. Lists in another order are left for validation to refuse. */
function resized(
  wanted: readonly Container[] | undefined,
  previous: readonly DeepReadonly<Container>[] | undefined,
): Container[] | undefined {
  if (!wanted?.every(({ name }, index) => name === previous?.[index]?.name)) return wanted as Container[] | undefined;
  return wanted.map(({ resources, resizePolicy }, index) => {
    const { resizePolicy: _former, ...container } = deepCopy(previous?.[index]) as Container;
    return { ...container, resources: resources ?? {}, ...(resizePolicy === undefined ? {} : { resizePolicy }) };
  });
}

/** Takes the resources (and resize policies) of containers, and pod-level resources; the rest stays. */
const resize: SubresourceRules = {
  resetFields: allBut('containers', 'initContainers', 'resources'),
  prepareForUpdate(next, previous) {
    const [wanted, before] = [asPod(next).spec, asPod(previous).spec as DeepReadonly<Pod>['spec']];
    const sameLength = LISTS.every((list) => (wanted[list] ?? []).length === (before[list] ?? []).length);
    if (sameLength) {
      const lists = LISTS.map((list) => [list, resized(wanted[list], before[list])] as const);
      restore(next, previous, 'spec');
      restore(next, previous, 'status');
      resetMetaForStatus(next, previous);
      const { spec } = asPod(next);
      for (const [list, containers] of lists) if (containers !== undefined) spec[list] = containers;
      if (wanted.resources === undefined) delete spec.resources;
      else spec.resources = wanted.resources;
    }
    keepGeneration(next, previous);
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
    afterPrepareForCreate(object, scope) {
      const { spec } = asPod(object);
      preparePod(asPod(object), (text) => scope.warn(text));
      // A gate says who must act before scheduling; the condition is the scheduler's.
      if ((spec.schedulingGates ?? []).length > 0) gate(asPod(object), scope.now);
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
