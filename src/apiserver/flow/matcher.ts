// SPDX-License-Identifier: Apache-2.0
// Which FlowSchema a request belongs to. Schemas are compiled once per change of the configuration; which of their rules concern a
// user is found out once per user, so that a request compares only its verb, resource and namespace, often with a single rule.
// @source upstream apiserver pkg/util/flowcontrol/rule.go, apihelpers
import type { FlowSchema } from '#api/flowcontrol/v1';
import type { DeepReadonly } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import type { RequestInfo } from '../request/request-info.ts';

type Rule = NonNullable<DeepReadonly<FlowSchema>['spec']['rules']>[number];
type Subject = Rule['subjects'][number];
type Spec = Pick<DeepReadonly<FlowSchema>, 'spec'> & { readonly metadata: { readonly name: string } };

/** A set of words, or every word. */
type Words = ReadonlySet<string> | 'any';

interface ResourceMatch {
  readonly verbs: Words;
  readonly groups: Words;
  readonly resources: Words;
  readonly namespaces: Words;
  readonly clusterScope: boolean;
}

interface PathMatch {
  readonly verbs: Words;
  readonly exact: Words;
  readonly prefixes: readonly string[];
}

interface RuleMatch {
  readonly subjects: readonly Subject[];
  readonly resources: readonly ResourceMatch[];
  readonly paths: readonly PathMatch[];
}

/** One rule of a schema, for a user it concerns. */
interface Candidate<T> {
  readonly schema: T;
  readonly rule: RuleMatch;
}

/** Users whose rules are kept; beyond it all are found out anew. */
const MAX_USERS = 4_000;
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

export class FlowMatcher<T> {
  readonly #rules: readonly Candidate<T>[];
  readonly #byUser = new WeakMap<UserInfo, readonly Candidate<T>[]>();
  readonly #byKey = new Map<string, readonly Candidate<T>[]>();
  readonly #last: T;

  /** @param schemas In any order, each with what a match gives. @param last What a request that no schema matches gets. */
  constructor(schemas: readonly (readonly [Spec, T])[], last: T) {
    const ordered = [...schemas].sort(([a], [b]) => byPrecedence(a, b));
    this.#rules = ordered.flatMap(([{ spec }, schema]) => (spec.rules ?? []).map((rule) => ({ schema, rule: compiled(rule) })));
    this.#last = last;
  }

  match(user: UserInfo, info: RequestInfo): T {
    const candidates = this.#byUser.get(user) ?? this.#candidatesOf(user);
    for (const { schema, rule } of candidates) {
      if (info.isResource ? rule.resources.some((match) => fitsResource(match, info)) : rule.paths.some((match) => fitsPath(match, info)))
        return schema;
    }
    return this.#last;
  }

  #candidatesOf(user: UserInfo): readonly Candidate<T>[] {
    const key = `${user.name}\0${user.groups.join('\0')}`;
    let found = this.#byKey.get(key);
    if (found === undefined) {
      found = this.#rules.filter(({ rule }) => rule.subjects.some((subject) => isSubject(subject, user)));
      if (this.#byKey.size >= MAX_USERS) this.#byKey.clear();
      this.#byKey.set(key, found);
    }
    this.#byUser.set(user, found);
    return found;
  }
}

function byPrecedence(a: Spec, b: Spec): number {
  const difference = (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0);
  return difference !== 0 ? difference : a.metadata.name < b.metadata.name ? -1 : 1;
}

function compiled({ subjects, resourceRules = [], nonResourceRules = [] }: Rule): RuleMatch {
  return {
    subjects: subjects ?? [],
    resources: (resourceRules ?? []).map(({ verbs, apiGroups, resources, namespaces, clusterScope }) => ({
      verbs: words(verbs),
      groups: words(apiGroups),
      resources: words(resources),
      namespaces: words(namespaces),
      clusterScope: clusterScope === true,
    })),
    paths: (nonResourceRules ?? []).map(({ verbs, nonResourceURLs }) => ({
      verbs: words(verbs),
      exact: words(nonResourceURLs),
      prefixes: nonResourceURLs.filter((url) => url.endsWith('*')).map((url) => url.replace(/\*+$/, '')),
    })),
  };
}

function words(list: readonly string[] | undefined): Words {
  return list?.includes('*') === true ? 'any' : new Set(list);
}

const has = (set: Words, word: string) => set === 'any' || set.has(word);

function isSubject(subject: Subject, user: UserInfo): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.user?.name === '*' || subject.user?.name === user.name;
    case 'Group':
      return subject.group?.name === '*' || (subject.group !== undefined && user.groups.includes(subject.group.name));
    case 'ServiceAccount': {
      const [, namespace, name] = ACCOUNT.exec(user.name) ?? [];
      const wanted = subject.serviceAccount;
      return wanted !== undefined && namespace === wanted.namespace && (wanted.name === '*' || wanted.name === name);
    }
    default:
      return false;
  }
}

function fitsResource(match: ResourceMatch, { verb, group, resource, subresource, namespace }: RequestInfo): boolean {
  if (!has(match.verbs, verb) || !has(match.groups, group)) return false;
  if (match.resources !== 'any' && !match.resources.has(subresource === '' ? resource : `${resource}/${subresource}`)) return false;
  return namespace === '' ? match.clusterScope : has(match.namespaces, namespace);
}

function fitsPath(match: PathMatch, { verb, path }: RequestInfo): boolean {
  if (!has(match.verbs, verb)) return false;
  return has(match.exact, path) || match.prefixes.some((prefix) => path.startsWith(prefix));
}
