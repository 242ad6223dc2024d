// SPDX-License-Identifier: Apache-2.0
// audit: who did what, when, and what came of it, by a policy, to a log file and to a webhook. Off unless a policy file and a
// backend are given.
import { readFileSync } from 'node:fs';
import type { Clock, Logger, Metrics } from '#component';
import type { Handler } from '../request/context.ts';
import { createWebhookClient, kubeconfigTarget } from '../webhook-client/mod.ts';
import { withAudit, withEarlyAudit } from './audit-filter.ts';
import { type AuditBackend, BatchedBackend, type BatchOptions } from './backend.ts';
import type { AuditEvent } from './event.ts';
import { AuditLog, type AuditLogOptions } from './log-backend.ts';
import { parsePolicy } from './policy.ts';
import { AuditSink } from './sink.ts';
import { type TruncateOptions, truncating } from './truncate.ts';
import { deliverEvents } from './webhook-backend.ts';

export type AuditMode = 'batch' | 'blocking' | 'blocking-strict';

export interface AuditOptions {
  readonly policyFile: string;
  readonly log: (AuditLogOptions & Buffering) | undefined;
  readonly webhook: (Buffering & { readonly configFile: string; readonly initialBackoffMs: number }) | undefined;
}

/** How events get to a backend. */
interface Buffering {
  readonly mode: AuditMode;
  /** In mode `batch`. */
  readonly batch: BatchOptions;
  /** Undefined: events of any size. */
  readonly truncate?: TruncateOptions | undefined;
}

export interface AuditDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface Audit {
  readonly requests: (next: Handler) => Handler;
  /** What is refused before it is known whose it is. */
  readonly early: (next: Handler) => Handler;
  /** Writes what is held back. */
  shutdown(): Promise<void>;
}

/** @throws {AuditPolicyError} If the policy cannot be used; the file system's errors if files cannot. */
export function createAudit(options: AuditOptions, deps: AuditDeps): Audit {
  const policy = parsePolicy(readFileSync(options.policyFile, 'utf8'), options.policyFile);
  const backends: AuditBackend[] = [];
  const sink = new AuditSink({ backends, logger: deps.logger });
  const add = (backend: AuditBackend, { truncate }: Buffering) =>
    backends.push(truncate === undefined ? backend : truncating(backend, truncate, (count) => sink.countLost('truncate', count)));
  if (options.log !== undefined) add(logBackend(options.log, sink, deps), options.log);
  if (options.webhook !== undefined) add(webhookBackend(options.webhook, sink, deps), options.webhook);
  sink.register(deps.metrics);
  const filter = { policy, sink, clock: deps.clock };
  return {
    requests: (next) => withAudit(next, filter),
    early: (next) => withEarlyAudit(next, filter),
    shutdown: () => sink.shutdown(),
  };
}

const isStrict = ({ mode }: Buffering) => mode === 'blocking-strict';

function logBackend(options: NonNullable<AuditOptions['log']>, sink: AuditSink, { clock, logger }: AuditDeps): AuditBackend {
  const log = new AuditLog(options, clock);
  const shutdown = () => log.shutdown();
  if (options.mode !== 'batch') return { name: log.name, strict: isStrict(options), process: (events) => log.process(events), shutdown };
  const deliver = async (events: readonly AuditEvent[]) => log.process(events);
  const batched = new BatchedBackend(options.batch, { name: 'log', clock, logger, deliver, lost: (count) => sink.countLost('log', count) });
  return { name: 'log', process: (events) => batched.process(events), shutdown: () => batched.shutdown().then(shutdown) };
}

function webhookBackend(options: NonNullable<AuditOptions['webhook']>, sink: AuditSink, { clock, logger }: AuditDeps): AuditBackend {
  const resolver = { resolve: () => Promise.reject(new Error('resolve the Service of an audit webhook: its kubeconfig names a host')) };
  const client = createWebhookClient(kubeconfigTarget(options.configFile), { resolver: resolver as never });
  const { initialBackoffMs, batch } = options;
  const deliver = (events: readonly AuditEvent[]) => deliverEvents(events, { client, clock, initialBackoffMs });
  const shutdown = async () => client[Symbol.asyncDispose]();
  if (options.mode !== 'batch') return { name: 'webhook', strict: isStrict(options), process: deliver, shutdown };
  const batched = new BatchedBackend(batch, {
    name: 'webhook',
    clock,
    logger,
    deliver,
    lost: (count) => sink.countLost('webhook', count),
  });
  return { name: 'webhook', process: (events) => batched.process(events), shutdown: () => batched.shutdown().then(shutdown) };
}
