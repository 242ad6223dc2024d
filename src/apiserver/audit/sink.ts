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
  /** Whether a request is refused whose coming cannot be written down: mode `blocking-strict`. */
  readonly strict: boolean;
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

  /** @returns False if a request must not go on because of it. */
  write(event: AuditEvent): boolean {
    const { backends, strict, logger } = this.#options;
    this.#events += 1;
    let taken = true;
    for (const backend of backends) {
      try {
        backend.process([event]);
      } catch (error) {
        taken = false;
        this.countLost(backend.name, 1);
        logger.error({ backend: backend.name, error: String(error) }, 'Audit event was lost');
      }
    }
    return taken || !strict || event.stage !== 'RequestReceived';
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
