// SPDX-License-Identifier: Apache-2.0
// Node pressure: looks at memory, disk and PIDs every ten seconds, sets the node's conditions, reclaims images, and ends the Pod
// that is furthest above its requests. Hard thresholds only; soft ones and kernel notifications are not supported.
// @source upstream pkg/kubelet/eviction
import type { Clock, Logger } from '#component';
import type { Container, ContainerStats } from '#runtime';
import { uidOf } from '../container/labels.ts';
import { podRequest } from '../container/resources.ts';
import type { MachineUsage } from '../node/machine.ts';
import type { Pressure } from '../node/node-status.ts';
import type { EvictionThresholds } from '../options.ts';
import { isCritical, type PodView, qosOf } from '../pod/pod.ts';
import type { EventRecorder } from '../recorder.ts';

type Signal = 'memory.available' | 'nodefs.available' | 'nodefs.inodesFree' | 'imagefs.available' | 'pid.available';

export interface PodUse {
  readonly pod: PodView;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly pids: number;
}

interface Deps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly thresholds: EvictionThresholds;
  usage(): Promise<MachineUsage>;
  imagesUsage(): Promise<{ usedBytes: number; capacityBytes: number }>;
  stats(): Promise<readonly ContainerStats[]>;
  containers(): readonly Container[];
  pods(): readonly PodView[];
  reclaimImages(): Promise<void>;
  evict(uid: string, failure: { reason: string; message: string }, graceSeconds: number): void;
  changed(): void;
}

const PERIOD_MS = 10_000;
/** A condition stays on this long after the pressure has gone. */
const TRANSITION_MS = 300_000;
const RESOURCE: Readonly<Record<Signal, string>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'pid.available': 'pids',
};

export class EvictionManager {
  readonly #deps: Deps;
  readonly #until = new Map<keyof Pressure, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  get pressure(): Pressure {
    const on = (kind: keyof Pressure) => (this.#until.get(kind) ?? 0) > this.#deps.clock.now();
    return { memory: on('memory'), disk: on('disk'), pid: on('pid') };
  }

  /** Why a Pod may not start now: under memory pressure only those that do without, under others only critical ones. */
  refusal(pod: PodView): { reason: string; message: string } | undefined {
    const { memory, disk, pid } = this.pressure;
    if (!(memory || disk || pid) || isCritical(pod)) return undefined;
    if (memory && !disk && !pid && qosOf(pod) !== 'BestEffort') return undefined;
    const names = [memory ? 'MemoryPressure' : '', disk ? 'DiskPressure' : '', pid ? 'PIDPressure' : ''].filter((name) => name !== '');
    return { reason: 'Evicted', message: `The node had condition: [${names.join(' ')}]. ` };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, thresholds } = this.#deps;
    if (Object.values(thresholds).every((value) => value === 0)) return;
    while (!signal.aborted) {
      await this.#once().catch((error: unknown) => logger.warn({ err: error }, 'Node pressure was not read'));
      await clock.sleep(PERIOD_MS, signal).catch(() => {});
    }
  }

  async #once(): Promise<void> {
    const before = JSON.stringify(this.pressure);
    const usage = await this.#deps.usage();
    const crossed = crossedSignals(usage, await this.#deps.imagesUsage(), this.#deps.thresholds);
    for (const signal of crossed) this.#until.set(kindOf(signal), this.#deps.clock.now() + TRANSITION_MS);
    if (JSON.stringify(this.pressure) !== before) this.#deps.changed();
    const [first] = crossed;
    if (first !== undefined) await this.#relieve(first);
  }

  async #relieve(signal: Signal): Promise<void> {
    const { recorder, logger } = this.#deps;
    if (kindOf(signal) === 'disk') {
      await this.#deps.reclaimImages();
      const left = crossedSignals(await this.#deps.usage(), await this.#deps.imagesUsage(), this.#deps.thresholds);
      if (!left.some((one) => kindOf(one) === 'disk')) return;
    }
    const uses = usesOf(this.#deps.pods(), this.#deps.containers(), await this.#deps.stats());
    const victim = evictionOrder(uses, kindOf(signal)).find((use) => !isCritical(use.pod));
    if (victim === undefined) return logger.warn({ signal }, 'Node is under pressure and no Pod can be evicted');
    const message = `The node was low on resource: ${RESOURCE[signal]}. ${detail(victim, signal)}`;
    recorder.event(victim.pod, 'Warning', 'Evicted', message);
    // Hard thresholds leave no time to end in an orderly way; a second as upstream.
    this.#deps.evict(victim.pod.metadata.uid, { reason: 'Evicted', message }, 1);
  }
}

