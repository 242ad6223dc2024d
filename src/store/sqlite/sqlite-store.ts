// SPDX-License-Identifier: Apache-2.0
// The embedded store: SQLite in a worker thread with group commit. While one batch is being committed, the operations that
// arrive meanwhile form the next ones; nothing waits for a timer, and neither thread for the other while there is something to do.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '#component';
import {
  CompactedError,
  FutureRevisionError,
  type PutOptions,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  type StoreEvent,
  StoreUnavailableError,
  type Versioned,
  type WriteResult,
} from '../store.ts';
import { WatchHub } from '../watch-hub.ts';
import { pack, unpackAnswers } from './packed-writes.ts';
import type { Answer, AnswerError, FromWorker, Operation, SentAnswer, SentOperation, ToWorker } from './protocol.ts';

/** Operations of one transaction at most: bounds the latency of the first in it. */
const MAX_BATCH = 1024;
/** So many go on their way though others are still being committed: the worker finds them when it is done with those. */
const FULL_BATCH = 32;
/** Beyond these, operations gather until one is answered. */
const MAX_IN_FLIGHT = 8;

const NOTHING = new Uint8Array();

interface Pending {
  readonly operation: Operation;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export interface SqliteStoreOptions {
  /** The database file; its folder is made. */
  readonly file: string;
  readonly clock?: Clock;
}

/** The worker's file: TypeScript beside this one in development, a bundle beside the bundle in `dist/`. */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './store-worker.js', import.meta.url);
}

export class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #hub = new WatchHub();
  #revision: Revision;
  #waiting: Pending[] = [];
  /** Batches that were sent and not answered, in order. */
  #inFlight: (readonly Pending[])[] = [];
  #flushScheduled = false;
  #closed: Error | undefined;
  #closing: Promise<void> | undefined;
  #expiryTimer: { at: number; timer: Disposable } | undefined;

  private constructor(worker: Worker, opened: { revision: Revision; nextExpiry: number | undefined }, clock: Clock) {
    this.#worker = worker;
    this.#clock = clock;
    this.#revision = opened.revision;
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'committed') this.#settle(message.batches, message.revision);
    });
    worker.on('error', (error) => this.#fail(new StoreUnavailableError(`store worker failed: ${error.message}`, { cause: error })));
    worker.on('exit', () => this.#fail(new StoreUnavailableError('store is closed')));
    this.#expireAt(opened.nextExpiry);
  }

  /** @throws {StoreUnavailableError} If the file cannot be opened, or is no database of ours. */
  static async open({ file, clock = systemClock }: SqliteStoreOptions): Promise<SqliteStore> {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const worker = new Worker(workerUrl(), {
      workerData: { file },
      name: 'store',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
    const first = await new Promise<FromWorker>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', (error) => reject(new StoreUnavailableError(`open "${file}": ${error.message}`, { cause: error })));
    });
    if (first.type !== 'opened') {
      await worker.terminate();
      throw new StoreUnavailableError(`open "${file}": ${first.type === 'failed' ? first.message : 'unexpected answer of the worker'}`);
    }
    return new SqliteStore(worker, first, clock);
  }

  get revision(): Revision {
    return this.#revision;
  }

  async find(key: string, at?: Revision): Promise<Versioned | undefined> {
    const answer = await this.#ask({ op: 'find', key, at });
    return answer.kind === 'found' ? answer.found : undefined;
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    const answer = await this.#ask({ op: 'range', prefix, options });
    if (answer.kind !== 'range') throw new StoreUnavailableError('unexpected answer to a range');
    return answer.result;
  }

  async put(key: string, value: Uint8Array, expected: Revision | undefined, options: PutOptions = {}): Promise<WriteResult> {
    const expiresAt = options.ttlSeconds === undefined ? undefined : this.#clock.now() + options.ttlSeconds * 1000;
    const answer = await this.#ask({ op: 'put', key, value, expected, expiresAt });
    if (expiresAt !== undefined) this.#expireAt(expiresAt);
    return answer.kind === 'write' ? answer.result : { ok: false, current: undefined };
  }

  async delete(key: string, expected: Revision | undefined): Promise<WriteResult> {
    const answer = await this.#ask({ op: 'delete', key, expected });
    return answer.kind === 'write' ? answer.result : { ok: false, current: undefined };
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]> {
    const history = async () => {
      const answer = await this.#ask({ op: 'history', prefix, after });
      return answer.kind === 'history' ? answer.events : [];
    };
    return this.#hub.watch(prefix, after, history, signal);
  }

  async compact(revision: Revision): Promise<void> {
    await this.#ask({ op: 'compact', revision });
  }

  async size(): Promise<number> {
    const answer = await this.#ask({ op: 'size' });
    return answer.kind === 'size' ? answer.bytes : 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#expiryTimer?.timer[Symbol.dispose]();
    if (this.#closed !== undefined) return;
    const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.postMessage({ type: 'close' } satisfies ToWorker); // After all batches: messages keep their order.
    await exited;
  }

  #ask(operation: Operation): Promise<Answer> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (this.#closing !== undefined) return Promise.reject(new StoreUnavailableError('store is closing'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ operation, resolve, reject });
      if (this.#inFlight.length > 0) this.#flushFull();
      else if (!this.#flushScheduled) {
        this.#flushScheduled = true;
        queueMicrotask(() => {
          this.#flushScheduled = false;
          this.#flush();
        });
      }
    });
  }

  #flushFull(): void {
    if (this.#waiting.length >= FULL_BATCH && this.#inFlight.length < MAX_IN_FLIGHT) this.#flush();
  }

  #flush(): void {
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting.slice(0, MAX_BATCH);
    this.#waiting = this.#waiting.slice(MAX_BATCH);
    this.#inFlight.push(batch);
    const operations = pack(batch.map((pending) => pending.operation));
    this.#worker.postMessage({ type: 'batch', operations } satisfies ToWorker, buffersOf(operations));
  }

  #settle(batches: readonly (readonly SentAnswer[])[], revision: Revision): void {
    const settled = this.#inFlight.splice(0, batches.length).flat();
    // Keep the disk busy while this thread works through the answers.
    if (this.#inFlight.length === 0) this.#flush();
    else this.#flushFull();
    const answers = batches.flat().flatMap(answersOf);
    const events: StoreEvent[] = [];
    for (const [index, { operation }] of settled.entries()) addEvents(events, operation, answers[index]);
    this.#revision = revision;
    if (events.length > 0) this.#hub.publish(events);
    settled.forEach((pending, index) => {
      this.#answer(pending, answers[index]);
    });
  }

  #answer(pending: Pending, answer: Answer | undefined): void {
    if (answer === undefined) {
      pending.reject(new StoreUnavailableError('the store gave no answer'));
    } else if (answer.kind === 'error') {
      pending.reject(thrown(answer.error, pending.operation));
    } else {
      if (answer.kind === 'expired') this.#expireAt(answer.nextExpiry);
      pending.resolve(answer);
    }
  }

  #fail(error: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    for (const pending of [...this.#inFlight.flat(), ...this.#waiting]) pending.reject(error);
    this.#inFlight = [];
    this.#waiting = [];
    this.#hub.close();
  }

  #expireAt(at: number | undefined): void {
    if (at === undefined || (this.#expiryTimer !== undefined && this.#expiryTimer.at <= at)) return;
    this.#expiryTimer?.timer[Symbol.dispose]();
    const run = () => {
      this.#expiryTimer = undefined;
      this.#ask({ op: 'expire', now: this.#clock.now() }).catch(() => this.#expireAt(this.#clock.now() + 10_000)); // A full disk: try again.
    };
    this.#expiryTimer = { at, timer: this.#clock.after(at - this.#clock.now(), run) };
  }
}

