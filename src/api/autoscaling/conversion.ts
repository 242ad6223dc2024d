// SPDX-License-Identifier: Apache-2.0
// HorizontalPodAutoscalers of autoscaling/v1 are stored as v2. What v1 has no field for travels in annotations, written as
// upstream writes them: metrics and their status with v1's names, the behaviour with Go's field names.
import type { KubeObject, ObjectMeta } from '../../machinery/mod.ts';
import type { HorizontalPodAutoscaler as V1 } from '../generated/autoscaling/v1.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HorizontalPodAutoscalerCondition,
  HPAScalingRules,
  MetricSpec,
  MetricStatus,
  MetricTarget,
  MetricValueStatus,
} from '../generated/autoscaling/v2.ts';

const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const METRICS = `${PREFIX}metrics`;
const CURRENT = `${PREFIX}current-metrics`;
const CONDITIONS = `${PREFIX}conditions`;
const BEHAVIOR = `${PREFIX}behavior`;
type Json = Record<string, unknown>;

export function autoscalerFromStorage(object: KubeObject): KubeObject {
  const from = object as unknown as HorizontalPodAutoscaler;
  const annotations: Record<string, string> = { ...from.metadata.annotations };
  const metrics = [...(from.spec.metrics ?? [])];
  const cpu = metrics.findIndex((metric) => isCpu(metric) && typeof metric.resource?.target.averageUtilization === 'number');
  const utilization = cpu < 0 ? undefined : metrics.splice(cpu, 1)[0]?.resource?.target.averageUtilization;
  if (metrics.length > 0) annotations[METRICS] = JSON.stringify(metrics.map(metricToV1));
  const current = [...(from.status?.currentMetrics ?? [])];
  const seen = current.findIndex((metric) => isCpu(metric) && typeof metric.resource?.current.averageUtilization === 'number');
  const currentUtilization = current[seen]?.resource?.current.averageUtilization;
  if (current.length > 0) annotations[CURRENT] = JSON.stringify(current.map(statusToV1));
  if ((from.status?.conditions ?? []).length > 0) {
    annotations[CONDITIONS] = JSON.stringify(
      from.status.conditions?.map((it) => ({ ...it, lastTransitionTime: it.lastTransitionTime ?? null })),
    );
  }
  if (from.spec.behavior) annotations[BEHAVIOR] = JSON.stringify(behaviorToGo(from.spec.behavior));
  const { metrics: _metrics, behavior: _behavior, ...spec } = from.spec;
  const { currentMetrics: _current, conditions: _conditions, ...status } = from.status ?? { desiredReplicas: 0 };
  const to = {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(from.metadata, annotations),
    spec: { ...spec, ...(utilization === undefined ? {} : { targetCPUUtilizationPercentage: utilization }) },
    status: {
      ...status,
      currentReplicas: status.currentReplicas ?? 0,
      desiredReplicas: status.desiredReplicas ?? 0,
      ...(currentUtilization === undefined ? {} : { currentCPUUtilizationPercentage: currentUtilization }),
    },
  };
  return to as unknown as KubeObject;
}

export function autoscalerToStorage(object: KubeObject): KubeObject {
  const from = object as unknown as V1;
  const annotations: Record<string, string> = { ...from.metadata.annotations };
  const metrics = (parsed<Json[]>(annotations[METRICS]) ?? []).map(metricFromV1);
  const currentMetrics = (parsed<Json[]>(annotations[CURRENT]) ?? []).map(statusFromV1);
  const conditions = parsed<HorizontalPodAutoscalerCondition[]>(annotations[CONDITIONS]);
  const behavior = parsed<Json>(annotations[BEHAVIOR]);
  for (const key of [METRICS, CURRENT, CONDITIONS, BEHAVIOR]) delete annotations[key];
  const { targetCPUUtilizationPercentage, ...spec } = from.spec;
  if (targetCPUUtilizationPercentage !== undefined && targetCPUUtilizationPercentage !== null) {
    metrics.push({
      type: 'Resource',
      resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: targetCPUUtilizationPercentage } },
    });
  }
  if (metrics.length === 0) {
    metrics.push({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } });
  }
  const { currentCPUUtilizationPercentage, ...status } = from.status ?? { currentReplicas: 0, desiredReplicas: 0 };
  if (currentCPUUtilizationPercentage !== undefined && currentMetrics.length === 0) {
    currentMetrics.push({ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: currentCPUUtilizationPercentage } } });
  }
  const to = {
    kind: 'HorizontalPodAutoscaler',
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(from.metadata, annotations),
    spec: { ...spec, metrics, ...(behavior === undefined ? {} : { behavior: behaviorFromGo(behavior) }) },
    status: { ...status, ...(currentMetrics.length === 0 ? {} : { currentMetrics }), ...(conditions === undefined ? {} : { conditions }) },
  };
  return to as unknown as KubeObject;
}

