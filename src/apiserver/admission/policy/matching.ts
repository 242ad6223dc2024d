// SPDX-License-Identifier: Apache-2.0
// Whether a request concerns a policy or a binding, and in which version of its resource: selectors, excluded rules, rules, and
// equivalent resources. @source upstream apiserver pkg/admission/plugin/policy/matching/matching.go
import { namespaces } from '#api';
import type { MatchResources, NamedRuleWithOperations } from '#api/admissionregistration/v1';
import { type DeepReadonly, notFound, type Selector, selectorOf } from '#machinery';
import type { ServedResource } from '../../registry/generic/served-resource.ts';
import type { MutableObject, ObjectReader } from '../../registry/strategy.ts';
import type { AdmissionRequest } from '../admission.ts';
import { type RuleTarget, ruleMatches } from '../webhook/rules.ts';

type Rule = DeepReadonly<NamedRuleWithOperations>;

export interface Matcher {
  readonly namespaceSelector: Selector;
  readonly objectSelector: Selector;
  readonly rules: readonly Rule[];
  readonly excluded: readonly Rule[];
  readonly isExact: boolean;
}

export function matcherOf(match: DeepReadonly<MatchResources>): Matcher {
  return {
    namespaceSelector: selectorOf((match.namespaceSelector ?? {}) as never),
    objectSelector: selectorOf((match.objectSelector ?? {}) as never),
    rules: match.resourceRules ?? [],
    excluded: match.excludeResourceRules ?? [],
    isExact: match.matchPolicy !== 'Equivalent',
  };
}

export interface MatchDeps {
  readonly reader: ObjectReader;
  /** Every served resource that shows the same objects, itself included. */
  readonly equivalents: (served: ServedResource) => readonly ServedResource[];
}

/** One request as policies look at it. */
export class MatchedRequest {
  readonly request: AdmissionRequest;
  readonly target: RuleTarget;
  readonly #deps: MatchDeps;

  constructor(request: AdmissionRequest, deps: MatchDeps) {
    this.request = request;
    this.#deps = deps;
    const { operation, resource: of, subresource, namespace, name, object } = request;
    const { group, version, resource } = of;
    const isNamespace = group === '' && resource === 'namespaces';
    const within = isNamespace ? name || (object?.metadata.name ?? '') : namespace;
    this.target = { operation, group, version, resource, subresource, namespace: within };
  }

  /** @returns The resource in the version that matched, or undefined if none did. @throws {ApiError} If the namespace is not there. */
  match(matcher: Matcher): { readonly served: ServedResource | undefined } | undefined {
    const inNamespace = this.#namespaceMatches(matcher.namespaceSelector);
    if (inNamespace === false || !this.#objectMatches(matcher.objectSelector)) return undefined;
    if (this.#rulesMatch(matcher.excluded, matcher.isExact) !== undefined) return undefined;
    const { served } = this.request;
    const found = matcher.rules.length === 0 ? { served } : this.#rulesMatch(matcher.rules, matcher.isExact);
    if (found !== undefined && inNamespace !== true) throw inNamespace;
    return found;
  }

  #rulesMatch(rules: readonly Rule[], isExact: boolean): { readonly served: ServedResource | undefined } | undefined {
    const { served } = this.request;
    if (rules.some((rule) => this.#ruleMatches(rule, this.target))) return { served };
    if (isExact || served === undefined || rules.length === 0) return undefined;
    const others = this.#deps.equivalents(served);
    if (others.length < 2) return undefined;
    for (const rule of rules) {
      for (const other of others) {
        const { group, version, resource } = other.resource;
        if (other !== served && this.#ruleMatches(rule, { ...this.target, group, version, resource })) return { served: other };
      }
    }
    return undefined;
  }

  #ruleMatches(rule: Rule, target: RuleTarget): boolean {
    const names = rule.resourceNames ?? [];
    return ruleMatches(rule as never, target) && (names.length === 0 || names.includes(this.#name));
  }

  get #name(): string {
    return this.request.name || (this.request.object?.metadata?.name ?? '');
  }

  /** An error counts only where the rules match too. */
  #namespaceMatches(selector: Selector): boolean | Error {
    if (selector.isEmpty) return true;
    const { namespace, group, resource } = this.target;
    const { operation, object } = this.request;
    const isNamespace = group === '' && resource === 'namespaces';
    if (isNamespace && (operation === 'CREATE' || operation === 'UPDATE')) return selector.matches(object?.metadata.labels);
    if (namespace === '') return true;
    const found = this.#deps.reader.find(namespaces, { name: namespace });
    return found === undefined ? notFound(namespaces, namespace) : selector.matches(found.metadata.labels);
  }

  #objectMatches(selector: Selector): boolean {
    if (selector.isEmpty) return true;
    const { object, oldObject } = this.request;
    const has = (it: DeepReadonly<MutableObject> | undefined) => it?.metadata !== undefined && selector.matches(it.metadata.labels);
    return has(object) || has(oldObject);
  }
}
