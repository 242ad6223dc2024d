// SPDX-License-Identifier: Apache-2.0
// What the header of a service account's token says of the key that signed it.
import { createHash, type KeyObject } from 'node:crypto';

/** `kid`. @source upstream pkg/serviceaccount/jwt.go keyIDFromPublicKey: SHA-256 over the PKIX form, base64url */
export function signingKeyId(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('base64url');
}

/** `alg`. */
export function signingAlgorithm(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  return { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'ES256';
}
