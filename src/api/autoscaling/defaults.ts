// SPDX-License-Identifier: Apache-2.0
// SetDefaults of autoscaling/v1 and v2.
import { setPointer, structAt } from '../defaulting.ts';
import type { HorizontalPodAutoscaler as HorizontalPodAutoscalerV1 } from '../generated/autoscaling/v1.ts';
import type { HorizontalPodAutoscaler, HPAScalingPolicy, HPAScalingRules } from '../generated/autoscaling/v2.ts';

const TARGET_UTILIZATION = 80;

export function defaultAutoscalerV1(autoscaler: HorizontalPodAutoscalerV1): void {
  setPointer(structAt(autoscaler, 'spec'), 'minReplicas', 1);
}

export function defaultAutoscaler(autoscaler: HorizontalPodAutoscaler): void {
  const spec = structAt(autoscaler, 'spec');
  setPointer(spec, 'minReplicas', 1);
  if ((spec.metrics ?? []).length === 0) {
    spec.metrics = [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: TARGET_UTILIZATION } } },
    ];
  }
  if (!spec.behavior) return;
  spec.behavior.scaleUp = rules(spec.behavior.scaleUp, scaleUpPolicies(), 0);
  spec.behavior.scaleDown = rules(spec.behavior.scaleDown, [{ type: 'Percent', value: 100, periodSeconds: 15 }], undefined);
}

function scaleUpPolicies(): HPAScalingPolicy[] {
  return [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ];
}

function rules(given: HPAScalingRules | undefined, policies: HPAScalingPolicy[], window: number | undefined): HPAScalingRules {
  const made: HPAScalingRules = given ?? {};
  setPointer(made, 'selectPolicy', 'Max');
  if (window !== undefined) setPointer(made, 'stabilizationWindowSeconds', window);
  if (!made.policies) made.policies = policies;
  return made;
}
