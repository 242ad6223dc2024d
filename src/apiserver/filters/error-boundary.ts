// SPDX-License-Identifier: Apache-2.0
// Outermost: every throw becomes a Status. What is not an `ApiError` is our own fault: logged, answered with 500.
import type { Logger } from '#component';
import { ApiError, internalError } from '#machinery';
import { JSON_OUTPUT, negotiate, type Output, PRETTY_JSON } from '../encoding/negotiation.ts';
import { isPretty } from '../handlers/get.ts';
import { type ApiResult, type Handler, objectResult, type RequestContext } from '../request/context.ts';

export function withErrorBoundary(next: Handler, logger: Logger): Handler {
  const answer = (context: RequestContext, error: unknown): ApiResult => {
    if (error instanceof ApiError) return statusResult(error, context);
    if (!context.request.signal.aborted) logger.error({ path: context.info.path, error: describe(error) }, 'Request failed');
    return statusResult(internalError(error instanceof Error ? error.message : String(error)), context);
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

/** A Status as an answer, in the form that was asked for, with `Retry-After` where it says so. */
export function statusResult(error: ApiError, context?: RequestContext): ApiResult {
  const retry = error.status.details?.retryAfterSeconds;
  const result = objectResult(error.code, error.status, retry === undefined ? undefined : { 'retry-after': String(retry) });
  return context === undefined ? result : { ...result, output: formOf(context.header('accept'), context) };
}

const STATUS_RULES = { transforms: new Set<never>(), protobuf: true };

/** JSON where nothing that is asked for can be given. */
function formOf(accept: string, context: RequestContext): Output {
  const pretty = isPretty(context);
  try {
    return negotiate(accept, STATUS_RULES, pretty, context.cbor);
  } catch {
    return pretty ? PRETTY_JSON : JSON_OUTPUT;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
