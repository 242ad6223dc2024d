// SPDX-License-Identifier: Apache-2.0
// X.509 for the cluster: certificate authorities, signed certificates and signing of requests. ECDSA P-256 throughout.
// @source kubeadm's certificate layout for names, organisations and lifetimes
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PKCS#8 PEM. */
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly validDays: number;
}

/** @source kubeadm: authorities live ten years, what they sign one year. */
export const AUTHORITY_DAYS = 3650;
export const CERTIFICATE_DAYS = 365;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const DAY_MS = 86_400_000;
/** Certificates are valid from a little earlier, for clocks that are behind. */
const BACKDATE_MS = 5 * 60_000;
const { subtle } = webcrypto;

/** A self-signed authority. */
export async function createAuthority(commonName: string, now: number): Promise<KeyPair> {
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(now, AUTHORITY_DAYS),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment | KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      new SubjectAlternativeNameExtension([{ type: 'dns', value: commonName }]),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: await exportKey(keys.privateKey) };
}

/** A certificate with a key of its own, signed by `authority`. */
export async function createCertificate(authority: KeyPair, request: CertificateRequest, now: number): Promise<KeyPair> {
  const keys = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await sign(authority, keys.publicKey, request, now);
  return { certificate, key: await exportKey(keys.privateKey) };
}

/** Signs a PEM PKCS#10 request as it stands, after its own signature was checked. @throws {Error} If that is wrong. */
export async function signRequest(
  authority: KeyPair,
  pem: string,
  options: { usages: readonly ('client' | 'server')[]; validMs: number },
  now: number,
): Promise<string> {
  const csr = new Pkcs10CertificateRequest(pem);
  if (!(await csr.verify())) throw new Error('sign a certificate request: its signature is not valid');
  const issuer = new X509Certificate(authority.certificate);
  const names = csr.extensions.find((extension) => extension instanceof SubjectAlternativeNameExtension);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: csr.subject,
    issuer: issuer.subject,
    publicKey: csr.publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(Math.min(now + options.validMs, issuer.notAfter.getTime())),
    extensions: [...(await leafExtensions(issuer, options.usages)), ...(names === undefined ? [] : [names])],
  });
  return `${certificate.toString('pem')}\n`;
}

async function sign(authority: KeyPair, publicKey: webcrypto.CryptoKey, request: CertificateRequest, now: number): Promise<string> {
  const issuer = new X509Certificate(authority.certificate);
  const names = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...(request.organizations ?? []).map((organization) => ({ O: [organization] })), { CN: [request.commonName] }],
    issuer: issuer.subject,
    publicKey,
    signingKey: await importKey(authority.key),
    signingAlgorithm: ALGORITHM,
    ...validity(now, request.validDays),
    extensions: [
      ...(await leafExtensions(issuer, request.usages)),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

async function leafExtensions(issuer: X509Certificate, usages: readonly ('client' | 'server')[]): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
    new ExtendedKeyUsageExtension(usages.map((usage) => (usage === 'client' ? CLIENT_AUTH : SERVER_AUTH))),
    await AuthorityKeyIdentifierExtension.create(issuer),
  ];
}

function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - BACKDATE_MS), notAfter: new Date(now + days * DAY_MS) };
}

/** Positive and never zero, as X.509 demands. */
function serialNumber(): string {
  const bytes = randomBytes(15);
  return `01${bytes.toString('hex')}`;
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
}
