// SPDX-License-Identifier: Apache-2.0
// How server-side apply sees a value: a leaf that is owned as a whole, a record whose members are owned one by one, or a list
// whose items are told apart by keys (`map` lists) or by themselves (`set` lists). Where the schema leaves a value open, what it
// is decides: records are taken apart, lists and all else are leaves.
import type { Schema } from '../schema.ts';
import { keyElement, valueElement } from './field-set.ts';

export type Json = Record<string, unknown>;

export type Shape = 'leaf' | 'record' | 'list';

/** @param value Decides where the schema leaves it open. */
export function shapeOf(schema: Schema | undefined, value: unknown): Shape {
  switch (schema?.kind) {
    case 'struct':
    case 'map':
      return schema.mapType === 'atomic' ? 'leaf' : 'record';
    case 'list':
      return schema.listType === 'atomic' ? 'leaf' : 'list';
    case undefined:
    case 'any':
      return isRecord(value) ? 'record' : 'leaf';
    default:
      return 'leaf';
  }
}

/** Whether the schema leaves open what a value is. */
export function isOpen(schema: Schema | undefined): boolean {
  return schema === undefined || schema.kind === 'any';
}

export function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** No object or list with something in it. */
export function hasNothing(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  for (const name in value) if (Object.hasOwn(value, name)) return false;
  return true;
}

export function own(record: Json | undefined, name: string): unknown {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}

/** The schema of a member; undefined where there is none. `named` says that the schema declares it. */
export function memberSchema(schema: Schema | undefined, name: string): { schema: Schema | undefined; named: boolean } {
  if (schema?.kind === 'struct') {
    const field = schema.byName.get(name);
    return { schema: field?.schema, named: field !== undefined };
  }
  return { schema: schema?.kind === 'map' ? schema.value : undefined, named: false };
}

export function elementSchema(schema: Schema | undefined): Schema | undefined {
  return schema?.kind === 'list' ? schema.element : undefined;
}

/** The schema below an element of a path. */
export function schemaBelow(schema: Schema | undefined, element: string): Schema | undefined {
  return element.startsWith('f:') ? memberSchema(schema, element.slice(2)).schema : elementSchema(schema);
}

/** The path element of a list item. */
export function itemElement(schema: Schema | undefined, item: unknown): string {
  if (schema?.kind !== 'list' || schema.listType !== 'map') return valueElement(item);
  const record = isRecord(item) ? item : {};
  const keys: Json = {};
  for (const key of schema.keys) {
    const value = own(record, key);
    const filled = value === undefined ? keyDefault(schema.element, key) : value;
    if (filled !== undefined) keys[key] = filled;
  }
  return keyElement(keys);
}

export function keyDefault(element: Schema, key: string): unknown {
  const field = element.kind === 'struct' ? element.byName.get(key) : undefined;
  return field?.default ?? undefined;
}

/** Items that nothing tells apart: they are owned together, as one, whatever is in them. */
export class Several {
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/** Items by path element; those with the same one are `Several`. */
export function itemsByElement(schema: Schema | undefined, list: unknown): Map<string, unknown> {
  const items = new Map<string, unknown>();
  if (!Array.isArray(list)) return items;
  for (const item of list) {
    const element = itemElement(schema, item);
    const found = items.get(element);
    items.set(element, found === undefined ? item : new Several(found instanceof Several ? [...found.items, item] : [found, item]));
  }
  return items;
}
