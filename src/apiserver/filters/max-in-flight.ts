// SPDX-License-Identifier: Apache-2.0
// Bounds how many requests run at once, reads and writes apart, where `--enable-priority-and-fairness=false`. Long-running ones
// (watch, exec, logs) do not count, and members of `system:masters` are not bounded.
// @source upstream apiserver pkg/server/filters/maxinflight.go
import { MASTERS_GROUP } from '../auth/user.ts';
import { type ApiResult, type Handler, plainText, type RequestContext } from '../request/context.ts';
import { isLongRunning } from './long-running.ts';

export interface InFlightLimits {
  /** 0: no limit. */
  readonly reading: number;
  readonly mutating: number;
}

/** How many run now. Long-running ones do not count. */
export interface InFlight {
  reading: number;
  mutating: number;
}

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

export function kindOf({ info }: RequestContext): keyof InFlight {
  return READS.has(info.verb) ? 'reading' : 'mutating';
}

/** What an overloaded server says: plain text, as upstream's filters do, not a Status. */
export function tooManyRequests(retryAfterSeconds: number): ApiResult {
  const headers = { 'retry-after': String(retryAfterSeconds), 'x-content-type-options': 'nosniff' };
  return { ...plainText(429, 'Too many requests, please try again later.\n'), headers };
}

export interface MaxInFlightOptions {
  readonly limits: InFlightLimits;
  /** Kept up to date; for metrics and for stopping. */
  readonly running: InFlight;
  /** Told of each request that was turned away. */
  readonly dropped?: (context: RequestContext) => void;
}

export function withMaxInFlight(next: Handler, { limits, running, dropped }: MaxInFlightOptions): Handler {
  return function limit(context) {
    if (isLongRunning(context)) return next(context);
    const kind = kindOf(context);
    if (limits[kind] > 0 && running[kind] >= limits[kind] && context.user?.groups.includes(MASTERS_GROUP) !== true) {
      dropped?.(context);
      return tooManyRequests(1);
    }
    return counted(next, context, running, kind);
  };
}

/** Runs a request as one of those in flight. */
export function counted(next: Handler, context: RequestContext, running: InFlight, kind: keyof InFlight): ApiResult | Promise<ApiResult> {
  running[kind] += 1;
  try {
    const result = next(context);
    if (result instanceof Promise) {
      return result.finally(() => {
        running[kind] -= 1;
      });
    }
    running[kind] -= 1;
    return result;
  } catch (error) {
    running[kind] -= 1;
    throw error;
  }
}
