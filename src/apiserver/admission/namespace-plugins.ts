// SPDX-License-Identifier: Apache-2.0
// NamespaceAutoProvision makes the namespace that a write goes to; NamespaceExists refuses writes to one that is not there, deletes
// too. Both are off unless named: NamespaceLifecycle does what a cluster needs.
// @source upstream plugin/pkg/admission/namespace/{autoprovision,exists}
import { namespaces } from '#api';
import { isAlreadyExists, notFound } from '#machinery';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isOperation } from './match.ts';

const isNamespace = ({ resource }: AdmissionRequest) => resource.group === '' && resource.resource === 'namespaces';
const isInNamespace = (request: AdmissionRequest) => request.resource.namespaced && !isNamespace(request);

export const namespaceAutoProvision: AdmissionPlugin = {
  name: 'NamespaceAutoProvision',
  handles: (request) => isInNamespace(request) && isOperation(request, 'CREATE') && !request.dryRun,
  async admit(request, { reader, create }) {
    if (reader.find(namespaces, { name: request.namespace }) !== undefined) return;
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: request.namespace } };
    await create(namespaces, object as never).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error; // Another request was faster.
    });
  },
};

export const namespaceExists: AdmissionPlugin = {
  name: 'NamespaceExists',
  handles: (request) => isInNamespace(request) && isOperation(request, 'CREATE', 'UPDATE', 'DELETE'),
  validate(request, { reader }) {
    if (reader.find(namespaces, { name: request.namespace }) === undefined) throw notFound(namespaces, request.namespace);
  },
};
