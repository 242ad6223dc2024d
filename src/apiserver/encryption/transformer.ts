// SPDX-License-Identifier: Apache-2.0
// Turns plain bytes into those stored and back, with the storage key as authenticated data: AES in CBC and GCM, XSalsa20-Poly1305
// ("secretbox"), and none ("identity"). The forms are upstream's, byte for byte.
// @source upstream apiserver pkg/storage/value/encrypt/{aes,secretbox,identity}
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';

/** One key of one provider. */
export interface Transformer {
  /** Before every value of it: `k8s:enc:aescbc:v1:key1:`; '' for identity. */
  readonly prefix: string;
  seal(plain: Uint8Array, authenticated: string): Uint8Array;
  /** @param value Without the prefix. @throws {Error} If it is not by this key. */
  open(value: Uint8Array, authenticated: string): Uint8Array;
}

const BLOCK = 16;
const GCM_NONCE = 12;
const TAG = 16;
const BOX_NONCE = 24;

export function aesCbc(name: string, key: Uint8Array): Transformer {
  const algorithm = `aes-${key.length * 8}-cbc`;
  return {
    prefix: `k8s:enc:aescbc:v1:${name}:`,
    seal(plain) {
      const vector = randomBytes(BLOCK);
      const cipher = createCipheriv(algorithm, key, vector);
      return Buffer.concat([vector, cipher.update(plain), cipher.final()]);
    },
    open(value) {
      if (value.length < BLOCK) throw new Error('the stored data was shorter than the required size');
      if (value.length % BLOCK !== 0) throw new Error('the stored data is not a multiple of the block size');
      const cipher = createDecipheriv(algorithm, key, value.subarray(0, BLOCK));
      try {
        return Buffer.concat([cipher.update(value.subarray(BLOCK)), cipher.final()]);
      } catch (error) {
        throw new Error('invalid padding on input', { cause: error });
      }
    },
  };
}

export function aesGcm(name: string, key: Uint8Array): Transformer {
  const algorithm = `aes-${key.length * 8}-gcm` as 'aes-256-gcm';
  return {
    prefix: `k8s:enc:aesgcm:v1:${name}:`,
    seal(plain, authenticated) {
      const nonce = randomBytes(GCM_NONCE);
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(authenticated));
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(value, authenticated) {
      if (value.length < GCM_NONCE + TAG) throw new Error('the stored data was shorter than the required size');
      const end = value.length - TAG;
      const cipher = createDecipheriv(algorithm, key, value.subarray(0, GCM_NONCE), { authTagLength: TAG });
      cipher.setAAD(Buffer.from(authenticated)).setAuthTag(value.subarray(end));
      try {
        return Buffer.concat([cipher.update(value.subarray(GCM_NONCE, end)), cipher.final()]);
      } catch (error) {
        throw new Error('cipher: message authentication failed', { cause: error });
      }
    },
  };
}

export function secretBox(name: string, key: Uint8Array): Transformer {
  return {
    prefix: `k8s:enc:secretbox:v1:${name}:`,
    seal(plain) {
      const nonce = randomBytes(BOX_NONCE);
      return Buffer.concat([nonce, xsalsa20poly1305(key, nonce).encrypt(plain)]);
    },
    open(value) {
      if (value.length < BOX_NONCE) throw new Error('the stored data was shorter than the required size');
      try {
        return xsalsa20poly1305(key, value.subarray(0, BOX_NONCE)).decrypt(value.subarray(BOX_NONCE));
      } catch (error) {
        throw new Error('output array was not large enough for encryption', { cause: error });
      }
    },
  };
}

const ENCRYPTED = Buffer.from('k8s:enc:');

/** As it is; refuses what is encrypted, so that it is never taken for an object. */
export const identity: Transformer = {
  prefix: '',
  seal: (plain) => plain,
  open(value) {
    if (startsWith(value, ENCRYPTED)) throw new Error('identity transformer tried to read encrypted data');
    return value;
  },
};

export function startsWith(value: Uint8Array, prefix: Uint8Array): boolean {
  if (value.length < prefix.length) return false;
  for (let index = 0; index < prefix.length; index++) if (value[index] !== prefix[index]) return false;
  return true;
}
