// SPDX-License-Identifier: Apache-2.0
// The status of a Node: addresses, capacity, system info, images, conditions. Pure, from what was read elsewhere.
// @source upstream pkg/kubelet/nodestatus/setters.go
import type { Node, NodeCondition, NodeStatus } from '#api/core/v1';
import { formatTime } from '#component';
import { canonicalQuantity, type DeepReadonly, milliOf, unitsOf } from '#machinery';
import type { Image, RuntimeInfo } from '#runtime';
import type { Machine } from './machine.ts';

export interface Pressure {
  readonly memory: boolean;
  readonly disk: boolean;
  readonly pid: boolean;
}

export interface NodeFacts {
  readonly machine: Machine;
  readonly nodeIps: readonly string[];
  readonly hostname: string;
  readonly maxPods: number;
  readonly reserved: Readonly<Record<'cpu' | 'memory', string>>;
  readonly ephemeralBytes: number;
  readonly evictionMemoryBytes: number;
  readonly nodefsThreshold: number;
  readonly runtime: RuntimeInfo;
  readonly version: string;
  readonly port: number;
  readonly images: readonly Image[];
  readonly pressure: Pressure;
  /** Why the node is not ready; none: it is. */
  readonly problems: readonly string[];
  readonly now: number;
}

/** What the API server asks for when a Pod's resources change. In order. */
const RESIZING = ['GuaranteedQoSPodCPUResize', 'InPlacePodLevelResourcesVerticalScaling'];
const MAX_IMAGES = 50;
const MAX_NAMES = 5;

/**
 * @param known What was said last, for the times of conditions.
 * @param stored What the API server has: extended resources that others advertise there stay, and can be allocated in full.
 */
export function nodeStatus(
  facts: NodeFacts,
  known: DeepReadonly<NodeStatus> | undefined,
  stored: DeepReadonly<NodeStatus> | undefined = known,
): NodeStatus {
  const { machine, runtime, version } = facts;
  const capacity = { ...extendedOf(stored?.capacity), ...capacityOf(facts) };
  return {
    addresses: [
      ...facts.nodeIps.map((address) => ({ type: 'InternalIP' as const, address })),
      { type: 'Hostname', address: facts.hostname },
    ],
    capacity,
    allocatable: allocatableOf(facts, capacity),
    conditions: conditionsOf(facts, known),
    daemonEndpoints: { kubeletEndpoint: { Port: facts.port } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
      kubeletVersion: version,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: machine.architecture,
    },
    images: imagesOf(facts.images),
    runtimeHandlers: [{ name: '', features: { recursiveReadOnlyMounts: false, userNamespaces: false } }],
    ...(runtime.canResize === true && { declaredFeatures: RESIZING }),
  };
}

function imagesOf(images: readonly Image[]): NonNullable<NodeStatus['images']> {
  return [...images]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, MAX_IMAGES)
    .map((image) => ({ names: [...image.digests, ...image.tags].slice(0, MAX_NAMES), sizeBytes: image.sizeBytes }));
}

function capacityOf({ machine, maxPods, ephemeralBytes }: NodeFacts): Record<string, string> {
  return canonical({
    cpu: String(machine.cpus),
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    pods: String(maxPods),
    'ephemeral-storage': `${Math.floor(ephemeralBytes / 1024)}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
  });
}

/** Those that are named by a domain that is not Kubernetes' own. */
function extendedOf(list: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(list).filter(([name]) => name.includes('/') && !name.startsWith('kubernetes.io/')));
}

function allocatableOf(facts: NodeFacts, capacity: Record<string, string>): Record<string, string> {
  const memory = Math.floor(facts.machine.memoryBytes / 1024) * 1024 - unitsOf(facts.reserved.memory) - facts.evictionMemoryBytes;
  return canonical({
    ...capacity,
    cpu: `${Math.max(0, facts.machine.cpus * 1000 - milliOf(facts.reserved.cpu))}m`,
    memory: `${Math.max(0, Math.floor(memory / 1024))}Ki`,
    'ephemeral-storage': String(Math.floor(facts.ephemeralBytes * (1 - facts.nodefsThreshold))),
  });
}

/** As the server stores them: else every look would find a difference. */
function canonical(list: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(list).map(([name, text]) => [name, canonicalQuantity(text)]));
}

interface ConditionParts {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** Heartbeats are always fresh; a transition time moves only with the status. */
function conditionsOf(facts: NodeFacts, known: DeepReadonly<NodeStatus> | undefined): NodeCondition[] {
  const now = formatTime(facts.now);
  return [
    pressureOf('MemoryPressure', facts.pressure.memory, ['KubeletHasInsufficientMemory', 'KubeletHasSufficientMemory'], 'memory available'),
    pressureOf('DiskPressure', facts.pressure.disk, ['KubeletHasDiskPressure', 'KubeletHasNoDiskPressure'], 'disk pressure'),
    pressureOf('PIDPressure', facts.pressure.pid, ['KubeletHasInsufficientPID', 'KubeletHasSufficientPID'], 'PID available'),
    readyOf(facts.problems),
  ].map((parts) => {
    const before = known?.conditions?.find((condition) => condition.type === parts.type);
    const lastTransitionTime = before?.status === parts.status ? (before.lastTransitionTime ?? now) : now;
    return { ...parts, lastHeartbeatTime: now, lastTransitionTime };
  });
}

function pressureOf(type: string, on: boolean, [bad, good]: readonly [string, string], what: string): ConditionParts {
  if (type === 'DiskPressure') {
    return { type, status: on ? 'True' : 'False', reason: on ? bad : good, message: on ? `kubelet has ${what}` : `kubelet has no ${what}` };
  }
  const message = on ? `kubelet has insufficient ${what}` : `kubelet has sufficient ${what}`;
  return { type, status: on ? 'True' : 'False', reason: on ? bad : good, message };
}

function readyOf(problems: readonly string[]): ConditionParts {
  if (problems.length === 0) return { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' };
  const message = problems.length === 1 ? (problems[0] ?? '') : `[${problems.join(', ')}]`;
  return { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message };
}

/** Labels that every node has. */
export function defaultLabels(hostname: string, architecture: string): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'kubernetes.io/hostname': hostname,
    'kubernetes.io/os': 'linux',
  };
}

/** Without what changes by itself: heartbeats. */
export function withoutHeartbeats(status: DeepReadonly<NodeStatus>): unknown {
  const conditions = (status.conditions ?? []).map(({ lastHeartbeatTime: _, ...rest }) => rest);
  return { ...status, conditions };
}

export type NodeView = DeepReadonly<Node>;
