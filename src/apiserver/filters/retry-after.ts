// SPDX-License-Identifier: Apache-2.0
// While a server stops, it tells clients to try again elsewhere: 429 with `Retry-After`, and the connection is closed. Off unless
// `--shutdown-send-retry-after`. Health checks and the server's own requests are still answered.
// @source upstream apiserver pkg/server/filters/with_retry_after.go
import { type Handler, plainText } from '../request/context.ts';

/** @source upstream: 5 seconds */
const SECONDS = '5';
const EXEMPT = ['/readyz', '/livez', '/healthz', '/metrics'];

/** @param stopping Whether new requests are refused. */
export function withRetryAfter(next: Handler, stopping: () => boolean): Handler {
  return function retryElsewhere(context) {
    const { request, info } = context;
    if (!stopping() || request.cancel === undefined || EXEMPT.some((path) => info.path.startsWith(path))) return next(context);
    request.goAway?.();
    return {
      ...plainText(429, 'The apiserver is shutting down, please try again later.\n'),
      headers: { 'retry-after': SECONDS, 'x-content-type-options': 'nosniff' },
    };
  };
}
