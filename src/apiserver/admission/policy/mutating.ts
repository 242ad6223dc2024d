// SPDX-License-Identifier: Apache-2.0
// MutatingAdmissionPolicy: which policies match is settled first, by the object as it came; then they are evaluated one after the other,
// each seeing what those before have made of it. Once any has been applied, those that asked for it are evaluated once more.
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
  /** Of the whole refusal, if it is the first of it; otherwise that is Forbidden. */
  readonly reason?: 'Invalid';
}

/** One policy by one binding with one parameter. */
interface Invocation {
  readonly policy: CompiledMutatingPolicy;
  readonly binding: string;
  readonly param: Param | null;
  readonly versioned: VersionedRequest;
  readonly key: string;
}

interface Outcome {
  readonly changed: boolean;
  /** Whether any mutation was, even one that changed nothing. */
  readonly applied: boolean;
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
    const invocations: Invocation[] = [];
    for (const bound of source.current(this.#deps.engine.cel)) invocations.push(...(await this.#invocations(bound)));
    if (invocations.length > 0) await this.#invokeAll(invocations);
    if (this.#failures.length > 0) throw this.#refusal();
  }

  async #invokeAll(invocations: readonly Invocation[]): Promise<void> {
    const passes = this.#passes();
    const isReinvoke = this.#request.reinvocation?.isReinvoke === true;
    if (isReinvoke && !deepEqual(passes.lastOutput, this.#request.object)) requireReinvoking(passes);
    let applied = false;
    for (const invocation of invocations) {
      const outcome = await this.#invoke(invocation, isReinvoke ? passes.again : undefined);
      if (outcome === undefined) continue;
      if (outcome.changed) requireReinvoking(passes);
      if (outcome.applied) applied = true;
      if (invocation.policy.mayReinvoke) passes.reinvocable.add(invocation.key);
    }
    if (applied) this.#wantReinvocation(passes);
    if (passes.reinvocable.size > 0 || passes.again.size > 0) passes.lastOutput = deepCopy(this.#request.object);
  }

  /** Whatever has been applied, changed or not, is followed by a second pass, and that begins with every policy that asked for it. */
  #wantReinvocation(passes: Passes): void {
    requireReinvoking(passes);
    this.#request.reinvocation?.want();
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
    const reason = this.#failures[0]?.reason ?? status.reason;
    return new ApiError({ ...status, message: texts[0] ?? '', ...(reason ? { reason } : {}), details: { ...status.details, causes } });
  }

  #failed({ name, failurePolicy }: CompiledMutatingPolicy, failure: Omit<Failure, 'policy'>): void {
    if (failurePolicy === 'Fail') this.#failures.push({ policy: name, ...failure });
  }

  #misconfigured(policy: CompiledMutatingPolicy, binding: string | undefined, error: unknown): void {
    if (!(error instanceof ConfigurationError || error instanceof ApiError)) throw error;
    const message = `failed to configure ${binding === undefined ? 'policy' : 'binding'}: ${error.message}`;
    this.#failed(policy, { binding, message });
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

  /** @param only The keys of those that are to be invoked, in the second pass. @returns Undefined if it was not invoked. */
  async #invoke(invocation: Invocation, only: ReadonlySet<string> | undefined): Promise<Outcome | undefined> {
    const { policy, binding, param, versioned } = invocation;
    const { reader, authorize, engine } = this.#deps;
    // The object changes with every mutation, of this policy and of those before.
    await versioned.load();
    const subject: Subject = { policy, versioned, param, reader, authorize, cel: engine.cel };
    try {
      if (!(await conditionsHold(subject))) return undefined;
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      this.#failed(policy, { binding, message: error.message, reason: 'Invalid' });
      return undefined;
    }
    return only?.has(invocation.key) === false ? undefined : await this.#mutateAll(invocation, subject);
  }

  async #mutateAll({ policy, binding }: Invocation, subject: Subject): Promise<Outcome> {
    const { now, metrics } = this.#deps;
    const outcome = { changed: false, applied: false };
    for (const mutation of policy.mutations) {
      const start = now();
      const report = (error?: string) => metrics?.mutated({ policy: policy.name, binding, seconds: (now() - start) / 1000, error });
      try {
        const changed = await this.#mutate(mutation, subject);
        if (changed !== undefined) outcome.applied = true;
        if (changed === true) outcome.changed = true;
        report();
      } catch (error) {
        if (!(error instanceof EvaluationError || error instanceof MutationError || error instanceof ApiError)) throw error;
        report(error.message);
        if (error instanceof ApiError) throw error;
        this.#failed(policy, { binding, message: error.message, reason: 'Invalid' });
      }
    }
    return outcome;
  }

  /** @returns Whether the object changed; undefined if there is none. */
  async #mutate(mutation: CompiledMutatingPolicy['mutations'][number], subject: Subject): Promise<boolean | undefined> {
    const { versioned, cel } = subject;
    const { object: live, schema } = versioned;
    if (live === undefined || schema === undefined) return undefined;
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
