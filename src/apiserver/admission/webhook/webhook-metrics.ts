// SPDX-License-Identifier: Apache-2.0
// Metrics of webhook admission, under upstream's names. @source upstream apiserver pkg/admission/metrics/metrics.go
import type { Metrics } from '#component';
import type { AdmissionOperation } from '../admission.ts';

/** What upstream counts `type` by. */
export type WebhookType = 'admit' | 'validating';

export interface CallOutcome {
  readonly name: string;
  readonly type: WebhookType;
  readonly operation: AdmissionOperation;
  readonly rejected: boolean;
  /** 200, the code of the refusal, or of the webhook's failed HTTP answer. */
  readonly code: number;
  readonly seconds: number;
  /** Why it was refused. */
  readonly error?: 'calling_webhook_error' | 'apiserver_internal_error' | 'no_error' | undefined;
}

const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 25];
/** Codes above are counted as this one. */
const MAX_CODE = 600;

export class WebhookMetrics {
  readonly #duration;
  readonly #requests;
  readonly #rejections;
  readonly #failedOpen;
  readonly #conditionErrors;
  readonly #exclusions;

  constructor(metrics: Metrics) {
    const prefix = 'apiserver_admission';
    this.#duration = metrics.histogram(
      `${prefix}_webhook_admission_duration_seconds`,
      'Admission webhook latency histogram in seconds, identified by name and broken out for each operation and API resource and type (validate or admit).',
      BUCKETS,
      ['name', 'type', 'operation', 'rejected'],
    );
    this.#requests = metrics.counter(
      `${prefix}_webhook_request_total`,
      'Admission webhook request total, identified by name and broken out for each admission type (validating or mutating) and operation.',
      ['name', 'type', 'operation', 'code', 'rejected'],
    );
    this.#rejections = metrics.counter(
      `${prefix}_webhook_rejection_count`,
      'Admission webhook rejection count, identified by name and broken out for each admission type and operation.',
      ['name', 'type', 'operation', 'error_type', 'rejection_code'],
    );
    this.#failedOpen = metrics.counter(
      `${prefix}_webhook_fail_open_count`,
      'Admission webhook fail open count, identified by name and broken out for each admission type.',
      ['name', 'type'],
    );
    this.#conditionErrors = metrics.counter(
      `${prefix}_match_condition_evaluation_errors_total`,
      'Admission match condition evaluation errors count, identified by name of resource containing the match condition.',
      ['name', 'kind', 'type', 'operation'],
    );
    this.#exclusions = metrics.counter(
      `${prefix}_match_condition_exclusions_total`,
      'Admission match condition evaluation exclusions count, identified by name of resource containing the match condition.',
      ['name', 'kind', 'type', 'operation'],
    );
  }

  called({ name, type, operation, rejected, code, seconds, error }: CallOutcome): void {
    const labels = { name, type, operation, rejected: String(rejected) };
    this.#duration.observe(labels, seconds);
    this.#requests.inc({ ...labels, code: String(Math.min(code, MAX_CODE)) });
    if (error === undefined) return;
    this.#rejections.inc({ name, type, operation, error_type: error, rejection_code: String(Math.min(code, MAX_CODE)) });
  }

  failedOpen(name: string, type: WebhookType): void {
    this.#failedOpen.inc({ name, type });
  }

  conditionFailed(name: string, type: WebhookType, operation: AdmissionOperation): void {
    this.#conditionErrors.inc({ name, kind: 'webhook', type, operation });
  }

  excluded(name: string, type: WebhookType, operation: AdmissionOperation): void {
    this.#exclusions.inc({ name, kind: 'webhook', type, operation });
  }
}
