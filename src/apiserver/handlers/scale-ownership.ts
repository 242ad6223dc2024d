// SPDX-License-Identifier: Apache-2.0
// Who owns the replicas of an object that is written through its Scale. The owners of the one field are shown as owners of a Scale,
// the write is booked there, and what comes of it goes back: entries of the Scale carry no time, and updaters that keep the field
// have it in an entry of its own. @source upstream apimachinery pkg/util/managedfields/scalehandler.go
import { schemaOfType } from '#api';
import type { Scale } from '#api/autoscaling/v1';
import {
  apiError,
  type DeepReadonly,
  decodeManagers,
  difference,
  encodeManagers,
  type FieldSet,
  FieldSetError,
  isEmptySet,
  type ManagedFieldsEntry,
  type ManagerEntry,
  type Managers,
  managerKey,
  type Resource,
  type StructSchema,
  setOfPaths,
} from '#machinery';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { bookApply, bookUpdate } from './field-ownership.ts';

const API_VERSION = 'autoscaling/v1';
const SUBRESOURCE = 'scale';

/** A Scale as a resource of its own. */
export const SCALE_SCHEMA = schemaOfType('io.k8s.api.autoscaling.v1.Scale') as StructSchema;
export const SCALE_RESOURCE = {
  schema: SCALE_SCHEMA,
  apiVersion: API_VERSION,
  resource: {
    group: 'autoscaling',
    version: 'v1',
    resource: 'scales',
    singular: 'scale',
    kind: 'Scale',
    namespaced: true,
  } as unknown as Resource,
};

/** Where the versions of a kind have their replicas, as members; undefined for versions that have no Scale. */
export type ReplicaPaths = ReadonlyMap<string, readonly string[] | undefined>;

/** Where every built-in kind has them. */
export const SPEC_REPLICAS = ['spec', 'replicas'];

interface Booking {
  readonly write: WriteContext;
  /** The version of the kind that is asked for. */
  readonly apiVersion: string;
  readonly paths: ReplicaPaths;
  readonly now: number;
}

type Entries = readonly ManagedFieldsEntry[] | undefined;

/** Books an update of a Scale: the entries that its object has afterwards. */
export function bookScaleUpdate(parent: Entries, before: Scale, after: Scale, { write, apiVersion, paths, now }: Booking) {
  const next = owned(after, undefined);
  bookUpdate(SCALE_RESOURCE, { ...write, subresource: SUBRESOURCE }, owned(before, toScaleEntries(parent, paths)), next, [], now);
  return toParentEntries(parent, next.metadata.managedFields, apiVersion, paths);
}

/** Books an apply of a Scale: the Scale that comes of it, and the entries that its object has afterwards. @throws {ApiError} 400, 409 */
export function bookScaleApply(
  parent: Entries,
  before: Scale,
  wanted: { readonly object: MutableObject; readonly force: boolean },
  { write, apiVersion, paths, now }: Booking,
): { readonly scale: Scale; readonly managedFields: ManagedFieldsEntry[] | undefined } {
  const live = owned(before, toScaleEntries(parent, paths));
  const next = bookApply(SCALE_RESOURCE, { ...write, subresource: SUBRESOURCE }, live, wanted, [], now, (scale) => scale);
  return { scale: next as unknown as Scale, managedFields: toParentEntries(parent, next.metadata.managedFields, apiVersion, paths) };
}

function owned(scale: Scale, managedFields: ManagedFieldsEntry[] | undefined): MutableObject {
  const { managedFields: _, ...metadata } = scale.metadata;
  return { ...scale, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } } as unknown as MutableObject;
}

const IN_SCALE = pathSet(SPEC_REPLICAS);

function pathSet(path: readonly string[]): FieldSet {
  return setOfPaths([path.map((name) => `f:${name}`)]);
}

function has(set: FieldSet, path: readonly string[]): boolean {
  return path.reduce<FieldSet | undefined>((at, name) => at?.children.get(`f:${name}`), set)?.member === true;
}

/** The owners of the replicas, as owners of a Scale. */
function toScaleEntries(parent: Entries, paths: ReplicaPaths): ManagedFieldsEntry[] | undefined {
  const managers: Managers = new Map();
  for (const [key, entry] of decoded(parent)) {
    const path = paths.get(entry.apiVersion);
    if (path !== undefined && has(entry.set, path)) managers.set(key, { ...entry, apiVersion: API_VERSION, set: IN_SCALE });
  }
  return encodeManagers(managers);
}

/** Entries of an object with those of its Scale put in. Those of versions that there are no longer are left out. */
function toParentEntries(parent: Entries, scale: Entries, apiVersion: string, paths: ReplicaPaths): ManagedFieldsEntry[] | undefined {
  const before = decoded(parent);
  const inScale = decoded(scale);
  const after: Managers = new Map();
  for (const [key, entry] of before) {
    if (!paths.has(entry.apiVersion)) continue;
    const path = paths.get(entry.apiVersion);
    const kept = path === undefined || !has(entry.set, path) || inScale.has(key);
    if (path !== undefined && has(entry.set, path)) inScale.delete(key);
    const set = kept || path === undefined ? entry.set : difference(entry.set, pathSet(path));
    if (!isEmptySet(set)) after.set(key, { ...entry, set });
  }
  const own = paths.get(apiVersion) ?? SPEC_REPLICAS;
  for (const [key, entry] of inScale) {
    if (has(entry.set, SPEC_REPLICAS)) after.set(key, { ...entry, apiVersion, time: before.get(key)?.time, set: pathSet(own) });
  }
  return encodeManagers(after);
}

/** By the identity that a manager has there: that of an updater holds the version. @throws {ApiError} 500 */
function decoded(entries: Entries): Map<string, ManagerEntry> {
  try {
    return new Map([...decodeManagers(entries).values()].map((entry) => [managerKey(entry), entry]));
  } catch (error) {
    if (error instanceof FieldSetError) throw apiError(500, '', error.message);
    throw error;
  }
}

/** The entries of a stored object. */
export function entriesOf({ metadata }: DeepReadonly<MutableObject>): Entries {
  return metadata.managedFields as Entries;
}
