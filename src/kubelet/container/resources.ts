// SPDX-License-Identifier: Apache-2.0
// Resources as the kernel takes them: CPU shares and quota, memory limit, oom_score_adj by QoS, and the cgroup names of Pods.
// @source upstream pkg/kubelet/cm/helpers_linux.go, pkg/kubelet/qos/policy.go
import { milliOf, unitsOf } from '#machinery';
import type { ContainerResources } from '#runtime';
import { allContainers, type ContainerSpec, type EphemeralSpec, isCritical, isSidecar, type PodView, qosOf } from '../pod/pod.ts';

const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;

export function sharesOf(milliCpu: number): number {
  return milliCpu === 0 ? MIN_SHARES : Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.floor((milliCpu * 1024) / 1000)));
}

export function quotaOf(milliCpu: number): number | undefined {
  return milliCpu === 0 ? undefined : Math.max(MIN_QUOTA_US, Math.floor((milliCpu * PERIOD_US) / 1000));
}

/** @param memoryCapacity Of the node, in bytes: a Burstable Pod's share of it decides its oom_score_adj. */
export function containerResources(
  pod: PodView,
  spec: ContainerSpec | EphemeralSpec,
  memoryCapacity: number,
  pidsLimit?: number,
): ContainerResources {
  const { limits, requests } = spec.resources ?? {};
  const limitMilli = milliOf(limits?.['cpu'] ?? '0');
  const requestMilli = requests?.['cpu'] === undefined ? limitMilli : milliOf(requests['cpu']);
  const memory = unitsOf(limits?.['memory'] ?? '0');
  return {
    cpuShares: sharesOf(requestMilli),
    cpuQuotaUs: quotaOf(limitMilli),
    cpuPeriodUs: PERIOD_US,
    memoryLimitBytes: memory === 0 ? undefined : memory,
    oomScoreAdj: oomScoreAdj(pod, spec, memoryCapacity),
    pidsLimit,
  };
}

const GUARANTEED_OOM = -997;
const BEST_EFFORT_OOM = 1000;

export function oomScoreAdj(pod: PodView, spec: ContainerSpec | EphemeralSpec, memoryCapacity: number): number {
  if (isCritical(pod)) return GUARANTEED_OOM;
  const qos = qosOf(pod);
  if (qos === 'Guaranteed') return GUARANTEED_OOM;
  if (qos === 'BestEffort') return BEST_EFFORT_OOM;
  let request = unitsOf(spec.resources?.requests?.['memory'] ?? '0');
  // A sidecar is never more likely to be killed than the mains it serves.
  const isSide = 'restartPolicy' in spec && isSidecar(spec as ContainerSpec);
  if (isSide) {
    const least = Math.min(...pod.spec.containers.map((main) => unitsOf(main.resources?.requests?.['memory'] ?? '0')));
    request = Math.max(request, least);
  }
  const adjust = Math.trunc(1000 - (1000 * request) / Math.max(1, memoryCapacity));
  if (adjust < 1000 + GUARANTEED_OOM) return 1000 + GUARANTEED_OOM;
  return adjust === BEST_EFFORT_OOM ? adjust - 1 : adjust;
}

/** `kubepods/burstable/pod<uid>`, below the cgroup root. */
export function cgroupParent(pod: PodView): string {
  const qos = qosOf(pod);
  const name = `pod${pod.metadata.uid}`;
  return qos === 'Guaranteed' ? `kubepods/${name}` : `kubepods/${qos.toLowerCase()}/${name}`;
}

export interface PodLimits {
  readonly cpuShares: number;
  /** Undefined: some container has none. */
  readonly cpuQuotaUs: number | undefined;
  readonly memoryLimitBytes: number | undefined;
}

/** What a Pod asks for of one resource: the larger of its mains with sidecars and of each init step, plus overhead. */
export function podRequest(pod: PodView, name: string): bigint {
  return aggregate(pod, name, 'requests') ?? 0n;
}

/** Undefined if some container has no limit. */
export function podLimit(pod: PodView, name: string): bigint | undefined {
  return aggregate(pod, name, 'limits');
}

function aggregate(pod: PodView, name: string, side: 'requests' | 'limits'): bigint | undefined {
  const level = pod.spec.resources?.[side]?.[name];
  const overhead = nanoOf(pod.spec.overhead?.[name]);
  if (level !== undefined) return nanoOf(level) + overhead;
  if (side === 'limits' && allContainers(pod).some((spec) => spec.resources?.limits?.[name] === undefined)) return undefined;
  const read = (spec: ContainerSpec) =>
    nanoOf(spec.resources?.[side]?.[name] ?? (side === 'requests' ? spec.resources?.limits?.[name] : undefined));
  let sum = pod.spec.containers.reduce((total, spec) => total + read(spec), 0n);
  let sidecars = 0n;
  let peak = 0n;
  for (const spec of pod.spec.initContainers ?? []) {
    if (isSidecar(spec)) sidecars += read(spec);
    const step = isSidecar(spec) ? sidecars : sidecars + read(spec);
    if (step > peak) peak = step;
  }
  sum += sidecars;
  return (sum > peak ? sum : peak) + overhead;
}

const NANO = 1_000_000_000n;

function nanoOf(text: string | undefined): bigint {
  return text === undefined ? 0n : BigInt(milliOf(text)) * 1_000_000n;
}

export function podLimits(pod: PodView): PodLimits {
  const cpu = podLimit(pod, 'cpu');
  const memory = podLimit(pod, 'memory');
  const milli = (nanos: bigint) => Number(nanos / 1_000_000n);
  return {
    cpuShares: sharesOf(milli(podRequest(pod, 'cpu'))),
    cpuQuotaUs: cpu === undefined ? undefined : quotaOf(milli(cpu)),
    memoryLimitBytes: memory === undefined || memory === 0n ? undefined : Number(memory / NANO),
  };
}
