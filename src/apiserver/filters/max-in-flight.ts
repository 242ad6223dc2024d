// SPDX-License-Identifier: Apache-2.0
// Bounds how many requests run at once, reads and writes apart; long-running ones (watch, exec, logs) do not count.
// @source upstream apiserver pkg/server/filters/maxinflight.go
import { tooManyRequests } from '#machinery';
import type { Handler, RequestContext } from '../request/context.ts';

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

const LONG_RUNNING = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);
const READS = new Set(['get', 'list', 'watch']);

export function isLongRunning({ info }: RequestContext): boolean {
  return info.verb === 'watch' || LONG_RUNNING.has(info.subresource);
}

/** @param running Kept up to date; for metrics. */
export function withMaxInFlight(next: Handler, limits: InFlightLimits, running: InFlight): Handler {
  return function limit(context) {
    if (isLongRunning(context)) return next(context);
    const kind = READS.has(context.info.verb) ? 'reading' : 'mutating';
    if (limits[kind] > 0 && running[kind] >= limits[kind]) throw tooManyRequests('Too many requests, please try again later.', 1);
    running[kind] += 1;
    const done = () => {
      running[kind] -= 1;
    };
    try {
      const result = next(context);
      if (result instanceof Promise) return result.finally(done);
      done();
      return result;
    } catch (error) {
      done();
      throw error;
    }
  };
}
