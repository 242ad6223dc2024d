// SPDX-License-Identifier: Apache-2.0
// The phase of a Pod from its container statuses. @source upstream pkg/kubelet/kubelet_pods.go getPhase
import type { ContainerStatus } from '#api/core/v1';
import { isSidecar, type PodView } from '../pod/pod.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

interface Statuses {
  readonly init: readonly ContainerStatus[];
  readonly mains: readonly ContainerStatus[];
  /** The Pod is being stopped: what ended stays ended. */
  readonly terminating: boolean;
}

export function podPhase(pod: PodView, { init, mains, terminating }: Statuses): Phase {
  const initState = initProgress(pod, init);
  if (initState === 'failed') return 'Failed';
  const count = countStates(mains);
  if (terminating && count.running === 0 && count.neverRan < mains.length) return count.failed > 0 ? 'Failed' : 'Succeeded';
  if (terminating && count.running === 0 && init.length + mains.length > 0) return 'Failed';
  if (initState === 'pending') return 'Pending';
  if (count.neverRan > 0 && count.running === 0 && count.stopped === 0) return 'Pending';
  if (count.waitingFirst > 0) return 'Pending';
  if (count.running > 0 || count.waiting > 0) return 'Running';
  const policies = pod.spec.containers.map((spec) => spec.restartPolicy ?? pod.spec.restartPolicy ?? 'Always');
  if (count.failed === 0 && policies.every((policy) => policy !== 'Always')) return 'Succeeded';
  if (policies.every((policy) => policy === 'Never')) return 'Failed';
  return 'Running';
}

function countStates(statuses: readonly ContainerStatus[]) {
  const count = { running: 0, stopped: 0, failed: 0, waiting: 0, waitingFirst: 0, neverRan: 0 };
  for (const { state, lastState } of statuses) {
    if (state.running !== undefined) count.running += 1;
    else if (state.terminated !== undefined) {
      count.stopped += 1;
      if (state.terminated.exitCode !== 0) count.failed += 1;
    } else if (lastState.terminated !== undefined) {
      count.waiting += 1;
      count.stopped += 1;
      if (lastState.terminated.exitCode !== 0) count.failed += 1;
    } else {
      count.waitingFirst += 1;
      count.neverRan += 1;
    }
  }
  return count;
}

function initProgress(pod: PodView, statuses: readonly ContainerStatus[]): 'done' | 'pending' | 'failed' {
  for (const spec of pod.spec.initContainers ?? []) {
    const status = statuses.find((candidate) => candidate.name === spec.name);
    if (isSidecar(spec)) {
      if (status?.started !== true && status?.lastState.terminated === undefined && status?.state.terminated === undefined)
        return 'pending';
      continue;
    }
    const ended = status?.state.terminated;
    if (ended === undefined) return 'pending';
    if (ended.exitCode !== 0) return (spec.restartPolicy ?? pod.spec.restartPolicy) === 'Never' ? 'failed' : 'pending';
  }
  return 'done';
}
