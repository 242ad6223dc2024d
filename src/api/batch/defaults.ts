// SPDX-License-Identifier: Apache-2.0
// SetDefaults of batch/v1 (upstream pkg/apis/batch/v1/defaults.go).
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { setDefault, setPointer, structAt } from '../defaulting.ts';
import type { CronJob, Job, JobSpec } from '../generated/batch/v1.ts';

const NO_LIMIT = 2 ** 31 - 1;

function defaultJobSpec(spec: JobSpec): void {
  const template = structAt(spec, 'template');
  if (isUnset(spec.completions) && isUnset(spec.parallelism)) {
    spec.completions = 1;
    spec.parallelism = 1;
  }
  setPointer(spec, 'parallelism', 1);
  setPointer(spec, 'backoffLimit', isUnset(spec.backoffLimitPerIndex) ? 6 : NO_LIMIT);
  setPointer(spec, 'completionMode', 'NonIndexed');
  setPointer(spec, 'suspend', false);
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) setDefault(pattern, 'status', 'True');
  }
  setPointer(spec, 'manualSelector', false);
  setPointer(spec, 'podReplacementPolicy', spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed');
  defaultPodTemplate(template);
}

const isUnset = (value: number | undefined) => value === undefined || value === null;

export function defaultJob(job: Job): void {
  const spec = structAt(job, 'spec');
  const labels = structAt(spec, 'template').metadata?.labels;
  const metadata = structAt(job, 'metadata');
  // The very same map, as upstream's: what the server adds to the template's labels shows in the Job's too.
  if (labels && (!metadata.labels || Object.keys(metadata.labels).length === 0)) metadata.labels = labels;
  defaultJobSpec(spec);
}

export function defaultCronJob(job: CronJob): void {
  const spec = structAt(job, 'spec');
  setDefault(spec, 'concurrencyPolicy', 'Allow');
  setPointer(spec, 'suspend', false);
  setPointer(spec, 'successfulJobsHistoryLimit', 3);
  setPointer(spec, 'failedJobsHistoryLimit', 1);
  // Of the template only what all pod templates have: upstream defaults the JobSpec when the Job is made.
  defaultPodTemplate(structAt(structAt(structAt(spec, 'jobTemplate'), 'spec'), 'template'));
}
