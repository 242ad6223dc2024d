// SPDX-License-Identifier: Apache-2.0
// Server-side apply (KEP-555): merges a configuration into the object, takes out what its manager no longer names, refuses to take
// fields from others. @source structured-merge-diff merge/update.go Apply, apimachinery managedfields/internal/structuredmerge.go
import { deepEqual } from '../deep-equal.ts';
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts';
import { normalize } from '../normalize.ts';
import type { StructSchema } from '../schema.ts';
import { type ApiError, apiError } from '../status.ts';
import { compareObjects, fieldSetOf } from './compare.ts';
import { type Conflict, ConflictsError, conflictError, conflictsWithout } from './conflicts.ts';
import { decodeManagers, encodeManagers, type ManagerEntry, type ManagerId, type Managers, managerKey, stripMeta } from './entries.ts';
import { EMPTY_SET, type FieldSet, FieldSetError, intersection, isEmptySet, recursiveDifference, union } from './field-set.ts';
import { LAST_APPLIER, unchangedSinceLastApplied } from './last-applied.ts';
import { mergeConfiguration } from './merge.ts';
import { prune, type Versioned } from './remove.ts';
import type { Json } from './shape.ts';
import { findTypeProblem } from './typed.ts';
import { entriesOf } from './update.ts';
import { Changes, emptyOf, reconcileManagers, release, takenBy, versionsOf, type WriteParts } from './write.ts';

export interface ApplyParts extends WriteParts {
  /** The applied configuration, as it was sent. */
  readonly patch: Readonly<Json>;
  readonly force: boolean;
}

const FIRST_APPLY = 'before-first-apply';

/**
 * The object after an apply, its `managedFields` included; `live` itself where nothing changes.
 *
 * @throws {ApiError} 409 with a cause for every field in conflict, 500 where the configuration does not fit the schema.
 */
export function applyPatch(parts: ApplyParts): Readonly<Json> {
  const { live, patch, schema } = parts;
  checkTyped(patch, schema, 'patch');
  if (live !== undefined && schema.coerce !== undefined) checkTyped(live, schema, 'live');
  try {
    return apply(parts);
  } catch (error) {
    if (!(error instanceof ConflictsError)) throw error;
    const left = conflictsWithout(error.conflicts, allowedFields(parts));
    if (left.length > 0) throw conflictError(left);
    return apply({ ...parts, force: true });
  }
}

/** Fields that may be taken all the same. */
function allowedFields({ live, manager, schema, apiVersion }: ApplyParts): FieldSet {
  if (manager !== LAST_APPLIER || live === undefined) return EMPTY_SET;
  return unchangedSinceLastApplied({ object: live, apiVersion, schema }) ?? EMPTY_SET;
}

/** @throws {ConflictsError} */
function apply(parts: ApplyParts): Readonly<Json> {
  const { live, patch, schema, manager, apiVersion, subresource = '', resetFields = EMPTY_SET } = parts;
  const base: Versioned = {
    object: live ?? normalize({ apiVersion: patch['apiVersion'], kind: patch['kind'] }, schema),
    apiVersion,
    schema,
  };
  const managers = decodedManagers(live);
  if (live !== undefined && managers.size === 0) startTracking(managers, parts, live);
  reconcileManagers(managers, base, versionsOf(parts));
  const id: ManagerId = { manager, operation: 'Apply', apiVersion, subresource };
  const key = managerKey(id);
  const previous = managers.get(key);
  managers.set(key, { ...id, time: previous?.time, set: recursiveDifference(fieldSetOf(patch, schema), resetFields) });
  const merged: Versioned = { ...base, object: mergeConfiguration(base.object, patch, schema) as Json };
  const pruned =
    previous === undefined ? merged : prune(merged, { last: previous, owned: ownedBy(managers), toVersion: versionsOf(parts) });
  const changes = new Changes(base, pruned, parts);
  if (!parts.force) refuseConflicts(managers, key, changes);
  release(managers, changes, key);
  // An apply that changes who owns what and nothing else leaves its time as it was.
  const isSame = live !== undefined && deepEqual(withoutManagers(live), withoutManagers(pruned.object));
  book(managers, key, isSame ? previous?.time : parts.time);
  return finish(live, isSame ? live : normalize(pruned.object, schema), managers, previous);
}

