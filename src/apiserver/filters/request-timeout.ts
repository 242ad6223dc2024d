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
  const { clock, maxMs } = options;
  return function bounded(context) {
    if (isLongRunning(context)) return next(context);
    if (context.query.size > 0) context.timeoutMs = timeoutOf(context.query, maxMs);
    else context.timeoutMs = maxMs;
    const result = next(context);
    if (!(result instanceof Promise)) return result;
    return within(result, Math.max(0, context.receivedAt + context.timeoutMs - clock.now()), context, options);
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

/** The result, or 504 if it does not come in time. */
function within(
  result: Promise<ApiResult>,
  leftMs: number,
  context: RequestContext,
  { clock, timedOut }: TimeoutOptions,
): Promise<ApiResult> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(leftMs, () => {
      timedOut?.(context);
      reject(timeoutError());
      context.request.cancel?.();
    });
    result.then(
      (settled) => {
        timer[Symbol.dispose]();
        resolve(settled);
      },
      (error: unknown) => {
        timer[Symbol.dispose]();
        reject(error);
      },
    );
  });
}

function timeoutError(): ApiError {
  return apiError(504, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {});
}
