// SPDX-License-Identifier: Apache-2.0
// Plays writes of several managers against a small schema, for this folder's tests: what is in the object afterwards, who owns what,
// and which writes are in conflict. Objects have no kind; their metadata holds nothing but the entries.
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts';
import type { Field, ListSchema, MapSchema, Schema, StructSchema } from '../schema.ts';
import { ApiError } from '../status.ts';
import { applyPatch, type FieldSet, parseFieldsV1, pathsOf, type ToVersion, updateManagedFields } from './mod.ts';
import type { Json } from './shape.ts';

export const text: Schema = { kind: 'string', name: 'string' };
export const number: Schema = { kind: 'int64', name: 'int64' };
export const truth: Schema = { kind: 'boolean', name: 'bool' };
export const anything: Schema = { kind: 'any', name: '' };

export function list(element: Schema, listType: ListSchema['listType'] = 'atomic', keys: readonly string[] = []): ListSchema {
  return { kind: 'list', element, listType, keys };
}

export function map(value: Schema, mapType: MapSchema['mapType'] = 'granular'): MapSchema {
  return { kind: 'map', value, mapType };
}

export function struct(members: Readonly<Record<string, Schema>>, mapType: StructSchema['mapType'] = 'granular'): StructSchema {
  const fields = Object.entries(members).map(
    ([name, schema]): Field => ({
      name,
      element: `f:${name}`,
      schema,
      pointer: true,
      omit: 'empty',
      required: false,
      patchStrategy: [],
      patchMergeKey: undefined,
      default: undefined,
    }),
  );
  return { kind: 'struct', name: '', fields, byName: new Map(fields.map((field) => [field.name, field])), protoFields: [], mapType };
}

/** A schema whose objects stay as they are. */
export function root(members: Readonly<Record<string, Schema>>): StructSchema {
  const whole = struct({ ...members, apiVersion: text, kind: text, metadata: anything });
  return { ...whole, coerce: (value) => structuredClone(value) as Json };
}

/** Who writes what: `a` applies, `f` applies with force, `u` updates. */
export type Write = readonly [kind: 'a' | 'f' | 'u', manager: string, object: Json, version?: string];

export interface Outcome {
  readonly object: Json;
  /** By manager, with the version where it is not v1. */
  readonly owned: Readonly<Record<string, readonly string[]>>;
  /** Of the writes that were refused: `manager.path`. */
  readonly conflicts: readonly string[];
}

export interface FlowOptions {
  readonly toVersion?: ToVersion;
  readonly resetFields?: FieldSet;
  readonly subresource?: string;
}

/** @param schema One for each write, or one for all. */
export function play(schema: StructSchema | readonly StructSchema[], writes: readonly Write[], options: FlowOptions = {}): Outcome {
  const conflicts: string[] = [];
  let live: Json | undefined;
  let versionOfLive = '';
  for (const [index, [kind, manager, object, apiVersion = 'v1']] of writes.entries()) {
    const time = `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`;
    const own = Array.isArray(schema) ? (schema[index] ?? schema[0]) : schema;
    const toVersion: ToVersion = (of, version) => ({ ...of, apiVersion: version });
    live = inVersion(live, versionOfLive, apiVersion, options.toVersion);
    versionOfLive = apiVersion;
    const parts = { live, schema: own as StructSchema, manager, apiVersion, time, toVersion, ...options };
    try {
      live = kind === 'u' ? updated(parts, object) : { ...applyPatch({ ...parts, patch: object, force: kind === 'f' }) };
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 409) throw error;
      for (const { message, field } of error.status.details?.causes ?? []) conflicts.push(`${/"(.*?)"/.exec(message ?? '')?.[1]}${field}`);
    }
  }
  const { metadata, apiVersion: _version, kind: _kind, ...object } = live ?? {};
  const { managedFields = [] } = (metadata ?? {}) as { managedFields?: ManagedFieldsEntry[] };
  const entries = managedFields.map((entry) => [nameOf(entry), pathsOf(parseFieldsV1(entry.fieldsV1)).sort()] as const);
  return { object, owned: Object.fromEntries(entries), conflicts };
}

function inVersion(live: Json | undefined, from: string, to: string, toVersion: ToVersion | undefined): Json | undefined {
  if (live === undefined || from === to || toVersion === undefined) return live;
  return toVersion({ object: live, apiVersion: from, schema: root({}) }, to)?.object;
}

function updated(parts: Parameters<typeof applyPatch>[0] | Omit<Parameters<typeof updateManagedFields>[0], 'next'>, object: Json): Json {
  const managedFields = updateManagedFields({ ...parts, next: { ...object, metadata: {} } });
  return { ...object, metadata: managedFields === undefined ? {} : { managedFields } };
}

function nameOf({ manager = '', apiVersion = '' }: ManagedFieldsEntry): string {
  return apiVersion === 'v1' ? manager : `${manager} ${apiVersion}`;
}
