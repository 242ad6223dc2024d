// SPDX-License-Identifier: Apache-2.0
// How long admission took: each pass over the plugins, and each plugin that had something to say.
// @source upstream apiserver pkg/admission/metrics/metrics.go
import type { Metrics } from '#component';
import type { Histogram } from './histogram.ts';
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

  /** Of whole passes. */
  step(type: AdmissionPass): AdmissionTimes {
    return new AdmissionTimes(this.#steps, {}, type);
  }

  /** Of one plugin. */
  controller(name: string, type: AdmissionPass): AdmissionTimes {
    return new AdmissionTimes(this.#controllers, { name }, type);
  }
}

/** Times by operation and outcome. The child of each is found by the operation alone: a write makes no key for it. */
export class AdmissionTimes {
  readonly #histograms: LabeledHistogram;
  readonly #of: Readonly<Record<string, string>>;
  readonly #type: AdmissionPass;
  readonly #accepted = new Map<string, Histogram>();
  readonly #rejected = new Map<string, Histogram>();

  constructor(histograms: LabeledHistogram, of: Readonly<Record<string, string>>, type: AdmissionPass) {
    this.#histograms = histograms;
    this.#of = of;
    this.#type = type;
  }

  observe(operation: string, rejected: boolean, tookMs: number): void {
    const known = rejected ? this.#rejected : this.#accepted;
    let child = known.get(operation);
    if (child === undefined) {
      const labels = { ...this.#of, operation, rejected: String(rejected), type: this.#type };
      child = this.#histograms.child(Object.values(labels).join(' '), () => labels);
      known.set(operation, child);
    }
    child.observe(tookMs / 1000);
  }
}
