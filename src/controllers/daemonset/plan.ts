// SPDX-License-Identifier: Apache-2.0
// Which nodes a DaemonSet is for, which Pods to make and remove on them, how far a rolling update may go, and the status. Pure.

import type { DaemonSet, DaemonSetStatus } from '#api/apps/v1';
import type { Pod } from '#api/core/v1';
import { requiredNodes, untolerated } from '#api/node-selection';
import { type DeepReadonly, timeMs } from '#machinery';
import { resolve } from '../deployment/counts.ts';
import type { ReadNode, ReadToleration } from '../nodes/node-fit.ts';
import { isAvailable, isReady } from '../pods/conditions.ts';
import { REVISION_HASH } from '../revisions/history.ts';

export type ReadDaemonSet = DeepReadonly<DaemonSet>;
export type ReadPod = DeepReadonly<Pod>;

const PREFIX = 'node.kubernetes.io/';

/** What a daemon tolerates beside its template's tolerations. @source upstream AddOrUpdateDaemonPodTolerations */
export function daemonTolerations({ spec: { template } }: ReadDaemonSet): readonly ReadToleration[] {
  const exists = (key: string, effect: 'NoExecute' | 'NoSchedule') => ({ key: `${PREFIX}${key}`, operator: 'Exists' as const, effect });
  const added: ReadToleration[] = [
    exists('not-ready', 'NoExecute'),
    exists('unreachable', 'NoExecute'),
    exists('disk-pressure', 'NoSchedule'),
    exists('memory-pressure', 'NoSchedule'),
    exists('pid-pressure', 'NoSchedule'),
    exists('unschedulable', 'NoSchedule'),
    ...(template.spec.hostNetwork === true ? [exists('network-unavailable', 'NoSchedule')] : []),
  ];
  const stated = template.spec.tolerations ?? [];
  const isSame = (a: ReadToleration, b: ReadToleration) =>
    a.key === b.key && a.operator === b.operator && a.effect === b.effect && (a.value ?? '') === (b.value ?? '');
  return [...stated.filter((toleration) => !added.some((own) => isSame(own, toleration))), ...added];
}

export interface NodeVerdict {
  /** A daemon belongs on the node. */
  readonly shouldRun: boolean;
  /** One that is there may stay. */
  readonly mayStay: boolean;
}

export function judgeNode(set: ReadDaemonSet, node: ReadNode): NodeVerdict {
  const { spec } = set.spec.template;
  if (spec.nodeName && spec.nodeName !== node.metadata.name) return { shouldRun: false, mayStay: false };
  if (requiredNodes(spec)?.(node.metadata.name, node.metadata.labels ?? {}) === false) return { shouldRun: false, mayStay: false };
  const taints = node.spec.taints ?? [];
  const tolerations = daemonTolerations(set);
  if (untolerated(taints, tolerations, ['NoSchedule', 'NoExecute']) === undefined) return { shouldRun: true, mayStay: true };
  return { shouldRun: false, mayStay: untolerated(taints, tolerations, ['NoExecute']) === undefined };
}

/** The node a daemon is for: where it is, or the one its affinity names. */
export function targetNodeOf({ spec }: ReadPod): string {
  if (spec.nodeName) return spec.nodeName;
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  for (const { matchFields = [] } of terms) {
    const field = matchFields.find(({ key, operator, values }) => key === 'metadata.name' && operator === 'In' && values?.length === 1);
    if (field?.values?.[0] !== undefined) return field.values[0];
  }
  return '';
}

export interface DaemonPlan {
  /** Names of nodes that get a Pod. */
  readonly create: readonly string[];
  readonly remove: readonly ReadPod[];
  /** Ended ones among `remove`: they are reported. */
  readonly ended: readonly ReadPod[];
}

export interface DaemonInput {
  readonly set: ReadDaemonSet;
  readonly nodes: readonly ReadNode[];
  readonly pods: readonly ReadPod[];
  /** Hash of the present template. */
  readonly hash: string;
  readonly now: number;
}

export function groupByNode(pods: readonly ReadPod[]): ReadonlyMap<string, readonly ReadPod[]> {
  return Map.groupBy(pods, targetNodeOf);
}

/** One Pod on each node that needs one, none elsewhere. */
export function planDaemons(input: DaemonInput): DaemonPlan {
  const { set, nodes, pods } = input;
  const byNode = groupByNode(pods);
  const plan = { create: [] as string[], remove: [] as ReadPod[], ended: [] as ReadPod[] };
  for (const node of nodes) {
    const { name } = node.metadata;
    const present = byNode.get(name) ?? [];
    const { shouldRun, mayStay } = judgeNode(set, node);
    if (!mayStay) plan.remove.push(...present.filter(isStaying));
    else if (present.length === 0) {
      if (shouldRun) plan.create.push(name);
    } else planNode(present, plan, input);
  }
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  // A Pod for a node that is gone before it got there would wait for ever.
  plan.remove.push(...pods.filter((pod) => !pod.spec.nodeName && isStaying(pod) && !known.has(targetNodeOf(pod))));
  return plan;
}

function isStaying({ metadata }: ReadPod): boolean {
  return metadata.deletionTimestamp === undefined;
}

