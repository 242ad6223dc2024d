// SPDX-License-Identifier: Apache-2.0
// The tables of autoscalers (what each metric is now and what it should be) and of Scales. @source upstream printers.go formatHPAMetrics
import type { Scale } from '#api/autoscaling/v1';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '#api/autoscaling/v2';
import type { DeepReadonly } from '#machinery';
import { column } from './cells.ts';
import { describeColumns } from './column-descriptions.ts';
import { age, name, table } from './table.ts';

type Target = DeepReadonly<MetricTarget>;
/** Undefined where the status says nothing of the metric yet. */
type Current = DeepReadonly<MetricValueStatus> | undefined;

const UNKNOWN = '<unknown>';
/** As a quantity that is not there prints. */
const quantity = (text: string | undefined) => text ?? '<nil>';
const percent = (value: number | undefined, unset: string) => (value === undefined ? unset : `${value}%`);

function resourceText(resource: string, target: Target, current: Current): string {
  if (target.averageValue !== undefined)
    return `${resource}: ${current === undefined ? UNKNOWN : quantity(current.averageValue)}/${target.averageValue}`;
  return `${resource}: ${percent(current?.averageUtilization, UNKNOWN)}/${percent(target.averageUtilization, '<auto>')}`;
}

function valueText(target: Target, current: Current): string {
  if (target.averageValue !== undefined) return `${current?.averageValue ?? UNKNOWN}/${target.averageValue} (avg)`;
  return `${current === undefined ? UNKNOWN : quantity(current.value)}/${quantity(target.value)}`;
}

function metricText(spec: DeepReadonly<MetricSpec>, status: DeepReadonly<MetricStatus> | undefined): string {
  if (spec.resource) return resourceText(spec.resource.name, spec.resource.target, status?.resource?.current);
  if (spec.containerResource)
    return resourceText(spec.containerResource.name, spec.containerResource.target, status?.containerResource?.current);
  if (spec.external) return valueText(spec.external.target, status?.external?.current);
  if (spec.object) return valueText(spec.object.target, status?.object?.current);
  if (spec.pods === undefined) return '<unknown type>';
  const current = status?.pods?.current;
  return `${current === undefined ? UNKNOWN : quantity(current.averageValue)}/${quantity(spec.pods.target.averageValue)}`;
}

function metricsText({ spec, status }: DeepReadonly<HorizontalPodAutoscaler>): string {
  const most = 2;
  const metrics = spec.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const texts = metrics.slice(0, most).map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const more = metrics.length - most;
  return `${texts.join(', ')}${more > 0 ? ` + ${more} more...` : ''}`;
}

export const autoscalerTable = table<HorizontalPodAutoscaler>(
  name(),
  [column('Reference'), ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`],
  [column('Targets'), metricsText],
  [column('MinPods'), ({ spec }) => (spec.minReplicas === undefined ? '<unset>' : String(spec.minReplicas))],
  [column('MaxPods'), ({ spec }) => spec.maxReplicas],
  [column('Replicas'), ({ status }) => status?.currentReplicas ?? 0],
  age(),
);

const INTEGER = { type: 'integer' };

/** Of the scale endpoint; the name is no `name` in format. */
export const scaleTable = describeColumns(
  'autoscaling/Scale',
  table<Scale>(
    [column('Name'), ({ metadata }) => metadata.name ?? ''],
    [column('Desired', INTEGER), ({ spec }) => spec.replicas ?? 0],
    [column('Available', INTEGER), ({ status }) => status.replicas],
    age(),
  ),
);
