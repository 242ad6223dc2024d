// SPDX-License-Identifier: Apache-2.0
// Whoever writes a policy or a binding must be able to read the parameters it names: else expressions would tell what the writer
// may not see. Checked once the object is valid; members of system:masters are not asked.
// @source upstream pkg/registry/admissionregistration/{validating,mutating}admissionpolicy{,binding}/authz.go
import { mutatingadmissionpolicies, validatingadmissionpolicies } from '#api';
import { type DeepReadonly, deepEqual, field, forbiddenField, invalid, parseApiVersion } from '#machinery';
import { MASTERS_GROUP, type UserInfo } from '../../auth/user.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { MutatingPolicy, ValidatingPolicy } from './compiled-policy.ts';
import type { PolicyDeps } from './plugin-deps.ts';
import type { Binding } from './source.ts';

type ParamKind = { readonly apiVersion?: string | undefined; readonly kind?: string | undefined };
type AnySpec = Partial<ValidatingPolicy['spec'] & MutatingPolicy['spec']> & DeepReadonly<Binding>['spec'];

const KINDS = {
  ValidatingAdmissionPolicy: ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
  MutatingAdmissionPolicy: ['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'],
} as const;

/** Whether the request writes an object of the plugin's own kinds. */
export function writesPolicy({ resource, subresource, operation }: AdmissionRequest, plugin: keyof typeof KINDS): boolean {
  if (resource.group !== 'admissionregistration.k8s.io' || subresource !== '') return false;
  return (operation === 'CREATE' || operation === 'UPDATE') && (KINDS[plugin] as readonly string[]).includes(resource.resource);
}

/** @throws {ApiError} 422 If the user may not read what the object refers to. */
export async function authorizeParams(request: AdmissionRequest, deps: PolicyDeps): Promise<void> {
  const { object, oldObject, user } = request;
  if (object === undefined || user.groups.includes(MASTERS_GROUP)) return;
  const [next, previous] = [object['spec'] as AnySpec, oldObject?.['spec'] as AnySpec | undefined];
  const name = request.resource.resource.endsWith('bindings') ? 'paramRef' : 'paramKind';
  if (next[name] === undefined || next[name] === null || deepEqual(next[name], previous?.[name])) return;
  const why = name === 'paramKind' ? await kindProblem(next.paramKind ?? {}, user, deps) : await refProblem(request, next, deps);
  if (why === undefined) return;
  const { group, kind } = request.resource;
  throw invalid({ group, kind }, object.metadata.name, [forbiddenField(field('spec', name), why)]);
}

/** The resource to ask about; everything where the kind is not known. */
function resourceOf(kind: ParamKind | undefined, { findServed }: PolicyDeps): { readonly group: string; readonly resource: string } {
  if (kind?.apiVersion === undefined) return { group: '*', resource: '*' };
  const { group, version } = parseApiVersion(kind.apiVersion);
  return { group, resource: findServed(group, version, kind.kind ?? '')?.resource.resource ?? '*' };
}

async function kindProblem(kind: ParamKind, user: UserInfo, deps: PolicyDeps): Promise<string | undefined> {
  const check = { ...resourceOf(kind, deps), verb: 'get', subresource: '', namespace: '*', name: '*' };
  if ((await deps.authorize(user, check)).allowed) return undefined;
  return `user ${print(user)} must have "get" permission on all objects of the referenced paramKind (kind=${kind.kind}, apiVersion=${kind.apiVersion})`;
}

async function refProblem({ resource, user }: AdmissionRequest, spec: AnySpec, deps: PolicyDeps): Promise<string | undefined> {
  const policies = resource.resource.startsWith('validating') ? validatingadmissionpolicies : mutatingadmissionpolicies;
  const policy = deps.reader.find(policies as typeof validatingadmissionpolicies, { name: spec.policyName ?? '' });
  const { name = '', namespace = '' } = spec.paramRef ?? {};
  const verb = name === '' ? 'list' : 'get';
  const check = { ...resourceOf(policy?.spec.paramKind, deps), verb, subresource: '', namespace, name };
  if ((await deps.authorize(user, check)).allowed) return undefined;
  return `user ${print(user)} does not have "${verb}" permission on the object referenced by paramRef`;
}

/** As Go prints it. */
function print({ name, uid, groups, extra }: UserInfo): string {
  const more = Object.entries(extra).map(([key, values]) => `${key}:[${values.join(' ')}]`);
  return `&{${name} ${uid} [${groups.join(' ')}] map[${more.join(' ')}]}`;
}
