// SPDX-License-Identifier: Apache-2.0
// `metadata.managedFields` as managers with sets: reading, writing, order, and the cap on the managers of updates.
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts';
import {
  difference,
  EMPTY_SET,
  type FieldSet,
  FieldSetError,
  formatFieldsV1,
  isEmptySet,
  parseFieldsV1,
  setOfPaths,
  union,
} from './field-set.ts';

export interface ManagerId {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** '' for the object itself. */
  readonly subresource: string;
}

export interface ManagerEntry extends ManagerId {
  readonly time: string | undefined;
  readonly set: FieldSet;
}

/** Managers by identity. */
export type Managers = Map<string, ManagerEntry>;

/** More updaters than these are folded into one. */
const MOST_UPDATERS = 10;
const ANCIENT = 'ancient-changes';

/** What nobody owns: the server sets it. */
export const STRIPPED = setOfPaths([
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ['f:metadata', 'f:name'],
  ['f:metadata', 'f:namespace'],
  ['f:metadata', 'f:creationTimestamp'],
  ['f:metadata', 'f:selfLink'],
  ['f:metadata', 'f:uid'],
  ['f:metadata', 'f:generation'],
  ['f:metadata', 'f:managedFields'],
  ['f:metadata', 'f:resourceVersion'],
]);

/** The set without what is never tracked. */
export function stripMeta(set: FieldSet): FieldSet {
  return difference(set, STRIPPED);
}

/** Appliers are the same across versions; updaters are not. The text is upstream's: managers are listed by it. */
export function managerKey({ manager, operation, apiVersion, subresource }: ManagerId): string {
  return JSON.stringify({
    ...(manager === '' ? {} : { manager }),
    operation,
    ...(operation === 'Apply' ? {} : { apiVersion }),
    ...(subresource === '' ? {} : { subresource }),
  });
}

/** @throws {FieldSetError} Where they are not in upstream's form: then none of them counts. */
export function decodeManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  const managers: Managers = new Map();
  for (const [index, entry] of (entries ?? []).entries()) {
    const { manager = '', operation, apiVersion, subresource = '', time, fieldsType, fieldsV1 } = entry;
    if (operation !== 'Apply' && operation !== 'Update') throw new FieldSetError('operation must be `Apply` or `Update`');
    if (apiVersion === undefined || apiVersion === '') throw new FieldSetError('apiVersion must not be empty');
    if (fieldsType !== 'FieldsV1') throw new FieldSetError(`${fieldsTypeProblem(fieldsType)} in managed fields entry ${index}`);
    const decoded: ManagerEntry = { manager, operation, apiVersion, subresource, time, set: parseFieldsV1(fieldsV1) };
    managers.set(managerKey(decoded), decoded);
  }
  return managers;
}

function fieldsTypeProblem(fieldsType: string | undefined): string {
  return fieldsType ? `invalid fieldsType ${JSON.stringify(fieldsType)}` : 'missing fieldsType';
}

/** Entries in upstream's order; undefined where nobody owns anything. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  const entries = [...managers.values()].filter(({ set }) => !isEmptySet(set)).sort(compareEntries);
  if (entries.length === 0) return undefined;
  return entries.map(({ set, ...entry }) => encodeEntry(entry, formatFieldsV1(set)));
}

export function encodeEntry(
  { manager, operation, apiVersion, subresource, time }: Omit<ManagerEntry, 'set'>,
  fieldsV1: Record<string, unknown>,
): ManagedFieldsEntry {
  return {
    ...(manager === '' ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(subresource === '' ? {} : { subresource }),
  };
}

function compareEntries(a: ManagerEntry, b: ManagerEntry): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time ?? '', b.time ?? '') ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Folds the oldest updaters of a version into its `ancient-changes`, until few enough are left. One updater of a version stays itself.
 *
 * @source apimachinery managedfields/internal/capmanagers.go
 */
export function capUpdaters(managers: Managers): void {
  const updaters = [...managers].filter(([, { operation }]) => operation === 'Update');
  if (updaters.length <= MOST_UPDATERS) return;
  updaters.sort(([a, left], [b, right]) => compareText(left.time ?? '', right.time ?? '') || compareText(a, b));
  const firsts = new Map<string, string>();
  let left = updaters.length;
  for (const [key, entry] of updaters) {
    if (left <= MOST_UPDATERS) return;
    const { apiVersion } = entry;
    const first = firsts.get(apiVersion);
    if (first === undefined) {
      firsts.set(apiVersion, key);
      continue;
    }
    fold(managers, key, entry, first);
    left -= 1;
  }
}

function fold(managers: Managers, key: string, entry: ManagerEntry, first: string): void {
  const id: ManagerId = { manager: ANCIENT, operation: 'Update', apiVersion: entry.apiVersion, subresource: '' };
  const bucket = managerKey(id);
  const into = managers.get(bucket) ?? managers.get(first);
  if (!managers.has(bucket)) managers.delete(first);
  managers.delete(key);
  managers.set(bucket, { ...id, time: entry.time, set: union(into?.set ?? EMPTY_SET, entry.set) });
}
