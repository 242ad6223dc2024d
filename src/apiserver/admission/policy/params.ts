// SPDX-License-Identifier: Apache-2.0
// The objects that parametrise a policy: found by a binding's `paramRef`, of the policy's `paramKind`, built in or custom.
// @source upstream apiserver pkg/admission/plugin/policy/generic/policy_dispatcher.go CollectParams
import type { ParamRef } from '#api/admissionregistration/v1';
import { type DeepReadonly, type KubeObject, parseApiVersion, selectorOf } from '#machinery';
import { inServedVersion, type ServedResource } from '../../registry/generic/served-resource.ts';
import type { CompiledPolicy } from './compiled-policy.ts';

export type Param = DeepReadonly<KubeObject>;
export type FindServed = (group: string, version: string, kind: string) => ServedResource | undefined;

/** Thrown where a policy or binding cannot be used as it is: what failurePolicy is about. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

/** The resource of a policy's parameters. @throws {ConfigurationError} If it is not served. */
export function paramResource({ paramKind }: CompiledPolicy, findServed: FindServed): ServedResource | undefined {
  if (paramKind === undefined) return undefined;
  const { group, version } = parseApiVersion(paramKind.apiVersion);
  const served = findServed(group, version, paramKind.kind);
  if (served !== undefined) return served;
  throw new ConfigurationError(`failed to find resource referenced by paramKind: '${paramKind.apiVersion}, Kind=${paramKind.kind}'`);
}

/** @returns One evaluation per entry; `null` where the policy runs without parameters. @throws {ConfigurationError} */
export async function collectParams(
  served: ServedResource | undefined,
  ref: DeepReadonly<ParamRef> | undefined,
  requestNamespace: string,
): Promise<readonly (Param | null)[]> {
  if (served === undefined || ref === undefined) return [null];
  const found = await findParams(served, ref, paramNamespace(served, ref, requestNamespace));
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny')
    throw new ConfigurationError('no params found for policy binding with `Deny` parameterNotFoundAction');
  return found;
}

function paramNamespace({ resource }: ServedResource, ref: DeepReadonly<ParamRef>, requestNamespace: string): string {
  if (!resource.namespaced) {
    if (ref.namespace) throw new ConfigurationError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
    return '';
  }
  const namespace = ref.namespace || requestNamespace;
  if (namespace !== '') return namespace;
  throw new ConfigurationError('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
}

async function findParams(served: ServedResource, ref: DeepReadonly<ParamRef>, namespace: string): Promise<readonly Param[]> {
  const { store } = served;
  if (ref.name) {
    if (ref.selector !== undefined) throw new ConfigurationError('paramRef.name and paramRef.selector are mutually exclusive');
    const cached = await store.lookup(namespace, ref.name);
    return cached === undefined ? [] : [asParam(served, cached.object)];
  }
  if (ref.selector === undefined) throw new ConfigurationError('one of name or selector must be provided');
  const list = () => store.cache.list(namespace).map(({ object }) => object);
  const listed = store.version?.isSlow === true ? await store.version.read('', list) : list();
  const selector = selectorOf(ref.selector as never);
  return listed.filter((object) => selector.matches(object.metadata.labels)).map((object) => asParam(served, object));
}

/** Stored objects carry no kind of their own. */
function asParam(served: ServedResource, object: Parameters<typeof inServedVersion>[1]): Param {
  return { ...inServedVersion(served, object), apiVersion: served.apiVersion, kind: served.resource.kind } as Param;
}
