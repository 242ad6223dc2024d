// SPDX-License-Identifier: Apache-2.0
// Audits requests: writes an event when one has come, when a long-running answer has begun, and when it is done. Only in the chain
// where a policy and a backend are given; a request that the policy leaves out costs the policy's look at it.
// @source upstream apiserver pkg/endpoints/filters/{audit,authn_audit}.go
import type { Clock } from '#component';
import { ApiError, internalError } from '#machinery';
import { listMeta } from '../encoding/table.ts';
import { isLongRunning } from '../filters/long-running.ts';
import { observedFrames } from '../filters/observed-frames.ts';
import { inServedVersion } from '../registry/generic/served-resource.ts';
import type { ApiResult, Handler, RequestContext } from '../request/context.ts';
import { AuditRecord } from './event.ts';
import type { AuditLevel, AuditPolicy, AuditStage } from './policy.ts';
import type { AuditSink } from './sink.ts';

export interface AuditFilterOptions {
  readonly policy: AuditPolicy;
  readonly sink: AuditSink;
  readonly clock: Clock;
}

/** Requests that have passed authentication. */
export function withAudit(next: Handler, options: AuditFilterOptions): Handler {
  const { policy, sink } = options;
  return function audit(context) {
    const decision = policy.evaluate(context.user, context.info);
    sink.countLevel(decision.level);
    if (decision.level === 'None') return next(context);
    const record = new AuditRecord(context, decision, context.user);
    context.audit = record;
    const go = (taken: boolean) => {
      if (taken) return follow(next, context, record, options);
      sink.countRejected();
      throw internalError('failed to store audit event');
    };
    const taken = write(record, 'RequestReceived', options);
    return taken instanceof Promise ? taken.then(go) : go(taken);
  };
}

/**
 * Requests that are refused before it is known whose they are: nobody's credentials, a time limit that is none. One event each.
 * @source upstream apiserver pkg/endpoints/filters/{authn_audit,request_deadline}.go
 */
export function withEarlyAudit(next: Handler, options: AuditFilterOptions): Handler {
  const { policy, sink } = options;
  const note = (context: RequestContext, code: number, status: unknown): Written => {
    const decision = policy.evaluate(undefined, context.info);
    sink.countLevel(decision.level);
    if (decision.level === 'None') return true;
    const record = new AuditRecord(context, decision, undefined);
    record.response(code, status);
    return write(record, 'ResponseStarted', options);
  };
  const settled = (context: RequestContext, result: ApiResult): ApiResult | Promise<ApiResult> => {
    const isRefusal = context.user === undefined && result.type === 'object' && result.status === 401;
    return isRefusal ? once([note(context, 401, result.object)], () => result) : result;
  };
  const failed = (context: RequestContext, error: unknown): ApiResult | Promise<ApiResult> => {
    const isRefusal = context.user === undefined && error instanceof ApiError && EARLY.has(error.code);
    return once(isRefusal ? [note(context, error.code, error.status)] : [], () => {
      throw error;
    });
  };
  return function auditRefusal(context) {
    try {
      const result = next(context);
      return result instanceof Promise
        ? result.then(
            (found) => settled(context, found),
            (error: unknown) => failed(context, error),
          )
        : settled(context, result);
    } catch (error) {
      return failed(context, error);
    }
  };
}

const EARLY: ReadonlySet<number> = new Set([400, 401]);

/** False: a strict backend has not taken it. A promise where a backend has to be waited for. */
type Written = boolean | Promise<boolean>;

function write(record: AuditRecord, stage: AuditStage, { sink, clock }: AuditFilterOptions): Written {
  return record.decision.omitStages.has(stage) || sink.write(record.at(stage, stage === 'RequestReceived' ? undefined : clock.now()));
}

/** Goes on once events are written: at once, where no backend has to be waited for. */
function once<T>(written: readonly Written[], then: () => T | Promise<T>): T | Promise<T> {
  return written.some((one) => one instanceof Promise) ? Promise.all(written).then(then) : then();
}

function follow(next: Handler, context: RequestContext, record: AuditRecord, options: AuditFilterOptions): ApiResult | Promise<ApiResult> {
  const started = (): Written => !isLongRunning(context) || write(record, 'ResponseStarted', options);
  const failed = (error: unknown): ApiResult | Promise<ApiResult> => {
    noteFailure(record, error);
    const written = error instanceof ApiError ? [started(), write(record, 'ResponseComplete', options)] : [write(record, 'Panic', options)];
    return once(written, () => {
      throw error;
    });
  };
  const done = (result: ApiResult): ApiResult | Promise<ApiResult> => {
    noteResult(record, context, result, record.decision.level);
    return once([started()], () => complete(context, result, () => write(record, 'ResponseComplete', options)));
  };
  let result: ApiResult | Promise<ApiResult>;
  try {
    result = next(context);
  } catch (error) {
    return failed(error);
  }
  return result instanceof Promise ? result.then(done, failed) : done(result);
}

/** Says when the answer is complete: at once, or when a long-running one has ended. */
function complete(context: RequestContext, result: ApiResult, completed: () => Written): ApiResult | Promise<ApiResult> {
  if (isLongRunning(context)) {
    const ended = () => void completed();
    if (result.type === 'watch') return observedFrames(result, { ended });
    const lasts = result.type === 'stream' || result.type === 'hijacked';
    if (lasts && context.request.cancel !== undefined) {
      context.request.signal.addEventListener('abort', ended, { once: true });
      return result;
    }
  }
  return once([completed()], () => result);
}

function noteFailure(record: AuditRecord, error: unknown): void {
  if (error instanceof ApiError) record.response(error.code, error.status);
  else record.failure(500, { status: 'Failure', message: `APIServer panic'd: ${String(error)}`, reason: 'InternalError' });
}

function noteResult(record: AuditRecord, context: RequestContext, result: ApiResult, level: AuditLevel): void {
  const object = level === 'RequestResponse' || result.type === 'object' ? objectOf(result, level) : undefined;
  if (result.type === 'hijacked') record.response(101, undefined);
  else record.response('status' in result ? result.status : 200, object);
  annotateLatency(record, context);
}

/** The answer as one object; a Status at every level. */
function objectOf(result: ApiResult, level: AuditLevel): unknown {
  if (result.type === 'object') {
    const { served, cached, object } = result;
    if ((object as { kind?: string } | undefined)?.kind === 'Status') return object;
    if (level !== 'RequestResponse') return undefined;
    if (served === undefined || cached === undefined) return object;
    return { kind: served.resource.kind, apiVersion: served.apiVersion, ...withoutKind(inServedVersion(served, cached.object)) };
  }
  if (result.type !== 'list') return undefined;
  const { served, items } = result;
  return {
    kind: `${served.resource.kind}List`,
    apiVersion: served.apiVersion,
    metadata: listMeta(result),
    items: items.map((item) =>
      served.itemsHaveKind ? inServedVersion(served, item.object) : withoutKind(inServedVersion(served, item.object)),
    ),
  };
}

function withoutKind(object: object): object {
  const { kind: _kind, apiVersion: _version, ...rest } = object as { kind?: unknown; apiVersion?: unknown };
  return rest;
}

/** Requests slower than this say so in their event. @source upstream apiserver pkg/endpoints/filters/audit.go: 500 ms */
const SLOW_MS = 500;

function annotateLatency(record: AuditRecord, context: RequestContext): void {
  const took = context.elapsedMs();
  if (took > SLOW_MS) record.annotate('apiserver.latency.k8s.io/total', `${(took / 1000).toFixed(9)}s`);
}
