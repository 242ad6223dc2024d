// SPDX-License-Identifier: Apache-2.0
// The variables of match conditions: object, oldObject, request, authorizer and authorizer.requestResource.
// @source upstream apiserver pkg/admission/plugin/cel/condition.go
import type { CelType } from '../../cel/mod.ts';
import type { Authorize } from './match-conditions.ts';
import type { VersionedRequest } from './versioned-request.ts';

export type Cel = typeof import('../../cel/mod.ts');

const DYN: CelType = { kind: 'dyn' };
const STRING: CelType = { kind: 'string' };

function objectType(name: string, fields: Readonly<Record<string, CelType>>): CelType {
  return { kind: 'object', name, fields: new Map(Object.entries(fields)) };
}

const KIND = objectType('kubernetes.GroupVersionKind', { group: STRING, version: STRING, kind: STRING });
const RESOURCE = objectType('kubernetes.GroupVersionResource', { group: STRING, version: STRING, resource: STRING });
const USER = objectType('kubernetes.UserInfo', {
  username: STRING,
  uid: STRING,
  groups: { kind: 'list', element: STRING },
  extra: { kind: 'map', key: STRING, value: { kind: 'list', element: STRING } },
});
const REQUEST = objectType('kubernetes.AdmissionRequest', {
  kind: KIND,
  resource: RESOURCE,
  subResource: STRING,
  requestKind: KIND,
  requestResource: RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: USER,
  dryRun: { kind: 'bool' },
  options: DYN,
});
const REQUEST_RESOURCE = 'authorizer.requestResource';

/** What an expression may name, with types. */
export function variableTypes({ LIBRARY_TYPES }: Cel): Readonly<Record<string, CelType>> {
  const { Authorizer = DYN, ResourceCheck = DYN } = LIBRARY_TYPES;
  return { object: DYN, oldObject: DYN, request: REQUEST, authorizer: Authorizer, [REQUEST_RESOURCE]: ResourceCheck };
}

/** The values of one request. */
export function variablesOf(
  versioned: VersionedRequest,
  authorize: Authorize,
  { AuthorizerValue, resourceCheck }: Cel,
): Record<string, unknown> {
  const { request, target } = versioned;
  const authorizer = new AuthorizerValue((check) => authorize(request.user, check));
  const { group, resource } = request.resource;
  const { subresource, name } = request;
  return {
    object: versioned.object ?? null,
    oldObject: versioned.oldObject ?? null,
    request: requestValue(versioned),
    authorizer,
    [REQUEST_RESOURCE]: resourceCheck(authorizer, { group, resource, subresource, name, namespace: target.namespace }),
  };
}

function requestValue({ request, target, resource, kind, requestKind }: VersionedRequest): object {
  const { group, version, resource: name } = request.resource;
  return {
    kind,
    resource,
    subResource: request.subresource,
    requestKind,
    requestResource: { group, version, resource: name },
    requestSubResource: request.subresource,
    name: request.name,
    namespace: target.namespace,
    operation: request.operation,
    userInfo: { username: request.user.name, uid: request.user.uid, groups: request.user.groups, extra: request.user.extra },
    dryRun: request.dryRun,
    options: request.options?.() ?? null,
  };
}
