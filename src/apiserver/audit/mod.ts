// SPDX-License-Identifier: Apache-2.0
// audit: who did what, when, and what came of it, by a policy, to a log file and to a webhook. Off unless a policy file and a
// backend are given. Truncating large events and upstream's file-less default policies are not here.
import { readFileSync } from 'node:fs';
import type { Clock, Logger, Metrics } from '#component';
import type { Handler } from '../request/context.ts';
import { createWebhookClient, kubeconfigTarget } from '../webhook-client/mod.ts';
import { withAudit, withFailedAuthenticationAudit } from './audit-filter.ts';
import { type AuditBackend, BatchedBackend, type BatchOptions } from './backend.ts';
import { AuditLog, type AuditLogOptions } from './log-backend.ts';
import { parsePolicy } from './policy.ts';
import { AuditSink } from './sink.ts';
import { deliverEvents } from './webhook-backend.ts';

export type AuditMode = 'batch' | 'blocking' | 'blocking-strict';

export interface AuditOptions {
  readonly policyFile: string;
  readonly log: (AuditLogOptions & { readonly mode: AuditMode; readonly batch: BatchOptions }) | undefined;
  readonly webhook:
    | { readonly configFile: string; readonly mode: AuditMode; readonly batch: BatchOptions; readonly initialBackoffMs: number }
    | undefined;
}

export interface AuditDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface Audit {
  readonly requests: (next: Handler) => Handler;
  readonly failedAuthentication: (next: Handler) => Handler;
  /** Writes what is held back. */
  shutdown(): Promise<void>;
}

/** @throws {AuditPolicyError} If the policy cannot be used; the file system's errors if files cannot. */
export function createAudit(options: AuditOptions, deps: AuditDeps): Audit {
  const policy = parsePolicy(readFileSync(options.policyFile, 'utf8'), options.policyFile);
  const backends: AuditBackend[] = [];
  const strict = options.log?.mode === 'blocking-strict' || options.webhook?.mode === 'blocking-strict';
  const sink = new AuditSink({ backends, strict, logger: deps.logger });
  if (options.log !== undefined) backends.push(logBackend(options.log, sink, deps));
  if (options.webhook !== undefined) backends.push(webhookBackend(options.webhook, sink, deps));
  sink.register(deps.metrics);
  const filter = { policy, sink, clock: deps.clock };
  return {
    requests: (next) => withAudit(next, filter),
    failedAuthentication: (next) => withFailedAuthenticationAudit(next, filter),
    shutdown: () => sink.shutdown(),
  };
}

function logBackend(options: NonNullable<AuditOptions['log']>, sink: AuditSink, { clock, logger }: AuditDeps): AuditBackend {
  const log = new AuditLog(options, clock);
  if (options.mode !== 'batch') return log;
  const deliver = async (events: Parameters<AuditLog['process']>[0]) => log.process(events);
  const batched = new BatchedBackend(options.batch, { name: 'log', clock, logger, deliver, lost: (count) => sink.countLost('log', count) });
  return { name: 'log', process: (events) => batched.process(events), shutdown: () => batched.shutdown().then(() => log.shutdown()) };
}

function webhookBackend(options: NonNullable<AuditOptions['webhook']>, sink: AuditSink, { clock, logger }: AuditDeps): AuditBackend {
  const resolver = { resolve: () => Promise.reject(new Error('resolve the Service of an audit webhook: its kubeconfig names a host')) };
  const client = createWebhookClient(kubeconfigTarget(options.configFile), { resolver: resolver as never });
  const { initialBackoffMs, batch } = options;
  return new BatchedBackend(batch, {
    name: 'webhook',
    clock,
    logger,
    deliver: (events) => deliverEvents(events, { client, clock, initialBackoffMs }),
    lost: (count) => sink.countLost('webhook', count),
  });
}
