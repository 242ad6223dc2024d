// SPDX-License-Identifier: Apache-2.0
// Who owns what after a write: `updateManagedFields` for creates, updates and patches, `applyPatch` for server-side apply (KEP-555).
// Entries of another version of the kind are judged by what the write changed in that version.
import { deepEqual } from '../deep-equal.ts';
import type { ManagedFieldsEntry, StatusCause } from '../generated/meta-v1.ts';
import { normalize } from '../normalize.ts';
import type { StructSchema } from '../schema.ts';
import { type ApiError, apiError } from '../status.ts';
import { type Comparison, compareObjects, fieldSetOf } from './compare.ts';
import { createdFields } from './created.ts';
import {
  capUpdaters,
  decodeManagers,
  encodeEntry,
  encodeManagers,
  type ManagerEntry,
  type ManagerId,
  type Managers,
  managerKey,
  STRIPPED,
  stripMeta,
} from './entries.ts';
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  FieldSetError,
  intersection,
  isEmptySet,
  pathsOf,
  recursiveDifference,
  union,
} from './field-set.ts';
import { mergeConfiguration, pruneUnowned } from './merge.ts';
import type { Json } from './shape.ts';
import { findTypeProblem } from './typed.ts';

export interface WriteParts {
  /** What is stored; undefined when the object is created. */
  readonly live: Readonly<Json> | undefined;
  readonly schema: StructSchema;
  readonly manager: string;
  readonly apiVersion: string;
  /** '' or absent for the object itself. */
  readonly subresource?: string | undefined;
  /** Now, as `metav1.Time`. */
  readonly time: string;
  /** What the resource's strategy puts back on this kind of write: such fields are neither owned nor in conflict. */
  readonly resetFields?: FieldSet | undefined;
  /** Schemas of the other versions of the kind, by apiVersion, where they differ: custom resources. */
  readonly otherVersions?: ReadonlyMap<string, StructSchema> | undefined;
  /**
   * What the write changed as another version shows it: entries of that version are judged by it. Undefined where it is no version of
   * the kind, or looks the same.
   *
   * @param next As `next` of the write: in its own version.
   */
  readonly changesIn?: ((apiVersion: string, next: Readonly<Json>) => Comparison | undefined) | undefined;
}

export interface UpdateParts extends WriteParts {
  /** What is to be stored, after defaults and admission. */
  readonly next: Readonly<Json>;
}

export interface ApplyParts extends WriteParts {
  /** The applied configuration, as it was sent. */
  readonly patch: Readonly<Json>;
  readonly force: boolean;
}

const FIRST_APPLY = 'before-first-apply';

/** The `managedFields` after a create, update or patch; undefined where there are none. */
export function updateManagedFields(parts: UpdateParts): ManagedFieldsEntry[] | undefined {
  const { live, next, subresource = '' } = parts;
  const sent = entriesOf(next);
  const isReset = subresource === '' && sent?.length === 1 && Object.keys(sent[0] ?? {}).length === 0;
  if (isReset || (subresource === '' && sent?.length === 0 && live !== undefined)) return undefined;
  const entries = subresource === '' && sent !== undefined ? sent : entriesOf(live);
  // An object that nobody tracks stays so until somebody applies.
  if (live !== undefined && (entries ?? []).length === 0) return undefined;
  if (live === undefined && (entries ?? []).length === 0) return creatorOnly(parts);
  const managers = decodedManagers(entries) ?? decodedManagers(entriesOf(live)) ?? new Map();
  const id: ManagerId = { manager: parts.manager, operation: 'Update', apiVersion: parts.apiVersion, subresource };
  own(managers, id, new Changes(parts, next, changesOf(parts, next)), parts.time);
  capUpdaters(managers);
  return encodeManagers(managers);
}

function creatorOnly({ next, schema, manager, apiVersion, subresource = '', time, resetFields = EMPTY_SET }: UpdateParts) {
  const fields = createdFields(emptyOf(schema), next, schema, resetFields, STRIPPED);
  return fields === undefined ? undefined : [encodeEntry({ manager, operation: 'Update', apiVersion, subresource, time }, fields)];
}

const empties = new WeakMap<StructSchema, Readonly<Json>>();

/** An object of the type that says nothing; shared. */
function emptyOf(schema: StructSchema): Readonly<Json> {
  let found = empties.get(schema);
  if (found === undefined) {
    found = normalize({}, schema);
    empties.set(schema, found);
  }
  return found;
}

