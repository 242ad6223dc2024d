// SPDX-License-Identifier: Apache-2.0
// Whether a certificate and a key, both PEM, belong together, in the words of Go's tls.X509KeyPair. Secrets of such pairs are taken as
// they are, with these as warnings.
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';

interface Block {
  readonly type: string;
  readonly bytes: Buffer;
}
const BLOCK = /(?<=^|\n)-----BEGIN ([^\n]*)-----[ \t\r]*\n([\s\S]*?)-----END \1-----(?=\s|$)/g;
const HEADER = /^[^\n]*:[^\n]*\n/gm;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function blocksOf(pem: string): Block[] {
  return [...pem.matchAll(BLOCK)].flatMap(([, type = '', body = '']) => {
    const text = body.replace(HEADER, '').replace(/\s/g, '');
    return BASE64.test(text) && text.length % 4 === 0 ? [{ type, bytes: Buffer.from(text, 'base64') }] : [];
  });
}

const isKey = ({ type }: Block) => type === 'PRIVATE KEY' || type.endsWith(' PRIVATE KEY');
const skipped = (blocks: readonly Block[]) =>
  `after skipping PEM blocks of the following types: [${blocks.map(({ type }) => type).join(' ')}]`;

function certificateProblem(blocks: readonly Block[]): string {
  if (blocks.length === 0) return 'tls: failed to find any PEM data in certificate input';
  if (blocks.length === 1 && blocks[0]?.type.endsWith('PRIVATE KEY'))
    return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched';
  return `tls: failed to find "CERTIFICATE" PEM block in certificate input ${skipped(blocks)}`;
}

function keyProblem(blocks: readonly Block[]): string {
  if (blocks.length === 0) return 'tls: failed to find any PEM data in key input';
  if (blocks.length === 1 && blocks[0]?.type === 'CERTIFICATE')
    return 'tls: found a certificate rather than a key in the PEM for the private key';
  return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input ${skipped(blocks)}`;
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** A key of any form: the label of its block says nothing. */
function parseKey(bytes: Buffer): KeyObject | undefined {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    const key = attempt(() => createPrivateKey({ key: bytes, format: 'der', type }));
    if (key) return key;
  }
  return undefined;
}

const KNOWN = new Set<string | undefined>(['rsa', 'ec', 'ed25519']);
const derOf = (key: KeyObject) => key.export({ type: 'spki', format: 'der' });

/** What is wrong with a pair, the first thing only; undefined if they match. */
export function keyPairProblem(certificatePem: string, keyPem: string): string | undefined {
  const [ofCertificate, ofKey] = [blocksOf(certificatePem), blocksOf(keyPem)];
  const leaf = ofCertificate.find(({ type }) => type === 'CERTIFICATE');
  if (leaf === undefined) return certificateProblem(ofCertificate);
  const block = ofKey.find(isKey);
  if (block === undefined) return keyProblem(ofKey);
  const certificate = attempt(() => new X509Certificate(leaf.bytes));
  if (certificate === undefined) return 'x509: malformed certificate';
  const key = parseKey(block.bytes);
  if (key?.asymmetricKeyType === 'x25519') return 'tls: found unknown private key type in PKCS#8 wrapping';
  if (key === undefined || !KNOWN.has(key.asymmetricKeyType)) return 'tls: failed to parse private key';
  const { publicKey } = certificate;
  if (!KNOWN.has(publicKey.asymmetricKeyType)) return 'tls: unknown public key algorithm';
  if (key.asymmetricKeyType !== publicKey.asymmetricKeyType) return 'tls: private key type does not match public key type';
  return derOf(createPublicKey(key)).equals(derOf(publicKey)) ? undefined : 'tls: private key does not match public key';
}
