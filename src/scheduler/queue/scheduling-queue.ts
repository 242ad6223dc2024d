// SPDX-License-Identifier: Apache-2.0
// The Pods that want a node (upstream's PriorityQueue): active ones by priority then age, failed ones that wait for an event, and those
// that an event has woken but whose backoff (1 s doubling to 10 s) is not over.
//
// Flow: add -> active -> take -> (bound: forget) or failed -> unschedulable -> an event that a rejecting plugin waits for -> backoff or
// active. What no event woke is tried again after five minutes. When nothing is active, what backs off is taken early, as upstream
// does; Pods that failed by an error are not.
import type { Clock } from '#component';
import type { PodInfo } from '../cache/pod-info.ts';
import type { ClusterEvent } from '../framework/events.ts';
import type { Plugin } from '../framework/plugin.ts';
import { Heap } from './heap.ts';

const INITIAL_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 10_000;
const FLUSH_MS = 5 * 60_000;

export interface QueuedPod {
  info: PodInfo;
  /** When it came into the queue: the older goes first. */
  readonly queuedAt: number;
  attempts: number;
  failedAt: number;
  /** The plugins that rejected it last. */
  rejectedBy: readonly Plugin[];
  /** It failed by an error, not by a rejection. */
  erred: boolean;
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #active: Heap<QueuedPod>;
  readonly #backoff = new Map<string, { readonly queued: QueuedPod; readonly timer: Disposable }>();
  readonly #unschedulable = new Map<string, QueuedPod>();
  /** Taken and neither failed nor done. */
  readonly #taken = new Map<string, QueuedPod>();
  #flush: Disposable | undefined;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#active = new Heap<QueuedPod>(goesFirst, ({ info }) => info.key);
    this.#flush = undefined;
    this.#wake = undefined;
  }

  get size(): number {
    return this.#active.size + this.#backoff.size + this.#unschedulable.size;
  }

  get activeSize(): number {
    return this.#active.size;
  }

  add(info: PodInfo): void {
    if (this.#find(info.key) !== undefined) {
      this.update(info);
      return;
    }
    this.#activate({ info, queuedAt: this.#clock.now(), attempts: 0, failedAt: 0, rejectedBy: [], erred: false });
  }

  /** The object of a waiting Pod changed. `mayHelp`: in a way that may make it schedulable. */
  update(info: PodInfo, { mayHelp = false }: { mayHelp?: boolean } = {}): void {
    const queued = this.#find(info.key);
    if (queued === undefined) {
      this.add(info);
      return;
    }
    const isActive = this.#active.has(info.key);
    if (isActive) this.#active.delete(info.key);
    queued.info = info;
    if (isActive) this.#active.push(queued);
    else if (mayHelp && this.#unschedulable.delete(info.key)) this.#awake(queued);
  }

  delete(key: string): void {
    this.#active.delete(key);
    this.#unschedulable.delete(key);
    this.#taken.delete(key);
    this.#endBackoff(key);
  }

  /** The next Pod, or undefined when none may be tried now. */
  poll(): QueuedPod | undefined {
    const queued = this.#active.pop() ?? this.#pollBackoff();
    if (queued === undefined) return undefined;
    queued.attempts += 1;
    this.#taken.set(queued.info.key, queued);
    return queued;
  }

  /** Resolves when `poll` may have something, or the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#active.size > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** A taken Pod has its node. */
  done(key: string): void {
    this.#taken.delete(key);
  }

  /** A taken Pod was rejected: it waits for an event that one of `rejectedBy` knows. */
  reject(queued: QueuedPod, rejectedBy: readonly Plugin[]): void {
    if (!this.#taken.delete(queued.info.key)) return;
    queued.failedAt = this.#clock.now();
    queued.rejectedBy = rejectedBy;
    queued.erred = false;
    this.#unschedulable.set(queued.info.key, queued);
    this.#flush ??= this.#clock.after(FLUSH_MS, () => this.#flushOld());
  }

  /** A taken Pod failed for a reason of its own: it is tried again when its backoff is over. */
  fail(queued: QueuedPod): void {
    if (!this.#taken.delete(queued.info.key)) return;
    queued.failedAt = this.#clock.now();
    queued.erred = true;
    this.#awake(queued);
  }

  /** Wakes the Pods that an event may help. */
  onEvent(event: ClusterEvent): void {
    if (this.#unschedulable.size === 0) return;
    for (const [key, queued] of this.#unschedulable) {
      if (!helps(queued, event)) continue;
      this.#unschedulable.delete(key);
      this.#awake(queued);
    }
  }

  /** Ends all timers. */
  close(): void {
    this.#flush?.[Symbol.dispose]();
    this.#flush = undefined;
    for (const { timer } of this.#backoff.values()) timer[Symbol.dispose]();
    this.#backoff.clear();
  }

  #find(key: string): QueuedPod | undefined {
    return this.#active.get(key) ?? this.#unschedulable.get(key) ?? this.#backoff.get(key)?.queued ?? this.#taken.get(key);
  }

  #activate(queued: QueuedPod): void {
    this.#active.push(queued);
    this.#wake?.();
  }

  /** To the active Pods, or first to those that back off. */
  #awake(queued: QueuedPod): void {
    const waitMs = queued.failedAt + backoffMs(queued.attempts) - this.#clock.now();
    if (waitMs <= 0) {
      this.#activate(queued);
      return;
    }
    const timer = this.#clock.after(waitMs, () => {
      this.#backoff.delete(queued.info.key);
      this.#activate(queued);
    });
    this.#backoff.set(queued.info.key, { queued, timer });
    if (!queued.erred) this.#wake?.();
  }

  #pollBackoff(): QueuedPod | undefined {
    let first: QueuedPod | undefined;
    for (const { queued } of this.#backoff.values()) {
      if (!queued.erred && (first === undefined || goesFirst(queued, first))) first = queued;
    }
    if (first !== undefined) this.#endBackoff(first.info.key);
    return first;
  }

  #endBackoff(key: string): void {
    this.#backoff.get(key)?.timer[Symbol.dispose]();
    this.#backoff.delete(key);
  }

  #flushOld(): void {
    this.#flush = undefined;
    const now = this.#clock.now();
    let oldest = Number.POSITIVE_INFINITY;
    for (const [key, queued] of this.#unschedulable) {
      if (now - queued.failedAt >= FLUSH_MS) {
        this.#unschedulable.delete(key);
        this.#awake(queued);
      } else oldest = Math.min(oldest, queued.failedAt);
    }
    if (oldest !== Number.POSITIVE_INFINITY) this.#flush = this.#clock.after(oldest + FLUSH_MS - now, () => this.#flushOld());
  }
}

/** A Pod that no plugin rejected is woken by anything. */
function helps({ info, rejectedBy }: QueuedPod, event: ClusterEvent): boolean {
  if (rejectedBy.length === 0) return true;
  return rejectedBy.some(({ requeueOn }) =>
    requeueOn?.some(
      ({ resource, actions, helps: hint }) =>
        resource === event.resource && actions.includes(event.action) && hint?.(info, event) !== false,
    ),
  );
}

function goesFirst(a: QueuedPod, b: QueuedPod): boolean {
  return a.info.priority !== b.info.priority ? a.info.priority > b.info.priority : a.queuedAt < b.queuedAt;
}

function backoffMs(attempts: number): number {
  return Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** Math.max(0, attempts - 1));
}
