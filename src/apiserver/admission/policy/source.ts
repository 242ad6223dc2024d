// SPDX-License-Identifier: Apache-2.0
// The policies that there are, with their bindings: made anew when a policy or binding changes, and asked of the cache by its
// generation alone, so that a cluster without policies pays two comparisons per write. A policy is compiled once per state of it.
import type { DeepReadonly, KubeObject } from '#machinery';
import type { CompiledPolicy } from './compiled-policy.ts';
import type { Cel } from './environment.ts';
import { type Matcher, matcherOf } from './matching.ts';

/** A binding of either kind of policy. */
export interface Binding extends KubeObject {
  readonly spec: {
    readonly policyName?: string;
    readonly paramRef?: import('#api/admissionregistration/v1').ParamRef;
    readonly matchResources?: import('#api/admissionregistration/v1').MatchResources;
    readonly validationActions?: readonly string[];
  };
}

export interface BoundPolicy<Compiled extends CompiledPolicy> {
  readonly policy: Compiled;
  readonly bindings: readonly { readonly binding: DeepReadonly<Binding>; readonly matcher: Matcher | undefined }[];
}

/** One kind of objects in the cache. */
export interface Collection<T extends KubeObject> {
  list(): readonly DeepReadonly<T>[];
  /** Changes with every change of what `list` gives. */
  generation(): number;
}

export class PolicySource<Policy extends KubeObject, Compiled extends CompiledPolicy> {
  readonly #policies: Collection<Policy>;
  readonly #bindings: Collection<Binding>;
  readonly #compile: (policy: DeepReadonly<Policy>, cel: Cel) => Compiled;
  readonly #compiled = new WeakMap<object, Compiled>();
  #generations = [-1, -1];
  #bound: readonly { readonly policy: DeepReadonly<Policy>; readonly bindings: BoundPolicy<Compiled>['bindings'] }[] = [];

  constructor(policies: Collection<Policy>, bindings: Collection<Binding>, compile: (policy: DeepReadonly<Policy>, cel: Cel) => Compiled) {
    this.#policies = policies;
    this.#bindings = bindings;
    this.#compile = compile;
  }

  /** Whether no policy is bound: nothing is to be done. */
  get isEmpty(): boolean {
    const [policies, bindings] = [this.#policies.generation(), this.#bindings.generation()];
    if (policies !== this.#generations[0] || bindings !== this.#generations[1]) {
      this.#generations = [policies, bindings];
      this.#bind();
    }
    return this.#bound.length === 0;
  }

  /** In order of their names. */
  *current(cel: Cel): Generator<BoundPolicy<Compiled>> {
    if (this.isEmpty) return;
    for (const { policy, bindings } of this.#bound) {
      let compiled = this.#compiled.get(policy);
      if (compiled === undefined) {
        compiled = this.#compile(policy, cel);
        this.#compiled.set(policy, compiled);
      }
      yield { policy: compiled, bindings };
    }
  }

  #bind(): void {
    const byPolicy = Map.groupBy(this.#bindings.list(), ({ spec }) => spec.policyName ?? '');
    this.#bound = this.#policies
      .list()
      .filter(({ metadata }) => byPolicy.has(metadata.name))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      .map((policy) => ({
        policy,
        bindings: [...(byPolicy.get(policy.metadata.name) ?? [])]
          .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
          .map((binding) => ({
            binding,
            matcher: binding.spec.matchResources === undefined ? undefined : matcherOf(binding.spec.matchResources),
          })),
      }));
  }
}
