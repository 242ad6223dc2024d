// SPDX-License-Identifier: Apache-2.0
// What one write comes to for the quotas of its namespace: refused for what it lacks or exceeds, or their new use. It writes nothing.
// @source upstream CheckRequest of apiserver/pkg/admission/plugin/resourcequota
import { isInQuotaScope, isOfQuota, missingAmounts, quotaUsageOf } from '#api';
import type { Pod, ResourceList, ResourceQuota, ScopedResourceSelectorRequirement } from '#api/core/v1';
import { addQuantity, apiError, compareQuantity, type DeepReadonly, formatQuantity, parseQuantity, subtractQuantity } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import type { AdmissionRequest } from './admission.ts';
import { refusal } from './match.ts';

export type Quota = DeepReadonly<ResourceQuota>;
type Scope = DeepReadonly<Omit<ScopedResourceSelectorRequirement, 'scopeName' | 'operator'>> & { scopeName: string; operator: string };

/** What may not be used at all unless some quota allows it: `limitedResources` of the plugin's configuration. */
export interface LimitedResource {
  readonly apiGroup?: string;
  readonly resource: string;
  readonly matchContains?: readonly string[];
  readonly matchScopes?: readonly Scope[];
}

export interface QuotaUse {
  readonly quota: Quota;
  readonly used: ResourceList;
}

/** A quota that counts the object, and the names in it that are about such objects. */
interface Interesting {
  readonly quota: Quota;
  readonly names: readonly string[];
  readonly delta: ResourceList;
}

const amount = (list: Readonly<Record<string, string>> | undefined, name: string) => parseQuantity(list?.[name] ?? '0');
const listText = (list: Readonly<Record<string, string>>, names: readonly string[]) =>
  names.map((name) => `${name}=${list[name] ?? '0'}`).join(',');

/** What is positive in `now`, less what was used `before`. */
function growth(now: ResourceList, before: ResourceList): ResourceList {
  const delta: ResourceList = {};
  for (const name of Object.keys(now)) {
    const more = subtractQuantity(amount(now, name), amount(before, name));
    if (more.nanos > 0n) delta[name] = formatQuantity(more);
  }
  return delta;
}

/** The names that are about such objects, if the quota counts this one. @throws {ApiError} 403 if it cannot be counted. */
function interestingNames(request: AdmissionRequest, object: MutableObject, quota: Quota): readonly string[] {
  // What the quota controller has not taken over into the status yet is not in force.
  const names = Object.keys(quota.status?.hard ?? {}).filter((name) => isOfQuota(request.resource, name));
  if (names.length === 0 || !isInQuotaScope(quota, request.resource, object)) return [];
  names.sort();
  if (request.resource.group === '' && request.resource.resource === 'pods') {
    const missing = missingAmounts(names, object as unknown as Pod);
    if (missing !== '') throw refusal(request, `failed quota: ${quota.metadata.name}: must specify ${missing}`);
  }
  if (names.some((name) => quota.status?.used?.[name] === undefined))
    throw refusal(request, `status unknown for quota: ${quota.metadata.name}, resources: ${names.join(',')}`);
  return names;
}

const matches = (scope: Scope, { resource }: AdmissionRequest, object: MutableObject) =>
  isInQuotaScope({ spec: { scopeSelector: { matchExpressions: [scope] } } } as unknown as Quota, resource, object);

const scopesOf = ({ spec }: Quota): Scope[] => [
  ...(spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec.scopeSelector?.matchExpressions ?? []),
];

interface Limits {
  readonly limited: readonly LimitedResource[];
  readonly quotas: readonly Quota[];
  readonly usage: ResourceList;
  readonly covered: ReadonlySet<string>;
}

/** @throws {ApiError} If the request uses what is limited, and no quota covers that. */
function checkCovered(request: AdmissionRequest, object: MutableObject, { limited, quotas, usage, covered }: Limits): void {
  const { group, resource } = request.resource;
  const mine = limited.filter((entry) => (entry.apiGroup ?? '') === group && entry.resource === resource);
  const lacking = Object.keys(usage)
    .filter((name) => mine.some(({ matchContains = [] }) => matchContains.some((part) => name.includes(part))))
    .filter((name) => !covered.has(name));
  if (lacking.length > 0) throw refusal(request, `insufficient quota to consume: ${lacking.sort().join(',')}`);
  const scopes = limited.flatMap(({ matchScopes = [] }) => matchScopes).filter((scope) => matches(scope, request, object));
  if (scopes.length === 0) return;
  const met = quotas.flatMap(scopesOf).filter((scope) => matches(scope, request, object));
  const uncovered = scopes.filter(({ scopeName }) => !met.some((it) => it.scopeName === scopeName));
  if (uncovered.length === 0) return;
  const texts = uncovered.map(({ scopeName, operator, values = [] }) => `{${scopeName} ${operator} [${values.join(' ')}]}`);
  // Upstream has no reason for this one.
  throw apiError(500, '', `insufficient quota to match these scopes: [${texts.join(' ')}]`);
}

/** The new use of one quota. @throws {ApiError} 403 if that is more than it allows. */
function charge(request: AdmissionRequest, { quota, delta }: Interesting): ResourceList | undefined {
  const { hard = {}, used = {} } = quota.status ?? {};
  const names = Object.keys(delta).filter((name) => hard[name] !== undefined);
  if (names.length === 0) return undefined;
  const next: ResourceList = { ...used };
  for (const name of names) next[name] = formatQuantity(addQuantity(amount(used, name), amount(delta, name)));
  const over = names.filter((name) => compareQuantity(amount(next, name), amount(hard, name)) > 0).sort();
  if (over.length === 0) return next;
  const text = `exceeded quota: ${quota.metadata.name}, requested: ${listText(delta, over)}, used: ${listText(used, over)}, limited: ${listText(hard, over)}`;
  throw refusal(request, text);
}

/** The quotas whose use changes. @throws {ApiError} If one does not allow the write. */
export function checkQuotas(request: AdmissionRequest, quotas: readonly Quota[], limited: readonly LimitedResource[]): QuotaUse[] {
  const { resource, object, oldObject } = request;
  if (object === undefined) return [];
  const named = quotas.map((quota) => ({ quota, names: interestingNames(request, object, quota) })).filter(({ names }) => names.length > 0);
  if (named.length === 0 && limited.length === 0) return [];
  const all = quotaUsageOf(resource, object);
  const usage = growth(all, {});
  const delta = oldObject === undefined ? usage : growth(all, quotaUsageOf(resource, oldObject));
  // What comes into a quota by an update counts as if it were new.
  const interesting: Interesting[] = named.map(({ quota, names }) => ({
    quota,
    names,
    delta: oldObject === undefined || isInQuotaScope(quota, resource, oldObject) ? delta : usage,
  }));
  const deltas = interesting.length === 0 ? [delta] : interesting.map((it) => it.delta);
  if (deltas.every((it) => Object.keys(it).length === 0)) return [];
  const covered = new Set(interesting.flatMap(({ names }) => names));
  if (limited.length > 0) checkCovered(request, object, { limited, quotas, usage, covered });
  return interesting.flatMap((it) => {
    const used = charge(request, it);
    return used === undefined ? [] : [{ quota: it.quota, used }];
  });
}
