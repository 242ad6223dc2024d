// SPDX-License-Identifier: Apache-2.0
// The wire format of protobuf: varints, fixed numbers and length-delimited bytes. A writer that grows, a counter that only says
// how much would be written, a reader that checks bounds.

/** Thrown when bytes are no protobuf message of the expected kind. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

/** Where messages are written. Nested ones go in place, between `open` and `close`; nothing is copied out of a buffer of its own. */
export interface WireSink {
  tag(number: number, wire: number): void;
  /** An integer; a negative one takes ten bytes, as two's complement of 64 bits. */
  varint(value: number): void;
  double(value: number): void;
  string(text: string): void;
  bytes(bytes: Uint8Array): void;
  /** Begins what is preceded by its length. @returns What `close` takes. */
  open(): number;
  close(start: number): void;
}

export class WireWriter implements WireSink {
  #buffer: Buffer;
  #length: number;

  constructor(sizeBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(sizeBytes);
    this.#length = 0;
  }

  tag(number: number, wire: number): void {
    this.varint(number * 8 + wire);
  }

  varint(value: number): void {
    this.#reserve(10);
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) {
      this.#varint64(BigInt.asUintN(64, BigInt(Math.trunc(value))));
      return;
    }
    let rest = value;
    while (rest > 127) {
      this.#buffer[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  #varint64(value: bigint): void {
    let rest = value;
    while (rest > 127n) {
      this.#buffer[this.#length++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  string(text: string): void {
    const size = Buffer.byteLength(text);
    this.varint(size);
    this.#reserve(size);
    this.#length += this.#buffer.write(text, this.#length);
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  open(): number {
    this.#reserve(1);
    this.#length += 1; // Most lengths take one byte; what is longer is moved.
    return this.#length;
  }

  close(start: number): void {
    const size = this.#length - start;
    const more = varintSize(size) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#buffer.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.varint(size);
    this.#length += size;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** The message so far; later writes do not change it. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    const next = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + size));
    this.#buffer.copy(next, 0, 0, this.#length);
    this.#buffer = next;
  }
}

/** How many bytes a `WireWriter` would have. */
export class WireCounter implements WireSink {
  #length = 0;

  get length(): number {
    return this.#length;
  }

  tag(number: number, wire: number): void {
    this.varint(number * 8 + wire);
  }

  varint(value: number): void {
    this.#length += varintSize(value);
  }

  double(): void {
    this.#length += 8;
  }

  string(text: string): void {
    this.#delimited(Buffer.byteLength(text));
  }

  bytes(bytes: Uint8Array): void {
    this.#delimited(bytes.length);
  }

  open(): number {
    return this.#length;
  }

  close(start: number): void {
    this.varint(this.#length - start);
  }

  #delimited(size: number): void {
    this.#length += varintSize(size) + size;
  }
}

function varintSize(value: number): number {
  if (value < 0) return 10;
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

export class WireReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
  }

  get done(): boolean {
    return this.#at >= this.#buffer.length;
  }

  tag(): { number: number; wire: number } {
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    if (number <= 0) throw new ProtobufError(`proto: illegal tag ${number} (wire type ${tag % 8})`);
    return { number, wire: tag % 8 };
  }

  /** An integer of up to 64 bits, signed; exact within the safe integers. */
  varint(): number {
    let low = 0;
    let factor = 1;
    for (let count = 0; count < 7; count++) {
      const byte = this.#byte();
      low += (byte & 127) * factor;
      if (byte < 128) return low;
      factor *= 128;
    }
    let wide = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      wide |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, wide));
    }
    throw new ProtobufError('proto: integer overflow');
  }

  double(): number {
    this.#need(8);
    this.#at += 8;
    return this.#buffer.readDoubleLE(this.#at - 8);
  }

  bytes(): Buffer {
    const size = this.varint();
    if (size < 0) throw new ProtobufError('proto: negative length found during unmarshaling');
    this.#need(size);
    this.#at += size;
    return this.#buffer.subarray(this.#at - size, this.#at);
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.double();
    else if (wire === BYTES) this.bytes();
    else if (wire === FIXED32) {
      this.#need(4);
      this.#at += 4;
    } else throw new ProtobufError(`proto: illegal wireType ${wire}`);
  }

  #byte(): number {
    this.#need(1);
    const byte = this.#buffer[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }

  #need(size: number): void {
    if (this.#at + size > this.#buffer.length) throw new ProtobufError('unexpected EOF');
  }
}
