// SPDX-License-Identifier: Apache-2.0
// The status of a Pod from what the runtime has: container statuses, phase, conditions, addresses. Pure.
// @source upstream pkg/kubelet/kubelet_pods.go generateAPIPodStatus, convertStatusToAPIStatus, getPhase
import type { ContainerState, ContainerStatus, PodStatus } from '#api/core/v1';
import { formatTime } from '#component';
import type { Container, Image } from '#runtime';
import { factsOf } from '../container/labels.ts';
import { type ContainerSpec, computeQos, type EphemeralSpec, isSidecar, isTerminalPhase, type PodView } from '../pod/pod.ts';
import { type PodRuntime, readySandbox } from '../pod/pod-runtime.ts';
import { shouldRestart } from '../pod/restart-rule.ts';
import { podConditions } from './conditions.ts';
import { podPhase } from './phase.ts';

export interface Waiting {
  readonly reason: string;
  readonly message: string;
}

export interface StatusInput {
  readonly pod: PodView;
  readonly runtime: PodRuntime;
  /** `containerd` of `containerd://<id>`. */
  readonly scheme: string;
  readonly hostIps: readonly string[];
  readonly now: number;
  /** Why a container does not run, by name: image and start failures. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  started(containerId: string): boolean;
  ready(containerId: string): boolean;
  /** The Pod is being stopped for good: nothing restarts. */
  readonly terminating: boolean;
  /** Overrides of an ended Pod: evicted, past its deadline, refused. */
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  /** The image by its ID, for its name and digest. */
  findImage(id: string): Pick<Image, 'tags' | 'digests'> | undefined;
  /** What a container left as its last words. */
  message(container: Container): string | undefined;
}

/** What the kubelet owns of `status`. Conditions carry no transition times yet: see conditions.ts `mergeConditions`. */
export function generateStatus(input: StatusInput): PodStatus {
  const { pod } = input;
  const initContainerStatuses = (pod.spec.initContainers ?? []).map((spec) => containerStatus(input, spec, 'init'));
  const containerStatuses = pod.spec.containers.map((spec) => containerStatus(input, spec, 'main'));
  const ephemeralContainerStatuses = (pod.spec.ephemeralContainers ?? []).map((spec) => containerStatus(input, spec, 'ephemeral'));
  const phase = phaseOf(input, initContainerStatuses, containerStatuses);
  const status: PodStatus = {
    phase,
    startTime: pod.status?.startTime ?? formatTime(input.now),
    qosClass: pod.status?.qosClass ?? computeQos(pod),
    ...reasonParts(input, phase),
    ...addresses(input),
    containerStatuses,
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
  status.conditions = podConditions(pod, status, { hasSandbox: sandboxIsReady(input) });
  return status;
}

function phaseOf(input: StatusInput, init: readonly ContainerStatus[], mains: readonly ContainerStatus[]): PodStatus['phase'] & string {
  const known = input.pod.status?.phase;
  if (known !== undefined && isTerminalPhase(known)) return known;
  const phase = input.failure === undefined ? podPhase(input.pod, { init, mains, terminating: input.terminating }) : 'Failed';
  // The end is told only when nothing runs any more: others take the Pod's place from then on.
  const alive = input.runtime.containers.some((container) => container.state === 'running');
  return alive && isTerminalPhase(phase) ? (known ?? 'Running') : phase;
}

function reasonParts({ pod, failure }: StatusInput, phase: string): { reason?: string; message?: string } {
  if (!isTerminalPhase(phase)) return {};
  const reason = failure?.reason ?? pod.status?.reason;
  const message = failure?.message ?? pod.status?.message;
  return { ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) };
}

function sandboxIsReady(input: StatusInput): boolean {
  const sandbox = readySandbox(input.runtime);
  return sandbox !== undefined && (input.pod.spec.hostNetwork === true || sandbox.ips.length > 0);
}

function addresses({ pod, runtime, hostIps }: StatusInput): Partial<PodStatus> {
  const found = pod.spec.hostNetwork === true ? (runtime.sandboxes.length > 0 ? hostIps : []) : (runtime.sandboxes[0]?.ips ?? []);
  const ips = found.length > 0 ? found : (pod.status?.podIPs ?? []).map((entry) => entry.ip);
  const first = ips[0];
  const hostIP = hostIps[0];
  return {
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(first === undefined ? {} : { podIP: first, podIPs: ips.map((ip) => ({ ip })) }),
  };
}

type Kind = 'init' | 'main' | 'ephemeral';

function containerStatus(input: StatusInput, spec: ContainerSpec | EphemeralSpec, kind: Kind): ContainerStatus {
  const instances = input.runtime.byName.get(spec.name) ?? [];
  const [current, previous] = instances;
  if (current === undefined) return absentStatus(input, spec, kind);
  const status = presentStatus(input, spec, current);
  status.lastState = lastStateOf(input, spec, previous);
  const wait = input.waiting.get(spec.name);
  const restarts = current.state !== 'running' && kind !== 'ephemeral' && !input.terminating && shouldRestart(input.pod, spec, current);
  if (wait !== undefined && restarts) {
    if (status.state.terminated !== undefined) status.lastState = status.state;
    status.state = { waiting: { reason: wait.reason, ...(wait.message === '' ? {} : { message: wait.message }) } };
  }
  if (kind === 'init' && !isSidecar(spec)) {
    status.started = false;
    status.ready = current.state === 'exited' && current.exitCode === 0;
  } else {
    const running = current.state === 'running' && status.state.running !== undefined;
    status.started = running && input.started(current.id);
    status.ready = running && kind !== 'ephemeral' && status.started && input.ready(current.id);
  }
  return status;
}

