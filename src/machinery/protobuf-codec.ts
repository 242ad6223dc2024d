// SPDX-License-Identifier: Apache-2.0
// Objects in protobuf: the `k8s\0` envelope (runtime.Unknown) around a message laid out by the schema. Writes as upstream's
// generated code does: fields by number, values held by value always, maps by sorted key.

import { setOwn } from './deep-copy.ts';
import { DecodeError, normalize } from './normalize.ts';
import { decodeScalarMessage, type Inner, writeScalarMessage } from './protobuf-scalars.ts';
import { BYTES, FIXED64, ProtobufError, VARINT, WireCounter, WireReader, type WireSink, WireWriter } from './protobuf-wire.ts';
import type { ListSchema, MapSchema, ProtoField, ScalarSchema, Schema, StructSchema } from './schema.ts';

type Json = Record<string, unknown>;

const MAGIC = Buffer.from('k8s\0');
const MAX_DEPTH = 200;

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly raw: Uint8Array;
}

/** Whether bytes start as upstream's protobuf objects do. */
export function isProtobuf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && MAGIC.equals(bytes.subarray(0, 4));
}

/** Opens the envelope. @throws {ProtobufError} */
export function readEnvelope(bytes: Uint8Array): Envelope {
  if (!isProtobuf(bytes)) throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  const fields = new Map<number, Buffer>();
  eachField(bytes.subarray(4), (number, wire, reader) => {
    if (wire === BYTES) fields.set(number, reader.bytes());
    else reader.skip(wire);
  });
  const type = new Map<number, string>();
  eachField(fields.get(1) ?? Buffer.alloc(0), (number, wire, reader) => {
    if (wire === BYTES) type.set(number, reader.bytes().toString());
    else reader.skip(wire);
  });
  return { apiVersion: type.get(1) ?? '', kind: type.get(2) ?? '', raw: fields.get(2) ?? Buffer.alloc(0) };
}

/** Decodes an enveloped object of a known type. @throws {ProtobufError | DecodeError} */
export function decodeProtobuf(bytes: Uint8Array, schema: StructSchema): Json {
  const { apiVersion, kind, raw } = readEnvelope(bytes);
  return normalize({ kind, apiVersion, ...decodeMessage(raw, schema) }, schema);
}

/** An object in its envelope. */
export function encodeProtobuf(object: Readonly<Json>, schema: StructSchema): Buffer {
  const writer = new WireWriter(1024);
  openEnvelope(writer, object);
  const start = writer.open();
  writeMessage(writer, object, schema);
  writer.close(start);
  closeEnvelope(writer);
  return writer.finish();
}

function openEnvelope(writer: WireWriter, object: Readonly<Json>): void {
  writer.raw(MAGIC);
  writer.tag(1, BYTES);
  const type = writer.open();
  writer.tag(1, BYTES);
  writer.string(String(object['apiVersion'] ?? ''));
  writer.tag(2, BYTES);
  writer.string(String(object['kind'] ?? ''));
  writer.close(type);
  writer.tag(2, BYTES);
}

function closeEnvelope(writer: WireWriter): void {
  writer.tag(3, BYTES); // contentEncoding and contentType: always there, empty.
  writer.string('');
  writer.tag(4, BYTES);
  writer.string('');
}

/** Bytes of a list that are handed on at once. */
const CHUNK_BYTES = 256 * 1024;
/** Items that are counted before others get their turn. */
const COUNTED_ITEMS = 1000;

/**
 * A list in its envelope, in chunks: its items are gone through twice, once to count, since the length stands before them.
 *
 * @param head The list without its items. @param items Yields the same each time.
 * @returns Chunks; an empty one stands for a while of counting, so that a reader can let others have their turn.
 * @throws {ProtobufError} If the schema is not that of a list.
 */
export function* encodeProtobufList(head: Readonly<Json>, items: () => Iterable<Readonly<Json>>, schema: StructSchema): Generator<Buffer> {
  const field = schema.protoFields.at(-1);
  if (field?.name !== 'items' || field.schema.kind !== 'list' || field.schema.element.kind !== 'struct')
    throw new ProtobufError(`encode ${schema.name} as a list: its last field is not the items`);
  const { element } = field.schema;
  const counter = new WireCounter();
  writeMessage(counter, head, schema);
  let count = 0;
  for (const item of items()) {
    writeStruct(counter, field.number, item, element);
    count += 1;
    if (count % COUNTED_ITEMS === 0) yield NOTHING;
  }
  let writer = new WireWriter(2 * CHUNK_BYTES);
  openEnvelope(writer, head);
  writer.varint(counter.length);
  writeMessage(writer, head, schema);
  for (const item of items()) {
    writeStruct(writer, field.number, item, element);
    if (writer.length < CHUNK_BYTES) continue;
    yield writer.finish();
    writer = new WireWriter(2 * CHUNK_BYTES);
  }
  closeEnvelope(writer);
  yield writer.finish();
}