/** What is handed over instead of copied. */
function buffersOf(operations: readonly SentOperation[]): ArrayBuffer[] {
  return operations.flatMap((operation) => (operation.op === 'writes' ? [operation.numbers.buffer, operation.values.buffer] : []));
}

function answersOf(sent: SentAnswer): Answer[] {
  return sent.kind === 'writes' ? unpackAnswers(sent).map((result) => ({ kind: 'write', result })) : [sent];
}

function addEvents(events: StoreEvent[], operation: Operation, answer: Answer | undefined): void {
  if (answer?.kind === 'expired') events.push(...answer.deleted);
  if (answer?.kind !== 'write' || !answer.result.ok) return;
  const { revision, createRevision } = answer.result;
  if (operation.op === 'put') events.push({ type: 'put', key: operation.key, revision, value: operation.value, createRevision });
  if (operation.op === 'delete') events.push({ type: 'delete', key: operation.key, revision, value: NOTHING, createRevision });
}

function thrown(error: AnswerError, operation: Operation): Error {
  const asked =
    operation.op === 'history'
      ? operation.after
      : operation.op === 'find'
        ? (operation.at ?? 0)
        : operation.op === 'range'
          ? (operation.options.revision ?? 0)
          : 0;
  switch (error.type) {
    case 'compacted':
      return new CompactedError(asked, error.revision);
    case 'future':
      return new FutureRevisionError(asked, error.revision);
    case 'unavailable':
      return new StoreUnavailableError(`${operation.op}: ${error.message}`);
  }
}
