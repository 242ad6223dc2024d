// SPDX-License-Identifier: Apache-2.0
// Turns results into bytes. JSON of cached objects is joined from parts made once; other forms (YAML, protobuf, Table) are made per
// request. Lists are written in chunks and never built whole, in no form.

import { findSchema, schemaOfType } from '#api';
import { type DeepReadonly, encodeProtobuf, formatYaml, type StructSchema } from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import { tailOf } from '../cacher/cached-object.ts';
import { inServedVersion, type ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { ListResult, ObjectResult, WatchFrame, WatchResult } from '../request/context.ts';
import { encodeByItem, type ListForm } from './list-form.ts';
import { contentTypeOf, JSON_OUTPUT, type Output } from './negotiation.ts';
import { type IncludeObject, includeObjectOf, listMeta, partialMetadata, rowOf, type TableMeta, tableOf } from './table.ts';

export interface Encoded {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

/** Characters of a list gathered before they are handed on. */
const CHUNK_CHARACTERS = 256 * 1024;

export function encodeObject(result: ObjectResult, query: URLSearchParams, now: number): Encoded {
  const output = result.output ?? JSON_OUTPUT;
  const { served, cached } = result;
  const contentType = contentTypeOf(output);
  if (served !== undefined && cached !== undefined) {
    if (output.transform === undefined && output.mediaType === 'json' && !output.pretty && served.convert === undefined) {
      return { contentType, body: served.head + cached.tail };
    }
    return { contentType, body: encodeValue(transformed(served, cached.object, output, query, now), output, schemaFor(served, output)) };
  }
  if (served !== undefined && output.transform !== undefined) {
    const object = result.object as DeepReadonly<MutableObject>;
    return { contentType, body: encodeValue(transformed(served, object, output, query, now), output, schemaFor(served, output)) };
  }
  return { contentType, body: encodeValue(result.object, output, schemaOfValue(result.object)) };
}

function schemaFor(served: ServedResource, output: Output): StructSchema | undefined {
  return output.transform === undefined ? served.schema : metaSchema(output.transform);
}

/** Types of `meta.k8s.io` are of no kind of the API. */
function metaSchema(kind: string): StructSchema {
  return schemaOfType(`io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`) as StructSchema;
}

function transformed(
  served: ServedResource,
  object: DeepReadonly<MutableObject>,
  output: Output,
  query: URLSearchParams,
  now: number,
): unknown {
  if (output.transform === 'Table') {
    const meta = { resourceVersion: object.metadata.resourceVersion ?? '' };
    return tableOf(served, [object], meta, { include: includeObjectOf(query), now, withColumns: true, version: output.transformVersion });
  }
  if (output.transform === 'PartialObjectMetadata') return partialMetadata(served, object, output.transformVersion);
  const whole = inServedVersion(served, object);
  // To be read by people: what it is comes first.
  return output.pretty ? kindFirst(served, whole) : withKind(served, whole);
}

function withKind(served: ServedResource, object: DeepReadonly<MutableObject>): DeepReadonly<MutableObject> {
  if (object.kind === served.resource.kind && object.apiVersion === served.apiVersion) return object;
  return kindFirst(served, object);
}

function kindFirst(served: ServedResource, object: DeepReadonly<MutableObject>): DeepReadonly<MutableObject> {
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return { kind: served.resource.kind, apiVersion: served.apiVersion, ...rest } as DeepReadonly<MutableObject>;
}

/** The schema of Status and other values that come without a served resource. */
function schemaOfValue(value: unknown): StructSchema | undefined {
  const { kind, apiVersion } = value as { kind?: string; apiVersion?: string };
  if (kind === undefined) return undefined;
  if (kind === 'PartialObjectMetadata') return metaSchema(kind);
  if (kind === 'APIGroupDiscoveryList') return schemaOfType('io.k8s.api.apidiscovery.v2.APIGroupDiscoveryList') as StructSchema;
  if (kind === 'Status' || kind === 'APIVersions' || kind === 'APIResourceList') return metaSchema(kind); // Some do not say their version.
  const [group = '', version = ''] = apiVersion?.includes('/') ? apiVersion.split('/') : ['', apiVersion ?? ''];
  return findSchema({ group, version, kind });
}

export function encodeValue(value: unknown, output: Output, schema: StructSchema | undefined): string | Uint8Array {
  if (output.mediaType === 'yaml') return formatYaml(value);
  if (output.cbor !== undefined) return output.cbor.encodeCbor(value);
  if (output.mediaType === 'protobuf' && schema !== undefined) return encodeProtobuf(value as MutableObject, schema);
  return output.pretty ? `${JSON.stringify(value, undefined, 2)}\n` : `${JSON.stringify(value)}\n`;
}

/** A list in chunks. An empty chunk lets others have their turn: see `encodeProtobufList`. */
export function* encodeList(result: ListResult, now: number): Generator<string | Uint8Array> {
  const { served, output, items } = result;
  if (output.mediaType === 'json' && output.transform === undefined && !output.pretty) {
    yield `${served.listHead}${JSON.stringify(ownListMeta(served, metaOf(result)))},"items":[`;
    yield* itemBytes(served, items);
    return;
  }
  yield* encodeByItem(listFormOf(result, now), output);
}

function metaOf(result: ListResult): TableMeta {
  return { resourceVersion: result.resourceVersion, continue: result.continue, remainingItemCount: result.remainingItemCount };
}

function listFormOf(result: ListResult, now: number): ListForm {
  const { served, output, items, query } = result;
  const meta = metaOf(result);
  if (output.transform === 'Table') {
    const row = { include: includeObjectOf(query), now, version: output.transformVersion };
    const { rows: _rows, ...head } = tableOf(served, [], meta, { ...row, withColumns: true });
    const { order } = served.table;
    const ordered = order === undefined ? items : [...items].sort((a, b) => order(a.object, b.object));
    return { head, member: 'rows', items: ordered, itemOf: ({ object }) => rowOf(served, object, row), whenEmpty: [], schema: undefined };
  }
  if (output.transform === 'PartialObjectMetadataList') {
    const version = output.transformVersion;
    const head = { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${version ?? 'v1'}`, metadata: listMeta(meta) };
    const itemOf = ({ object }: CachedObject) => partialMetadata(served, object, version);
    return { head, member: 'items', items, itemOf, whenEmpty: null, schema: metaSchema('PartialObjectMetadataList') };
  }
  const head = { kind: served.listKind, apiVersion: served.apiVersion, metadata: ownListMeta(served, meta) };
  return { head, member: 'items', items, itemOf: (item) => itemOf(served, item), whenEmpty: [], schema: schemaOfValue(head) };
}

/** Lists of custom resources say that nothing follows. */
function ownListMeta(served: ServedResource, meta: TableMeta): object {
  return served.itemsHaveKind ? { continue: '', ...listMeta(meta) } : listMeta(meta);
}

interface ListBytes {
  readonly served: ServedResource;
  /** Undefined: asked for once only, or too large to keep. */
  readonly chunks: readonly Buffer[] | undefined;
}

/** The most that is kept of a list, and of the JSON that a list or watch makes of the objects in it. */
const KEPT_BYTES = 16 * 1024 * 1024;
/**
 * The bytes of lists that were asked for twice without a change between. The cache hands out the same array until an object
 * changes, so a list's bytes go with its array. Of a bare server's rate a LIST of 6 MB has 1.2 with them, 0.67 without.
 */
const listBytes = new WeakMap<readonly CachedObject[], ListBytes>();

/** What follows `"items":[`. */
function* itemBytes(served: ServedResource, items: readonly CachedObject[]): Generator<string | Uint8Array> {
  const known = listBytes.get(items);
  if (known?.served === served && known.chunks !== undefined) return yield* known.chunks;
  if (known?.served !== served || items.length < 2) {
    listBytes.set(items, { served, chunks: undefined });
    return yield* jsonItems(served, items);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for (const text of jsonItems(served, items)) {
    const chunk = Buffer.from(text);
    size += chunk.length;
    if (size <= KEPT_BYTES) chunks.push(chunk);
    yield chunk;
  }
  if (size <= KEPT_BYTES) listBytes.set(items, { served, chunks });
}

function* jsonItems(served: ServedResource, items: readonly CachedObject[]): Generator<string> {
  let chunk = '';
  let separator = '';
  let given = 0;
  const itemHead = served.itemsHaveKind ? served.head : '{';
  for (const item of items) {
    chunk += separator + itemHead + tailIn(served, item, given < KEPT_BYTES);
    separator = ',';
    if (chunk.length > CHUNK_CHARACTERS) {
      given += chunk.length;
      yield chunk;
      chunk = '';
    }
  }
  yield `${chunk}]}\n`;
}

/** @param keep Whether JSON that had to be made stays with the object: what comes late in a large list is made for it alone. */
function tailIn(served: ServedResource, cached: CachedObject, keep: boolean): string {
  if (served.convert !== undefined) return tailOf(served.convert.fromStorage(cached.object));
  return keep ? cached.tail : cached.tailOnce();
}

function itemOf(served: ServedResource, cached: CachedObject): unknown {
  const object = inServedVersion(served, cached.object);
  if (served.itemsHaveKind) return object;
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return rest;
}

/** Makes the frames of one watch: newline-delimited JSON, length-prefixed protobuf, or one CBOR item after the other. */
export function frameEncoder(result: WatchResult, now: () => number): (frame: WatchFrame) => string | Uint8Array {
  const { served, output } = result;
  if (output.mediaType === 'protobuf') return (frame) => protobufFrame(frame, served, output);
  const include = output.transform === 'Table' ? includeObjectOf(result.query) : 'None';
  const state = { first: true };
  const { cbor } = output;
  if (cbor !== undefined)
    return (frame) => cbor.encodeCbor({ type: frame.type, object: frameObject(frame, result, include, now(), state) });
  let given = 0;
  return (frame) => {
    if (frame.cached !== undefined && output.transform === undefined) {
      const before = `{"type":"${frame.type}","object":${served.head}`;
      if (served.convert === undefined && frame.alone !== true) return frame.cached.frame(before);
      const text = `${before}${tailIn(served, frame.cached, given < KEPT_BYTES)}}\n`;
      given += text.length;
      return text;
    }
    return `${JSON.stringify({ type: frame.type, object: frameObject(frame, result, include, now(), state) })}\n`;
  };
}

function frameObject(
  frame: WatchFrame,
  { served, output }: WatchResult,
  include: IncludeObject,
  now: number,
  state: { first: boolean },
): unknown {
  if (frame.type === 'ERROR') return frame.object;
  const object = frame.cached?.object ?? (frame.object as MutableObject);
  if (output.transform === 'PartialObjectMetadata') return partialMetadata(served, object, output.transformVersion);
  if (output.transform !== 'Table') return withKind(served, inServedVersion(served, object));
  const meta = { resourceVersion: object.metadata.resourceVersion ?? '' };
  const withColumns = state.first;
  state.first = false;
  return tableOf(served, [object], meta, { include, now, withColumns, version: output.transformVersion });
}

function protobufFrame(frame: WatchFrame, served: ServedResource, output: Output): Uint8Array {
  const plain = frame.cached !== undefined ? inServedVersion(served, frame.cached.object) : (frame.object as MutableObject);
  const object =
    output.transform === 'PartialObjectMetadata' && frame.type !== 'ERROR'
      ? (partialMetadata(served, plain, output.transformVersion) as MutableObject)
      : plain;
  const schema = frame.type === 'ERROR' || output.transform !== undefined ? schemaOfValue(object) : served.schema;
  const raw = Buffer.from(encodeValue(object, output, schema));
  const body = Buffer.concat([protobufField(1, Buffer.from(frame.type)), protobufField(2, protobufField(1, raw))]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** A length-delimited field of the WatchEvent message, whose object is a RawExtension. */
function protobufField(number: number, value: Buffer): Buffer {
  const size: number[] = [];
  for (let rest = value.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      size.push(rest);
      break;
    }
    size.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), value]);
}
