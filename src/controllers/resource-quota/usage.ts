// SPDX-License-Identifier: Apache-2.0
// What the objects of a namespace use of each thing a quota limits: the sum of what each uses by admission's rules. Pure.
import { isInQuotaScope, isOfQuota, persistentvolumeclaims, pods, quotaUsageOf, resourceclaims, services } from '#api';
import type { ResourceQuota } from '#api/core/v1';
import {
  addQuantity,
  type DeepReadonly,
  formatQuantity,
  type KubeObject,
  parseQuantity,
  type Quantity,
  qualifiedResource,
  type Resource,
} from '#machinery';

/** All objects of a resource in the namespace at hand: `pods`, `deployments.apps`. Undefined: not known here. */
export type ListOf = (resource: string) => readonly DeepReadonly<KubeObject>[] | undefined;

const ZERO = parseQuantity('0');
/** Those that use more than their number. */
const MEASURED = [pods, services, persistentvolumeclaims, resourceclaims] as unknown as readonly Resource[];
/** Counted by their plain names as well as `count/…`. */
const PLAIN = new Set(['configmaps', 'replicationcontrollers', 'resourcequotas', 'secrets']);

/** What is used of everything that `spec.hard` names; names that cannot be worked out here are left out. */
export function usageFor(quota: DeepReadonly<ResourceQuota>, listOf: ListOf): Record<string, string> {
  const { hard = {}, scopes = [], scopeSelector } = quota.spec;
  const isScoped = scopes.length + (scopeSelector?.matchExpressions ?? []).length > 0;
  const names = Object.keys(hard);
  const measured = MEASURED.filter((resource) => names.some((name) => isOfQuota(resource, name)));
  const sums = sumsOf(quota, measured, listOf);
  const used: Record<string, string> = {};
  for (const name of names) {
    const counted = name.startsWith('count/') ? name.slice('count/'.length) : PLAIN.has(name) ? name : undefined;
    if (counted === undefined || measured.some((resource) => isOfQuota(resource, name)))
      used[name] = formatQuantity(sums.get(name) ?? ZERO);
    else {
      const list = listOf(counted);
      if (list !== undefined) used[name] = String(isScoped ? 0 : list.length);
    }
  }
  return used;
}

function sumsOf(quota: DeepReadonly<ResourceQuota>, resources: readonly Resource[], listOf: ListOf): Map<string, Quantity> {
  const sums = new Map<string, Quantity>();
  for (const resource of resources) {
    for (const object of listOf(qualifiedResource(resource)) ?? []) {
      if (!isInQuotaScope(quota, resource, object)) continue;
      for (const [name, amount] of Object.entries(quotaUsageOf(resource, object))) {
        if (quota.spec.hard?.[name] !== undefined) sums.set(name, addQuantity(sums.get(name) ?? ZERO, parseQuantity(amount)));
      }
    }
  }
  return sums;
}
