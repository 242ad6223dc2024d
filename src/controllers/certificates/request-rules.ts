// SPDX-License-Identifier: Apache-2.0
// What the built-in signers demand of a certificate request (upstream's api/certificates helpers). Pure but for parsing.
import 'reflect-metadata';
import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from '@peculiar/x509';

export const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING = 'kubernetes.io/kubelet-serving';
export const API_CLIENT = 'kubernetes.io/kube-apiserver-client';
export const LEGACY_UNKNOWN = 'kubernetes.io/legacy-unknown';
export const SIGNERS: readonly string[] = [KUBELET_CLIENT, KUBELET_SERVING, API_CLIENT, LEGACY_UNKNOWN];

export interface RequestFacts {
  /** PEM. */
  readonly pem: string;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly otherNames: number;
}

/** @param request Base64 of a PEM, as `spec.request` is. @throws {Error} If it is no request. */
export function parseRequest(request: string): RequestFacts {
  const pem = Buffer.from(request, 'base64').toString('utf8');
  const csr = new Pkcs10CertificateRequest(pem);
  const names = csr.extensions.find((extension) => extension instanceof SubjectAlternativeNameExtension)?.names.items ?? [];
  const of = (type: string) => names.filter((name) => name.type === type).map(({ value }) => value);
  const [commonName = ''] = csr.subjectName.getField('CN');
  const [dnsNames, ipAddresses] = [of('dns'), of('ip')];
  return {
    pem,
    commonName,
    organizations: csr.subjectName.getField('O'),
    dnsNames,
    ipAddresses,
    otherNames: names.length - dnsNames.length - ipAddresses.length,
  };
}

const CLIENT_USAGES = ['digital signature', 'client auth'];
const SERVER_USAGES = ['digital signature', 'server auth'];

function hasUsages(usages: readonly string[], wanted: readonly string[]): boolean {
  const stated = new Set(usages);
  stated.delete('key encipherment');
  return stated.size === wanted.length && wanted.every((usage) => stated.has(usage));
}

function nodeSubjectProblem({ organizations, commonName }: RequestFacts): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== 'system:nodes') return 'subject organization is not system:nodes';
  return commonName.startsWith('system:node:') ? undefined : 'subject common name does not begin with system:node:';
}

export function kubeletClientProblem(facts: RequestFacts, usages: readonly string[]): string | undefined {
  const subject = nodeSubjectProblem(facts);
  if (subject !== undefined) return subject;
  if (facts.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (facts.ipAddresses.length > 0) return 'IP subjectAltNames are not allowed';
  if (facts.otherNames > 0) return 'Email and URI subjectAltNames are not allowed';
  return hasUsages(usages, CLIENT_USAGES) ? undefined : 'usages did not match [digital signature client auth]';
}

export function kubeletServingProblem(facts: RequestFacts, usages: readonly string[]): string | undefined {
  const subject = nodeSubjectProblem(facts);
  if (subject !== undefined) return subject;
  if (facts.dnsNames.length + facts.ipAddresses.length === 0) return 'DNS or IP subjectAltName is required';
  if (facts.otherNames > 0) return 'Email and URI subjectAltNames are not allowed';
  return hasUsages(usages, SERVER_USAGES) ? undefined : 'usages did not match [digital signature server auth]';
}

/** Why a signer will not sign; undefined where it will. */
export function signerProblem(signer: string, facts: RequestFacts, usages: readonly string[]): string | undefined {
  switch (signer) {
    case KUBELET_CLIENT:
      return kubeletClientProblem(facts, usages);
    case KUBELET_SERVING:
      return kubeletServingProblem(facts, usages);
    case API_CLIENT:
      return hasUsages(usages, CLIENT_USAGES) ||
        (usages.includes('client auth') &&
          usages.every((usage) => ['client auth', 'digital signature', 'key encipherment'].includes(usage)))
        ? undefined
        : `invalid usages for client certificate: ${usages.join(', ')}`;
    default:
      return undefined;
  }
}
