// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };
const QUOTA = { group: '', version: 'v1', kind: 'ResourceQuota' };
const RANGE = { group: '', version: 'v1', kind: 'LimitRange' };
const quota = { metadata, spec: { hard: { pods: '1' } } };
const range = { metadata, spec: { limits: [{ type: 'Container', max: { cpu: '2' }, min: { cpu: '1' } }] } };

describeCreate(QUOTA, quota, {
  'counts what there is to count': [
    ({ spec }) => (spec.hard = { 'example.com/x': '500m', gold: '1' }),
    'spec.hard[example.com/x]: Invalid value: "500m": must be an integer',
    'spec.hard[gold]: Invalid value: "gold": must be a standard resource type or fully qualified',
    'spec.hard[gold]: Invalid value: "gold": must be a standard resource for quota',
  ],
  'tells of each resource that a scope does not know': [
    ({ spec }) => Object.assign(spec, { hard: { cpu: '1', memory: '1', pods: '1' }, scopes: ['BestEffort'] }),
    'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
    'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource',
  ],
  'counts claims by their class': [
    ({ spec }) =>
      Object.assign(spec, {
        hard: { persistentvolumeclaims: '1' },
        scopeSelector: { matchExpressions: [{ scopeName: 'VolumeAttributesClass', operator: 'In', values: ['c'] }] },
      }),
  ],
  'is of one kind of Pods': [
    ({ spec }) => (spec.scopes = ['Terminating', 'NotTerminating']),
    'spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes',
  ],
  'selects by values where there are any': [
    ({ spec }) =>
      (spec.scopeSelector = {
        matchExpressions: [
          { scopeName: 'PriorityClass', operator: 'In' },
          { scopeName: 'Terminating', operator: 'DoesNotExist' },
        ],
      }),
    "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
    `spec.scopeSelector.matchExpressions.operator: Invalid value: "DoesNotExist": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity`,
  ],
  'does not select by values where there are none': [
    ({ spec }) => (spec.scopeSelector = { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'Exists', values: ['a'] }] }),
    "spec.scopeSelector.matchExpressions.values: Invalid value: [\"a\"]: must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
  ],
});

describeUpdate(QUOTA, quota, {
  'keeps its scopes': [({ spec }) => (spec.scopes = ['Terminating']), 'spec.scopes: Invalid value: ["Terminating"]: field is immutable'],
});

describeCreate(RANGE, range, {
  'has its amounts in order': [
    ({
      spec: {
        limits: [it],
      },
    }) => Object.assign(it, { min: { cpu: '3' }, default: { cpu: '4' }, defaultRequest: { cpu: '5' } }),
    'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 2',
    'spec.limits[0].defaultRequest[cpu]: Invalid value: "5": default request value 5 is greater than max value 2',
    'spec.limits[0].defaultRequest[cpu]: Invalid value: "5": default request value 5 is greater than default limit value 4',
    'spec.limits[0].default[cpu]: Invalid value: "2": default value 4 is greater than max value 2',
  ],
  'gives Pods no defaults': [
    ({
      spec: {
        limits: [it],
      },
    }) => Object.assign(it, { type: 'Pod', default: { cpu: '9' }, defaultRequest: { cpu: '9' } }),
    "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
    "spec.limits[0].defaultRequest: Forbidden: may not be specified when `type` is 'Pod'",
  ],
  'is once of each type': [
    ({ spec: { limits } }) => limits.push({ type: 'Container' }),
    'spec.limits[1].type: Duplicate value: "Container"',
  ],
  'is of known types': [
    ({
      spec: {
        limits: [it],
      },
    }) => (it.type = 'Node'),
    'spec.limits[0].type: Invalid value: "Node": must be a standard limit type or fully qualified',
  ],
  'limits claims in some way': [
    ({ spec: { limits } }) => limits.push({ type: 'PersistentVolumeClaim' }),
    'spec.limits[1].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
  ],
  'has ratios that the amounts leave room for': [
    ({
      spec: {
        limits: [it],
      },
    }) => (it.maxLimitRequestRatio = { cpu: '3' }),
    'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000',
  ],
  'does not give more than is there of what is not shared': [
    ({
      spec: {
        limits: [it],
      },
    }) => Object.assign(it, { default: { 'hugepages-2Mi': '4Mi' }, defaultRequest: { 'hugepages-2Mi': '2Mi' } }),
    'spec.limits[0].defaultRequest[hugepages-2Mi]: Invalid value: "2Mi": default value 4Mi must equal to defaultRequest value 2Mi in hugepages-2Mi',
  ],
  'knows what containers use': [
    ({
      spec: {
        limits: [it],
      },
    }) => (it.max.gold = '1'),
    'spec.limits[0].max[gold]: Invalid value: "gold": must be a standard resource type or fully qualified',
    'spec.limits[0].max[gold]: Invalid value: "gold": must be a standard resource for containers',
  ],
});
