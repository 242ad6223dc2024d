// SPDX-License-Identifier: Apache-2.0
// Lists item by item, in every form but the JSON of cached objects: Tables, lists of metadata, converted and pretty JSON, YAML,
// protobuf and CBOR. The bytes are those that encoding the whole at once would give; in memory is one chunk of them.
import { encodeProtobufList, formatYaml, type StructSchema } from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { Output } from './negotiation.ts';

type Json = Readonly<Record<string, unknown>>;

export interface ListForm {
  /** All but the items; they come last of its members in JSON. */
  readonly head: object;
  readonly member: 'items' | 'rows';
  readonly items: readonly CachedObject[];
  readonly itemOf: (cached: CachedObject) => unknown;
  /** What stands for no items at all. */
  readonly whenEmpty: readonly unknown[] | null;
  /** Undefined where there is no protobuf form. */
  readonly schema: StructSchema | undefined;
}

/** Characters gathered before they are handed on. */
const CHUNK_CHARACTERS = 256 * 1024;
/** YAML takes a tenth of a millisecond for an object of 1 KB. */
const YAML_ITEMS = 32;

/** A list in chunks. An empty chunk lets others have their turn. */
export function encodeByItem(form: ListForm, output: Output): Generator<string | Uint8Array> {
  if (output.mediaType === 'protobuf' && form.schema !== undefined) {
    return encodeProtobufList(form.head as Json, () => objectsOf(form), form.schema);
  }
  const { cbor } = output;
  if (cbor !== undefined && (form.items.length > 0 || form.whenEmpty !== null))
    return cbor.encodeCborList(form.head, form.member, objectsOf(form), form.items.length);
  if (cbor !== undefined) return once(cbor.encodeCbor(emptyOf(form)));
  return output.mediaType === 'yaml' ? yamlChunks(form) : jsonChunks(form, output.pretty);
}

function* once(bytes: Uint8Array): Generator<Uint8Array> {
  yield bytes;
}

function* objectsOf({ items, itemOf }: ListForm): Generator<Json> {
  for (const item of items) yield itemOf(item) as Json;
}

/** What goes before and after the items. @param empty The whole without items. @param place What stands for them in it. */
function* around(empty: string, place: RegExp, items: Generator<string>): Generator<string> {
  const found = place.exec(empty);
  if (found === null) throw new Error(`encode a list: no place for its items in ${JSON.stringify(empty.slice(0, 100))}`);
  yield empty.slice(0, found.index);
  yield* items;
  yield empty.slice(found.index + found[0].length);
}

function emptyOf({ head, member, items, whenEmpty }: ListForm): object {
  return { ...head, [member]: items.length === 0 ? whenEmpty : [] };
}

function* jsonChunks(form: ListForm, pretty: boolean): Generator<string> {
  const empty = `${JSON.stringify(emptyOf(form), undefined, pretty ? 2 : 0)}\n`;
  if (form.items.length === 0) yield empty;
  else yield* around(empty, /\[\](?=\n?\}\n$)/, jsonItems(form, pretty));
}

function* jsonItems({ items, itemOf }: ListForm, pretty: boolean): Generator<string> {
  let chunk = '[';
  let separator = pretty ? '\n    ' : '';
  for (const item of items) {
    chunk += separator + (pretty ? indented(itemOf(item)) : JSON.stringify(itemOf(item)));
    separator = pretty ? ',\n    ' : ',';
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  yield `${chunk}${pretty ? '\n  ]' : ']'}`;
}

/** Line breaks within strings are escaped: these are all between members. */
function indented(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replaceAll('\n', '\n    ');
}

/** Keys are sorted, so the items stand in the middle; lists are not indented, so an item's lines are the same by itself. */
function* yamlChunks(form: ListForm): Generator<string> {
  const empty = formatYaml(emptyOf(form));
  if (form.items.length === 0) yield empty;
  else yield* around(empty, new RegExp(`(?<=^${form.member}:) \\[\\]\\n`, 'm'), yamlItems(form));
}

function* yamlItems({ items, itemOf }: ListForm): Generator<string> {
  yield '\n';
  for (let at = 0; at < items.length; at += YAML_ITEMS) {
    yield formatYaml(items.slice(at, at + YAML_ITEMS).map(itemOf));
    yield ''; // Let others have their turn.
  }
}
