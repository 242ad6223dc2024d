// SPDX-License-Identifier: Apache-2.0
// The metadata of custom objects and of objects embedded in them: brought into the form of the built-in type, and checked.
// @source upstream apiextensions-apiserver pkg/apiserver/schema/objectmeta
import { schemaOfType, validateObjectMeta } from '#api';
import {
  checkDns1035Label,
  DecodeError,
  type FieldCause,
  FieldPath,
  invalidValue,
  normalize,
  normalizeNoting,
  type ObjectMeta,
  parseApiVersion,
  required,
  type StructSchema,
} from '#machinery';
import { inOrder } from './in-order.ts';
import { isEmbedded, isRecord, itemSchema, type Json, memberSchema, type SchemaProps } from './schema-props.ts';

export const OBJECT_META = schemaOfType('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta') as StructSchema;

export interface MetaOptions {
  /** Malformed members are left out in place of an error: what is stored must stay readable. */
  readonly dropMalformed: boolean;
  /** Collects paths of what the type does not have: `metadata.odd`. */
  readonly unknown?: string[] | undefined;
}

/** Thrown when a part of an embedded object is of a wrong type: where, what it is, and why it cannot be. */
export class EmbeddedError extends DecodeError {
  readonly place: string;
  readonly value: unknown;
  readonly why: string;

  constructor(place: string, value: unknown, why: string, options?: ErrorOptions) {
    const at = place.startsWith('.') ? place.slice(1) : place;
    super(`${at}: Invalid value: ${JSON.stringify(inOrder(value))}: ${why}`, options);
    this.place = at;
    this.value = inOrder(value);
    this.why = why;
  }
}

/** Metadata in printed form. @throws {DecodeError} */
export function coerceMeta(value: unknown, path: string, { dropMalformed, unknown }: MetaOptions): Json {
  const found: string[] = [];
  try {
    const result = normalizeNoting(value, OBJECT_META, unknown === undefined ? undefined : found);
    for (const field of found) unknown?.push(`${path}.${field}`);
    return result;
  } catch (error) {
    if (!dropMalformed || !(error instanceof DecodeError)) throw error;
    return isRecord(value) ? wellFormed(value) : {};
  }
}

function wellFormed(meta: Json): Json {
  const result: Json = {};
  for (const [name, value] of Object.entries(meta)) {
    try {
      Object.assign(result, normalize({ [name]: value }, OBJECT_META));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
  return result;
}

/** Brings the metadata of embedded objects into form, in place. @throws {EmbeddedError} */
export function coerceEmbedded(value: unknown, schema: SchemaProps, path: string, options: MetaOptions): void {
  if (!hasEmbedded(schema)) return;
  if (Array.isArray(value)) {
    const items = itemSchema(schema);
    if (items !== undefined) for (const [index, item] of value.entries()) coerceEmbedded(item, items, `${path}[${index}]`, options);
    return;
  }
  if (!isRecord(value)) return;
  if (isEmbedded(schema)) coerceResource(value, path, options);
  for (const name of Object.keys(value)) {
    const inner = memberSchema(schema, name);
    if (inner !== undefined) coerceEmbedded(value[name], inner, path === '' ? name : `${path}.${name}`, options);
  }
}

function coerceResource(resource: Json, path: string, options: MetaOptions): void {
  for (const name of ['apiVersion', 'kind']) {
    const value = resource[name];
    if (value === undefined || typeof value === 'string') continue;
    if (!options.dropMalformed) throw new EmbeddedError(`${path}.${name}`, value, 'must be a string');
    delete resource[name];
  }
  const { metadata } = resource;
  if (metadata === undefined) return;
  try {
    resource['metadata'] = coerceMeta(metadata, `${path}.metadata`, options);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new EmbeddedError(`${path}.metadata`, metadata, error.message, { cause: error });
  }
}

const embedding = new WeakMap<SchemaProps, boolean>();

function hasEmbedded(schema: SchemaProps): boolean {
  let known = embedding.get(schema);
  if (known === undefined) {
    const additional = schema.additionalProperties;
    const inner = [
      ...Object.values(schema.properties ?? {}),
      itemSchema(schema),
      isRecord(additional) ? (additional as SchemaProps) : undefined,
    ];
    known = isEmbedded(schema) || inner.some((one) => one !== undefined && hasEmbedded(one));
    embedding.set(schema, known);
  }
  return known;
}

/** What is wrong with embedded objects: each needs a kind, a version and proper metadata. */
export function embeddedCauses(value: unknown, schema: SchemaProps, path: FieldPath = new FieldPath()): FieldCause[] {
  if (!hasEmbedded(schema)) return [];
  if (Array.isArray(value)) {
    const items = itemSchema(schema);
    return items === undefined ? [] : value.flatMap((item, index) => embeddedCauses(item, items, path.index(index)));
  }
  if (!isRecord(value)) return [];
  const own = isEmbedded(schema) ? resourceCauses(value, path) : [];
  const below = Object.keys(value).flatMap((name) => {
    const inner = memberSchema(schema, name);
    const at = Object.hasOwn(schema.properties ?? {}, name) ? path.child(name) : path.key(name);
    return inner === undefined ? [] : embeddedCauses(value[name], inner, at);
  });
  return [...own, ...below];
}

function resourceCauses(resource: Json, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const { apiVersion, kind, metadata } = resource;
  if (apiVersion === undefined) causes.push(required(path.child('apiVersion')));
  if (kind === undefined) causes.push(required(path.child('kind')));
  if (apiVersion !== undefined) causes.push(...versionCauses(apiVersion, path.child('apiVersion')));
  if (kind !== undefined) causes.push(...kindCauses(kind, path.child('kind')));
  // Not yet in form where the object is refused for something else, too.
  if (isRecord(metadata)) {
    const meta = coerceMeta(metadata, String(path), { dropMalformed: true }) as unknown as ObjectMeta;
    causes.push(...metaCauses(meta, path.child('metadata')));
  }
  return causes;
}

function kindCauses(kind: unknown, path: FieldPath): FieldCause[] {
  if (typeof kind !== 'string') return [invalidValue(path, inOrder(kind), 'must be a string')];
  if (kind === '') return [invalidValue(path, kind, 'must not be empty')];
  const problems = checkDns1035Label(kind.toLowerCase());
  return problems.length === 0 ? [] : [invalidValue(path, kind, `may have mixed case, but should otherwise match: ${problems.join(',')}`)];
}

function versionCauses(apiVersion: unknown, path: FieldPath): FieldCause[] {
  if (typeof apiVersion !== 'string') return [invalidValue(path, inOrder(apiVersion), 'must be a string')];
  if (apiVersion === '') return [invalidValue(path, apiVersion, 'must not be empty')];
  try {
    parseApiVersion(apiVersion);
    return [];
  } catch (error) {
    return [invalidValue(path, apiVersion, (error as Error).message)];
  }
}

/** What cannot be a segment of a path. */
function segmentProblems(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((char) => name.includes(char)).map((char) => `may not contain '${char}'`);
}

/** A name is not needed inside, but one that is there must be one. */
function metaCauses(metadata: ObjectMeta, path: FieldPath): FieldCause[] {
  const named = metadata.name ? metadata : { ...metadata, name: 'embedded' };
  const namespaced = metadata.namespace !== undefined && metadata.namespace !== '';
  return validateObjectMeta(named, { namespaced, nameRule: segmentProblems, path, standardFinalizers: false });
}
