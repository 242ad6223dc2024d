// SPDX-License-Identifier: Apache-2.0
// Validation of CertificateSigningRequests: the request, what is asked for, and who may decide and sign when.
// @source upstream pkg/apis/certificates/validation/validation.go
import { X509Certificate } from 'node:crypto';
import {
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { CertificateSigningRequest } from '../generated/certificates/v1.ts';
import { requestProblem } from './certificate-request.ts';
import { differenceText } from './difference.ts';
import { isSet } from './rules.ts';
import { signerNameCauses } from './signer-name.ts';

type Request = DeepReadonly<CertificateSigningRequest>;
const SPEC = field('spec');
const CONDITIONS = field('status', 'conditions');
const CERTIFICATE = field('status', 'certificate');
const DECISIONS = ['Approved', 'Denied', 'Failed'];
const LEGACY = 'kubernetes.io/legacy-unknown';
const KEY_USAGES =
  'any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,decipher only,digital signature,email protection,encipher only,ipsec end system,ipsec tunnel,ipsec user,key agreement,key encipherment,microsoft sgc,netscape sgc,ocsp signing,s/mime,server auth,signing,timestamping'.split(
    ',',
  );

const conditionsOf = ({ status }: Request) => status?.conditions ?? [];
const textOf = (base64: string | undefined) => Buffer.from(base64 ?? '', 'base64').toString('latin1');

function usageCauses({ spec }: Request, previous: Request | undefined): FieldCause[] {
  const path = SPEC.child('usages');
  const usages: readonly string[] = spec.usages ?? [];
  const had: readonly string[] = previous?.spec.usages ?? [];
  const causes: FieldCause[] = usages.length === 0 ? [required(path)] : [];
  if (had.every((usage) => KEY_USAGES.includes(usage)))
    for (const [index, usage] of usages.entries())
      if (!KEY_USAGES.includes(usage)) causes.push(notSupported(path.index(index), usage, KEY_USAGES));
  if (new Set(had).size === had.length)
    for (const [index, usage] of usages.entries()) if (usages.indexOf(usage) < index) causes.push(duplicateValue(path.index(index), usage));
  return causes;
}

function wholeCauses(request: Request, previous: Request | undefined): FieldCause[] {
  const { spec, status } = request;
  const causes: FieldCause[] = [];
  const unfit = requestProblem(textOf(spec.request));
  if (unfit !== undefined) causes.push(invalidValue(SPEC.child('request'), spec.request ?? '', unfit));
  causes.push(...usageCauses(request, previous));
  const signer = SPEC.child('signerName');
  if (spec.signerName === LEGACY && previous?.spec.signerName !== LEGACY)
    causes.push(invalidValue(signer, spec.signerName, 'the legacy signerName is not allowed via this API version'));
  else causes.push(...signerNameCauses(spec.signerName ?? '', signer));
  if (isSet(spec.expirationSeconds) && spec.expirationSeconds < 600) {
    const why = 'may not specify a duration less than 600 seconds (10 minutes)';
    causes.push(invalidValue(SPEC.child('expirationSeconds'), spec.expirationSeconds, why));
  }
  causes.push(...conditionCauses(request, previous));
  const isKept = previous !== undefined && (status?.certificate ?? '') === (previous.status?.certificate ?? '');
  const wrong = isKept ? undefined : certificateProblem(textOf(status?.certificate));
  return wrong === undefined ? causes : [...causes, invalidValue(CERTIFICATE, '<certificate data>', wrong)];
}

export function signingRequestCauses(request: Request): FieldCause[] {
  return wholeCauses(request, undefined);
}

const has = (request: Request | undefined, type: string) => request !== undefined && conditionsOf(request).some((it) => it.type === type);

/** Faults that the request had before are left alone. */
function conditionCauses(request: Request, previous: Request | undefined): FieldCause[] {
  const before = previous === undefined ? [] : conditionsOf(previous);
  const mayBeEmpty = before.some(({ type }) => !type);
  const mayRepeat = new Set(before.map(({ type }) => type)).size < before.length;
  const mayContradict = has(previous, 'Approved') && has(previous, 'Denied');
  const seen = new Set<string>();
  return conditionsOf(request).flatMap(({ type, status }, index) => {
    const at = CONDITIONS.index(index);
    const causes: FieldCause[] = type || mayBeEmpty ? [] : [required(at.child('type'))];
    const allowed = DECISIONS.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) causes.push(required(at.child('status')));
    else if (!allowed.includes(status)) causes.push(notSupported(at.child('status'), status, allowed));
    const opposite = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (!mayContradict && opposite !== undefined && seen.has(opposite))
      causes.push(invalidValue(CONDITIONS, type, 'Approved and Denied conditions are mutually exclusive'));
    if (!mayRepeat && seen.has(type)) causes.push(duplicateValue(at.child('type'), type));
    seen.add(type);
    return causes;
  });
}

const PEM_BLOCK = /-----BEGIN ([^\n-]*)-----\r?\n([\s\S]*?)-----END \1-----/g;

/** What is wrong with a chain of certificates; an empty one is fine. */
function certificateProblem(text: string): string | undefined {
  if (text === '') return undefined;
  let count = 0;
  for (const [block, type, body = ''] of text.matchAll(PEM_BLOCK)) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (/^[A-Za-z0-9-]+: /m.test(body)) return 'no PEM block headers are permitted';
    count += 1;
    try {
      new X509Certificate(block);
    } catch {
      return 'x509: malformed certificate';
    }
  }
  return count === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

interface Permission {
  readonly decides: boolean;
  readonly signs: boolean;
}

function changeCauses(next: Request, previous: Request, { decides, signs }: Permission): FieldCause[] {
  const causes = wholeCauses(next, previous);
  const of = (request: Request, type: string) => conditionsOf(request).filter((it) => it.type === type);
  const refuse = (what: string, type: string, more = '') =>
    causes.push(forbiddenField(CONDITIONS, `updates may not ${what} a condition of type ${JSON.stringify(type)}${more}`));
  for (const type of DECISIONS) if (of(next, type).length < of(previous, type).length) refuse('remove', type);
  for (const type of decides ? [] : ['Approved', 'Denied']) {
    const [now, before] = [of(next, type), of(previous, type)];
    if (now.length > before.length) refuse('add', type);
    else if (now.length === before.length && !semanticEqual(now, before))
      refuse('modify', type, `\n${differenceText(now, before, 'conditions')}`);
  }
  const had = previous.status?.certificate ?? '';
  if ((next.status?.certificate ?? '') === had) return causes;
  if (!signs) causes.push(forbiddenField(CERTIFICATE, 'updates may not set certificate content'));
  else if (had !== '') causes.push(forbiddenField(CERTIFICATE, 'updates may not modify existing certificate content'));
  return causes;
}

export const signingRequestUpdateCauses = (next: Request, previous: Request) =>
  changeCauses(next, previous, { decides: false, signs: false });
/** The signer's endpoint. */
export const signingRequestStatusCauses = (next: Request, previous: Request) =>
  changeCauses(next, previous, { decides: false, signs: true });
/** The approver's endpoint. */
export const signingRequestApprovalCauses = (next: Request, previous: Request) =>
  changeCauses(next, previous, { decides: true, signs: false });
