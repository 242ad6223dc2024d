// SPDX-License-Identifier: Apache-2.0
// What plugins ask about a request again and again: is it this resource, how a refusal is made.
import { type ApiError, forbidden } from '#machinery';
import type { AdmissionOperation, AdmissionRequest } from './admission.ts';

/** `pods`, or `nodes/status`; of the core group unless `group` is given. */
export function isFor(request: AdmissionRequest, resource: string, group = ''): boolean {
  const { resource: of, subresource } = request;
  if (of.group !== group) return false;
  return subresource === '' ? of.resource === resource : `${of.resource}/${subresource}` === resource;
}

export function isOperation(request: AdmissionRequest, ...operations: readonly AdmissionOperation[]): boolean {
  return operations.includes(request.operation);
}

/** The name of the object, which a create by generateName has not yet. */
export function nameOf(request: AdmissionRequest): string {
  return request.name || request.object?.metadata.name || '';
}

/** 403 with `why`, about the request's object. */
export function refusal(request: AdmissionRequest, why: string): ApiError {
  return forbidden(request.resource, nameOf(request), why);
}
