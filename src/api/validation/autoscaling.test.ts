// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const OF = { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' };
const valid = {
  metadata: { name: 'h', namespace: 'n', resourceVersion: '1' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
    maxReplicas: 3,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
  },
};

describeCreate(OF, valid, {
  'measures what its type says': [
    ({ spec }) => (spec.metrics[0].type = 'Pods'),
    'spec.metrics[0].pods: Required value: must populate information for the given metric source',
  ],
  'measures one thing at a time': [
    ({ spec }) => (spec.metrics[0].pods = { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1' } }),
    'spec.metrics[0].pods: Forbidden: must populate the given metric source only',
  ],
  'has a target': [
    ({ spec }) => (spec.metrics[0].resource.target = { type: 'Utilization' }),
    'spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization',
  ],
  'has a positive target': [
    ({ spec }) => (spec.metrics[0].resource.target = { type: 'AverageValue', averageValue: '-1' }),
    'spec.metrics[0].resource.target.averageValue: Invalid value: "-1": must be positive',
  ],
  'scales by policies within limits': [
    ({ spec }) =>
      (spec.behavior = { scaleUp: { stabilizationWindowSeconds: 4000, policies: [{ type: 'Odd', value: 0, periodSeconds: 2000 }] } }),
    'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600',
    'spec.behavior.scaleUp.policies[0].type: Unsupported value: "Odd": supported values: "Percent", "Pods"',
    'spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero',
    'spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800',
  ],
});

describeUpdate(
  OF,
  valid,
  {
    'counts replicas': [
      (object) => (object.status = { desiredReplicas: -1 }),
      'status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0',
    ],
  },
  'status',
);
