// SPDX-License-Identifier: Apache-2.0
// MutatingAdmissionPolicy: bound policies one after the other, each seeing what those before have made of the object. A policy
// that asked for it is evaluated once more when the object changed after its turn.
// @source upstream apiserver pkg/admission/plugin/policy/{generic/policy_dispatcher,mutating/dispatcher}.go
import { ApiError, deepCopy, deepEqual, internalError } from '#machinery';
import { type AdmissionPlugin, type AdmissionRequest, Reinvocation } from '../admission.ts';
import { refusal } from '../match.ts';
import type { VersionedRequest } from '../webhook/versioned-request.ts';
import type { CompiledMutatingPolicy } from './compiled-policy.ts';
import { conditionsHold, EvaluationError, Phase, type Subject } from './evaluation.ts';
import { MatchedRequest } from './matching.ts';
import { applyConfiguration, applyPatch, MutationError } from './mutations.ts';
import { authorizeParams, writesPolicy } from './param-authorization.ts';
import { ConfigurationError, collectParams, type Param, paramResource } from './params.ts';
import { isExempt, type PolicyDeps, type Versions } from './plugin-deps.ts';
import type { BoundPolicy, PolicySource } from './source.ts';

const NAME = 'MutatingAdmissionPolicy';

/** What is remembered between the two passes. */
interface Passes {
  /** Evaluated so far, and willing to be evaluated again. */
  readonly reinvocable: Set<string>;
  /** Those that have to be. */
  readonly again: Set<string>;
  lastOutput: unknown;
}

interface Failure {
  readonly policy: string;
  readonly binding: string | undefined;
  readonly message: string;
}

/** One policy by one binding with one parameter. */
interface Invocation {
  readonly policy: CompiledMutatingPolicy;
  readonly binding: string;
  readonly param: Param | null;
  readonly versioned: VersionedRequest;
  readonly key: string;
}

export function mutatingAdmissionPolicy(source: PolicySource<never, CompiledMutatingPolicy>, deps: PolicyDeps): AdmissionPlugin {
  return {
    name: NAME,
    handles: (request) => writesPolicy(request, NAME) || (!source.isEmpty && !isExempt(request.resource)),
    async admit(request) {
      if (!isExempt(request.resource)) await new Dispatch(request, deps).run(source);
    },
    async validate(request) {
      if (writesPolicy(request, NAME)) await authorizeParams(request, deps);
    },
  };
}

class Dispatch {
  readonly #request: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #matched: MatchedRequest;
  readonly #versions: Versions;
  readonly #failures: Failure[] = [];

  constructor(request: AdmissionRequest, deps: PolicyDeps) {
    this.#request = request;
    this.#deps = deps;
    this.#matched = new MatchedRequest(request, deps);
    this.#versions = deps.versionsOf(this.#matched);
  }