/** Undefined where somebody made them up. */
function decodedManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | undefined {
  try {
    return decodeManagers(entries);
  } catch (error) {
    if (error instanceof FieldSetError) return undefined;
    throw error;
  }
}

function entriesOf(object: Readonly<Json> | undefined): readonly ManagedFieldsEntry[] | undefined {
  return (object?.['metadata'] as { managedFields?: readonly ManagedFieldsEntry[] } | undefined)?.managedFields;
}

/** What one write changed, by the version that an entry is of. */
class Changes {
  readonly own: Comparison;
  readonly #parts: WriteParts;
  readonly #next: Readonly<Json>;
  readonly #others = new Map<string, Comparison>();

  constructor(parts: WriteParts, next: Readonly<Json>, own: Comparison) {
    this.#parts = parts;
    this.#next = next;
    this.own = own;
  }

  in(apiVersion: string): Comparison {
    const { changesIn, apiVersion: own } = this.#parts;
    if (apiVersion === own || changesIn === undefined) return this.own;
    let found = this.#others.get(apiVersion);
    if (found === undefined) {
      found = changesIn(apiVersion, this.#next) ?? this.own;
      this.#others.set(apiVersion, found);
    }
    return found;
  }
}

const takenBy = ({ added, modified }: Comparison) => union(added, modified);

/** Gives one manager what it changed and takes it, and what is gone, from the others. */
function own(managers: Managers, id: ManagerId, changes: Changes, time: string): void {
  release(managers, changes);
  const gained = stripMeta(takenBy(changes.own));
  if (isEmptySet(gained)) return;
  const key = managerKey(id);
  managers.set(key, { ...id, time, set: union(managers.get(key)?.set ?? EMPTY_SET, gained) });
}

function release(managers: Managers, changes: Changes, except = ''): void {
  for (const [key, entry] of managers) {
    if (key === except) continue;
    const comparison = changes.in(entry.apiVersion);
    const set = difference(difference(entry.set, takenBy(comparison)), comparison.removed);
    if (isEmptySet(set)) managers.delete(key);
    else managers.set(key, { ...entry, set });
  }
}

function changesOf({ live, schema, resetFields = EMPTY_SET }: WriteParts, next: Readonly<Json>): Comparison {
  const { added, modified, removed } = compareObjects(live ?? emptyOf(schema), next, schema);
  const without = (set: FieldSet) => (isEmptySet(resetFields) ? set : recursiveDifference(set, resetFields));
  return { added: without(added), modified: without(modified), removed: without(removed) };
}

/**
 * The object after an apply, its `managedFields` included; `live` itself where nothing changes.
 *
 * @throws {ApiError} 409 with a cause for every field in conflict, 500 where the configuration does not fit the schema.
 */
export function applyPatch(parts: ApplyParts): Readonly<Json> {
  const { live, patch, schema, manager, apiVersion, subresource = '', resetFields = EMPTY_SET } = parts;
  checkTyped(patch, schema);
  const base = live ?? normalize({ apiVersion: patch['apiVersion'], kind: patch['kind'] }, schema);
  const managers = decodeManagers(entriesOf(live));
  if (live !== undefined && managers.size === 0) startTracking(managers, parts, live);
  const id: ManagerId = { manager, operation: 'Apply', apiVersion, subresource };
  const key = managerKey(id);
  const previous = managers.get(key);
  // What nobody owns, the name above all, is named all the same: it is not pruned with the last owned field beside it.
  const named = recursiveDifference(fieldSetOf(patch, schema), resetFields);
  const set = stripMeta(named);
  managers.set(key, { ...id, time: parts.time, set });
  const merged = mergeConfiguration(base, patch, schema) as Json;
  const pruned = previous === undefined ? merged : (pruneUnowned(merged, schema, previous.set, union(ownedBy(managers), named)) as Json);
  const next = normalize(pruned, schema);
  checkOtherVersions(parts, managers, next);
  const changes = new Changes(parts, next, changesOf({ ...parts, live: base }, pruned));
  if (!parts.force) refuseConflicts(managers, key, changes);
  release(managers, changes, key);
  if (isEmptySet(set)) managers.delete(key);
  // An apply that changes who owns what and nothing else leaves its time as it was.
  else if (live !== undefined && deepEqual(withoutManagers(live), withoutManagers(next)))
    managers.set(key, { ...id, time: previous?.time, set });
  return finish(live, next, managers, previous);
}

/** Fields that were there before the first apply belong to whoever came before. */
function startTracking(managers: Managers, parts: ApplyParts, live: Readonly<Json>): void {
  const id: ManagerId = { manager: FIRST_APPLY, operation: 'Update', apiVersion: parts.apiVersion, subresource: '' };
  const { added, modified } = compareObjects(emptyOf(parts.schema), live, parts.schema);
  managers.set(managerKey(id), { ...id, time: parts.time, set: stripMeta(union(added, modified)) });
}

function ownedBy(managers: Managers): FieldSet {
  return [...managers.values()].reduce((all, { set }) => union(all, set), EMPTY_SET);
}

function finish(live: Readonly<Json> | undefined, next: Json, managers: Managers, previous: ManagerEntry | undefined): Readonly<Json> {
  const entries = encodeManagers(managers);
  const metadata = { ...(next['metadata'] as Json) };
  if (entries === undefined) delete metadata['managedFields'];
  else metadata['managedFields'] = entries;
  const object = { ...next, metadata };
  // Only the time would change: nothing did.
  if (live !== undefined && previous !== undefined && deepEqual(withoutTimes(live), withoutTimes(object))) return live;
  return object;
}

function withoutManagers(object: Readonly<Json>): Json {
  const { managedFields: _, ...metadata } = object['metadata'] as Json;
  return { ...object, metadata };
}

function withoutTimes(object: Readonly<Json>): Json {
  const metadata = object['metadata'] as Json;
  const entries = (metadata['managedFields'] ?? []) as readonly ManagedFieldsEntry[];
  return { ...object, metadata: { ...metadata, managedFields: entries.map(({ time: _, ...entry }) => entry) } };
}

function refuseConflicts(managers: Managers, applier: string, changes: Changes): void {
  const conflicts = [...managers].flatMap(([key, entry]) => {
    const paths = key === applier ? [] : pathsOf(intersection(entry.set, takenBy(changes.in(entry.apiVersion))));
    return paths.length === 0 ? [] : [{ who: describeManager(entry), paths }];
  });
  if (conflicts.length > 0) throw conflictError(conflicts.sort((a, b) => (a.who < b.who ? -1 : 1)));
}

function describeManager({ manager, operation, apiVersion, subresource }: ManagerEntry): string {
  const name = JSON.stringify(manager) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === 'Apply' ? name : `${name} using ${apiVersion}`;
}

function conflictError(conflicts: readonly { readonly who: string; readonly paths: readonly string[] }[]): ApiError {
  const causes = conflicts.flatMap(({ who, paths }) =>
    paths.map((field): StatusCause => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  );
  const [only] = causes;
  const text =
    causes.length === 1 && only !== undefined
      ? `${only.message}: ${only.field}`
      : conflicts.map(({ who, paths }) => `conflicts with ${who}:\n${paths.map((path) => `- ${path}`).join('\n')}`).join('\n');
  const count = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`;
  return apiError(409, 'Conflict', `Apply failed with ${count}: ${text}`, { causes });
}

/** What others own in another version must be something there, too. @throws {ApiError} 500 */
function checkOtherVersions({ otherVersions, apiVersion }: WriteParts, managers: Managers, next: Readonly<Json>): void {
  const problem = otherVersions === undefined ? undefined : otherVersionProblem(otherVersions, [...managers.values()], apiVersion, next);
  if (problem !== undefined) throw apiError(500, '', `failed to convert new object: ${problem}`);
}

/** Why an object does not fit a version in which somebody owns fields of it. */
export function otherVersionProblem(
  versions: ReadonlyMap<string, StructSchema>,
  owners: readonly { readonly apiVersion?: string | undefined }[],
  own: string,
  object: Readonly<Json>,
): string | undefined {
  const named = new Set(owners.map(({ apiVersion }) => apiVersion ?? ''));
  named.delete(own);
  for (const apiVersion of named) {
    const problem = findTypeProblem(object, versions.get(apiVersion), '');
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkTyped(patch: Readonly<Json>, schema: StructSchema): void {
  const problem = findTypeProblem(patch, schema, '');
  if (problem === undefined) return;
  const { namespace = '', name = '' } = (patch['metadata'] ?? {}) as { namespace?: string; name?: string };
  const apiVersion = String(patch['apiVersion'] ?? '');
  const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
  const of = `${namespace}/${name}; ${version}, Kind=${String(patch['kind'] ?? '')}`;
  throw apiError(500, '', `failed to create typed patch object (${of}): ${problem}`);
}
