// SPDX-License-Identifier: Apache-2.0
// Jobs: selector and labels that tie Pods to this Job and no other, generation, fields to select by.
import { jobs } from '#api';
import type { Job } from '#api/batch/v1';
import { defaultStrategy } from '../default-strategy.ts';
import type { MutableObject, Strategy } from '../strategy.ts';

const PREFIX = 'batch.kubernetes.io/';
const asJob = (object: unknown) => object as Job;

/** Unless the user selects by hand: the Job's uid and name as labels of its Pods, its uid as the selector. */
export function generateJobSelector(object: MutableObject): void {
  const { metadata, spec } = asJob(object);
  if (spec.manualSelector === true) return;
  const uid = metadata.uid ?? '';
  spec.template.metadata ??= {} as NonNullable<typeof spec.template.metadata>;
  spec.template.metadata.labels ??= {};
  const { labels } = spec.template.metadata;
  // A Job without labels has its template's, generated ones too.
  const isBare = Object.keys(metadata.labels ?? {}).length === 0;
  const isMirror = metadata.labels === spec.template.metadata.labels;
  // Labels that the client set are kept: validation compares them with the uid.
  labels['controller-uid'] ??= uid;
  labels['job-name'] ??= metadata.name ?? '';
  labels[`${PREFIX}controller-uid`] ??= uid;
  labels[`${PREFIX}job-name`] ??= metadata.name ?? '';
  if (isBare || isMirror) metadata.labels = { ...labels };
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels[`${PREFIX}controller-uid`] ??= uid;
}

export function jobStrategy(): Strategy {
  return defaultStrategy(jobs, {
    generation: true,
    selectableFields: ['status.successful'],
    fieldValue: (object, name) => (name === 'status.successful' ? String(asJob(object).status?.succeeded ?? 0) : undefined),
    afterPrepareForCreate: generateJobSelector,
  });
}
