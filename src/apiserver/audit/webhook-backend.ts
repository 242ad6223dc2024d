// SPDX-License-Identifier: Apache-2.0
// Audit events to a webhook, as an `EventList` of audit.k8s.io/v1, tried again a few times with growing pauses.
// @source upstream apiserver plugin/pkg/audit/webhook/webhook.go, pkg/util/webhook
import type { Clock } from '#component';
import { retried, WebhookCallError, type WebhookClient } from '../webhook-client/mod.ts';
import type { AuditEvent } from './event.ts';

/** @source upstream webhook.DefaultRequestTimeout: 30 s */
const TIMEOUT_MS = 30_000;

export interface AuditWebhookOptions {
  readonly client: WebhookClient;
  readonly clock: Clock;
  readonly initialBackoffMs: number;
}

/** Delivers a batch. @throws The last failure. */
export async function deliverEvents(
  events: readonly AuditEvent[],
  { client, clock, initialBackoffMs }: AuditWebhookOptions,
): Promise<void> {
  const body = { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items: events };
  const post = async () => {
    try {
      await client.post(body, { timeoutMs: TIMEOUT_MS });
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  };
  await retried(post, { clock, initialMs: initialBackoffMs, passes: () => true });
}

/** A success whose body is no JSON is a success: nobody reads what an audit webhook answers. */
function isTaken(error: unknown): boolean {
  return error instanceof WebhookCallError && error.status !== undefined && error.status >= 200 && error.status < 300;
}
