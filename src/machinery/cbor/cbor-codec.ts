// SPDX-License-Identifier: Apache-2.0
// Objects as CBOR (RFC 8949, KEP-4222), on cborg: a self-described item, map keys and text as byte strings when written, either kind
// when read. Byte fields, which JSON has in base64, are byte strings under tag 22. What JSON cannot say is refused: indefinite
// lengths, NaN, infinities, undefined, keys that are no text, keys written twice.
import { decode, encode, type TagDecodeControl, Token, Type } from 'cborg';
import { JsonSyntaxError } from '../json-syntax.ts';

/** Every item begins with it: "this is CBOR". @source RFC 8949 section 3.4.6 */
const SELF_DESCRIBED = Uint8Array.of(0xd9, 0xd9, 0xf7);
const EXPECT_BASE64 = 22;
/** @source apimachinery pkg/runtime/serializer/cbor/internal/modes: MaxNestedLevels */
const MAX_NESTING = 64;

export function isCbor(bytes: Uint8Array): boolean {
  return SELF_DESCRIBED.every((byte, index) => bytes[index] === byte);
}

/** A value of JSON, as one self-described item. */
export function encodeCbor(value: unknown): Uint8Array {
  return Buffer.concat([SELF_DESCRIBED, itemOf(value)]);
}

function itemOf(value: unknown): Uint8Array {
  return encode(value, {
    float64: false,
    ignoreUndefinedProperties: true,
    typeEncoders: { string: (text: string) => new Token(Type.bytes, Buffer.from(text, 'utf8')) },
    mapSorter: () => 0,
  });
}

/** Bytes of a list that are handed on at once. */
const CHUNK_BYTES = 256 * 1024;

/** A map whose last member is a list, as one self-described item in chunks. @param count Of the items, which stands before them. */
export function* encodeCborList(head: object, member: string, items: Iterable<unknown>, count: number): Generator<Uint8Array> {
  const members = Object.entries(head).filter(([, value]) => value !== undefined);
  let parts: Uint8Array[] = [SELF_DESCRIBED, headOf(5, members.length + 1)];
  for (const [name, value] of members) parts.push(itemOf(name), itemOf(value));
  parts.push(itemOf(member), headOf(4, count));
  let size = 0;
  for (const item of items) {
    const part = itemOf(item);
    parts.push(part);
    size += part.length;
    if (size < CHUNK_BYTES) continue;
    yield Buffer.concat(parts);
    parts = [];
    size = 0;
  }
  yield Buffer.concat(parts);
}

/** The first bytes of an array (major type 4) or a map (5). */
function headOf(major: number, count: number): Uint8Array {
  const first = major << 5;
  if (count < 24) return Uint8Array.of(first | count);
  const bytes = Buffer.alloc(count < 0x100 ? 2 : count < 0x10000 ? 3 : 5);
  bytes[0] = first | (bytes.length === 2 ? 24 : bytes.length === 3 ? 25 : 26);
  bytes.writeUIntBE(count, 1, bytes.length - 1);
  return bytes;
}

/** The value of JSON that an item stands for. @throws {JsonSyntaxError} If it is no CBOR, or nothing that JSON could say. */
export function decodeCbor(bytes: Uint8Array): unknown {
  const item = isCbor(bytes) ? bytes.subarray(SELF_DESCRIBED.length) : bytes;
  checkNesting(item);
  try {
    const value = decode(item, {
      allowIndefinite: false,
      allowUndefined: false,
      allowNaN: false,
      allowInfinity: false,
      allowBigInt: true,
      rejectDuplicateMapKeys: true,
      useMaps: true,
      tags: { [EXPECT_BASE64]: base64Of },
    });
    return plain(value);
  } catch (error) {
    throw new JsonSyntaxError(`cbor: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

class Base64 {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function base64Of(inner: TagDecodeControl): Base64 {
  const value = inner();
  if (!(value instanceof Uint8Array)) throw new TypeError('tag 22 on what is no byte string');
  return new Base64(Buffer.from(value).toString('base64'));
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return UTF8.decode(value);
  if (value instanceof Base64) return value.text;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'bigint') return Number(value);
  if (!(value instanceof Map)) return value;
  const record: Record<string, unknown> = {};
  for (const [key, inner] of value) {
    const name = typeof key === 'string' ? key : key instanceof Uint8Array ? UTF8.decode(key) : undefined;
    if (name === undefined) throw new TypeError('a key that is no text');
    // The same name as text and as bytes is one name.
    if (Object.hasOwn(record, name)) throw new TypeError(`found repeat map key "${name}"`);
    Object.defineProperty(record, name, { value: plain(inner), enumerable: true, writable: true, configurable: true });
  }
  return record;
}

/**
 * Walks the heads of the items, since cborg recurses: a body of opening brackets would take the stack.
 *
 * @throws {JsonSyntaxError} If containers and tags nest too deep. What else is wrong is for the decoder to say.
 */
function checkNesting(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Items still to come at each level. */
  const open: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const { major, value, next } = headAt(view, at);
    at = next;
    if (major === 2 || major === 3) at += value;
    const items = major === 4 ? value : major === 5 ? value * 2 : major === 6 ? 1 : 0;
    if (items > 0) {
      open.push(items);
      if (open.length > MAX_NESTING) throw new JsonSyntaxError(`cbor: exceeded max nested level ${MAX_NESTING}`);
      continue;
    }
    while (open.length > 0 && --open[open.length - 1]! === 0) open.pop();
    if (open.length === 0) return;
  }
}

interface Head {
  readonly major: number;
  /** Length of a string, count of an array or map; 0 where it says neither. */
  readonly value: number;
  readonly next: number;
}

function headAt(view: DataView, at: number): Head {
  const first = view.getUint8(at);
  const [major, info] = [first >> 5, first & 31];
  if (info < 24) return { major, value: info, next: at + 1 };
  const size = [1, 2, 4, 8][info - 24];
  // Indefinite, reserved or cut off: the decoder refuses it.
  if (size === undefined || at + 1 + size > view.byteLength) return { major: 0, value: 0, next: view.byteLength };
  const value =
    size === 1
      ? view.getUint8(at + 1)
      : size === 2
        ? view.getUint16(at + 1)
        : size === 4
          ? view.getUint32(at + 1)
          : Number(view.getBigUint64(at + 1));
  return { major, value, next: at + 1 + size };
}