  async run(source: PolicySource<never, CompiledMutatingPolicy>): Promise<void> {
    await this.#deps.engine.load();
    const passes = this.#passes();
    const isReinvoke = this.#request.reinvocation?.isReinvoke === true;
    if (isReinvoke && !deepEqual(passes.lastOutput, this.#request.object)) requireReinvoking(passes);
    for (const bound of source.current(this.#deps.engine.cel)) {
      for (const invocation of await this.#invocations(bound)) {
        if (isReinvoke && !passes.again.has(invocation.key)) continue;
        if (await this.#invoke(invocation)) {
          requireReinvoking(passes);
          this.#request.reinvocation?.want();
        }
        if (invocation.policy.mayReinvoke) passes.reinvocable.add(invocation.key);
      }
    }
    if (this.#failures.length > 0) throw this.#refusal();
    if (passes.reinvocable.size > 0 || passes.again.size > 0) passes.lastOutput = deepCopy(this.#request.object);
  }

  #passes(): Passes {
    this.#request.reinvocation ??= new Reinvocation();
    const { state } = this.#request.reinvocation;
    let passes = state.get(NAME) as Passes | undefined;
    if (passes === undefined) {
      passes = { reinvocable: new Set(), again: new Set(), lastOutput: undefined };
      state.set(NAME, passes);
    }
    return passes;
  }

  #refusal(): ApiError {
    const texts = this.#failures.map(({ policy, binding, message }) =>
      binding === undefined
        ? `policy ${JSON.stringify(policy)} denied request: ${message}`
        : `policy '${policy}' with binding '${binding}' denied request: ${message}`,
    );
    const { status } = refusal(this.#request, 'admission request denied by policy');
    const causes = [...(status.details?.causes ?? []), ...texts.map((message) => ({ message }))];
    return new ApiError({ ...status, message: texts[0] ?? '', reason: 'Invalid', details: { ...status.details, causes } });
  }

  #failed({ name, failurePolicy }: CompiledMutatingPolicy, binding: string | undefined, message: string): void {
    if (failurePolicy === 'Fail') this.#failures.push({ policy: name, binding, message });
  }

  #misconfigured(policy: CompiledMutatingPolicy, binding: string | undefined, error: unknown): void {
    if (!(error instanceof ConfigurationError || error instanceof ApiError)) throw error;
    this.#failed(policy, binding, `failed to configure ${binding === undefined ? 'policy' : 'binding'}: ${error.message}`);
  }

  async #invocations({ policy, bindings }: BoundPolicy<CompiledMutatingPolicy>): Promise<readonly Invocation[]> {
    const invocations: Invocation[] = [];
    try {
      const found = this.#matched.match(policy.matcher);
      if (found === undefined) return invocations;
      const params = paramResource(policy, this.#deps.findServed);
      for (const { binding, matcher } of bindings) {
        const { name } = binding.metadata;
        try {
          if (matcher !== undefined && this.#matched.match(matcher) === undefined) continue;
          const versioned = await this.#versions(found.served);
          for (const param of await collectParams(params, binding.spec.paramRef, this.#request.namespace)) {
            const key = JSON.stringify([policy.name, name, param?.metadata.namespace, param?.metadata.name]);
            invocations.push({ policy, binding: name, param, versioned, key });
          }
        } catch (error) {
          this.#misconfigured(policy, name, error);
        }
      }
    } catch (error) {
      this.#misconfigured(policy, undefined, error);
    }
    return invocations;
  }

  /** @returns Whether the object changed. */
  async #invoke({ policy, binding, param, versioned }: Invocation): Promise<boolean> {
    const { reader, authorize, engine } = this.#deps;
    // The object changes with every mutation, of this policy and of those before.
    await versioned.load();
    const subject: Subject = { policy, versioned, param, reader, authorize, cel: engine.cel };
    let changed = false;
    try {
      if (!(await conditionsHold(subject))) return false;
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      this.#failed(policy, binding, error.message);
      return false;
    }
    const { now, metrics } = this.#deps;
    for (const mutation of policy.mutations) {
      const start = now();
      const report = (error?: string) => metrics?.mutated({ policy: policy.name, binding, seconds: (now() - start) / 1000, error });
      try {
        changed = (await this.#mutate(mutation, subject)) || changed;
        report();
      } catch (error) {
        if (!(error instanceof EvaluationError || error instanceof MutationError || error instanceof ApiError)) throw error;
        report(error.message);
        if (error instanceof ApiError) throw error;
        this.#failed(policy, binding, error.message);
      }
    }
    return changed;
  }

  async #mutate(mutation: CompiledMutatingPolicy['mutations'][number], subject: Subject): Promise<boolean> {
    const { versioned, cel } = subject;
    const { object: live, schema } = versioned;
    if (live === undefined || schema === undefined) return false;
    const outcome = await new Phase(subject, cel.RUNTIME_COST_BUDGET).evaluate(mutation);
    if (outcome.error !== undefined) throw new EvaluationError(outcome.error);
    const isPatch = mutation.patchType === 'JSONPatch';
    const patched = isPatch ? applyPatch(outcome.value, live, cel) : applyConfiguration(outcome.value, live, schema, cel);
    const changed = await replace(versioned, patched, isPatch);
    await versioned.load();
    return changed;
  }
}

/** @throws {ApiError} 500 if what a JSON patch made is no object of its kind. @throws {MutationError} If a configuration made that. */
async function replace(versioned: VersionedRequest, patched: unknown, isPatch: boolean): Promise<boolean> {
  try {
    return await versioned.replaceObject(patched, isPatch);
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw isPatch ? internalError(why, error) : new MutationError(why, { cause: error });
  }
}

function requireReinvoking({ reinvocable, again }: Passes): void {
  for (const id of reinvocable) again.add(id);
  reinvocable.clear();
}
