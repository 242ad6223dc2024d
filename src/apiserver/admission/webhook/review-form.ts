// SPDX-License-Identifier: Apache-2.0
// The body of a webhook's answer as an AdmissionReview: what upstream's client cannot decode is a failed call, before anybody looks
// at what the review says. @source upstream apiserver pkg/util/webhook/client.go (the codec), admission.k8s.io/v1 types
import { normalize, type SchemaFacts, SchemaRegistry, type StructSchema } from '#machinery';

/** Versions of AdmissionReview spoken here. */
export type ReviewVersion = 'v1' | 'v1beta1';

export interface ReviewResponse {
  readonly uid?: string;
  readonly allowed?: boolean;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly patch?: string;
  readonly patchType?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly warnings?: readonly string[];
}

export interface Review {
  readonly kind: string;
  readonly apiVersion: string;
  readonly response: ReviewResponse | undefined;
}

const FACTS: SchemaFacts = {
  'admission.v1.AdmissionReview': {
    fields: [
      { name: 'kind', type: 'string', omit: 'empty' },
      { name: 'apiVersion', type: 'string', omit: 'empty' },
      { name: 'response', type: 'admission.v1.AdmissionResponse', omit: 'empty', pointer: true },
    ],
  },
  'admission.v1.AdmissionResponse': {
    fields: [
      { name: 'uid', type: 'types.UID', omit: 'empty' },
      { name: 'allowed', type: 'bool', omit: 'empty' },
      { name: 'status', type: 'meta.v1.Status', omit: 'empty', pointer: true },
      { name: 'patch', type: 'bytes', omit: 'empty' },
      { name: 'patchType', type: 'admission.v1.PatchType', omit: 'empty', pointer: true },
      { name: 'auditAnnotations', type: 'map[string]string', omit: 'empty' },
      { name: 'warnings', type: '[]string', omit: 'empty' },
    ],
  },
  'meta.v1.Status': {
    fields: [
      { name: 'metadata', type: 'any', omit: 'empty' },
      { name: 'status', type: 'string', omit: 'empty' },
      { name: 'message', type: 'string', omit: 'empty' },
      { name: 'reason', type: 'meta.v1.StatusReason', omit: 'empty' },
      { name: 'details', type: 'any', omit: 'empty' },
      { name: 'code', type: 'int32', omit: 'empty' },
    ],
  },
  'types.UID': { alias: 'string' },
  'admission.v1.PatchType': { alias: 'string' },
  'meta.v1.StatusReason': { alias: 'string' },
};
const REVIEW = new SchemaRegistry(FACTS).get('admission.v1.AdmissionReview') as StructSchema;
const GROUP = 'admission.k8s.io';
/** Kinds that the codec knows, by what an answer calls itself. */
const KNOWN: ReadonlyMap<string, string> = new Map([
  [`${GROUP}/v1, AdmissionReview`, 'v1.AdmissionReview'],
  [`${GROUP}/v1beta1, AdmissionReview`, 'v1beta1.AdmissionReview'],
  ['v1, Status', 'v1.Status'],
]);

/** @param body As parsed. @throws {Error} In the words of upstream's codec, where it is no review of that version. */
export function decodeReview(version: ReviewVersion, body: unknown): Review {
  const { kind = '', apiVersion = '' } = (body ?? {}) as { readonly kind?: string; readonly apiVersion?: string };
  checkKind(version, kind, apiVersion);
  const review = normalize(body ?? {}, REVIEW) as Partial<Review>;
  return { kind, apiVersion, response: review.response };
}

/** What an answer does not say of itself counts as wanted. */
function checkKind(version: ReviewVersion, kind: string, apiVersion: string): void {
  const wanted = `${version}.AdmissionReview`;
  const claimedVersion = apiVersion || `${GROUP}/${version}`;
  const claimedKind = kind || 'AdmissionReview';
  const found = KNOWN.get(`${claimedVersion}, ${claimedKind}`);
  if (found === wanted) return;
  if (found !== undefined) throw new Error(`converting (${found}) to (${wanted}): unknown conversion`);
  throw new Error(`no kind ${JSON.stringify(claimedKind)} is registered for version ${JSON.stringify(claimedVersion)}`);
}