/** What is never tracked leaves the applier's set last: it was named all the same, so that it is not pruned. */
function book(managers: Managers, key: string, time: string | undefined): void {
  const entry = managers.get(key);
  if (entry === undefined) return;
  const set = stripMeta(entry.set);
  if (isEmptySet(set)) managers.delete(key);
  else managers.set(key, { ...entry, time, set });
}

function decodedManagers(live: Readonly<Json> | undefined): Managers {
  try {
    return decodeManagers(entriesOf(live));
  } catch (error) {
    if (error instanceof FieldSetError) throw apiError(500, '', `failed to decode managed fields: ${error.message}`);
    throw error;
  }
}

/** Fields that were there before the first apply belong to whoever came before. */
function startTracking(managers: Managers, parts: ApplyParts, live: Readonly<Json>): void {
  const { apiVersion, subresource = '', schema, time, resetFields = EMPTY_SET } = parts;
  const id: ManagerId = { manager: FIRST_APPLY, operation: 'Update', apiVersion, subresource };
  const { added, modified } = compareObjects(emptyOf(schema), live, schema);
  const set = stripMeta(recursiveDifference(union(added, modified), resetFields));
  if (!isEmptySet(set)) managers.set(managerKey(id), { ...id, time, set });
}

function ownedBy(managers: Managers): ReadonlyMap<string, FieldSet> {
  const owned = new Map<string, FieldSet>();
  for (const { apiVersion, set } of managers.values()) owned.set(apiVersion, union(owned.get(apiVersion) ?? EMPTY_SET, set));
  return owned;
}

function finish(
  live: Readonly<Json> | undefined,
  next: Readonly<Json>,
  managers: Managers,
  previous: ManagerEntry | undefined,
): Readonly<Json> {
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
  const { managedFields: _, ...metadata } = (object['metadata'] ?? {}) as Json;
  return { ...object, metadata };
}

function withoutTimes(object: Readonly<Json>): Json {
  const metadata = object['metadata'] as Json;
  const entries = (metadata['managedFields'] ?? []) as readonly ManagedFieldsEntry[];
  return { ...object, metadata: { ...metadata, managedFields: entries.map(({ time: _, ...entry }) => entry) } };
}

function refuseConflicts(managers: Managers, applier: string, changes: Changes): void {
  const conflicts = [...managers].flatMap(([key, entry]): Conflict[] => {
    const comparison = key === applier ? undefined : changes.in(entry.apiVersion);
    if (comparison === undefined) return [];
    const fields = intersection(entry.set, takenBy(comparison));
    return isEmptySet(fields) ? [] : [{ entry, fields }];
  });
  if (conflicts.length > 0) throw new ConflictsError(conflicts);
}

/** @throws {ApiError} 500 */
function checkTyped(object: Readonly<Json>, schema: StructSchema, which: 'patch' | 'live'): void {
  const problem = findTypeProblem(object, schema, '', { allowDuplicates: which === 'live' });
  if (problem !== undefined) throw untyped(object, which, problem);
}

function untyped(object: Readonly<Json>, which: string, problem: string): ApiError {
  const { namespace, name } = (object['metadata'] ?? {}) as Json;
  const apiVersion = textIn(object['apiVersion']);
  const version = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`;
  const of = `${textIn(namespace)}/${textIn(name)}; ${version}, Kind=${textIn(object['kind'])}`;
  return apiError(500, '', `failed to create typed ${which} object (${of}): ${problem}`);
}

function textIn(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
