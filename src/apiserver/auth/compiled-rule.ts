// SPDX-License-Identifier: Apache-2.0
// One rule of a role, made ready when roles change, so that a request is compared by look-ups alone and nothing is made for it.
// @source upstream pkg/apis/rbac/v1/evaluation_helpers.go
import type { PolicyRule } from '#api/rbac/v1';
import type { DeepReadonly } from '#machinery';
import type { Attributes } from './authorizer.ts';

/** A set of words, or every word. */
type Words = ReadonlySet<string> | 'any';

export interface CompiledRule {
  readonly verbs: Words;
  readonly groups: Words;
  /** Subresources by resource, '' for the resource itself; `*` is every resource. */
  readonly resources: ReadonlyMap<string, ReadonlySet<string>> | 'any';
  /** Undefined: whatever the name. */
  readonly names: ReadonlySet<string> | undefined;
  readonly paths: Words;
  /** Of paths that end in `*`. */
  readonly pathPrefixes: readonly string[];
}

export function compileRule(rule: DeepReadonly<PolicyRule>): CompiledRule {
  const { verbs, apiGroups, resources, resourceNames, nonResourceURLs = [] } = rule;
  return {
    verbs: wordsOf(verbs),
    groups: wordsOf(apiGroups),
    resources: resourcesOf(resources ?? []),
    names: resourceNames === undefined || resourceNames.length === 0 ? undefined : new Set(resourceNames),
    paths: wordsOf(nonResourceURLs),
    pathPrefixes: nonResourceURLs.filter((url) => url.endsWith('*')).map((url) => url.slice(0, -1)),
  };
}

function wordsOf(list: readonly string[] | undefined): Words {
  return list?.includes('*') === true ? 'any' : new Set(list);
}

function resourcesOf(list: readonly string[]): CompiledRule['resources'] {
  if (list.includes('*')) return 'any';
  const byResource = new Map<string, Set<string>>();
  for (const text of list) {
    const slash = text.indexOf('/');
    const resource = slash < 0 ? text : text.slice(0, slash);
    const known = byResource.get(resource);
    const subresource = slash < 0 ? '' : text.slice(slash + 1);
    if (known === undefined) byResource.set(resource, new Set([subresource]));
    else known.add(subresource);
  }
  return byResource;
}

/** Whether a rule allows a request. */
export function ruleAllows(rule: CompiledRule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResource) return pathFits(rule, attributes.path);
  return (
    has(rule.groups, attributes.group) && resourceFits(rule, attributes) && (rule.names === undefined || rule.names.has(attributes.name))
  );
}

function has(words: Words, word: string): boolean {
  return words === 'any' || words.has(word);
}

function resourceFits({ resources }: CompiledRule, { resource, subresource }: Attributes): boolean {
  if (resources === 'any' || resources.get(resource)?.has(subresource) === true) return true;
  return subresource !== '' && resources.get('*')?.has(subresource) === true;
}

function pathFits({ paths, pathPrefixes }: CompiledRule, path: string): boolean {
  if (has(paths, path)) return true;
  for (const prefix of pathPrefixes) if (path.startsWith(prefix)) return true;
  return false;
}
