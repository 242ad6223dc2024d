// SPDX-License-Identifier: Apache-2.0
// Whether some rules allow all that others do, and what is missing where they do not. Rules are broken down to single
// permissions first; what is missing is put together again by verb to be read.
// @source upstream component-helpers auth/rbac/validation/policy_comparator.go, pkg/registry/rbac/validation/policy_compact.go
import type { Rule } from './rbac.ts';

/** The permissions of `asked`, one by one, that none of `owned` covers. */
export function covers(owned: readonly Rule[], asked: readonly Rule[]): Rule[] {
  return asked.flatMap(breakDown).filter((single) => !owned.some((rule) => ruleCovers(rule, single)));
}

/** A rule as rules of one group, one resource, at most one name and one verb each. */
function breakDown({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: Rule): Rule[] {
  const names = resourceNames.length === 0 ? [undefined] : resourceNames;
  const onResources = apiGroups.flatMap((group) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) =>
        names.map(
          (name): Rule => ({
            apiGroups: [group],
            resources: [resource],
            verbs: [verb],
            ...(name === undefined ? {} : { resourceNames: [name] }),
          }),
        ),
      ),
    ),
  );
  const onPaths = nonResourceURLs.flatMap((url) => verbs.map((verb): Rule => ({ nonResourceURLs: [url], verbs: [verb] })));
  return [...onResources, ...onPaths];
}

const holds = (list: readonly string[] | undefined, value: string | undefined) =>
  list !== undefined && (list.includes('*') || (value !== undefined && list.includes(value)));

function ruleCovers(owner: Rule, single: Rule): boolean {
  if (!holds(owner.verbs, single.verbs[0])) return false;
  const [url] = single.nonResourceURLs ?? [];
  if (url !== undefined) return (owner.nonResourceURLs ?? []).some((pattern) => pathCovers(pattern, url));
  const names = owner.resourceNames ?? [];
  const [name] = single.resourceNames ?? [];
  return (
    holds(owner.apiGroups, single.apiGroups?.[0]) &&
    resourceCovers(owner.resources ?? [], single.resources?.[0] ?? '') &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

function resourceCovers(owned: readonly string[], resource: string): boolean {
  if (owned.includes('*') || owned.includes(resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && owned.includes(`*${resource.slice(slash)}`);
}

function pathCovers(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)));
}

/** Puts single permissions that differ only by verb together. */
export function mergeVerbs(rules: readonly Rule[]): Rule[] {
  const merged = new Map<string, Rule>();
  for (const rule of rules) {
    const key = JSON.stringify([
      rule.apiGroups,
      rule.resources,
      rule.resourceNames,
      rule.nonResourceURLs,
      rule.nonResourceURLs === undefined ? '' : rule.verbs,
    ]);
    const present = merged.get(key);
    merged.set(key, present === undefined ? rule : { ...present, verbs: [...present.verbs, ...rule.verbs] });
  }
  return [...merged.values()];
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` */
export function describeRule({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: Rule): string {
  const part = (name: string, list: readonly string[] | undefined) =>
    list === undefined || list.length === 0 ? [] : [`${name}:[${list.map((value) => JSON.stringify(value)).join(' ')}]`];
  const parts = [
    part('APIGroups', apiGroups),
    part('Resources', resources),
    part('ResourceNames', resourceNames),
    part('NonResourceURLs', nonResourceURLs),
    part('Verbs', verbs),
  ];
  return `{${parts.flat().join(', ')}}`;
}
