// SPDX-License-Identifier: Apache-2.0
// Validation of HorizontalPodAutoscalers: what is scaled, by which metrics, how fast; and of their status.
// @source upstream pkg/apis/autoscaling/validation/validation.go
import {
  checkDns1123Label,
  checkPathSegmentName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type {
  ContainerResourceMetricSource,
  CrossVersionObjectReference,
  ExternalMetricSource,
  HorizontalPodAutoscaler,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
  ObjectMetricSource,
  PodsMetricSource,
  ResourceMetricSource,
} from '../generated/autoscaling/v2.ts';
import { containerResourceNameCauses } from './pod-resources.ts';
import { isSet, nonNegative, problems } from './rules.ts';

type Autoscaler = DeepReadonly<HorizontalPodAutoscaler>;
const SPEC = field('spec');
const [LONGEST_PERIOD, LONGEST_WINDOW] = [1800, 3600];

interface Allowance {
  readonly fewest: number;
  /** Of an object that had it before. */
  readonly anyApiVersion: boolean;
}

function specCauses({ spec }: Autoscaler, { fewest, anyApiVersion }: Allowance): FieldCause[] {
  const causes: FieldCause[] = [];
  const { minReplicas: min, maxReplicas: max = 0, scaleTargetRef: target } = spec;
  if (isSet(min) && min < fewest) causes.push(invalidValue(SPEC.child('minReplicas'), min, `must be greater than or equal to ${fewest}`));
  if (max < 1) causes.push(invalidValue(SPEC.child('maxReplicas'), max, 'must be greater than 0'));
  if (isSet(min) && max < min) causes.push(invalidValue(SPEC.child('maxReplicas'), max, 'must be greater than or equal to `minReplicas`'));
  const at = SPEC.child('scaleTargetRef');
  causes.push(...referenceCauses(target ?? {}, at));
  if (!anyApiVersion) causes.push(...apiVersionCauses(target ?? {}, at.child('apiVersion'), target?.kind === 'ReplicationController'));
  causes.push(...metricsCauses(spec, SPEC.child('metrics')));
  const behavior = SPEC.child('behavior');
  return [
    ...causes,
    ...rulesCauses(spec.behavior?.scaleUp, behavior.child('scaleUp')),
    ...rulesCauses(spec.behavior?.scaleDown, behavior.child('scaleDown')),
  ];
}

type Reference = Partial<DeepReadonly<CrossVersionObjectReference>>;

function referenceCauses(reference: Reference, path: FieldPath): FieldCause[] {
  return (['kind', 'name'] as const).flatMap((name) => {
    const value = reference[name];
    return value ? problems(checkPathSegmentName(value), path.child(name), value) : [required(path.child(name))];
  });
}

function apiVersionCauses({ apiVersion = '' }: Reference, path: FieldPath, mayBeCore: boolean): FieldCause[] {
  const parts = apiVersion.split('/');
  if (parts.length > 2) return [invalidValue(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)];
  const hasGroup = parts.length === 2 && parts[0] !== '';
  return hasGroup || mayBeCore ? [] : [invalidValue(path, apiVersion, 'apiVersion must specify API group')];
}

function metricsCauses({ metrics, minReplicas }: Autoscaler['spec'], path: FieldPath): FieldCause[] {
  const causes = (metrics ?? []).flatMap((metric, index) => metricCauses(metric, path.index(index)));
  const isFree = metrics?.some(({ type }) => type === 'Object' || type === 'External') === true;
  if (minReplicas === 0 && !isFree)
    causes.push(forbiddenField(path, 'must specify at least one Object or External metric to support scaling to zero replicas'));
  return causes;
}

const TYPES = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource'];
const fieldOf = (type: string) => type.charAt(0).toLowerCase() + type.slice(1);

function metricCauses(metric: DeepReadonly<MetricSpec>, path: FieldPath): FieldCause[] {
  const type: string = metric.type ?? '';
  const at = path.child('type');
  const isKnown = TYPES.includes(type);
  const causes: FieldCause[] = type === '' ? [required(at, 'must specify a metric source type')] : [];
  if (!isKnown) causes.push(notSupported(at, type, TYPES));
  const present = SOURCES.filter(([name]) => isSet(metric[name])).map(([name]) => name);
  const first = SOURCES.find(([name]) => name === present[0]);
  if (first !== undefined) causes.push(...first[1](metric[first[0]] as never, path.child(first[0])));
  const expected = fieldOf(type);
  if (!isKnown) causes.push(notSupported(at, type, TYPES));
  else if (!(present as readonly string[]).includes(expected))
    causes.push(required(path.child(expected), 'must populate information for the given metric source'));
  if (present.length !== 1) {
    for (const name of [...present].sort())
      if (name !== expected) causes.push(forbiddenField(path.child(name), 'must populate the given metric source only'));
  }
  return causes;
}

type SourceName = 'object' | 'external' | 'pods' | 'resource' | 'containerResource';
const SOURCES: readonly (readonly [SourceName, (source: never, path: FieldPath) => FieldCause[]])[] = [
  ['object', objectCauses],
  ['external', externalCauses],
  ['pods', podsCauses],
  ['resource', resourceCauses],
  ['containerResource', containerResourceCauses],
];

function identifierCauses({ name }: { readonly name?: string } = {}, path: FieldPath): FieldCause[] {
  const at = path.child('name');
  return name ? problems(checkPathSegmentName(name), at, name) : [required(at, 'must specify a metric name')];
}

function objectCauses(source: DeepReadonly<ObjectMetricSource>, path: FieldPath): FieldCause[] {
  const target = path.child('target');
  const { value, averageValue } = source.target ?? {};
  const described = source.describedObject ?? {};
  const causes = [
    ...referenceCauses(described, path.child('describedObject')),
    ...apiVersionCauses(described, path.child('describedObject', 'apiVersion'), true),
    ...identifierCauses(source.metric, path.child('metric')),
    ...targetCauses(source.target, target),
  ];
  return isSet(value) || isSet(averageValue)
    ? causes
    : [...causes, required(target.child('averageValue'), 'must set either a target value or averageValue')];
}

function externalCauses(source: DeepReadonly<ExternalMetricSource>, path: FieldPath): FieldCause[] {
  const target = path.child('target');
  const { value, averageValue } = source.target ?? {};
  const causes = [...identifierCauses(source.metric, path.child('metric')), ...targetCauses(source.target, target)];
  if (!isSet(value) && !isSet(averageValue))
    causes.push(required(target.child('averageValue'), 'must set either a target value for metric or a per-pod target'));
  if (isSet(value) && isSet(averageValue))
    causes.push(forbiddenField(target.child('value'), 'may not set both a target value for metric and a per-pod target'));
  return causes;
}

function podsCauses(source: DeepReadonly<PodsMetricSource>, path: FieldPath): FieldCause[] {
  const target = path.child('target');
  const causes = [...identifierCauses(source.metric, path.child('metric')), ...targetCauses(source.target, target)];
  return isSet(source.target?.averageValue)
    ? causes
    : [...causes, required(target.child('averageValue'), 'must specify a positive target averageValue')];
}

function resourceCauses(source: DeepReadonly<ResourceMetricSource>, path: FieldPath): FieldCause[] {
  const name = source.name ? [] : [required(path.child('name'), 'must specify a resource name')];
  return [...name, ...utilizationCauses(source.target, path.child('target'))];
}

function containerResourceCauses(source: DeepReadonly<ContainerResourceMetricSource>, path: FieldPath): FieldCause[] {
  const { name, container } = source;
  const at = path.child('container');
  return [
    ...(name ? containerResourceNameCauses(name, path.child('name')) : [required(path.child('name'), 'must specify a resource name')]),
    ...(container ? problems(checkDns1123Label(container), at, container) : [required(at, 'must specify a container')]),
    ...utilizationCauses(source.target, path.child('target')),
  ];
}

function utilizationCauses(target: DeepReadonly<MetricTarget> | undefined, path: FieldPath): FieldCause[] {
  const causes = targetCauses(target, path);
  const [hasShare, hasValue] = [isSet(target?.averageUtilization), isSet(target?.averageValue)];
  if (!hasShare && !hasValue)
    causes.push(required(path.child('averageUtilization'), 'must set either a target raw value or a target utilization'));
  if (hasShare && hasValue)
    causes.push(forbiddenField(path.child('averageValue'), 'may not set both a target raw value and a target utilization'));
  return causes;
}

function targetCauses(target: DeepReadonly<MetricTarget> | undefined, path: FieldPath): FieldCause[] {
  const type: string = target?.type ?? '';
  const causes: FieldCause[] = type === '' ? [required(path.child('type'), 'must specify a metric target type')] : [];
  if (type !== 'Utilization' && type !== 'Value' && type !== 'AverageValue')
    causes.push(invalidValue(path.child('type'), type, 'must be either Utilization, Value, or AverageValue'));
  for (const name of ['value', 'averageValue'] as const) {
    const quantity = isSet(target?.[name]) ? findQuantity(String(target?.[name])) : undefined;
    if (quantity !== undefined && quantity.nanos <= 0n)
      causes.push(invalidValue(path.child(name), formatQuantity(quantity), 'must be positive'));
  }
  const share = target?.averageUtilization;
  if (isSet(share) && share < 1) causes.push(invalidValue(path.child('averageUtilization'), share, 'must be greater than 0'));
  return causes;
}

function rulesCauses(rules: DeepReadonly<HPAScalingRules> | undefined, path: FieldPath): FieldCause[] {
  if (!rules) return [];
  const causes: FieldCause[] = [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  const at = path.child('stabilizationWindowSeconds');
  if (isSet(window) && window < 0) causes.push(invalidValue(at, window, 'must be greater than or equal to zero'));
  if (isSet(window) && window > LONGEST_WINDOW) causes.push(invalidValue(at, window, `must be less than or equal to ${LONGEST_WINDOW}`));
  if (isSet(selectPolicy) && !['Disabled', 'Max', 'Min'].includes(selectPolicy))
    causes.push(notSupported(path.child('selectPolicy'), selectPolicy, ['Disabled', 'Max', 'Min']));
  if (policies.length === 0) causes.push(required(path.child('policies'), 'must specify at least one Policy'));
  for (const [index, policy] of policies.entries()) causes.push(...policyCauses(policy, path.child('policies').index(index)));
  const slack = isSet(tolerance) ? findQuantity(String(tolerance)) : undefined;
  if (slack !== undefined && slack.nanos < 0n)
    causes.push(invalidValue(path.child('tolerance'), formatQuantity(slack), 'must be greater or equal to zero'));
  return causes;
}

type Policy = NonNullable<DeepReadonly<HPAScalingRules>['policies']>[number];

function policyCauses({ type, value = 0, periodSeconds = 0 }: Policy, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (type !== 'Pods' && type !== 'Percent') causes.push(notSupported(path.child('type'), type ?? '', ['Percent', 'Pods']));
  if (value <= 0) causes.push(invalidValue(path.child('value'), value, 'must be greater than zero'));
  const at = path.child('periodSeconds');
  if (periodSeconds <= 0) causes.push(invalidValue(at, periodSeconds, 'must be greater than zero'));
  if (periodSeconds > LONGEST_PERIOD) causes.push(invalidValue(at, periodSeconds, `must be less than or equal to ${LONGEST_PERIOD}`));
  return causes;
}

export function autoscalerCauses(object: Autoscaler): FieldCause[] {
  return specCauses(object, { fewest: 1, anyApiVersion: false });
}

export function autoscalerUpdateCauses(next: Autoscaler, previous: Autoscaler): FieldCause[] {
  const target = previous.spec.scaleTargetRef ?? {};
  const hadWrong = apiVersionCauses(target, SPEC, target.kind === 'ReplicationController').length > 0;
  return specCauses(next, { fewest: previous.spec.minReplicas === 0 ? 0 : 1, anyApiVersion: hadWrong });
}

export function autoscalerStatusCauses({ status }: Autoscaler): FieldCause[] {
  const at = field('status');
  return [
    ...nonNegative(status?.currentReplicas, at.child('currentReplicas')),
    ...nonNegative(status?.desiredReplicas, at.child('desiredReplicas')),
  ];
}