function lastStateOf(input: StatusInput, spec: ContainerSpec | EphemeralSpec, previous: Container | undefined): ContainerState {
  if (previous?.state === 'exited') return { terminated: terminated(input, previous) };
  const old = knownStatus(input.pod, spec.name)?.lastState;
  return old?.terminated === undefined ? {} : { terminated: { ...old.terminated } };
}

function presentStatus(input: StatusInput, spec: ContainerSpec | EphemeralSpec, container: Container): ContainerStatus {
  const image = input.findImage(container.imageId);
  return {
    name: spec.name,
    state: stateOf(input, container),
    lastState: {},
    ready: false,
    restartCount: factsOf(container).restartCount,
    image: image?.tags[0] ?? spec.image ?? container.image,
    imageID: image?.digests[0] ?? container.imageId,
    containerID: `${input.scheme}://${container.id}`,
    ...(spec.resources?.limits === undefined && spec.resources?.requests === undefined ? {} : { resources: copyResources(spec) }),
    ...(spec.resources?.requests === undefined ? {} : { allocatedResources: { ...spec.resources.requests } }),
    ...((spec.volumeMounts?.length ?? 0) === 0 ? {} : { volumeMounts: mountStatuses(spec) }),
  };
}

function mountStatuses(spec: ContainerSpec | EphemeralSpec): NonNullable<ContainerStatus['volumeMounts']> {
  return (spec.volumeMounts ?? []).map((mount) => ({
    name: mount.name,
    mountPath: mount.mountPath,
    ...(mount.readOnly === true ? { readOnly: true, recursiveReadOnly: 'Disabled' as const } : {}),
  }));
}

function copyResources(spec: ContainerSpec | EphemeralSpec): NonNullable<ContainerStatus['resources']> {
  const { limits, requests } = spec.resources;
  return { ...(limits === undefined ? {} : { limits: { ...limits } }), ...(requests === undefined ? {} : { requests: { ...requests } }) };
}

function stateOf(input: StatusInput, container: Container): ContainerState {
  switch (container.state) {
    case 'running':
      return { running: { startedAt: formatTime(container.startedAt ?? container.createdAt) } };
    case 'exited':
      return { terminated: terminated(input, container) };
    case 'created':
      return { waiting: { reason: 'ContainerCreating' } };
    case 'unknown':
      return { terminated: { ...terminated(input, container), exitCode: 137, reason: 'ContainerStatusUnknown' } };
  }
}

function terminated(input: StatusInput, container: Container): NonNullable<ContainerState['terminated']> {
  const message = container.message ?? input.message(container);
  const exitCode = container.exitCode ?? 0;
  return {
    exitCode,
    reason: container.reason ?? (exitCode === 0 ? 'Completed' : 'Error'),
    ...(message === undefined || message === '' ? {} : { message }),
    startedAt: formatTime(container.startedAt ?? container.createdAt),
    finishedAt: formatTime(container.finishedAt ?? container.createdAt),
    containerID: `${input.scheme}://${container.id}`,
  };
}

function knownStatus(pod: PodView, name: string) {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].find((status) => status.name === name);
}

/** A container the runtime does not have: not yet made, or its record is gone with a restart of the machine or a clean-up. */
function absentStatus(input: StatusInput, spec: ContainerSpec | EphemeralSpec, kind: Kind): ContainerStatus {
  const old = knownStatus(input.pod, spec.name);
  const ended = isTerminalPhase(input.pod.status?.phase) || input.terminating;
  if (old !== undefined && (old.state?.terminated !== undefined || old.containerID !== undefined)) {
    const copy = structuredClone(old) as ContainerStatus;
    if (copy.state.running !== undefined || (ended && copy.state.terminated === undefined && old.containerID !== undefined)) {
      copy.state = { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message: LOST } };
      copy.ready = false;
      copy.started = false;
    }
    if (ended || kind === 'init' || copy.state.terminated !== undefined) return copy;
  }
  const hasInit = (input.pod.spec.initContainers?.length ?? 0) > 0;
  const wait = input.waiting.get(spec.name) ?? {
    reason: kind === 'main' && hasInit ? 'PodInitializing' : 'ContainerCreating',
    message: '',
  };
  return {
    name: spec.name,
    state: { waiting: { reason: wait.reason, ...(wait.message === '' ? {} : { message: wait.message }) } },
    lastState: {},
    ready: false,
    restartCount: old?.restartCount ?? 0,
    image: spec.image ?? '',
    imageID: '',
    started: false,
    ...((spec.volumeMounts?.length ?? 0) === 0 ? {} : { volumeMounts: mountStatuses(spec) }),
  };
}

const LOST = 'The container could not be located when the pod was terminated';