function planNode(present: readonly ReadPod[], plan: { create: string[]; remove: ReadPod[]; ended: ReadPod[] }, input: DaemonInput): void {
  const staying = present.filter(isStaying);
  const ended = staying.filter(({ status }) => status?.phase === 'Failed' || status?.phase === 'Succeeded');
  plan.ended.push(...ended);
  plan.remove.push(...ended);
  const running = staying.filter((pod) => !ended.includes(pod));
  if (running.length > 1) plan.remove.push(...extras(running, input));
}

/** All but the best: while surging, an old Pod stays until the new one is available. */
function extras(running: readonly ReadPod[], { set, hash, now }: DaemonInput): readonly ReadPod[] {
  const byWorth = (a: ReadPod, b: ReadPod) =>
    Number(Boolean(b.spec.nodeName)) - Number(Boolean(a.spec.nodeName)) ||
    Number(isReady(b)) - Number(isReady(a)) ||
    timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp);
  if (surgeOf(set, running.length) === 0) return [...running].sort(byWorth).slice(1);
  const current = running.filter((pod) => isOfRevision(pod, hash)).sort(byWorth);
  const old = running.filter((pod) => !isOfRevision(pod, hash)).sort(byWorth);
  const isNewAvailable = current.some((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now));
  return [...current.slice(1), ...(isNewAvailable ? old : old.slice(1))];
}

export function isOfRevision({ metadata }: ReadPod, hash: string): boolean {
  return hash !== '' && metadata.labels?.[REVISION_HASH] === hash;
}

function surgeOf({ spec }: ReadDaemonSet, nodes: number): number {
  return spec.updateStrategy?.type === 'OnDelete' ? 0 : resolve(spec.updateStrategy?.rollingUpdate?.maxSurge ?? 0, nodes, Math.ceil);
}

/** What a rolling update may replace now. */
export function planRollingUpdate(input: DaemonInput): DaemonPlan {
  const { set, nodes, pods, hash, now } = input;
  const wanted = nodes.filter((node) => judgeNode(set, node).shouldRun);
  const byNode = groupByNode(pods.filter(isStaying));
  const maxSurge = surgeOf(set, wanted.length);
  const maxUnavailable =
    resolve(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, wanted.length, Math.ceil) || (maxSurge === 0 ? 1 : 0);
  const available = (pod: ReadPod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now);
  const states = wanted.map(({ metadata: { name } }) => {
    const present = byNode.get(name) ?? [];
    return { name, old: present.find((pod) => !isOfRevision(pod, hash)), current: present.find((pod) => isOfRevision(pod, hash)) };
  });
  if (maxSurge > 0) return planSurge(states, { maxSurge, available });
  const sick = states.filter(({ old }) => old !== undefined && !available(old));
  const fine = states.filter(({ old }) => old !== undefined && available(old));
  const unavailable = states.filter(
    ({ old, current }) => !(old !== undefined && available(old)) && !(current !== undefined && available(current)),
  ).length;
  // What does not work anyway is replaced without counting.
  const replaced = [...sick, ...fine.slice(0, Math.max(0, maxUnavailable - unavailable))];
  return {
    create: [],
    remove: replaced.flatMap(({ old, current }) => (current === undefined && old !== undefined ? [old] : [])),
    ended: [],
  };
}

interface NodeState {
  readonly name: string;
  readonly old: ReadPod | undefined;
  readonly current: ReadPod | undefined;
}

function planSurge(
  states: readonly NodeState[],
  { maxSurge, available }: { maxSurge: number; available: (pod: ReadPod) => boolean },
): DaemonPlan {
  const remove = states.flatMap(({ old, current }) => (old !== undefined && current !== undefined && available(current) ? [old] : []));
  const surging = states.filter(({ old, current }) => old !== undefined && current !== undefined && !available(current)).length;
  const waiting = states.filter(({ old, current }) => old !== undefined && current === undefined);
  // A node whose old Pod does not work gets the new one at once.
  const free = waiting.filter(({ old }) => old !== undefined && !available(old));
  const others = waiting.filter((state) => !free.includes(state)).slice(0, Math.max(0, maxSurge - surging));
  return { create: [...free, ...others].map(({ name }) => name), remove, ended: [] };
}

/** The counts of a DaemonSet's status. */
export function observeDaemons({
  set,
  nodes,
  pods,
  hash,
  now,
}: DaemonInput): Omit<DaemonSetStatus, 'observedGeneration' | 'collisionCount' | 'conditions'> {
  const byNode = groupByNode(pods);
  const counts = {
    desiredNumberScheduled: 0,
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
    numberAvailable: 0,
    updatedNumberScheduled: 0,
  };
  for (const node of nodes) {
    const present = [...(byNode.get(node.metadata.name) ?? [])].sort(
      (a, b) => timeMs(a.metadata.creationTimestamp) - timeMs(b.metadata.creationTimestamp),
    );
    if (!judgeNode(set, node).shouldRun) {
      if (present.length > 0) counts.numberMisscheduled += 1;
      continue;
    }
    counts.desiredNumberScheduled += 1;
    const [first] = present;
    if (first === undefined) continue;
    counts.currentNumberScheduled += 1;
    const ready = present.find(isReady);
    if (ready !== undefined) counts.numberReady += 1;
    if (present.some((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now))) counts.numberAvailable += 1;
    if (present.some((pod) => isOfRevision(pod, hash))) counts.updatedNumberScheduled += 1;
  }
  return { ...counts, numberUnavailable: counts.desiredNumberScheduled - counts.numberAvailable };
}
