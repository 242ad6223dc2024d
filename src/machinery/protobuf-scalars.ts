// SPDX-License-Identifier: Apache-2.0
// The types that are one value in JSON and a message in protobuf: times, quantities, IntOrString, raw JSON, and the "or" types of
// CRD schemas.
import { BYTES, ProtobufError, VARINT, WireReader, type WireSink } from './protobuf-wire.ts';
import type { ScalarSchema } from './schema.ts';
import { formatSeconds, parseTime } from './time.ts';

/** Encodes the struct that an "or" type may hold: it refers back to `JSONSchemaProps`. */
export interface Inner {
  write(sink: WireSink, value: unknown): void;
  decode(bytes: Uint8Array): unknown;
}

export function writeScalarMessage(writer: WireSink, schema: ScalarSchema, value: unknown, inner: Inner): void {
  switch (schema.kind) {
    case 'time':
    case 'microTime':
      writeTime(writer, value);
      break;
    case 'quantity':
      text(writer, 1, String(value));
      break;
    case 'intOrString':
      writeIntOrString(writer, value);
      break;
    case 'duration':
      writer.tag(1, VARINT);
      writer.varint(durationNanos(String(value)));
      break;
    case 'rawExtension':
    case 'fieldsV1':
      if (value !== null && value !== undefined) text(writer, 1, JSON.stringify(value));
      break;
    default:
      writeAny(writer, schema.name, value, inner);
  }
}

export function decodeScalarMessage(schema: ScalarSchema, bytes: Uint8Array, inner: Inner): unknown {
  switch (schema.kind) {
    case 'time':
    case 'microTime':
      return readTime(bytes, schema.kind === 'microTime');
    case 'quantity':
      return fieldsOf(bytes).get(1)?.[0]?.toString() ?? '0';
    case 'intOrString':
      return readIntOrString(bytes);
    case 'duration':
      return `${Number(fieldsOf(bytes).get(1)?.[0] ?? 0) / 1e9}s`;
    case 'rawExtension':
    case 'fieldsV1':
      return readRaw(bytes);
    default:
      return readAny(schema.name, bytes, inner);
  }
}

function text(writer: WireSink, number: number, value: string): void {
  writer.tag(number, BYTES);
  writer.string(value);
}

/** All fields of a small message: numbers, or bytes. */
function fieldsOf(bytes: Uint8Array): Map<number, (number | Buffer)[]> {
  const fields = new Map<number, (number | Buffer)[]>();
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (wire !== VARINT && wire !== BYTES) {
      reader.skip(wire);
      continue;
    }
    const value = wire === VARINT ? reader.varint() : reader.bytes();
    const known = fields.get(number);
    if (known === undefined) fields.set(number, [value]);
    else known.push(value);
  }
  return fields;
}

function writeTime(writer: WireSink, value: unknown): void {
  if (typeof value !== 'string' || value === '') return; // The zero time is an empty message.
  const { seconds, nanos } = parseTime(value);
  writer.tag(1, VARINT);
  writer.varint(seconds);
  writer.tag(2, VARINT);
  writer.varint(nanos);
}

function readTime(bytes: Uint8Array, micro: boolean): string | null {
  if (bytes.length === 0) return null;
  const fields = fieldsOf(bytes);
  const seconds = Number(fields.get(1)?.[0] ?? 0);
  if (!Number.isSafeInteger(seconds) || Math.abs(seconds) > 253_402_300_799) throw new ProtobufError(`time out of range: ${seconds}`);
  const micros = Math.floor(Number(fields.get(2)?.[0] ?? 0) / 1000);
  return formatSeconds(seconds, micro ? `.${String(micros).padStart(6, '0')}` : '');
}

function writeIntOrString(writer: WireSink, value: unknown): void {
  const isText = typeof value === 'string';
  writer.tag(1, VARINT);
  writer.varint(isText ? 1 : 0);
  writer.tag(2, VARINT);
  writer.varint(isText ? 0 : Number(value ?? 0));
  text(writer, 3, isText ? value : '');
}

function readIntOrString(bytes: Uint8Array): number | string {
  const fields = fieldsOf(bytes);
  if (Number(fields.get(1)?.[0] ?? 0) === 1) return fields.get(3)?.[0]?.toString() ?? '';
  return Number(fields.get(2)?.[0] ?? 0);
}

function readRaw(bytes: Uint8Array): unknown {
  const raw = fieldsOf(bytes).get(1)?.[0];
  if (raw === undefined || typeof raw === 'number' || raw.length === 0) return null;
  try {
    return JSON.parse(raw.toString());
  } catch (error) {
    throw new ProtobufError('embedded object is no JSON', { cause: error });
  }
}

const UNITS: Readonly<Record<string, number>> = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, ns: 1 };

function durationNanos(value: string): number {
  let nanos = 0;
  for (const match of value.matchAll(/([\d.]+)(h|ms|us|µs|ns|m|s)/g)) nanos += Number(match[1]) * (UNITS[match[2] ?? ''] ?? 0);
  return value.startsWith('-') ? -nanos : nanos;
}

function writeAny(writer: WireSink, name: string, value: unknown, inner: Inner): void {
  if (name.endsWith('JSONSchemaPropsOrArray') || name.endsWith('JSONSchemaPropsOrStringArray')) {
    const isText = Array.isArray(value) && name.endsWith('OrStringArray');
    if (!Array.isArray(value)) {
      nested(writer, 1, value, inner);
    } else
      for (const item of value) {
        if (isText) text(writer, 2, String(item));
        else nested(writer, 2, item, inner);
      }
  } else if (name.endsWith('JSONSchemaPropsOrBool')) {
    writer.tag(1, VARINT);
    writer.varint(value === false ? 0 : 1);
    if (typeof value !== 'boolean') {
      nested(writer, 2, value, inner);
    }
  } else text(writer, 1, JSON.stringify(value));
}

function nested(writer: WireSink, number: number, value: unknown, inner: Inner): void {
  writer.tag(number, BYTES);
  const start = writer.open();
  inner.write(writer, value);
  writer.close(start);
}

function readAny(name: string, bytes: Uint8Array, inner: Inner): unknown {
  const fields = fieldsOf(bytes);
  const nested = (number: number) => (fields.get(number) ?? []).filter((value) => typeof value !== 'number');
  if (name.endsWith('JSONSchemaPropsOrArray') || name.endsWith('JSONSchemaPropsOrStringArray')) {
    const [schema] = nested(1);
    if (schema !== undefined) return inner.decode(schema);
    return nested(2).map((item) => (name.endsWith('OrStringArray') ? item.toString() : inner.decode(item)));
  }
  if (name.endsWith('JSONSchemaPropsOrBool')) {
    const [schema] = nested(2);
    return schema === undefined ? Number(fields.get(1)?.[0] ?? 0) === 1 : inner.decode(schema);
  }
  return readRaw(bytes);
}
