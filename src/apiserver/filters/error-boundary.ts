// SPDX-License-Identifier: Apache-2.0
// Outermost: every throw becomes a Status. What is not an `ApiError` is our own fault: logged, answered with 500.
import type { Logger } from '#component';
import { ApiError, internalError } from '#machinery';
import { type ApiResult, type Handler, objectResult, type RequestContext } from '../request/context.ts';

export function withErrorBoundary(next: Handler, logger: Logger): Handler {
  const answer = (context: RequestContext, error: unknown): ApiResult => {
    if (error instanceof ApiError) return statusResult(error);
    if (!context.request.signal.aborted) logger.error({ path: context.info.path, error: describe(error) }, 'Request failed');
    return statusResult(internalError(error instanceof Error ? error.message : String(error)));
  };
  return function guard(context) {
    try {
      const result = next(context);
      return result instanceof Promise ? result.catch((error: unknown) => answer(context, error)) : result;
    } catch (error) {
      return answer(context, error);
    }
  };
}

/** A Status as an answer, with `Retry-After` where it says so. */
export function statusResult(error: ApiError): ApiResult {
  const retry = error.status.details?.retryAfterSeconds;
  return objectResult(error.code, error.status, retry === undefined ? undefined : { 'retry-after': String(retry) });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
