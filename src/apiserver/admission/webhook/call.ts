// SPDX-License-Identifier: Apache-2.0
// One call of one webhook: dry-run rule, request, answer, its warnings and audit annotations, refusal.
// @source upstream apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, errors/statuserror.go
import { randomUUID } from 'node:crypto';
import { ApiError, apiError, badRequest, checkQualifiedName, type Status } from '#machinery';
import { WebhookCallError } from '../../webhook-client/mod.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { Invocation } from './invocation.ts';
import { type ReviewAnswer, readAnswer, reviewOf } from './review.ts';
import { decodeReview, type Review } from './review-form.ts';

/** Thrown when a webhook could not be called or did not answer as it must: what failurePolicy is about. */
export class CallingWebhookError extends Error {
  override readonly name = 'CallingWebhookError';
  /** Of the webhook's HTTP answer. */
  readonly status: number | undefined;

  constructor(webhook: string, why: string, options: ErrorOptions = {}) {
    super(`failed calling webhook ${JSON.stringify(webhook)}: ${why}`, options);
    this.status = options.cause instanceof WebhookCallError ? options.cause.status : undefined;
  }
}

/** Thrown when a webhook said no. */
export class RejectedByWebhook extends Error {
  override readonly name = 'RejectedByWebhook';
  readonly error: ApiError;

  constructor(error: ApiError) {
    super(error.message);
    this.error = error;
  }
}

export interface CallOptions {
  readonly isMutating: boolean;
  readonly now: () => number;
}

/** @returns The answer of a webhook that allows. @throws {ApiError | CallingWebhookError | RejectedByWebhook} */
export async function callWebhook({ webhook, versioned }: Invocation, { isMutating, now }: CallOptions): Promise<ReviewAnswer> {
  const { name, sideEffects, reviewVersion } = webhook;
  const { request } = versioned;
  if (request.dryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(name)} does not support dry run`);
  }
  if (reviewVersion === undefined) {
    const why = 'webhook does not accept known AdmissionReview versions (v1, v1beta1)';
    throw new CallingWebhookError(name, `could not create admission objects: ${why}`);
  }
  const uid = randomUUID();
  const review = await send({ webhook, versioned }, reviewOf(reviewVersion, uid, versioned), now);
  const answer = read(name, () => readAnswer(reviewVersion, uid, isMutating, review));
  for (const [key, value] of Object.entries(answer.auditAnnotations)) annotate(request, `${name}/${key}`, value);
  for (const text of answer.warnings) request.warn(text);
  if (!answer.allowed) throw new RejectedByWebhook(denial(name, answer.status));
  return answer;
}

/** What makes no key of an annotation is left out, and nothing is refused for it. */
function annotate(request: AdmissionRequest, key: string, value: string): void {
  if (key.split('/').length === 2 && checkQualifiedName(key).length === 0) request.annotate?.(key, value);
}

/** What is left for a call: the webhook's own time, or less where the request has less. Milliseconds. */
function timeLeft({ webhook, versioned }: Invocation, now: number): number {
  const own = webhook.timeoutSeconds * 1000;
  const { deadline } = versioned.request;
  return deadline === undefined ? own : Math.max(0, Math.min(own, deadline - now));
}

/** @throws {ApiError} 504 if a request's time is up: what comes after has no use any more. */
export function checkDeadline({ deadline }: AdmissionRequest, now: number): void {
  if (deadline !== undefined && now >= deadline)
    throw apiError(504, 'Timeout', 'Timeout: request did not complete within requested timeout', {});
}

async function send(invocation: Invocation, review: object, now: () => number): Promise<Review> {
  const { webhook, versioned } = invocation;
  const { signal } = versioned.request;
  try {
    const timeoutMs = timeLeft(invocation, now());
    const answer = await webhook.client().post(review, {
      timeoutMs,
      ...(timeoutMs > 0 ? { query: { timeout: `${Math.ceil(timeoutMs / 1000)}s` } } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    return decodeReview(webhook.reviewVersion ?? 'v1', answer);
  } catch (error) {
    if (signal?.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    const where = error instanceof RangeError ? 'could not get REST client' : 'failed to call webhook';
    throw new CallingWebhookError(webhook.name, `${where}: ${why}`, { cause: error });
  }
}

function read(name: string, parse: () => ReviewAnswer): ReviewAnswer {
  try {
    return parse();
  } catch (error) {
    throw new CallingWebhookError(name, `received invalid webhook response: ${(error as Error).message}`, { cause: error });
  }
}

/** The refusal as the client sees it: the webhook's own status, with who says so before its message. */
export function denial(webhook: string, given: Readonly<Record<string, unknown>> | undefined): ApiError {
  const status = (given ?? {}) as Partial<Status>;
  const deniedBy = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const why = status.message || status.reason;
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: status.metadata ?? {},
    status: status.status === undefined || status.status === ('' as string) || status.status === 'Success' ? 'Failure' : status.status,
    message: why ? `${deniedBy}: ${why}` : `${deniedBy} without explanation`,
    ...(status.reason ? { reason: status.reason } : {}),
    ...(status.details === undefined ? {} : { details: status.details }),
    code: typeof status.code === 'number' && status.code >= 400 ? status.code : 400,
  } as Status);
}
