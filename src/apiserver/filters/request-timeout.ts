// SPDX-License-Identifier: Apache-2.0
// Bounds how long a request may take: `--request-timeout`, or less where the `timeout` parameter says so. Long-running ones have
// no bound. What is answered within the call never meets a timer.
// @source upstream apiserver pkg/endpoints/filters/request_deadline.go, pkg/server/filters/timeout.go
import type { Clock } from '#component';
import { type ApiError, apiError, badRequest } from '#machinery';
import type { ApiResult, Handler, RequestContext } from '../request/context.ts';
import { DurationError, parseGoDuration } from './go-duration.ts';
import { isLongRunning } from './long-running.ts';

export interface TimeoutOptions {
  readonly clock: Clock;
  /** `--request-timeout`. */
  readonly maxMs: number;
  /** Told of each request that was cut off. */
  readonly timedOut?: (context: RequestContext) => void;
}

export function withRequestTimeout(next: Handler, options: TimeoutOptions): Handler {
  const { maxMs } = options;
  const deadlines = new Deadlines(options);
  return function bounded(context) {
    if (isLongRunning(context)) return next(context);
    if (context.query.size > 0) context.timeoutMs = timeoutOf(context.query, maxMs);
    else context.timeoutMs = maxMs;
    const result = next(context);
    if (!(result instanceof Promise)) return result;
    return deadlines.within(result, context);
  };
}

/** What of the bound is left to a request, in milliseconds. @throws {ApiError} 400 */
export function timeoutOf(query: URLSearchParams, maxMs: number): number {
  const text = query.get('timeout');
  if (text === null || text === '') return maxMs;
  try {
    const asked = parseGoDuration(text);
    return asked > 0 && asked < maxMs ? asked : maxMs;
  } catch (error) {
    if (error instanceof DurationError) throw badRequest(`invalid timeout specified in the request URL - ${error.message}`);
    throw error;
  }
}

/** A request that is being answered. */
interface Open {
  readonly context: RequestContext;
  readonly end: (error: ApiError) => void;
}

/** Requests with one bound end in the order in which they came, so one timer serves all of them; any other bound has its own timers. */
class Deadlines {
  readonly #options: TimeoutOptions;
  readonly #open = new Set<Open>();
  #timer: Disposable | undefined;

  constructor(options: TimeoutOptions) {
    this.#options = options;
  }

  /** The result, or 504 if it does not come in time. */
  within(result: Promise<ApiResult>, context: RequestContext): Promise<ApiResult> {
    return new Promise((resolve, reject) => {
      const open: Open = { context, end: reject };
      const forget = this.#add(open);
      result.then(
        (settled) => {
          forget();
          resolve(settled);
        },
        (error: unknown) => {
          forget();
          reject(error);
        },
      );
    });
  }

  #add(open: Open): () => void {
    if (open.context.timeoutMs !== this.#options.maxMs) {
      const timer = this.#after(open, () => this.#cutOff(open));
      return () => timer[Symbol.dispose]();
    }
    this.#open.add(open);
    this.#timer ??= this.#after(open, () => this.#cutOffDue());
    return () => this.#remove(open);
  }

  #remove(open: Open): void {
    this.#open.delete(open);
    if (this.#open.size > 0) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #cutOffDue(): void {
    this.#timer = undefined;
    const now = this.#options.clock.now();
    for (const open of this.#open) {
      if (deadlineOf(open) > now) {
        this.#timer = this.#after(open, () => this.#cutOffDue());
        return;
      }
      this.#open.delete(open);
      this.#cutOff(open);
    }
  }

  #cutOff({ context, end }: Open): void {
    this.#options.timedOut?.(context);
    end(timeoutError());
    context.request.cancel?.();
  }

  #after(open: Open, run: () => void): Disposable {
    const { clock } = this.#options;
    return clock.after(Math.max(0, deadlineOf(open) - clock.now()), run);
  }
}

function deadlineOf({ context }: Open): number {
  return context.receivedAt + context.timeoutMs;
}

function timeoutError(): ApiError {
  return apiError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {});
}
