// SPDX-License-Identifier: Apache-2.0
// The loop of a part of the server that keeps something in step with objects: it looks when one of its caches has changed, and not
// before; one look at a time; a change in between starts another.
import type { Clock } from '#component';

export interface FollowOptions {
  /** Calls back after every change of anything stored. */
  readonly onProgress: (run: () => void) => Disposable;
  /** Whether what is followed has changed since the last call. Called often: cheap. */
  readonly changed: () => boolean;
  readonly reconcile: () => Promise<void>;
  /** Told of a failure, after which it looks again in a while. */
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
}

/** After a failure, when to look again. */
const RETRY_MS = 5_000;

/** Looks once at the start, then after changes, until `signal`. */
export async function followChanges({ onProgress, changed, reconcile, failed, clock }: FollowOptions, signal: AbortSignal): Promise<void> {
  let wake: (() => void) | undefined;
  let isDue = true;
  const nudge = () => {
    isDue = true;
    wake?.();
  };
  changed();
  using _progress = onProgress(() => {
    if (changed()) nudge();
  });
  signal.addEventListener('abort', nudge, { once: true });
  while (!signal.aborted) {
    if (!isDue) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      continue;
    }
    isDue = false;
    try {
      await reconcile();
    } catch (error) {
      if (signal.aborted) return;
      failed(error);
      await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      isDue = true;
    }
  }
}
