// SPDX-License-Identifier: Apache-2.0
// Reads the subject of a PKCS#10 request, no more: DER is walked to the name and its attributes. Signing and checking of
// signatures are not done here.

interface Tlv {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

function tlvAt(der: Uint8Array, offset: number): Tlv {
  const tag = der[offset];
  let length = der[offset + 1];
  if (tag === undefined || length === undefined) throw new RangeError('read DER: truncated');
  let start = offset + 2;
  if (length >= 0x80) {
    const bytes = length & 0x7f;
    if (bytes === 0 || bytes > 4) throw new RangeError('read DER: unsupported length');
    length = 0;
    for (let index = 0; index < bytes; index++) length = length * 256 + (der[start + index] ?? 0);
    start += bytes;
  }
  if (start + length > der.length) throw new RangeError('read DER: truncated');
  return { tag, start, end: start + length };
}

function childrenOf(der: Uint8Array, parent: Tlv): Tlv[] {
  const children: Tlv[] = [];
  for (let offset = parent.start; offset < parent.end; ) {
    const child = tlvAt(der, offset);
    children.push(child);
    offset = child.end;
  }
  return children;
}

const ORGANIZATION = '55040a';
const COMMON_NAME = '550403';

export interface RequestSubject {
  readonly commonName: string;
  readonly organizations: readonly string[];
}

/** The subject of a PEM request. @throws {RangeError} If it is none. */
export function subjectOfRequest(pem: string): RequestSubject {
  const match = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]+)-----END/.exec(pem);
  if (match === null) throw new RangeError('PEM block type must be CERTIFICATE REQUEST');
  const der = Buffer.from(match[1] ?? '', 'base64');
  const [info] = childrenOf(der, tlvAt(der, 0));
  const [, subject] = info === undefined ? [] : childrenOf(der, info);
  if (subject === undefined) throw new RangeError('read the request: no subject');
  const values = new Map<string, string[]>();
  for (const set of childrenOf(der, subject)) {
    for (const attribute of childrenOf(der, set)) {
      const [oid, value] = childrenOf(der, attribute);
      if (oid === undefined || value === undefined) continue;
      const key = der.subarray(oid.start, oid.end).toString('hex');
      values.set(key, [...(values.get(key) ?? []), der.subarray(value.start, value.end).toString('utf8')]);
    }
  }
  return { commonName: values.get(COMMON_NAME)?.at(-1) ?? '', organizations: values.get(ORGANIZATION) ?? [] };
}
