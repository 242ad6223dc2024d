// SPDX-License-Identifier: Apache-2.0
// Writes Pod statuses to the API: only what changed, the newest only, one write per Pod at a time, retried with the next change
// or after ten seconds. Ends a deleted Pod's life with the final delete. @source upstream pkg/kubelet/status/status_manager.go
import { isDeepStrictEqual } from 'node:util';
import type { PodCondition, PodStatus } from '#api/core/v1';
import { pods } from '#api/resources';
import type { Client } from '#client';
import { type Clock, formatTime, type Logger } from '#component';
import { type DeepReadonly, isConflict, isNotFound } from '#machinery';
import { isMirror, isStatic, type PodView, podRef } from '../pod/pod.ts';
import { mergeConditions } from './conditions.ts';

const RETRY_MS = 10_000;

interface Entry {
  pod: PodView;
  status: PodStatus;
  /** What the API has, as far as known. */
  known: DeepReadonly<PodStatus> | undefined;
  /** Everything is stopped and cleaned: delete the object after the write. */
  finished: boolean;
  dirty: boolean;
  running: Promise<void> | undefined;
  writtenAt: number;
}

interface Deps {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The API object that stands for a static Pod. */
  mirrorOf(pod: PodView): PodView | undefined;
}

export class StatusManager {
  readonly #deps: Deps;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What the kubelet last said of a Pod; the API may not have it yet. */
  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.status;
  }

  /** Sets what should be written. Transition times and reasons that hold are kept. */
  set(pod: PodView, fresh: PodStatus): void {
    const now = formatTime(this.#deps.clock.now());
    const entry = this.#entries.get(pod.metadata.uid);
    const before = entry?.status ?? (pod.status as DeepReadonly<PodStatus> | undefined);
    const status: PodStatus = {
      ...fresh,
      ...(before?.startTime === undefined ? {} : { startTime: before.startTime }),
      conditions: mergeConditions(fresh.conditions ?? [], before?.conditions, now),
    };
    if (entry === undefined) {
      const target = this.#deps.mirrorOf(pod) ?? pod;
      this.#entries.set(pod.metadata.uid, {
        pod,
        status,
        known: target.status as DeepReadonly<PodStatus> | undefined,
        finished: false,
        dirty: true,
        running: undefined,
        writtenAt: 0,
      });
    } else {
      entry.pod = pod;
      if (isDeepStrictEqual(entry.status, status)) return;
      entry.status = status;
      entry.dirty = true;
    }
    this.#flush(pod.metadata.uid);
  }

  /** The Pod's containers and volumes are gone for good: a deleted one leaves the API now. */
  finish(pod: PodView): void {
    const entry = this.#entries.get(pod.metadata.uid);
    if (entry === undefined) return;
    entry.pod = pod;
    entry.finished = true;
    entry.dirty = true;
    this.#flush(pod.metadata.uid);
  }

  /** A mirror Pod has appeared, or somebody changed a status: write again where it differs. */
  observe(uid: string, target: PodView): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined || entry.running !== undefined) return;
    entry.known = target.status as DeepReadonly<PodStatus>;
    if (Object.keys(statusPatch(entry.status, entry.known)).length === 0) return;
    entry.dirty = true;
    // Somebody else writes the same fields: answer at a measured pace, not in a duel.
    if (this.#deps.clock.now() - entry.writtenAt >= RETRY_MS) this.#flush(uid);
    else this.#later(uid);
  }

  release(uid: string): void {
    this.#entries.delete(uid);
  }

  /** Resolves when what was set is written or has failed. */
  async drain(): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => entry.running));
    this.#stop.abort();
  }

  #flush(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined || entry.running !== undefined || !entry.dirty || this.#stop.signal.aborted) return;
    entry.running = this.#writeLoop(uid, entry).finally(() => {
      entry.running = undefined;
      if (entry.dirty && this.#entries.get(uid) === entry) this.#later(uid);
    });
  }

  #later(uid: string): void {
    const timer = this.#deps.clock.after(RETRY_MS, () => this.#flush(uid));
    this.#stop.signal.addEventListener('abort', () => timer[Symbol.dispose](), { once: true });
  }

  async #writeLoop(uid: string, entry: Entry): Promise<void> {
    while (entry.dirty && this.#entries.get(uid) === entry) {
      entry.dirty = false;
      try {
        await this.#write(entry);
      } catch (error) {
        if (isNotFound(error)) return;
        // Another Pod of this name stands there now, or this one has been deleted and made again.
        if (isConflict(error)) return this.#deps.logger.debug({ err: error, pod: uid }, 'Pod has another UID now, status dropped');
        this.#deps.logger.warn({ err: error, pod: uid }, 'Pod status was not written, will retry');
        entry.dirty = true;
        return;
      }
    }
  }

  async #write(entry: Entry): Promise<void> {
    const { client } = this.#deps;
    const target = isStatic(entry.pod) ? this.#deps.mirrorOf(entry.pod) : entry.pod;
    if (target === undefined) return;
    const ref = podRef(target);
    const uid = target.metadata.uid;
    const patch = statusPatch(entry.status, entry.known);
    if (Object.keys(patch).length > 0) {
      const answer = await client.patch(pods, ref, 'strategic', { metadata: { uid }, status: patch }, { subresource: 'status' });
      entry.known = answer.status;
      entry.writtenAt = this.#deps.clock.now();
    }
    if (!entry.finished || isMirror(target) || entry.pod.metadata.deletionTimestamp === undefined) return;
    await client.delete(pods, ref, { gracePeriodSeconds: 0, preconditions: { uid } });
  }
}

const OWNED = [
  'phase',
  'reason',
  'message',
  'startTime',
  'hostIP',
  'hostIPs',
  'podIP',
  'podIPs',
  'initContainerStatuses',
  'containerStatuses',
  'ephemeralContainerStatuses',
  'qosClass',
  'observedGeneration',
] as const;

/** A strategic merge patch from what the API has to what it should have: {} if nothing differs. Exported for its test. */
export function statusPatch(status: PodStatus, known: DeepReadonly<PodStatus> | undefined): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const field of OWNED) {
    const want = status[field];
    const have = known?.[field];
    if (isDeepStrictEqual(want, have)) continue;
    if (want === undefined) {
      if (field === 'reason' || field === 'message') patch[field] = null;
      continue;
    }
    // Merged by key otherwise: an address that went would stay.
    patch[field] = field === 'podIPs' && have !== undefined ? [...(want as unknown[]), { $patch: 'replace' }] : want;
  }
  const conditions = changedConditions(status.conditions ?? [], known?.conditions);
  if (conditions.length === 0) return patch;
  patch['conditions'] = conditions;
  const order = new Set([...(status.conditions ?? []), ...(known?.conditions ?? [])].map(({ type }) => type));
  patch['$setElementOrder/conditions'] = [...order].map((type) => ({ type }));
  return patch;
}

function changedConditions(want: readonly PodCondition[], have: DeepReadonly<readonly PodCondition[]> | undefined): object[] {
  return want.flatMap((condition) => {
    const before = have?.find((candidate) => candidate.type === condition.type);
    const { lastProbeTime: _, ...rest } = before ?? { lastProbeTime: undefined };
    if (before !== undefined && isDeepStrictEqual(rest, condition)) return [];
    const gone =
      before === undefined
        ? {}
        : { ...(condition.reason === undefined ? { reason: null } : {}), ...(condition.message === undefined ? { message: null } : {}) };
    return [{ ...condition, ...gone }];
  });
}
