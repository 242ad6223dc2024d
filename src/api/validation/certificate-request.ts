// SPDX-License-Identifier: Apache-2.0
// Whether `spec.request` of a CertificateSigningRequest is a PKCS#10 request that its own key has signed, with the complaints of Go's
// encoding/pem, encoding/asn1 and crypto/x509. Structure is followed as far as the key and the signature; names and extensions are not.
// @source upstream pkg/apis/certificates ParseCSR; Go crypto/x509 ParseCertificateRequest, CheckSignature
import { createPublicKey, type KeyObject, verify } from 'node:crypto';

interface Element {
  /** With its header. */
  readonly whole: Buffer;
  readonly content: Buffer;
}

/** Thrown when bytes are not DER; the message is Go's. */
class Asn1Error extends Error {}

const [INTEGER, BIT_STRING, OBJECT_ID, SEQUENCE] = [0x02, 0x03, 0x06, 0x30];

interface Header {
  readonly tag: number;
  readonly start: number;
  readonly length: number;
}

function readHeader(bytes: Buffer): Header {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw new Asn1Error('asn1: syntax error: truncated tag or length');
  if (first < 0x80) return { tag, start: 2, length: first };
  const count = first & 0x7f;
  if (count === 0) throw new Asn1Error('asn1: syntax error: indefinite length found (not DER)');
  if (count > 4) throw new Asn1Error('asn1: structure error: length too large');
  if (bytes.length < 2 + count) throw new Asn1Error('asn1: syntax error: truncated tag or length');
  if (bytes[2] === 0) throw new Asn1Error('asn1: structure error: superfluous leading zeros in length');
  const length = bytes.readUIntBE(2, count);
  if (length < 0x80) throw new Asn1Error('asn1: structure error: non-minimal length');
  return { tag, start: 2 + count, length };
}

const bool = (value: boolean) => (value ? 'true' : 'false');
const PLAIN =
  '{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}';

/** As Go's asn1 says that something else was expected. @param type The Go type that was being read. */
function mismatch({ tag, start, length }: Header, expected: number, type: string): Asn1Error {
  const found = `{class:${tag >> 6} tag:${tag & 0x1f} length:${length} isCompound:${bool((tag & 0x20) !== 0)}}`;
  return new Asn1Error(`asn1: structure error: tags don't match (${expected & 0x1f} vs ${found}) ${PLAIN} ${type} @${start}`);
}

function expect(bytes: Buffer, tag: number, type: string): Element {
  if (bytes.length === 0) throw new Asn1Error('asn1: syntax error: sequence truncated');
  const header = readHeader(bytes);
  if (header.tag !== tag) throw mismatch(header, tag, type);
  const end = header.start + header.length;
  if (bytes.length < end) throw new Asn1Error('asn1: syntax error: data truncated');
  return { whole: bytes.subarray(0, end), content: bytes.subarray(header.start, end) };
}

const after = (bytes: Buffer, element: Element) => bytes.subarray(element.whole.length);

interface SignedRequest {
  readonly info: Buffer;
  readonly key: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
}

function parseRequest(bytes: Buffer): SignedRequest {
  const outer = expect(bytes, SEQUENCE, 'certificateRequest');
  const info = expect(outer.content, SEQUENCE, 'tbsCertificateRequest');
  const algorithm = expect(after(outer.content, info), SEQUENCE, 'AlgorithmIdentifier');
  const signature = expect(after(after(outer.content, info), algorithm), BIT_STRING, 'BitString');
  const version = expect(info.content, INTEGER, 'int');
  const subject = expect(after(info.content, version), SEQUENCE, 'RawValue');
  const key = expect(after(after(info.content, version), subject), SEQUENCE, 'publicKeyInfo');
  if (bytes.length > outer.whole.length) throw new Asn1Error('asn1: syntax error: trailing data');
  const oid = expect(algorithm.content, OBJECT_ID, 'ObjectIdentifier').content.toString('hex');
  return { info: info.whole, key: key.whole, algorithm: oid, signature: signature.content.subarray(1) };
}

interface Scheme {
  readonly digest: string | null;
  readonly keyType: string;
  readonly fault: string;
}

const RSA = { keyType: 'rsa', fault: 'crypto/rsa: verification error' };
const ECDSA = { keyType: 'ec', fault: 'x509: ECDSA verification failure' };
/** By the bytes of the object identifier. */
const SCHEMES: Readonly<Record<string, Scheme>> = {
  '2a864886f70d01010b': { ...RSA, digest: 'sha256' },
  '2a864886f70d01010c': { ...RSA, digest: 'sha384' },
  '2a864886f70d01010d': { ...RSA, digest: 'sha512' },
  '2a8648ce3d040302': { ...ECDSA, digest: 'sha256' },
  '2a8648ce3d040303': { ...ECDSA, digest: 'sha384' },
  '2a8648ce3d040304': { ...ECDSA, digest: 'sha512' },
  '2b6570': { digest: null, keyType: 'ed25519', fault: 'x509: Ed25519 verification failure' },
};
const INSECURE: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'MD5-RSA',
  '2a864886f70d010105': 'SHA1-RSA',
  '2a8648ce3d0401': 'ECDSA-SHA1',
};

function keyOf(der: Buffer): KeyObject | undefined {
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

function signatureProblem({ info, key, algorithm, signature }: SignedRequest): string | undefined {
  const insecure = INSECURE[algorithm];
  if (insecure !== undefined) return `x509: cannot verify signature: insecure algorithm ${insecure}`;
  const [scheme, publicKey] = [SCHEMES[algorithm], keyOf(key)];
  // RSA-PSS and curves of other kinds are the signer's to look at.
  if (scheme === undefined || publicKey === undefined) return 'x509: cannot verify signature: algorithm unimplemented';
  if (publicKey.asymmetricKeyType !== scheme.keyType) return 'x509: signature algorithm specifies a different kind of public key';
  return verify(scheme.digest, info, publicKey, signature) ? undefined : scheme.fault;
}

const BLOCK = /-----BEGIN ([^\n]*?)-----[ \t]*\r?\n([\s\S]*?)-----END \1-----/;
const NO_BLOCK = 'PEM block type must be CERTIFICATE REQUEST';

/** What is wrong with a request. @param pem Text with one block; what stands around it does not matter. */
export function requestProblem(pem: string): string | undefined {
  const [, type, body = ''] = BLOCK.exec(pem) ?? [];
  const text = body.replace(/^(?:[^\n:]+:[^\n]*\n)+\r?\n?/, '').replace(/\s+/g, '');
  if (type !== 'CERTIFICATE REQUEST' || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return NO_BLOCK;
  try {
    return signatureProblem(parseRequest(Buffer.from(text, 'base64')));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
