// SPDX-License-Identifier: Apache-2.0
// How long admission took: each pass over the plugins, and each plugin that had something to say.
// @source upstream apiserver pkg/admission/metrics/metrics.go
import type { Metrics } from '#component';
import { LabeledHistogram } from './labeled.ts';

const SECONDS = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

export type AdmissionPass = 'admit' | 'validate';

export class AdmissionMetrics {
  readonly #steps: LabeledHistogram;
  readonly #controllers: LabeledHistogram;

  constructor(metrics: Metrics) {
    this.#steps = new LabeledHistogram(
      metrics,
      'apiserver_admission_step_admission_duration_seconds',
      'How long a pass over the admission plugins took, in seconds.',
      SECONDS,
    );
    this.#controllers = new LabeledHistogram(
      metrics,
      'apiserver_admission_controller_admission_duration_seconds',
      'How long an admission plugin took, in seconds.',
      SECONDS,
    );
  }

  step(type: AdmissionPass, operation: string, rejected: boolean, tookMs: number): void {
    const labels = () => ({ operation, rejected: String(rejected), type });
    this.#steps.observe(`${type} ${operation} ${rejected}`, labels, tookMs / 1000);
  }

  controller(name: string, type: AdmissionPass, operation: string, rejected: boolean, tookMs: number): void {
    const labels = () => ({ name, operation, rejected: String(rejected), type });
    this.#controllers.observe(`${name} ${type} ${operation} ${rejected}`, labels, tookMs / 1000);
  }
}
