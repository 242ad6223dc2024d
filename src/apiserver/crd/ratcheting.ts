// SPDX-License-Identifier: Apache-2.0
// Ratcheting (KEP-4008): what was wrong before and has not changed since is no error, so that a schema may grow
// stricter over objects that exist. Values correspond by declared property, by key in `map` lists, and by nothing else.
// @source upstream apiextensions-apiserver pkg/apiserver/validation/ratcheting.go, apiserver pkg/cel/common/equality.go
import { deepEqual } from '#machinery';
import { isRecord, itemSchema, memberSchema, type SchemaProps } from './schema-props.ts';

/** A value, what it was before, and the schema of both. Members and items are found as they are asked for. */
export class Correlated {
  readonly #now: unknown;
  readonly #before: unknown;
  readonly #schema: SchemaProps;
  #unchanged: boolean | undefined;

  constructor(now: unknown, before: unknown, schema: SchemaProps) {
    this.#now = now;
    this.#before = before;
    this.#schema = schema;
  }

  /** Undefined where one of the two has no such member, or the schema does not say what it is. */
  key(name: string): Correlated | undefined {
    const [now, before] = [this.#now, this.#before];
    if (!isRecord(now) || !isRecord(before) || !Object.hasOwn(now, name) || !Object.hasOwn(before, name)) return undefined;
    const schema = memberSchema(this.#schema, name);
    return schema === undefined ? undefined : new Correlated(now[name], before[name], schema);
  }

  /** Undefined for items without a counterpart. */
  index(index: number): Correlated | undefined {
    const item = Array.isArray(this.#now) ? this.#now[index] : undefined;
    const before = counterpart(item, this.#before, this.#schema);
    const schema = itemSchema(this.#schema);
    return before === undefined || before === null || schema === undefined ? undefined : new Correlated(item, before, schema);
  }

  /**
   * Whether nothing changed that the schema knows of: the order of items with keys makes no difference, and an object with
   * a member that is not declared counts as changed.
   */
  get isUnchanged(): boolean {
    this.#unchanged ??= this.#compare();
    return this.#unchanged;
  }

  #compare(): boolean {
    const [now, before] = [this.#now, this.#before];
    if (Array.isArray(now) && Array.isArray(before)) return this.#compareLists(now, before);
    if (!isRecord(now) || !isRecord(before)) return deepEqual(now, before);
    const names = Object.keys(now);
    return names.length === Object.keys(before).length && names.every((name) => this.key(name)?.isUnchanged === true);
  }

  #compareLists(now: readonly unknown[], before: readonly unknown[]): boolean {
    if (this.#schema['x-kubernetes-list-type'] !== 'map') return deepEqual(now, before);
    return now.length === before.length && now.every((_, index) => this.index(index)?.isUnchanged === true);
  }
}

/** The item of a `map` list with the same keys. */
export function counterpart(item: unknown, list: unknown, schema: SchemaProps): unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !isRecord(item) || !Array.isArray(list)) return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return list.find((one) => isRecord(one) && keys.every((key) => deepEqual(one[key], item[key])));
}
