// SPDX-License-Identifier: Apache-2.0
// What both kinds of webhook plugin do around a call: failurePolicy, metrics, and the error the client gets.
import type { Logger } from '#component';
import { internalError } from '#machinery';
import { CallingWebhookError, checkDeadline, RejectedByWebhook } from './call.ts';
import type { WebhookSource } from './configurations.ts';
import type { Invocation, MatchDeps } from './invocation.ts';
import type { Authorize } from './match-conditions.ts';
import type { CallOutcome, WebhookMetrics, WebhookType } from './webhook-metrics.ts';

export interface WebhookPluginDeps extends MatchDeps {
  readonly source: WebhookSource;
  readonly logger: Logger;
  readonly now: () => number;
  readonly authorize: Authorize;
  readonly metrics?: WebhookMetrics | undefined;
}

/** What a call counts as that got no HTTP answer: service unavailable. */
const NO_ANSWER = 503;

export interface Running {
  readonly deps: WebhookPluginDeps;
  readonly type: WebhookType;
  readonly work: () => Promise<void>;
  /** The webhook could not be called, and the request goes on. */
  readonly failedOpen: () => void;
}

/** @throws {ApiError} If the webhook refused, or could not be called and its failurePolicy is Fail. */
export async function runCall(invocation: Invocation, { deps, type, work, failedOpen }: Running): Promise<void> {
  const { webhook, versioned } = invocation;
  const { operation, signal } = versioned.request;
  const start = deps.now();
  const report = (outcome: Pick<CallOutcome, 'rejected' | 'code' | 'error'>) =>
    deps.metrics?.called({ name: webhook.name, type, operation, seconds: (deps.now() - start) / 1000, ...outcome });
  try {
    await work();
    report({ rejected: false, code: 200 });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof RejectedByWebhook) {
      report({ rejected: true, code: error.error.code, error: 'no_error' });
      throw error.error;
    }
    if (!(error instanceof CallingWebhookError)) {
      report({ rejected: true, code: 0, error: 'apiserver_internal_error' });
      throw error;
    }
    const isOpen = webhook.failurePolicy === 'Ignore';
    report({ rejected: !isOpen, code: error.status ?? NO_ANSWER, ...(isOpen ? {} : { error: 'calling_webhook_error' as const }) });
    deps.logger.warn({ webhook: webhook.name, error: error.message }, `Failed calling webhook, failing ${isOpen ? 'open' : 'closed'}`);
    if (!isOpen) throw internalError(error.message, error);
    deps.metrics?.failedOpen(webhook.name, type);
    failedOpen();
    checkDeadline(versioned.request, deps.now());
  }
}
