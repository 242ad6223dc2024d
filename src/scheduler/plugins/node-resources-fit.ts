// SPDX-License-Identifier: Apache-2.0
// NodeResourcesFit: what a Pod asks for must be left on the node; the emptier node is preferred (LeastAllocated, CPU and memory).
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { MAX_SCORE, type Plugin, type Rejection, unresolvable, unschedulable } from '../framework/plugin.ts';

const CPU = unschedulable('Insufficient cpu');
const MEMORY = unschedulable('Insufficient memory');
const EPHEMERAL = unschedulable('Insufficient ephemeral-storage');
const PODS = unschedulable('Too many pods');

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  weight: 1,
  requeueOn: [
    { resource: 'Pod', actions: ['delete', 'update'] },
    { resource: 'Node', actions: ['add', 'update'] },
  ],
  filter: (_state, pod, node) => shortages(pod, node),
  score(_state, pod, node) {
    const { allocatable, nonZero } = node;
    const free = (capacity: number, used: number) =>
      capacity === 0 || used > capacity ? 0 : Math.floor(((capacity - used) * MAX_SCORE) / capacity);
    const cpu = free(allocatable.milliCpu, nonZero.milliCpu + pod.nonZero.milliCpu);
    const memory = free(allocatable.memory, nonZero.memory + pod.nonZero.memory);
    const weights = (allocatable.milliCpu === 0 ? 0 : 1) + (allocatable.memory === 0 ? 0 : 1);
    return weights === 0 ? 0 : Math.floor((cpu + memory) / weights);
  },
};

/** Every resource that is short; undefined where the Pod fits. */
export function shortages({ requests }: PodInfo, { allocatable, requested, pods, mostPods }: NodeInfo): Rejection | undefined {
  let found: Rejection | undefined;
  const note = (rejection: Rejection) => {
    found = found === undefined ? rejection : both(found, rejection);
  };
  if (pods.size + 1 > mostPods) note(PODS);
  if (requests.milliCpu > 0 && requests.milliCpu > allocatable.milliCpu - requested.milliCpu)
    note(shortOf(CPU, requests.milliCpu, allocatable.milliCpu));
  if (requests.memory > 0 && requests.memory > allocatable.memory - requested.memory)
    note(shortOf(MEMORY, requests.memory, allocatable.memory));
  if (requests.ephemeralStorage > 0 && requests.ephemeralStorage > allocatable.ephemeralStorage - requested.ephemeralStorage)
    note(shortOf(EPHEMERAL, requests.ephemeralStorage, allocatable.ephemeralStorage));
  for (const [name, amount] of requests.scalars) {
    if (amount === 0) continue;
    const most = allocatable.scalars.get(name) ?? 0;
    if (amount > most - (requested.scalars.get(name) ?? 0)) note(shortOf(unschedulable(`Insufficient ${name}`), amount, most));
  }
  return found;
}

/** What exceeds even the empty node cannot be helped by preemption. */
function shortOf(rejection: Rejection, amount: number, most: number): Rejection {
  return amount > most ? unresolvable(...rejection.reasons) : rejection;
}

function both(a: Rejection, b: Rejection): Rejection {
  const reasons = [...a.reasons, ...b.reasons];
  return a.code === 'unresolvable' || b.code === 'unresolvable' ? unresolvable(...reasons) : unschedulable(...reasons);
}
