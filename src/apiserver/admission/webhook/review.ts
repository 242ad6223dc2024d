// SPDX-License-Identifier: Apache-2.0
// AdmissionReview: what a webhook is told, and what it may answer.
// @source upstream apiserver pkg/admission/plugin/webhook/request/admissionreview.go
import type { VersionedRequest } from './versioned-request.ts';

/** Versions of AdmissionReview spoken here. */
export type ReviewVersion = 'v1' | 'v1beta1';

/** The first of a webhook's versions that is known. */
export function reviewVersionOf(accepted: readonly string[]): ReviewVersion | undefined {
  return accepted.find((version): version is ReviewVersion => version === 'v1' || version === 'v1beta1');
}

export function reviewOf(version: ReviewVersion, uid: string, versioned: VersionedRequest): object {
  const { request, target, resource, kind, requestKind } = versioned;
  const { name: username, uid: userUid, groups, extra } = request.user;
  const { group, version: requestVersion, resource: requestResource } = request.resource;
  const subresource = request.subresource === '' ? {} : { subResource: request.subresource, requestSubResource: request.subresource };
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      kind,
      resource,
      ...subresource,
      requestKind,
      requestResource: { group, version: requestVersion, resource: requestResource },
      ...(request.name === '' ? {} : { name: request.name }),
      ...(target.namespace === '' ? {} : { namespace: target.namespace }),
      operation: request.operation,
      userInfo: {
        username,
        ...(userUid === '' ? {} : { uid: userUid }),
        groups,
        ...(Object.keys(extra).length === 0 ? {} : { extra }),
      },
      object: versioned.object ?? null,
      oldObject: versioned.oldObject ?? null,
      dryRun: request.dryRun,
      options: request.options?.() ?? null,
    },
  };
}

/** A verdict in one form, whatever the version. */
export interface ReviewAnswer {
  readonly allowed: boolean;
  readonly status: Readonly<Record<string, unknown>> | undefined;
  /** Operations of a JSON patch as text; undefined: nothing is changed. */
  readonly patch: string | undefined;
  readonly patchType: string;
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

interface RawResponse {
  readonly uid?: string;
  readonly allowed?: boolean;
  readonly status?: Record<string, unknown>;
  readonly patch?: string;
  readonly patchType?: string;
  readonly auditAnnotations?: Record<string, string>;
  readonly warnings?: readonly string[];
}

/** Checks an answer's form. @throws {Error} Saying what is wrong with it. */
export function readAnswer(version: ReviewVersion, uid: string, isMutating: boolean, body: unknown): ReviewAnswer {
  const review = (typeof body === 'object' && body !== null ? body : {}) as { kind?: string; apiVersion?: string; response?: RawResponse };
  const response = review.response;
  if (response === undefined || response === null) throw new Error('webhook response was absent');
  checkForm(response);
  if (version === 'v1') {
    if (response.uid !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
    const kind = `${review.apiVersion ?? ''}, Kind=${review.kind ?? ''}`;
    const wanted = 'admission.k8s.io/v1, Kind=AdmissionReview';
    if (kind !== wanted)
      throw new Error(`expected webhook response of ${wanted}, got ${review.apiVersion === undefined ? `/${kind}` : kind}`);
    checkPatch(response, isMutating);
  }
  const patch = response.patch ? Buffer.from(response.patch, 'base64').toString() : undefined;
  return {
    allowed: response.allowed === true,
    status: response.status,
    patch: isMutating ? patch : undefined,
    patchType: response.patchType ?? (version === 'v1beta1' ? 'JSONPatch' : ''),
    auditAnnotations: response.auditAnnotations ?? {},
    warnings: response.warnings ?? [],
  };
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  uid: isString,
  allowed: (value) => typeof value === 'boolean',
  status: isObject,
  patch: isString,
  patchType: isString,
  auditAnnotations: (value) => isObject(value) && Object.values(value as object).every(isString),
  warnings: (value) => Array.isArray(value) && value.every(isString),
};

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkForm(response: RawResponse): void {
  for (const [name, fits] of Object.entries(TYPES)) {
    const value = (response as Record<string, unknown>)[name];
    if (value !== undefined && value !== null && !fits(value)) throw new Error(`json: cannot unmarshal field AdmissionResponse.${name}`);
  }
}

function checkPatch({ patch = '', patchType }: RawResponse, isMutating: boolean): void {
  const hasType = patchType !== undefined && patchType !== null;
  if (!isMutating) {
    if (patch !== '') throw new Error('validating webhook may not return response.patch');
    if (hasType) throw new Error('validating webhook may not return response.patchType');
    return;
  }
  if (patch !== '' && !hasType) throw new Error('webhook returned response.patch but not response.patchType');
  if (patch === '' && hasType) throw new Error('webhook returned response.patchType but not response.patch');
  if (hasType && patchType === '') throw new Error('webhook returned invalid response.patchType of ""');
}
