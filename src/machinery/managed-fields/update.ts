// SPDX-License-Identifier: Apache-2.0
// Who owns what after a create, an update or a patch (KEP-555). Entries of another version of the kind are judged by what the write
// changed in that version. @source apimachinery managedfields/internal/{fieldmanager,skipnonapplied,managedfieldsupdater}.go
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts';
import { createdFields } from './created.ts';
import {
  capUpdaters,
  decodeManagers,
  encodeEntry,
  encodeManagers,
  type ManagerId,
  type Managers,
  managerKey,
  STRIPPED,
  stripMeta,
} from './entries.ts';
import { EMPTY_SET, FieldSetError, isEmptySet, union } from './field-set.ts';
import type { Json } from './shape.ts';
import { Changes, emptyOf, reconcileManagers, release, takenBy, versionsOf, type WriteParts } from './write.ts';

export interface UpdateParts extends WriteParts {
  /** What is to be stored, after defaults and admission. */
  readonly next: Readonly<Json>;
}

/** The `managedFields` after a create, update or patch; undefined where there are none. */
export function updateManagedFields(parts: UpdateParts): ManagedFieldsEntry[] | undefined {
  const { live, subresource = '' } = parts;
  if (live === undefined && !entriesOf(parts.next)?.length) return creatorOnly(parts);
  const managers = liveOrSent(parts);
  // An object that nobody tracks stays so until somebody applies.
  if (managers.size === 0) return live === undefined ? creatorOnly(parts) : undefined;
  const { manager, apiVersion, time } = parts;
  own(managers, { manager, operation: 'Update', apiVersion, subresource }, parts, time);
  capUpdaters(managers);
  return encodeManagers(managers);
}

function creatorOnly({ next, schema, manager, apiVersion, subresource = '', time, resetFields = EMPTY_SET }: UpdateParts) {
  const fields = createdFields(emptyOf(schema), next, schema, resetFields, STRIPPED);
  return fields === undefined ? undefined : [encodeEntry({ manager, operation: 'Update', apiVersion, subresource, time }, fields)];
}

/** Managers as the client sent them, where it may and knows how to; otherwise as they were. */
function liveOrSent({ live, next, subresource = '' }: UpdateParts): Managers {
  const sent = subresource === '' ? entriesOf(next) : undefined;
  if (sent !== undefined && isReset(sent)) return new Map();
  const managers = decoded(sent);
  return managers.size > 0 ? managers : decoded(entriesOf(live));
}

/** An empty list or one empty entry: the client wants nothing tracked. */
function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  return entries.length === 0 || (entries.length === 1 && Object.keys(entries[0] ?? {}).length === 0);
}

/** None where somebody made them up. */
function decoded(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  try {
    return decodeManagers(entries);
  } catch (error) {
    if (error instanceof FieldSetError) return new Map();
    throw error;
  }
}

export function entriesOf(object: Readonly<Json> | undefined): readonly ManagedFieldsEntry[] | undefined {
  return (object?.['metadata'] as { managedFields?: readonly ManagedFieldsEntry[] } | undefined)?.managedFields;
}

/** Gives one manager what it changed and takes it, and what is gone, from the others. */
function own(managers: Managers, id: ManagerId, parts: UpdateParts, time: string): void {
  const { schema, apiVersion, next } = parts;
  const before = { object: parts.live ?? emptyOf(schema), apiVersion, schema };
  reconcileManagers(managers, before, versionsOf(parts));
  const changes = new Changes(before, { object: next, apiVersion, schema }, parts);
  release(managers, changes);
  const gained = stripMeta(takenBy(changes.own));
  if (isEmptySet(gained)) return;
  const key = managerKey(id);
  managers.set(key, { ...id, time, set: union(managers.get(key)?.set ?? EMPTY_SET, gained) });
}
