// SPDX-License-Identifier: Apache-2.0
// Validation of ResourceQuotas: which resources are counted, of which Pods and claims.
// @source upstream pkg/apis/core/validation/validation.go ValidateResourceQuota, pkg/apis/core/helper
import { type DeepReadonly, type FieldCause, type FieldPath, field, invalidValue, required, semanticEqual } from '../../machinery/mod.ts';
import type { ResourceQuota } from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { IMMUTABLE } from './object-meta.ts';
import { amountCauses, resourceNameCauses } from './pod-resources.ts';
import { sortedEntries } from './rules.ts';

type Spec = DeepReadonly<ResourceQuota>['spec'];
const SPEC = field('spec');
const COMPUTE = 'pods cpu memory requests.cpu requests.memory limits.cpu limits.memory'.split(' ');
const STANDARD = new Set([
  ...COMPUTE,
  ...'ephemeral-storage requests.storage requests.ephemeral-storage limits.ephemeral-storage'.split(' '),
  ...'resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps'.split(' '),
  ...'services.nodeports services.loadbalancers'.split(' '),
]);
const OF_PODS = new Set(COMPUTE);
/** What each scope can tell apart. */
const COUNTED: Readonly<Record<string, ReadonlySet<string>>> = {
  Terminating: OF_PODS,
  NotTerminating: OF_PODS,
  BestEffort: new Set(['pods']),
  NotBestEffort: OF_PODS,
  PriorityClass: OF_PODS,
  CrossNamespacePodAffinity: OF_PODS,
  VolumeAttributesClass: new Set(['persistentvolumeclaims', 'requests.storage']),
};
const OPPOSITES = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

const isStandard = (name: string) => STANDARD.has(name) || /^(requests\.)?hugepages-/.test(name);

function quotaNameCauses(name: string, path: FieldPath): FieldCause[] {
  const causes = resourceNameCauses(name, path);
  if (!name.includes('/') && !isStandard(name)) causes.push(invalidValue(path, name, 'must be a standard resource for quota'));
  return causes;
}

function amountsCauses(list: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldCause[] {
  return sortedEntries(list).flatMap(([name, value]) => {
    const at = path.key(name);
    return [...quotaNameCauses(name, at), ...amountCauses(name, value, at)];
  });
}

/** How many of the counted resources a scope says nothing of: each is told. */
function oddCount(scope: string, spec: Spec): number {
  const counted = COUNTED[scope];
  return counted === undefined ? 0 : Object.keys(spec?.hard ?? {}).filter((name) => isStandard(name) && !counted.has(name)).length;
}

const repeat = (cause: FieldCause, count: number) => new Array<FieldCause>(count).fill(cause);

function conflictCauses(given: readonly string[], path: FieldPath, shown: unknown): FieldCause[] {
  return OPPOSITES.flatMap(([a, b]) => (given.includes(a) && given.includes(b) ? [invalidValue(path, shown, 'conflicting scopes')] : []));
}

function scopeCauses(spec: Spec): FieldCause[] {
  const { scopes = [] } = spec ?? {};
  const path = SPEC.child('scopes');
  const own = scopes.flatMap((scope) => [
    ...(COUNTED[scope] ? [] : [invalidValue(path, scopes, 'unsupported scope')]),
    ...repeat(invalidValue(path, scopes, 'unsupported scope applied to resource'), oddCount(scope, spec)),
  ]);
  return [...own, ...conflictCauses(scopes, path, scopes)];
}

type Requirement = NonNullable<NonNullable<NonNullable<Spec>['scopeSelector']>['matchExpressions']>[number];
const EXISTS_RULE =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
const VALUED = new Set(['PriorityClass', 'VolumeAttributesClass']);

function operatorCauses({ scopeName, operator, values = [] }: Requirement, path: FieldPath): FieldCause[] {
  const isPlain = COUNTED[scopeName] !== undefined && !VALUED.has(scopeName);
  const causes = isPlain && operator !== 'Exists' ? [invalidValue(path.child('operator'), operator, EXISTS_RULE)] : [];
  if (operator === 'In' || operator === 'NotIn') {
    const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    return values.length > 0 ? causes : [...causes, required(path.child('values'), why)];
  }
  if (operator === 'Exists' || operator === 'DoesNotExist') {
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    return values.length === 0 ? causes : [...causes, invalidValue(path.child('values'), values, why)];
  }
  return [...causes, invalidValue(path.child('operator'), operator, 'not a valid selector operator')];
}

function scopeSelectorCauses(spec: Spec): FieldCause[] {
  const path = SPEC.child('scopeSelector', 'matchExpressions');
  const list = spec?.scopeSelector?.matchExpressions ?? [];
  const own = list.flatMap((requirement) => {
    const { scopeName } = requirement;
    const odd = oddCount(scopeName, spec);
    return [
      ...(COUNTED[scopeName] ? [] : [invalidValue(path.child('scopeName'), scopeName, 'unsupported scope')]),
      ...(odd > 0 ? repeat(invalidValue(path, internalForm(spec?.scopeSelector), 'unsupported scope applied to resource'), odd) : []),
      ...operatorCauses(requirement, path),
    ];
  });
  const names = list.map(({ scopeName }) => scopeName);
  return [...own, ...conflictCauses(names, path, spec?.scopes ?? null)];
}

export function resourceQuotaCauses({ spec }: DeepReadonly<ResourceQuota>): FieldCause[] {
  return [...amountsCauses(spec?.hard, SPEC.child('hard')), ...scopeCauses(spec), ...scopeSelectorCauses(spec)];
}

export function resourceQuotaUpdateCauses(next: DeepReadonly<ResourceQuota>, previous: DeepReadonly<ResourceQuota>): FieldCause[] {
  const [now, before] = [next, previous].map(({ spec }) => [...new Set(spec?.scopes ?? [])].sort());
  const same = semanticEqual(now, before);
  return [...resourceQuotaCauses(next), ...(same ? [] : [invalidValue(SPEC.child('scopes'), next.spec?.scopes ?? null, IMMUTABLE)])];
}

export function resourceQuotaStatusCauses({ metadata, status }: DeepReadonly<ResourceQuota>): FieldCause[] {
  const causes: FieldCause[] = metadata.resourceVersion ? [] : [required('resourceVersion')];
  for (const part of ['hard', 'used'] as const) causes.push(...amountsCauses(status?.[part], field('status', part)));
  return causes;
}
