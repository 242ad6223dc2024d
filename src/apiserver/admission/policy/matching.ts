import type { MatchResources, NamedRuleWithOperations } from '#api/admissionregistration/v1';
import { type DeepReadonly, type Selector, selectorOf } from '#machinery';
import type { ServedResource } from '../../registry/generic/served-resource.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import type { AdmissionRequest } from '../admission.ts';
import { namespaceMatches, objectMatches } from '../selector-match.ts';
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
    const inNamespace = namespaceMatches(matcher.namespaceSelector, this.request, this.target.namespace, this.#deps.reader);
    if (inNamespace === false || !objectMatches(matcher.objectSelector, this.request)) return undefined;
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
}
