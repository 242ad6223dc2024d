// SPDX-License-Identifier: Apache-2.0
// Waits for a promise no longer than a signal allows. What the promise stands for goes on: only the waiting ends.

/** @throws `signal.reason` if aborted first. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  promise.catch(() => {}); // Nobody may be left to see it fail.
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
