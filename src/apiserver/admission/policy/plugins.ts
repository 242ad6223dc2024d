// SPDX-License-Identifier: Apache-2.0
// Makes the two policy plugins over the server's cache.
import {
  mutatingadmissionpolicies,
  mutatingadmissionpolicybindings,
  validatingadmissionpolicies,
  validatingadmissionpolicybindings,
} from '#api';
import type { Clock } from '#component';
import type { DeepReadonly, KubeObject, Resource } from '#machinery';
import type { Cacher } from '../../cacher/cacher.ts';
import { prefixOf } from '../../registry/generic/keys.ts';
import type { ServedResource } from '../../registry/generic/served-resource.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import type { AdmissionPlugin } from '../admission.ts';
import type { Authorize } from '../webhook/match-conditions.ts';
import { type CompiledPolicy, compileMutatingPolicy, compileValidatingPolicy } from './compiled-policy.ts';
import type { Cel } from './environment.ts';
import { mutatingAdmissionPolicy } from './mutating.ts';
import type { FindServed } from './params.ts';
import { type Engine, type PolicyDeps, versionsOf } from './plugin-deps.ts';
import type { PolicyMetrics } from './policy-metrics.ts';
import { type Binding, type Collection, PolicySource } from './source.ts';
import { validatingAdmissionPolicy } from './validating.ts';

export interface PolicyPluginsOptions {
  readonly reader: ObjectReader;
  readonly cacher: Cacher;
  /** Loads the expression library when the first policy is evaluated. */
  readonly engine: Engine;
  readonly authorize: Authorize;
  /** Every served resource that shows the same objects, itself included. */
  readonly equivalents: (served: ServedResource) => readonly ServedResource[];
  /** The served resource of a kind, built in or custom: where parameters of policies are. */
  readonly findServed: FindServed;
  readonly clock: Clock;
  readonly metrics?: PolicyMetrics | undefined;
}

export function createPolicyPlugins(options: PolicyPluginsOptions): readonly AdmissionPlugin[] {
  const { reader, engine, authorize, equivalents, findServed, clock, metrics } = options;
  const now = () => clock.now();
  const deps: PolicyDeps = { reader, engine, authorize, equivalents, findServed, versionsOf, now, metrics };
  const mutating = sourceOf(mutatingadmissionpolicies, mutatingadmissionpolicybindings, compileMutatingPolicy, options);
  const validating = sourceOf(validatingadmissionpolicies, validatingadmissionpolicybindings, compileValidatingPolicy, options);
  return [mutatingAdmissionPolicy(mutating, deps), validatingAdmissionPolicy(validating, deps)];
}

function sourceOf<Policy extends KubeObject, Compiled extends CompiledPolicy>(
  policies: Resource<Policy>,
  bindings: unknown,
  compile: (policy: DeepReadonly<Policy>, cel: Cel) => Compiled,
  { reader, cacher }: PolicyPluginsOptions,
): PolicySource<never, Compiled> {
  const collection = <T extends KubeObject>(resource: Resource<T>): Collection<T> => {
    const prefix = prefixOf(resource as unknown as Resource);
    return { list: () => reader.list(resource), generation: () => cacher.cache(prefix).generation };
  };
  return new PolicySource(collection(policies), collection(bindings as Resource<Binding>), compile) as never;
}