function kindOf(signal: Signal): keyof Pressure {
  if (signal === 'memory.available') return 'memory';
  return signal === 'pid.available' ? 'pid' : 'disk';
}

function detail({ pod, memoryBytes }: PodUse, signal: Signal): string {
  if (signal !== 'memory.available') return '';
  const names = pod.spec.containers.map((container) => container.name).join(', ');
  const request = Number(podRequest(pod, 'memory') / 1_000_000_000n);
  return `Container ${names} was using ${Math.ceil(memoryBytes / 1024)}Ki, request is ${request === 0 ? '0' : `${Math.ceil(request / 1024)}Ki`}, has larger consumption of memory. `;
}

/** In upstream's order: memory first. */
export function crossedSignals(
  usage: MachineUsage,
  images: { usedBytes: number; capacityBytes: number },
  thresholds: EvictionThresholds,
): Signal[] {
  const below = (available: number, capacity: number, share: number) => share > 0 && capacity > 0 && available < capacity * share;
  const signals: Signal[] = [];
  if (usage.memoryAvailableBytes < thresholds.memoryAvailableBytes) signals.push('memory.available');
  if (below(images.capacityBytes - images.usedBytes, images.capacityBytes, thresholds.imagefsAvailable)) signals.push('imagefs.available');
  if (below(usage.diskAvailableBytes, usage.diskCapacityBytes, thresholds.nodefsAvailable)) signals.push('nodefs.available');
  if (below(usage.inodesFree, usage.inodes, thresholds.nodefsInodesFree)) signals.push('nodefs.inodesFree');
  if (below(usage.maxPids - usage.pids, usage.maxPids, thresholds.pidAvailable)) signals.push('pid.available');
  return signals;
}

function usesOf(pods: readonly PodView[], containers: readonly Container[], stats: readonly ContainerStats[]): PodUse[] {
  const uidById = new Map(containers.map((container) => [container.id, uidOf(container)]));
  return pods.map((pod) => {
    const own = stats.filter((one) => uidById.get(one.containerId) === pod.metadata.uid);
    const sum = (read: (one: ContainerStats) => number) => own.reduce((total, one) => total + read(one), 0);
    return {
      pod,
      memoryBytes: sum((one) => one.memoryWorkingSetBytes),
      diskBytes: sum((one) => one.writableLayerBytes),
      pids: sum((one) => one.pids),
    };
  });
}

/** First goes who uses more than it asked for, then the lower priority, then the larger excess. */
export function evictionOrder(uses: readonly PodUse[], kind: keyof Pressure): PodUse[] {
  const excess = (use: PodUse) => {
    if (kind === 'pid') return use.pids;
    const request = podRequest(use.pod, kind === 'memory' ? 'memory' : 'ephemeral-storage');
    return (kind === 'memory' ? use.memoryBytes : use.diskBytes) - Number(request / 1_000_000_000n);
  };
  return [...uses].sort((a, b) => {
    const over = Number(excess(b) > 0) - Number(excess(a) > 0);
    if (over !== 0 && kind !== 'pid') return over;
    return (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0) || excess(b) - excess(a);
  });
}
