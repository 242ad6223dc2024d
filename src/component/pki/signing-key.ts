// SPDX-License-Identifier: Apache-2.0
// The key that signs service account tokens: RSA, as kubeadm makes it, since some who check tokens know only RS256.
// Node makes it on another thread (about 75 ms); start it before other work and wait for it last.
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

export interface SigningKey {
  /** SPKI PEM. */
  readonly publicKey: string;
  /** PKCS#8 PEM. */
  readonly privateKey: string;
}

export function createSigningKey(): Promise<SigningKey> {
  return promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}
