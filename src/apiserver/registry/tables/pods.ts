// SPDX-License-Identifier: Apache-2.0
// The row of a Pod: READY, STATUS and RESTARTS as upstream's printer derives them from phase, conditions and container states.
import type { ContainerStatus, Pod } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { TableColumns } from '../strategy.ts';
import { age as ageSince, column, wide } from './cells.ts';
import { age, name, table } from './table.ts';

type Old = DeepReadonly<Pod>;
type Status = DeepReadonly<ContainerStatus>;

interface Summary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: string;
}

const isTrue = (pod: Old, type: string) => pod.status?.conditions?.find((it) => it.type === type)?.status === 'True';

function terminationText(state: { readonly reason?: string; readonly signal?: number; readonly exitCode?: number }): string {
  if (state.reason) return state.reason;
  return state.signal ? `Signal:${state.signal}` : `ExitCode:${state.exitCode ?? 0}`;
}

class RestartCounter {
  count = 0;
  last = 0;

  add(status: Status): void {
    this.count += status.restartCount ?? 0;
    const finished = Date.parse(status.lastState?.terminated?.finishedAt ?? '');
    if (finished > this.last) this.last = finished;
  }
}

/** The text of unfinished init containers; undefined when all are done. */
function initText(pod: Old, restarts: RestartCounter, sidecars: RestartCounter): { text: string | undefined; ready: number } {
  const containers = new Map((pod.spec.initContainers ?? []).map((container) => [container.name, container]));
  const total = containers.size;
  let ready = 0;
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    restarts.add(status);
    const isSidecar = containers.get(status.name)?.restartPolicy === 'Always';
    if (isSidecar) sidecars.add(status);
    if (status.state?.terminated !== undefined && (status.state.terminated.exitCode ?? 0) === 0) continue;
    if (isSidecar && status.started === true) {
      if (status.ready) ready += 1;
      continue;
    }
    if (status.state?.terminated !== undefined) return { text: `Init:${terminationText(status.state.terminated)}`, ready };
    const waiting = status.state?.waiting?.reason;
    if (waiting && waiting !== 'PodInitializing') return { text: `Init:${waiting}`, ready };
    return { text: `Init:${index}/${total}`, ready };
  }
  return { text: undefined, ready };
}

function summarize(pod: Old, now: number): Summary {
  const sidecarCount = (pod.spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always').length;
  const total = (pod.spec.containers ?? []).length + sidecarCount;
  let reason = pod.status?.reason || pod.status?.phase || '';
  if (pod.status?.conditions?.some((it) => it.type === 'PodScheduled' && it.reason === 'SchedulingGated')) reason = 'SchedulingGated';
  let restarts = new RestartCounter();
  const sidecars = new RestartCounter();
  const init = initText(pod, restarts, sidecars);
  let ready = init.ready;
  if (init.text !== undefined) reason = init.text;
  if (init.text === undefined || isTrue(pod, 'Initialized')) {
    // Once the main containers run, restarts of init containers are history; those of sidecars are not.
    restarts = sidecars;
    const main = mainText(pod, restarts);
    ready += main.ready;
    if (main.text !== undefined) reason = main.text;
    if (reason === 'Completed' && main.hasRunning) reason = isTrue(pod, 'Ready') ? 'Running' : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp && pod.status?.reason === 'NodeLost') reason = 'Unknown';
  else if (pod.metadata.deletionTimestamp && !['Succeeded', 'Failed'].includes(pod.status?.phase ?? '')) reason = 'Terminating';
  const ago = restarts.count > 0 && restarts.last > 0 ? ` (${ageSince(new Date(restarts.last).toISOString(), now)} ago)` : '';
  return { ready: `${ready}/${total}`, status: reason, restarts: `${restarts.count}${ago}` };
}

/** Of the main containers, last to first: the first one's trouble is what stays. */
function mainText(pod: Old, restarts: RestartCounter): { text: string | undefined; ready: number; hasRunning: boolean } {
  let text: string | undefined;
  let ready = 0;
  let hasRunning = false;
  for (const status of [...(pod.status?.containerStatuses ?? [])].reverse()) {
    restarts.add(status);
    const { waiting, terminated, running } = status.state ?? {};
    if (waiting?.reason) text = waiting.reason;
    else if (terminated !== undefined) text = terminationText(terminated);
    else if (status.ready && running !== undefined) {
      hasRunning = true;
      ready += 1;
    }
  }
  return { text, ready, hasRunning };
}

function gatesText(pod: Old): string {
  const gates = pod.spec.readinessGates ?? [];
  return gates.length === 0 ? '<none>' : `${gates.filter(({ conditionType }) => isTrue(pod, conditionType)).length}/${gates.length}`;
}

const columns = table<Pod>(
  name(),
  [column('Ready'), (pod, now) => summarize(pod, now).ready],
  [column('Status'), (pod, now) => summarize(pod, now).status],
  [column('Restarts'), (pod, now) => summarize(pod, now).restarts],
  age(),
  [wide('IP'), (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>'],
  [wide('Node'), (pod) => pod.spec.nodeName || '<none>'],
  [wide('Nominated Node'), (pod) => pod.status?.nominatedNodeName || '<none>'],
  [wide('Readiness Gates'), gatesText],
);

const DONE: Readonly<Record<string, string>> = { Succeeded: 'The pod has completed successfully.', Failed: 'The pod failed.' };

export const podTable: TableColumns = {
  ...columns,
  conditions(object) {
    const phase = (object as unknown as Pod).status?.phase ?? '';
    const message = DONE[phase];
    return message === undefined ? undefined : [{ type: 'Completed', status: 'True', reason: phase, message }];
  },
};
