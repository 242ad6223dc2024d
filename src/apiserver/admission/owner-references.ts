// SPDX-License-Identifier: Apache-2.0
// OwnerReferencesPermissionEnforcement: who changes an object's owners must be allowed to delete it, and who makes it block its
// owner's deletion must be allowed to set finalizers on that owner. Off unless named.
// @source upstream plugin/pkg/admission/gc/gc_admission.go
import { findResourceOfKind } from '#api';
import { type DeepReadonly, type OwnerReference, parseApiVersion, type Resource, semanticEqual } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, nameOf, refusal } from './match.ts';

type References = readonly DeepReadonly<OwnerReference>[];

const ownersOf = (object: { readonly metadata?: { readonly ownerReferences?: unknown } } | undefined): References =>
  (object?.metadata?.ownerReferences ?? []) as References;

/** Those that block now and did not before. */
function newlyBlocking(next: References, old: References): References {
  const blocked = new Set(old.filter(({ blockOwnerDeletion }) => blockOwnerDeletion === true).map(({ uid }) => uid));
  return next.filter(({ blockOwnerDeletion, uid }) => blockOwnerDeletion === true && !blocked.has(uid));
}

async function validate(request: AdmissionRequest, deps: AdmissionDeps): Promise<void> {
  const next = ownersOf(request.object);
  const old = ownersOf(request.oldObject);
  if (semanticEqual(next, old)) return;
  // Who makes an object could as well have left it: only its owner's deletion is another's matter.
  if (request.operation !== 'CREATE') await checkDeletable(request, deps);
  for (const reference of newlyBlocking(next, old)) await checkBlocking(request, reference, deps);
}

async function checkDeletable(request: AdmissionRequest, deps: AdmissionDeps): Promise<void> {
  const { group, version, resource } = request.resource;
  const { subresource, namespace } = request;
  const check = { verb: 'delete', group, version, resource, subresource, namespace, name: nameOf(request) };
  if (await deps.authorize(request.user, check)) return;
  throw refusal(request, `cannot set an ownerRef on a resource you can't delete: , <nil>`);
}

async function checkBlocking(
  request: AdmissionRequest,
  { apiVersion, kind, name }: References[number],
  deps: AdmissionDeps,
): Promise<void> {
  const { group, version } = parseApiVersion(apiVersion);
  const owner: Resource | undefined = findResourceOfKind({ group, version, kind }) ?? deps.findCustom?.(group, version, kind);
  if (owner === undefined) {
    const why = `no matches for kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)}`;
    throw refusal(
      request,
      `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${apiVersion} Kind ${kind}: ${why}`,
    );
  }
  const namespace = owner.namespaced ? request.namespace : '';
  const check = { verb: 'update', group, version, resource: owner.resource, subresource: 'finalizers', namespace, name };
  if (await deps.authorize(request.user, check)) return;
  throw refusal(request, `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: , <nil>`);
}

export const ownerReferencesPermissionEnforcement: AdmissionPlugin = {
  name: 'OwnerReferencesPermissionEnforcement',
  // Old kubelets sent no owners with a Pod's status, which cannot change them anyhow.
  handles: (request) => isOperation(request, 'CREATE', 'UPDATE') && !isFor(request, 'pods/status'),
  validate,
};
