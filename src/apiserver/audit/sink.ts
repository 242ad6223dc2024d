// SPDX-License-Identifier: Apache-2.0
// All audit backends as one, with their counters.
// @source upstream apiserver pkg/audit/{union,metrics}.go
import type { Logger, Metrics } from '#component';
import { registerComputed } from '../metrics/computed-metric.ts';
import type { AuditBackend } from './backend.ts';
import type { AuditEvent } from './event.ts';
import type { AuditLevel } from './policy.ts';

export interface AuditSinkOptions {
  readonly backends: readonly AuditBackend[];
  readonly logger: Logger;
}

export class AuditSink {
  readonly #options: AuditSinkOptions;
  readonly #levels = new Map<AuditLevel, number>();
  readonly #errors = new Map<string, number>();
  #events = 0;
  #rejected = 0;

  constructor(options: AuditSinkOptions) {
    this.#options = options;
  }

  /** @returns False if a request must not go on that has just come: a strict backend did not take it. */
  write(event: AuditEvent): boolean | Promise<boolean> {
    this.#events += 1;
    const waiting: Promise<boolean>[] = [];
    let taken = true;
    for (const backend of this.#options.backends) {
      const one = this.#offer(backend, event);
      if (one instanceof Promise) waiting.push(one);
      else taken = taken && one;
    }
    return waiting.length === 0 ? taken : Promise.all(waiting).then((all) => taken && all.every(Boolean));
  }

  #offer(backend: AuditBackend, event: AuditEvent): boolean | Promise<boolean> {
    const failed = (error: unknown): boolean => {
      this.countLost(backend.name, 1);
      this.#options.logger.error({ backend: backend.name, error: String(error) }, 'Audit event was lost');
      return backend.strict !== true;
    };
    try {
      const done = backend.process([event]);
      return done instanceof Promise ? done.then(() => true, failed) : true;
    } catch (error) {
      return failed(error);
    }
  }

  countLevel(level: AuditLevel): void {
    this.#levels.set(level, (this.#levels.get(level) ?? 0) + 1);
  }

  countRejected(): void {
    this.#rejected += 1;
  }

  countLost(plugin: string, count: number): void {
    this.#errors.set(plugin, (this.#errors.get(plugin) ?? 0) + count);
  }

  async shutdown(): Promise<void> {
    await Promise.all(this.#options.backends.map((backend) => backend.shutdown()));
  }

  register(metrics: Metrics): void {
    const counter = (name: string, help: string, samples: () => { value: number; labels: Record<string, string> }[]) =>
      registerComputed(metrics, { name, help, type: 'counter', samples });
    counter('apiserver_audit_event_total', 'Audit events made.', () => [{ value: this.#events, labels: {} }]);
    counter('apiserver_audit_requests_rejected_total', 'Requests refused because they could not be audited.', () => [
      { value: this.#rejected, labels: {} },
    ]);
    counter('apiserver_audit_level_total', 'Requests by the level of audit they got.', () =>
      [...this.#levels].map(([level, value]) => ({ value, labels: { level } })),
    );
    counter('apiserver_audit_error_total', 'Audit events that were lost, by backend.', () =>
      [...this.#errors].map(([plugin, value]) => ({ value, labels: { plugin } })),
    );
  }
}