function isCpu(metric: MetricSpec | MetricStatus): boolean {
  return metric.type === 'Resource' && metric.resource?.name === 'cpu';
}

function withAnnotations(metadata: ObjectMeta, annotations: Record<string, string>): ObjectMeta {
  const { annotations: _old, ...rest } = metadata;
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations };
}

/** A damaged annotation counts as none, as upstream's conversion drops it. */
function parsed<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

function compact(object: Json): Json {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function targetNames(target: MetricTarget): Json {
  return compact({
    targetAverageUtilization: target.averageUtilization,
    targetAverageValue: target.averageValue,
    targetValue: target.value,
  });
}

function metricToV1(metric: MetricSpec): Json {
  const { type, resource, containerResource, pods, object, external } = metric;
  if (resource) return { type, resource: compact({ name: resource.name, ...targetNames(resource.target) }) };
  if (containerResource) {
    const { name, container, target } = containerResource;
    return { type, containerResource: compact({ name, ...targetNames(target), container }) };
  }
  if (pods) {
    const { metric: id, target } = pods;
    return { type, pods: compact({ metricName: id.name, targetAverageValue: target.averageValue, selector: id.selector }) };
  }
  if (object) {
    const { describedObject, target, metric: id } = object;
    const own = {
      target: describedObject,
      metricName: id.name,
      targetValue: target.value ?? '0',
      selector: id.selector,
      averageValue: target.averageValue,
    };
    return { type, object: compact(own) };
  }
  if (external) {
    const { metric: id, target } = external;
    const own = { metricName: id.name, metricSelector: id.selector, targetValue: target.value, targetAverageValue: target.averageValue };
    return { type, external: compact(own) };
  }
  return { type };
}

function targetFromV1(own: Json): MetricTarget {
  if (own['targetAverageUtilization'] !== undefined)
    return { type: 'Utilization', averageUtilization: Number(own['targetAverageUtilization']) };
  if (own['targetAverageValue'] !== undefined) return { type: 'AverageValue', averageValue: String(own['targetAverageValue']) };
  return { type: 'Value', value: String(own['targetValue'] ?? '0') };
}

function metricFromV1(json: Json): MetricSpec {
  const part = (name: string) => json[name] as Json | undefined;
  const type = json['type'] as MetricSpec['type'];
  const metric: Json = { type };
  const [resource, container, pods, object, external] = ['resource', 'containerResource', 'pods', 'object', 'external'].map(part);
  if (resource) metric['resource'] = { name: resource['name'], target: targetFromV1(resource) };
  if (container)
    metric['containerResource'] = { name: container['name'], target: targetFromV1(container), container: container['container'] };
  if (pods) {
    const id = compact({ name: pods['metricName'], selector: pods['selector'] });
    metric['pods'] = { metric: id, target: { type: 'AverageValue', averageValue: pods['targetAverageValue'] } };
  }
  if (object) {
    const average = object['averageValue'];
    const target =
      average === undefined ? { type: 'Value', value: object['targetValue'] } : { type: 'AverageValue', averageValue: average };
    metric['object'] = {
      describedObject: object['target'],
      target,
      metric: compact({ name: object['metricName'], selector: object['selector'] }),
    };
  }
  if (external) {
    const id = compact({ name: external['metricName'], selector: external['metricSelector'] });
    metric['external'] = { metric: id, target: targetFromV1(external) };
  }
  return metric as unknown as MetricSpec;
}

function currentNames(current: MetricValueStatus): Json {
  return compact({ currentAverageUtilization: current.averageUtilization, currentAverageValue: current.averageValue ?? '0' });
}

function statusToV1(metric: MetricStatus): Json {
  const { type, resource, containerResource, pods, object, external } = metric;
  if (resource) return { type, resource: { name: resource.name, ...currentNames(resource.current) } };
  if (containerResource) {
    return {
      type,
      containerResource: {
        name: containerResource.name,
        ...currentNames(containerResource.current),
        container: containerResource.container,
      },
    };
  }
  if (pods) {
    return {
      type,
      pods: compact({ metricName: pods.metric.name, currentAverageValue: pods.current.averageValue, selector: pods.metric.selector }),
    };
  }
  if (object) {
    const { describedObject: target, metric: id, current } = object;
    return {
      type,
      object: compact({
        target,
        metricName: id.name,
        currentValue: current.value ?? '0',
        selector: id.selector,
        averageValue: current.averageValue,
      }),
    };
  }
  if (external) {
    const { metric: id, current } = external;
    const own = {
      metricName: id.name,
      metricSelector: id.selector,
      currentValue: current.value ?? '0',
      currentAverageValue: current.averageValue,
    };
    return { type, external: compact(own) };
  }
  return { type };
}

function statusFromV1(json: Json): MetricStatus {
  const status: Json = { type: json['type'] };
  for (const name of ['resource', 'containerResource', 'pods', 'object', 'external']) {
    const own = json[name] as Json | undefined;
    if (!own) continue;
    const current = compact({
      value: own['currentValue'],
      averageValue: own['currentAverageValue'] ?? own['averageValue'],
      averageUtilization: own['currentAverageUtilization'],
    });
    const id = compact({ name: own['metricName'], selector: own['selector'] ?? own['metricSelector'] });
    if (name === 'resource' || name === 'containerResource')
      status[name] = compact({ name: own['name'], container: own['container'], current });
    else status[name] = compact({ metric: id, current, describedObject: own['target'] });
  }
  return status as unknown as MetricStatus;
}

function behaviorToGo(behavior: HorizontalPodAutoscalerBehavior): Json {
  const rules = (given: HPAScalingRules | undefined) =>
    given === undefined
      ? null
      : {
          StabilizationWindowSeconds: given.stabilizationWindowSeconds ?? null,
          SelectPolicy: given.selectPolicy ?? null,
          Policies:
            given.policies?.map(({ type, value, periodSeconds }) => ({ Type: type, Value: value, PeriodSeconds: periodSeconds })) ?? null,
          Tolerance: given.tolerance ?? null,
        };
  return { ScaleUp: rules(behavior.scaleUp), ScaleDown: rules(behavior.scaleDown) };
}

function behaviorFromGo(json: Json): HorizontalPodAutoscalerBehavior {
  const rules = (given: unknown) => {
    const own = given as Json;
    const policies = (own['Policies'] as Json[] | null)?.map((it) => ({
      type: it['Type'],
      value: it['Value'],
      periodSeconds: it['PeriodSeconds'],
    }));
    return compact({
      stabilizationWindowSeconds: own['StabilizationWindowSeconds'] ?? undefined,
      selectPolicy: own['SelectPolicy'] ?? undefined,
      policies,
      tolerance: own['Tolerance'] ?? undefined,
    });
  };
  const made: Json = {};
  if (json['ScaleUp']) made['scaleUp'] = rules(json['ScaleUp']);
  if (json['ScaleDown']) made['scaleDown'] = rules(json['ScaleDown']);
  return made as unknown as HorizontalPodAutoscalerBehavior;
}
