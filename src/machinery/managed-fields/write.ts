// SPDX-License-Identifier: Apache-2.0
// One write as ownership sees it: the object before and after, in every version that somebody owns fields in, and what of it is new.
// @source structured-merge-diff merge/update.go
import { normalize } from '../normalize.ts';
import type { StructSchema } from '../schema.ts';
import { type Comparison, compareObjects } from './compare.ts';
import type { ManagerEntry, Managers } from './entries.ts';
import { difference, EMPTY_SET, type FieldSet, isEmptySet, recursiveDifference, union } from './field-set.ts';
import { reconcileSet } from './reconcile.ts';
import type { ToVersion, Versioned } from './remove.ts';
import type { Json } from './shape.ts';

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
  /**
   * The object in another version: entries of that version are judged by it. Undefined where it is no version of the kind: entries
   * of such are dropped. May throw where it can be none. @default There is but one version
   */
  readonly toVersion?: ToVersion | undefined;
}

const empties = new WeakMap<StructSchema, Readonly<Json>>();

/** An object of the type that says nothing; shared. */
export function emptyOf(schema: StructSchema): Readonly<Json> {
  let found = empties.get(schema);
  if (found === undefined) {
    found = normalize({}, schema);
    empties.set(schema, found);
  }
  return found;
}

/** `toVersion` of a write, the object's own version included. */
export function versionsOf({ toVersion }: Pick<WriteParts, 'toVersion'>): ToVersion {
  return (of, apiVersion) => (of.apiVersion === apiVersion ? of : toVersion?.(of, apiVersion));
}

/** Brings sets in line with the schema of now, and drops those of versions that there are no longer. In place. */
export function reconcileManagers(managers: Managers, live: Versioned, toVersion: ToVersion): void {
  const schemas = new Map([[live.apiVersion, live.schema as StructSchema | undefined]]);
  for (const [key, entry] of managers) {
    const { apiVersion } = entry;
    if (!schemas.has(apiVersion)) schemas.set(apiVersion, toVersion(live, apiVersion)?.schema);
    const schema = schemas.get(apiVersion);
    if (schema === undefined) {
      managers.delete(key);
      continue;
    }
    const set = reconcileSet(entry.set, schema);
    if (set !== entry.set) managers.set(key, { ...entry, set });
  }
}

/** What one write changed, by the version that an entry is of. */
export class Changes {
  readonly own: Comparison;
  readonly #before: Versioned;
  readonly #after: Versioned;
  readonly #reset: FieldSet;
  readonly #toVersion: ToVersion;
  readonly #others = new Map<string, Comparison | undefined>();

  constructor(before: Versioned, after: Versioned, parts: Pick<WriteParts, 'resetFields' | 'toVersion'>) {
    this.#before = before;
    this.#after = after;
    this.#reset = parts.resetFields ?? EMPTY_SET;
    this.#toVersion = versionsOf(parts);
    this.own = this.#compare(before, after);
  }

  /** Undefined where it is no version of the kind. */
  in(apiVersion: string): Comparison | undefined {
    if (apiVersion === this.#after.apiVersion) return this.own;
    if (!this.#others.has(apiVersion)) this.#others.set(apiVersion, this.#compareIn(apiVersion));
    return this.#others.get(apiVersion);
  }

  #compareIn(apiVersion: string): Comparison | undefined {
    const [before, after] = [this.#toVersion(this.#before, apiVersion), this.#toVersion(this.#after, apiVersion)];
    return before === undefined || after === undefined ? undefined : this.#compare(before, after);
  }

  #compare(before: Versioned, after: Versioned): Comparison {
    const { added, modified, removed } = compareObjects(before.object, after.object, after.schema);
    const without = (set: FieldSet) => (isEmptySet(this.#reset) ? set : recursiveDifference(set, this.#reset));
    return { added: without(added), modified: without(modified), removed: without(removed) };
  }
}

export function takenBy({ added, modified }: Comparison): FieldSet {
  return union(added, modified);
}

/** Takes from all others what the write changed and what is gone. */
export function release(managers: Managers, changes: Changes, except = ''): void {
  for (const [key, entry] of managers) {
    const set = key === except ? entry.set : left(entry, changes);
    if (set === undefined || isEmptySet(set)) managers.delete(key);
    else if (set !== entry.set) managers.set(key, { ...entry, set });
  }
}

function left({ set, apiVersion }: ManagerEntry, changes: Changes): FieldSet | undefined {
  const comparison = changes.in(apiVersion);
  return comparison === undefined ? undefined : difference(difference(set, takenBy(comparison)), comparison.removed);
}
