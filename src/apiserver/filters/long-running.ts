// SPDX-License-Identifier: Apache-2.0
// Which requests last as long as their client wants: they have no deadline and hold no seat. The open ones are known, so that a
// server that stops can end its watches cleanly.
// @source upstream apiserver pkg/server/filters/longrunning.go, watch_termination.go
import type { ApiResult, Handler, RequestContext } from '../request/context.ts';
import { observedFrames } from './observed-frames.ts';

const SUBRESOURCES: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

export function isLongRunning({ info }: RequestContext): boolean {
  if (!info.isResource) return info.path.startsWith('/debug/pprof/');
  return info.verb === 'watch' || (info.subresource !== '' && SUBRESOURCES.has(info.subresource));
}

/** The long-running requests that are open. */
export class LongRunningRequests {
  readonly #open = new Set<RequestContext>();
  readonly #ending = new AbortController();

  get size(): number {
    return this.#open.size;
  }

  *[Symbol.iterator](): Generator<RequestContext> {
    yield* this.#open;
  }

  /** Books a request that was answered with `result`. @returns What to answer with. */
  add(context: RequestContext, result: ApiResult): ApiResult {
    const { request } = context;
    this.#open.add(context);
    const remove = () => this.#open.delete(context);
    if (request.cancel === undefined) {
      // Within this process: the signal is its client's, and may outlive many watches.
      if (result.type === 'watch') return observedFrames(result, { ended: remove });
      remove();
      return result;
    }
    request.signal.addEventListener('abort', remove, { once: true });
    if (this.#ending.signal.aborted && context.info.verb === 'watch') request.cancel();
    return result;
  }

  /** Ends the watches: each answer is closed as it would be when its time is up. The others go on. */
  endWatches(): void {
    this.#ending.abort();
    for (const context of this.#open) if (context.info.verb === 'watch') context.request.cancel?.();
  }
}

/** Books a long-running request once its handler has agreed to serve it. */
export function withLongRunningRequests(next: Handler, requests: LongRunningRequests): Handler {
  const book = (context: RequestContext, result: ApiResult): ApiResult => {
    const lasts = result.type === 'watch' || result.type === 'stream' || result.type === 'hijacked';
    return lasts ? requests.add(context, result) : result;
  };
  return function keepBook(context) {
    if (!isLongRunning(context)) return next(context);
    const result = next(context);
    return result instanceof Promise ? result.then((settled) => book(context, settled)) : book(context, result);
  };
}
