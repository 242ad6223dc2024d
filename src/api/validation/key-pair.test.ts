// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, it } from 'node:test';
import { keyPairProblem } from './key-pair.ts';
import { warningsOf } from './mod.ts';

const [SEQUENCE, INTEGER, BITS, OID, TIME] = [0x30, 0x02, 0x03, 0x06, 0x17];

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const size = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const pem = (type: string, bytes: Uint8Array) =>
  `-----BEGIN ${type}-----\n${Buffer.from(bytes).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${type}-----\n`;

/** A certificate that nobody has signed: only its key is looked at. */
function certificateOf(key: KeyObject): string {
  const algorithm = der(SEQUENCE, der(OID, Buffer.from([0x2b, 0x65, 0x70])));
  const validity = der(SEQUENCE, der(TIME, Buffer.from('200101000000Z')), der(TIME, Buffer.from('490101000000Z')));
  const name = der(SEQUENCE);
  const content = [der(INTEGER, Buffer.from([1])), algorithm, name, validity, name, key.export({ type: 'spki', format: 'der' })];
  return pem('CERTIFICATE', der(SEQUENCE, der(SEQUENCE, ...content), algorithm, der(BITS, Buffer.alloc(65))));
}

const ec = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const edwards = generateKeyPairSync('ed25519');
const [elliptic, other] = [ec(), ec()];
const text = (key: KeyObject, type: 'pkcs1' | 'pkcs8' | 'sec1' = 'pkcs8') => key.export({ type, format: 'pem' }).toString();
const certificate = certificateOf(elliptic.publicKey);
const key = text(elliptic.privateKey);
const [odd, odder] = [pem('ODD', Buffer.from('a')), pem('ODDER', Buffer.from('b'))];
const AFTER = 'after skipping PEM blocks of the following types: [ODD ODDER]';

const CASES: Readonly<Record<string, readonly [certificate: string, key: string, problem: string | undefined]>> = {
  'match with elliptic curves': [certificate, key, undefined],
  'match in their older form': [certificate, text(elliptic.privateKey, 'sec1'), undefined],
  'match with RSA': [certificateOf(rsa.publicKey), text(rsa.privateKey), undefined],
  'match with RSA in its older form': [certificateOf(rsa.publicKey), text(rsa.privateKey, 'pkcs1'), undefined],
  'match with Edwards curves': [certificateOf(edwards.publicKey), text(edwards.privateKey), undefined],
  'match among other things': [`words\n${odd}${certificate}${certificateOf(rsa.publicKey)}`, `${certificate}${key}`, undefined],
  'do not match': [certificate, text(other.privateKey), 'tls: private key does not match public key'],
  'are of two sorts': [certificate, text(rsa.privateKey), 'tls: private key type does not match public key type'],
  'lack the certificate': ['', key, 'tls: failed to find any PEM data in certificate input'],
  'lack the key': [certificate, 'words', 'tls: failed to find any PEM data in key input'],
  'are the wrong way round': [
    key,
    certificate,
    'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched',
  ],
  'are two certificates': [certificate, certificate, 'tls: found a certificate rather than a key in the PEM for the private key'],
  'have other things for the certificate': [odd + odder, key, `tls: failed to find "CERTIFICATE" PEM block in certificate input ${AFTER}`],
  'have other things for the key': [
    certificate,
    odd + odder,
    `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input ${AFTER}`,
  ],
  'have a certificate that is none': [pem('CERTIFICATE', Buffer.from('abc')), key, 'x509: malformed certificate'],
  'have a key that is none': [certificate, pem('PRIVATE KEY', Buffer.from('abc')), 'tls: failed to parse private key'],
  'have a key for something else': [
    certificate,
    text(generateKeyPairSync('x25519').privateKey),
    'tls: found unknown private key type in PKCS#8 wrapping',
  ],
  'have a certificate for something else': [
    certificateOf(generateKeyPairSync('x25519').publicKey),
    key,
    'tls: unknown public key algorithm',
  ],
};

describe('a certificate and a key', () => {
  for (const [name, [one, two, problem]] of Object.entries(CASES)) it(name, () => assert.equal(keyPairProblem(one, two), problem));

  it('are warned of in Secrets for them', () => {
    const base64 = (value: string) => Buffer.from(value).toString('base64');
    const told = (type: string, data: object) => warningsOf({ group: '', kind: 'Secret' }, { metadata: {}, type, data } as never, true);
    assert.deepEqual(told('kubernetes.io/tls', { 'tls.crt': base64(certificate), 'tls.key': base64(key) }), []);
    assert.deepEqual(told('kubernetes.io/tls', { 'tls.crt': '', 'tls.key': '' }), [
      'tls: failed to find any PEM data in certificate input',
    ]);
    assert.deepEqual(told('Opaque', {}), []);
  });
});
