// SPDX-License-Identifier: Apache-2.0
// AdmissionReview: what a webhook is told, and what it may answer.
// @source upstream apiserver pkg/admission/plugin/webhook/request/admissionreview.go
import type { Review, ReviewResponse, ReviewVersion } from './review-form.ts';
import type { VersionedRequest } from './versioned-request.ts';

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
        ...(groups.length === 0 ? {} : { groups }),
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

/** Checks what a review says. @throws {Error} Saying what is wrong with it. */
export function readAnswer(version: ReviewVersion, uid: string, isMutating: boolean, { kind, apiVersion, response }: Review): ReviewAnswer {
  if (response === undefined) throw new Error('webhook response was absent');
  if (version === 'v1') {
    if (response.uid !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
    const got = `${apiVersion || '/'}, Kind=${kind}`;
    if (got !== WANTED) throw new Error(`expected webhook response of ${WANTED}, got ${got}`);
    checkPatch(response, isMutating);
  }
  return {
    allowed: response.allowed === true,
    status: response.status,
    patch: isMutating && response.patch ? Buffer.from(response.patch, 'base64').toString() : undefined,
    // The older version never said what kind of patch it was.
    patchType: version === 'v1beta1' ? 'JSONPatch' : (response.patchType ?? ''),
    auditAnnotations: response.auditAnnotations ?? {},
    warnings: response.warnings ?? [],
  };
}

const WANTED = 'admission.k8s.io/v1, Kind=AdmissionReview';

function checkPatch({ patch = '', patchType }: ReviewResponse, isMutating: boolean): void {
  const hasType = patchType !== undefined;
  if (!isMutating) {
    if (patch !== '') throw new Error('validating webhook may not return response.patch');
    if (hasType) throw new Error('validating webhook may not return response.patchType');
    return;
  }
  if (patch !== '' && !hasType) throw new Error('webhook returned response.patch but not response.patchType');
  if (patch === '' && hasType) throw new Error('webhook returned response.patchType but not response.patch');
  if (hasType && patchType === '') throw new Error('webhook returned invalid response.patchType of ""');
}
