// SPDX-License-Identifier: Apache-2.0
// The loop around every `reconcile`: workers take keys, run it, and decide by its outcome. A result says when to look again,
// a throw retries with backoff, a `TerminalError` never. Conflicts and vanished objects are ordinary and logged low.
import type { Logger } from '#component';
import { isConflict, reasonOf } from '#machinery';
import type { RateLimitedQueue } from './work-queue.ts';

/** When to look at a key again without an event. */
export interface Result {
  readonly requeueAfterMs?: number | undefined;
}

/** Only a new event matters. */
export const DONE: Result = Object.freeze({});

/** Look again after `ms`, whatever happens meanwhile. */
export function requeueAfter(ms: number): Result {
  return { requeueAfterMs: ms };
}

/** Thrown when trying again cannot help until the object changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ControllerOptions<K> {
  readonly name: string;
  /** @default 5 */
  readonly workers?: number | undefined;
  readonly queue: RateLimitedQueue<K>;
  readonly reconcile: (key: K, signal: AbortSignal) => Promise<Result>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Runs until the signal aborts and every reconcile under way has ended. */
export async function runController<K>(options: ControllerOptions<K>): Promise<void> {
  const { queue, workers = 5 } = options;
  await Promise.all(Array.from({ length: workers }, () => work(options)));
  queue.cancelDelayed();
}

async function work<K>(options: ControllerOptions<K>): Promise<void> {
  const { queue, signal } = options;
  for (;;) {
    const item = await queue.take(signal);
    if (item === undefined) return;
    await handle(options, item.key);
    queue.done(item.key);
  }
}

async function handle<K>({ name, queue, reconcile, logger, signal }: ControllerOptions<K>, key: K): Promise<void> {
  try {
    const { requeueAfterMs } = await reconcile(key, signal);
    queue.forget(key);
    if (requeueAfterMs !== undefined) queue.addAfter(key, requeueAfterMs);
  } catch (error) {
    if (signal.aborted) return;
    const fields = { controller: name, key, err: error };
    if (error instanceof TerminalError) {
      queue.forget(key);
      return logger.error(fields, 'Reconcile failed for good');
    }
    queue.addRateLimited(key);
    if (isConflict(error)) logger.debug(fields, 'Reconcile met a conflict');
    else logger.warn({ ...fields, reason: reasonOf(error), requeues: queue.requeues(key) }, 'Reconcile failed');
  }
}