const NOTHING = Buffer.alloc(0);

function eachField(bytes: Uint8Array, take: (number: number, wire: number, reader: WireReader) => void): void {
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    take(number, wire, reader);
  }
}

/** A message without envelope, as nested ones are. */
export function decodeMessage(bytes: Uint8Array, schema: StructSchema, depth = 0): Json {
  if (depth > MAX_DEPTH) throw new DecodeError('exceeded max depth');
  const result: Json = {};
  eachField(bytes, (number, wire, reader) => {
    const field = schema.protoFields.find((candidate) => candidate.number === number);
    if (field === undefined) reader.skip(wire);
    else readField(result, field, schema, { wire, reader, depth });
  });
  return result;
}

interface Reading {
  readonly wire: number;
  readonly reader: WireReader;
  readonly depth: number;
}

function readField(result: Json, field: ProtoField, parent: StructSchema, reading: Reading): void {
  const { schema, name } = field;
  if (name === undefined) {
    if (schema.kind === 'struct') Object.assign(result, decodeMessage(expectBytes(reading), schema, reading.depth + 1));
  } else if (schema.kind === 'list' && schema.name === undefined) {
    const list = (result[name] ?? []) as unknown[];
    result[name] = list;
    readItems(list, schema, parent, reading);
  } else if (schema.kind === 'map') {
    const map = (result[name] ?? {}) as Json;
    result[name] = map;
    readEntry(map, schema, parent, reading);
  } else result[name] = readValue(schema, parent, reading);
}

function expectBytes({ wire, reader }: Reading): Buffer {
  if (wire !== BYTES) throw new ProtobufError(`proto: wrong wireType = ${wire} for field`);
  return reader.bytes();
}

function readItems(list: unknown[], schema: ListSchema, parent: StructSchema, reading: Reading): void {
  const { element } = schema;
  if (reading.wire !== BYTES || !isNumeric(element)) {
    list.push(readValue(element, parent, reading));
    return;
  }
  const packed = new WireReader(reading.reader.bytes());
  while (!packed.done)
    list.push(readValue(element, parent, { ...reading, wire: element.kind === 'float64' ? FIXED64 : VARINT, reader: packed }));
}

function isNumeric(schema: Schema): boolean {
  return schema.kind === 'int32' || schema.kind === 'int64' || schema.kind === 'float64' || schema.kind === 'boolean';
}

function readEntry(map: Json, schema: MapSchema, parent: StructSchema, reading: Reading): void {
  let key = '';
  let value: unknown;
  eachField(expectBytes(reading), (number, wire, reader) => {
    if (number === 1 && wire === BYTES) key = reader.bytes().toString();
    else if (number === 2) value = readValue(schema.value, parent, { wire, reader, depth: reading.depth + 1 });
    else reader.skip(wire);
  });
  setOwn(map, key, value ?? null);
}

function readValue(schema: Schema, parent: StructSchema, reading: Reading): unknown {
  const { wire, reader, depth } = reading;
  switch (schema.kind) {
    case 'boolean':
    case 'int32':
    case 'int64': {
      if (wire !== VARINT) throw new ProtobufError(`proto: wrong wireType = ${wire} for field`);
      const value = reader.varint();
      return schema.kind === 'boolean' ? value !== 0 : value;
    }
    case 'float64':
      if (wire !== FIXED64) throw new ProtobufError(`proto: wrong wireType = ${wire} for field`);
      return reader.double();
    case 'string':
      return expectBytes(reading).toString();
    case 'bytes':
      return expectBytes(reading).toString('base64');
    case 'struct':
      return decodeMessage(expectBytes(reading), schema, depth + 1);
    case 'list':
      return readWrappedList(schema, parent, reading);
    case 'map':
      throw new ProtobufError('proto: a map cannot be a value');
    default:
      return decodeScalarMessage(schema, expectBytes(reading), innerOf(parent, depth));
  }
}

