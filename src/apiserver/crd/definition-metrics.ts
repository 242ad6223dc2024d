// SPDX-License-Identifier: Apache-2.0
// What is counted of definitions: how often their OpenAPI was made anew and why, and calls of conversion webhooks. Not what comparing
// old and new values took. @source upstream apiextensions-apiserver pkg/controller/{openapi,openapiv3}, pkg/apiserver/conversion/metrics.go
import type { Metrics } from '#component';
import { LabeledCounter, LabeledHistogram } from '../metrics/labeled.ts';

export type Regeneration = 'add' | 'update' | 'remove';

/** Upstream's exponential buckets: from 1 ms, doubled, 15 of them. */
const CONVERSION_BUCKETS = Array.from({ length: 15 }, (_, power) => 0.001 * 2 ** power);
const WEBHOOK_BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 45, 60];

export interface Conversion {
  readonly definition: string;
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
  readonly succeeded: boolean;
}

export class DefinitionMetrics {
  readonly #v2: LabeledCounter;
  readonly #v3: LabeledCounter;
  readonly #conversions: LabeledHistogram;
  readonly #calls: LabeledCounter;
  readonly #callSeconds: LabeledHistogram;

  constructor(metrics: Metrics) {
    const regenerated = (version: string) =>
      `Counter of OpenAPI ${version} spec regeneration count broken down by causing CRD name and reason.`;
    this.#v2 = new LabeledCounter(metrics, 'apiextensions_openapi_v2_regeneration_count', regenerated('v2'));
    this.#v3 = new LabeledCounter(
      metrics,
      'apiextensions_openapi_v3_regeneration_count',
      'Counter of OpenAPI v3 spec regeneration count broken down by group, version, causing CRD and reason.',
    );
    this.#conversions = new LabeledHistogram(
      metrics,
      'apiserver_crd_conversion_webhook_duration_seconds',
      'CRD webhook conversion duration in seconds',
      CONVERSION_BUCKETS,
    );
    this.#calls = new LabeledCounter(
      metrics,
      'apiserver_conversion_webhook_request_total',
      'Counter for conversion webhook requests with success/failure and failure error type',
    );
    this.#callSeconds = new LabeledHistogram(
      metrics,
      'apiserver_conversion_webhook_duration_seconds',
      'Conversion webhook request latency',
      WEBHOOK_BUCKETS,
    );
  }

  /** @param versions The served ones. */
  regenerated(crd: string, group: string, versions: readonly string[], reason: Regeneration): void {
    this.#v2.add(`${crd} ${reason}`, () => ({ crd, reason }));
    for (const version of versions) {
      this.#v3.add(`${crd} ${group} ${version} ${reason}`, () => ({ crd, group, version, reason }));
    }
  }

  converted({ definition, from, to, seconds, succeeded }: Conversion): void {
    const labels = { crd_name: definition, from_version: from, to_version: to, succeeded: String(succeeded) };
    this.#conversions.observe(`${definition} ${from} ${to} ${succeeded}`, () => labels, seconds);
    const outcome = succeeded
      ? { result: 'success', failure_type: '' }
      : { result: 'failure', failure_type: 'conversion_webhook_call_failure' };
    this.#calls.add(outcome.result, () => outcome);
    this.#callSeconds.observe(outcome.result, () => outcome, seconds);
  }
}
