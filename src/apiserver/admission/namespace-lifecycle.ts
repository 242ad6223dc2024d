// SPDX-License-Identifier: Apache-2.0
// NamespaceLifecycle: nothing is written into a namespace that is not there, nothing is made in one that is going, and the
// system's own namespaces stay.
import { namespaces } from '#api';
import { ApiError, notFound } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isOperation, refusal } from './match.ts';

const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

function admit(request: AdmissionRequest, { reader }: AdmissionDeps): void {
  const isNamespace = request.resource.group === '' && request.resource.resource === 'namespaces';
  if (isNamespace) {
    if (request.operation === 'DELETE' && IMMORTAL.has(request.name)) throw refusal(request, 'this namespace may not be deleted');
    return;
  }
  if (!request.resource.namespaced || request.operation === 'DELETE') return;
  // A review asks about a namespace, it makes nothing there.
  if (request.resource.resource === 'localsubjectaccessreviews') return;
  const namespace = reader.find(namespaces, { name: request.namespace });
  if (namespace === undefined) throw notFound(namespaces, request.namespace);
  if (request.operation === 'CREATE' && namespace.status?.phase === 'Terminating') throw terminating(request);
}

function terminating(request: AdmissionRequest): ApiError {
  const why = `unable to create new content in namespace ${request.namespace} because it is being terminated`;
  const { status } = refusal(request, why);
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${request.namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return new ApiError({ ...status, details: { ...status.details, causes: [cause] } });
}

export const namespaceLifecycle: AdmissionPlugin = {
  name: 'NamespaceLifecycle',
  handles: (request) => isOperation(request, 'CREATE', 'UPDATE', 'DELETE'),
  admit,
};
