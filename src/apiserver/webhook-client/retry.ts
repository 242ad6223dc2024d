// SPDX-License-Identifier: Apache-2.0
// A call that is tried again after growing pauses. @source upstream apiserver pkg/util/webhook/webhook.go
import type { Clock } from '#component';
import { WebhookCallError } from './failure.ts';

export interface RetryOptions {
  readonly clock: Pick<Clock, 'sleep'>;
  /** The first pause, in milliseconds; each is half as long again as the one before. */
  readonly initialMs: number;
  /** Which failures pass. @default `isTransient` */
  readonly passes?: (error: unknown) => boolean;
}

/** @source upstream DefaultRetryBackoffWithInitialDelay: 5 steps, factor 1.5 */
const ATTEMPTS = 5;
const FACTOR = 1.5;
/** @source upstream's initial delay of authentication and authorization webhooks */
export const RETRY_MS = 500;

/** @throws The last failure, or the first that does not pass. */
export async function retried<T>(call: () => Promise<T>, { clock, initialMs, passes = isTransient }: RetryOptions): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (attempt === ATTEMPTS || !passes(error)) throw error;
      await clock.sleep(initialMs * FACTOR ** (attempt - 1));
    }
  }
}

const TRANSIENT: ReadonlySet<number> = new Set([429, 500, 504]);

/** Whether a failure may be another's the next time: a connection that was cut, a server that is not well. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof WebhookCallError)) return false;
  return error.status === undefined ? error.message.endsWith('connection reset by peer') : TRANSIENT.has(error.status);
}
