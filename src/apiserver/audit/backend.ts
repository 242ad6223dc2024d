// SPDX-License-Identifier: Apache-2.0
// Where audit events go: backends, and the batching that some of them want between the request and themselves.
// @source upstream apiserver pkg/audit/{types,union}.go, plugin/pkg/audit/buffered/buffered.go
import type { Clock, Logger } from '#component';
import type { AuditEvent } from './event.ts';

export interface AuditBackend {
  readonly name: string;
  /** Whether a request is refused whose coming it cannot write down. @default false */
  readonly strict?: boolean;
  /** Takes events. @throws If they could not be written, where the backend writes at once. @returns A promise where it has to be waited for. */
  process(events: readonly AuditEvent[]): void | Promise<void>;
  /** Writes what is still held back. */
  shutdown(): Promise<void>;
}

export interface BatchOptions {
  readonly bufferSize: number;
  readonly maxBatchSize: number;
  readonly maxWaitMs: number;
  /** Batches per second, and how many at once; undefined: no bound. */
  readonly throttle: { readonly qps: number; readonly burst: number } | undefined;
}

export interface BatchDeps {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Delivers a batch; rejects if it was not taken. */
  readonly deliver: (events: readonly AuditEvent[]) => Promise<void>;
  /** Told how many events were lost. */
  readonly lost: (count: number) => void;
}

/** Holds events back until a batch is full or its time is up. Events beyond the buffer are lost, and counted. */
export class BatchedBackend implements AuditBackend {
  readonly name: string;
  readonly #options: BatchOptions;
  readonly #deps: BatchDeps;
  #buffer: AuditEvent[] = [];
  #timer: Disposable | undefined;
  #sending: Promise<void> = Promise.resolve();
  #tokens: number;
  #refilledAt: number;

  constructor(options: BatchOptions, deps: BatchDeps) {
    this.name = deps.name;
    this.#options = options;
    this.#deps = deps;
    this.#tokens = options.throttle?.burst ?? 0;
    this.#refilledAt = deps.clock.now();
  }

  process(events: readonly AuditEvent[]): void {
    const { bufferSize, maxBatchSize, maxWaitMs } = this.#options;
    const room = Math.max(0, bufferSize - this.#buffer.length);
    if (events.length > room) this.#deps.lost(events.length - room);
    this.#buffer.push(...events.slice(0, room));
    if (this.#buffer.length >= maxBatchSize) this.#flush();
    else if (this.#timer === undefined && this.#buffer.length > 0) this.#timer = this.#deps.clock.after(maxWaitMs, () => this.#flush());
  }

  async shutdown(): Promise<void> {
    this.#flush();
    await this.#sending;
  }

  #flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    while (this.#buffer.length > 0) {
      const batch = this.#buffer.splice(0, this.#options.maxBatchSize);
      this.#sending = this.#sending.then(() => this.#send(batch));
    }
  }

  async #send(batch: readonly AuditEvent[]): Promise<void> {
    const { deliver, lost, logger, name } = this.#deps;
    await this.#throttled();
    try {
      await deliver(batch);
    } catch (error) {
      lost(batch.length);
      logger.error({ backend: name, events: batch.length, error: String(error) }, 'Audit events were lost');
    }
  }

  async #throttled(): Promise<void> {
    const { throttle } = this.#options;
    if (throttle === undefined) return;
    const { clock } = this.#deps;
    const now = clock.now();
    this.#tokens = Math.min(throttle.burst, this.#tokens + ((now - this.#refilledAt) / 1000) * throttle.qps);
    this.#refilledAt = now;
    this.#tokens -= 1;
    if (this.#tokens < 0) await clock.sleep((-this.#tokens / throttle.qps) * 1000);
  }
}
