// SPDX-License-Identifier: Apache-2.0
// Audits requests: writes an event when one has come, when a long-running answer has begun, and when it is done. Only in the chain
// where a policy and a backend are given; a request that the policy leaves out costs the policy's look at it.
// @source upstream apiserver pkg/endpoints/filters/{audit,authn_audit}.go
import type { Clock } from '#component';
import { ApiError, internalError } from '#machinery';
import { bearerOf } from '../auth/authenticators.ts';
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
    if (!write(record, 'RequestReceived', options)) {
      sink.countRejected();
      throw internalError('failed to store audit event');
    }
    return follow(next, context, record, options);
  };
}

/** Requests that authentication has refused. */
export function withFailedAuthenticationAudit(next: Handler, options: AuditFilterOptions): Handler {
  const refused = (context: RequestContext, result: ApiResult): ApiResult => {
    if (context.user !== undefined || !('status' in result) || result.status !== 401) return result;
    const decision = options.policy.evaluate(undefined, context.info);
    if (decision.level === 'None') return result;
    const record = new AuditRecord(context, decision, undefined);
    record.failure(401, { status: 'Failure', message: `Authentication failed, attempted: ${attempted(context)}`, reason: 'Unauthorized' });
    write(record, 'ResponseStarted', options);
    write(record, 'ResponseComplete', options);
    return result;
  };
  return function auditRefusal(context) {
    const result = next(context);
    return result instanceof Promise ? result.then((settled) => refused(context, settled)) : refused(context, result);
  };
}

function attempted(context: RequestContext): string {
  if (bearerOf(context) !== undefined) return 'bearer';
  return context.header('authorization').toLowerCase().startsWith('basic ') ? 'basic' : 'unknown';
}

function write(record: AuditRecord, stage: AuditStage, { sink, clock }: AuditFilterOptions): boolean {
  return record.decision.omitStages.has(stage) || sink.write(record.at(stage, clock.now()));
}

function follow(next: Handler, context: RequestContext, record: AuditRecord, options: AuditFilterOptions): ApiResult | Promise<ApiResult> {
  const failed = (error: unknown): never => {
    noteFailure(record, error);
    write(record, error instanceof ApiError ? 'ResponseComplete' : 'Panic', options);
    throw error;
  };
  const done = (result: ApiResult): ApiResult => {
    noteResult(record, context, result, record.decision.level);
    if (isLongRunning(context)) write(record, 'ResponseStarted', options);
    return complete(context, result, () => write(record, 'ResponseComplete', options));
  };
  try {
    const result = next(context);
    return result instanceof Promise ? result.then(done, failed) : done(result);
  } catch (error) {
    return failed(error);
  }
}

/** Says when the answer is complete: at once, or when a long-running one has ended. */
function complete(context: RequestContext, result: ApiResult, completed: () => void): ApiResult {
  if (isLongRunning(context)) {
    if (result.type === 'watch') return observedFrames(result, { ended: completed });
    const lasts = result.type === 'stream' || result.type === 'hijacked';
    if (lasts && context.request.cancel !== undefined) {
      context.request.signal.addEventListener('abort', completed, { once: true });
      return result;
    }
  }
  completed();
  return result;
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
