// SPDX-License-Identifier: Apache-2.0
// The Pod conditions that the kubelet owns, with upstream's reasons and texts, and their merge with what the API has: a
// transition time moves only with the status. @source upstream pkg/kubelet/status/generate.go
import type { ContainerStatus, PodCondition, PodStatus } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { isSidecar, type PodView } from '../pod/pod.ts';

type Parts = Pick<PodCondition, 'status' | 'reason' | 'message'>;

const TRUE: Parts = { status: 'True' };

export function podConditions(pod: PodView, status: PodStatus, { hasSandbox }: { hasSandbox: boolean }): PodCondition[] {
  const containers = containersReady(pod, status);
  const make = (type: string, parts: Parts): PodCondition => ({
    type,
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    ...parts,
  });
  return [
    make('PodReadyToStartContainers', { status: hasSandbox ? 'True' : 'False' }),
    make('Initialized', initialized(pod, status)),
    make('Ready', ready(pod, containers)),
    make('ContainersReady', containers),
    make('PodScheduled', TRUE),
  ];
}

function unready(reason: string, message?: string): Parts {
  return { status: 'False', reason, ...(message === undefined ? {} : { message }) };
}

const listed = (names: readonly string[]) => `[${names.join(' ')}]`;

function containersReady(pod: PodView, status: PodStatus): Parts {
  if (status.phase === 'Succeeded') return unready('PodCompleted');
  if (status.phase === 'Failed') return unready('PodFailed');
  const known = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])];
  const wanted = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  const missing: string[] = [];
  const waiting: string[] = [];
  for (const { name } of wanted) {
    const found = known.find((candidate) => candidate.name === name);
    if (found === undefined) missing.push(name);
    else if (!found.ready) waiting.push(name);
  }
  const texts: string[] = [];
  if (missing.length > 0) texts.push(`containers with unknown status: ${listed(missing)}`);
  if (waiting.length > 0) texts.push(`containers with unready status: ${listed(waiting)}`);
  return texts.length === 0 ? TRUE : unready('ContainersNotReady', texts.join(', '));
}

function ready(pod: PodView, containers: Parts): Parts {
  if (containers.status !== 'True') return containers;
  const texts: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const found = pod.status?.conditions?.find((condition) => condition.type === conditionType);
    if (found === undefined) texts.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (found.status !== 'True') texts.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`);
  }
  return texts.length === 0 ? TRUE : unready('ReadinessGatesNotReady', texts.join(', '));
}

function initialized(pod: PodView, status: PodStatus): Parts {
  const specs = pod.spec.initContainers ?? [];
  if (specs.length === 0) return TRUE;
  if (status.phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const mainsBegan = (status.containerStatuses ?? []).some((one) => one.containerID !== undefined);
  if (mainsBegan) return TRUE;
  const find = (name: string) => (status.initContainerStatuses ?? []).find((candidate) => candidate.name === name);
  const missing = specs.filter((spec) => find(spec.name) === undefined).map((spec) => spec.name);
  const open = specs.filter((spec) => find(spec.name) !== undefined && !isDone(spec, find(spec.name))).map((spec) => spec.name);
  const texts: string[] = [];
  if (missing.length > 0) texts.push(`containers with unknown status: ${listed(missing)}`);
  if (open.length > 0) texts.push(`containers with incomplete status: ${listed(open)}`);
  return texts.length === 0 ? TRUE : unready('ContainersNotInitialized', texts.join(', '));
}

function isDone(spec: Parameters<typeof isSidecar>[0], status: ContainerStatus | undefined): boolean {
  return isSidecar(spec) ? status?.started === true : status?.ready === true;
}

/** Gives each condition its transition time: the known one if the status is the same, else `now`. */
export function mergeConditions(
  fresh: readonly PodCondition[],
  known: DeepReadonly<readonly PodCondition[]> | undefined,
  now: string,
): PodCondition[] {
  return fresh.map((condition) => {
    const before = known?.find((candidate) => candidate.type === condition.type);
    const lastTransitionTime = before?.status === condition.status ? (before.lastTransitionTime ?? now) : now;
    return { ...condition, lastTransitionTime };
  });
}