/** A list type with a name of its own is a message whose first field repeats. */
function readWrappedList(schema: ListSchema, parent: StructSchema, reading: Reading): unknown[] {
  const items: unknown[] = [];
  eachField(expectBytes(reading), (number, wire, reader) => {
    if (number === 1) readItems(items, schema, parent, { wire, reader, depth: reading.depth + 1 });
    else reader.skip(wire);
  });
  return items;
}

function innerOf(parent: StructSchema, depth: number): Inner {
  return {
    write: (sink, value) => writeMessage(sink, value as Json, parent),
    decode: (bytes) => decodeMessage(bytes, parent, depth + 1),
  };
}

/** A message without envelope. */
export function encodeMessage(object: Readonly<Json>, schema: StructSchema): Buffer {
  const writer = new WireWriter();
  writeMessage(writer, object, schema);
  return writer.finish();
}

function writeMessage(writer: WireSink, object: Readonly<Json>, schema: StructSchema): void {
  for (const field of schema.protoFields) {
    if (field.name === undefined) writeStruct(writer, field.number, object, field.schema as StructSchema);
    else writeField(writer, field, Object.hasOwn(object, field.name) ? object[field.name] : undefined, schema);
  }
}

function writeStruct(writer: WireSink, number: number, object: Readonly<Json>, schema: StructSchema): void {
  writer.tag(number, BYTES);
  const start = writer.open();
  writeMessage(writer, object, schema);
  writer.close(start);
}

function writeField(writer: WireSink, { number, schema, pointer }: ProtoField, value: unknown, parent: StructSchema): void {
  const absent = value === undefined || value === null;
  if (schema.kind === 'list' && schema.name === undefined) {
    if (!absent) for (const item of value as unknown[]) writeValue(writer, number, schema.element, item, parent);
  } else if (schema.kind === 'map') {
    if (!absent) writeMap(writer, number, schema, value as Json, parent);
  } else if (!absent) writeValue(writer, number, schema, value, parent);
  else if (!pointer) writeZero(writer, number, schema, parent);
}

/** What is held by value is written even when it is zero; undefined where nothing is. */
const ZEROS: Readonly<Partial<Record<Schema['kind'], unknown>>> = {
  string: '',
  boolean: false,
  int32: 0,
  int64: 0,
  float64: 0,
  struct: {},
  quantity: '0',
  duration: '0s',
  time: null,
  microTime: null,
  intOrString: null,
  rawExtension: null,
};

function writeZero(writer: WireSink, number: number, schema: Schema, parent: StructSchema): void {
  const zero = ZEROS[schema.kind];
  if (zero !== undefined) writeValue(writer, number, schema, zero, parent);
}

function writeMap(writer: WireSink, number: number, schema: MapSchema, map: Json, parent: StructSchema): void {
  for (const key of Object.keys(map).sort()) {
    writer.tag(number, BYTES);
    const start = writer.open();
    writer.tag(1, BYTES);
    writer.string(key);
    writeValue(writer, 2, schema.value, map[key], parent);
    writer.close(start);
  }
}

function writeValue(writer: WireSink, number: number, schema: Schema, value: unknown, parent: StructSchema): void {
  switch (schema.kind) {
    case 'boolean':
    case 'int32':
    case 'int64':
      writer.tag(number, VARINT);
      writer.varint(Number(value));
      break;
    case 'float64':
      writer.tag(number, FIXED64);
      writer.double(Number(value));
      break;
    case 'string':
      writer.tag(number, BYTES);
      writer.string(String(value));
      break;
    case 'bytes':
      writer.tag(number, BYTES);
      writer.bytes(Buffer.from(String(value ?? ''), 'base64'));
      break;
    default: {
      writer.tag(number, BYTES);
      const start = writer.open();
      writeInner(writer, schema, value, parent);
      writer.close(start);
    }
  }
}

function writeInner(writer: WireSink, schema: Schema, value: unknown, parent: StructSchema): void {
  switch (schema.kind) {
    case 'struct':
      writeMessage(writer, (value ?? {}) as Json, schema);
      break;
    case 'list':
      for (const item of (value ?? []) as unknown[]) writeValue(writer, 1, schema.element, item, parent);
      break;
    case 'map':
      throw new ProtobufError('proto: a map cannot be a value');
    default:
      writeScalarMessage(writer, schema as ScalarSchema, value, innerOf(parent, 0));
  }
}
