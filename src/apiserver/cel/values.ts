// SPDX-License-Identifier: Apache-2.0
// Values while an expression runs. bool, string and null are JavaScript's own; int is a bigint, double a number; the rest are
// the classes below. A failed operation is a `Failure`, a value too, since `||`, `&&` and macros may overrule it (cel-go's
// types.Err). JSON becomes a value where it is read: see convert.ts.
import { type CelType, fieldOf, type ListType, type ObjectType } from './types.ts';

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}
export class Timestamp {
  /** Since 1970-01-01T00:00:00Z. */
  readonly nanos: bigint;
  /** The offset it was written with, in seconds; only its printed form shows it. */
  readonly offset: number;
  constructor(nanos: bigint, offset = 0) {
    this.nanos = nanos;
    this.offset = offset;
  }
}
export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}
export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
export class OptionalValue {
  static readonly NONE = new OptionalValue(undefined);
  /** undefined for `optional.none()`. */
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}
/** What went wrong, with upstream's text. */
export class Failure {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}
/** A list: values, or JSON with what makes a value of an element. */
export class ListValue {
  readonly items: readonly unknown[];
  readonly #convert: ((raw: unknown) => Value) | undefined;
  /** Set for lists of CustomResources whose `==` and `+` are not plain. */
  readonly type: ListType | undefined;
  constructor(items: readonly unknown[], convert?: (raw: unknown) => Value, type?: ListType) {
    this.items = items;
    this.#convert = convert;
    this.type = type;
  }
  get size(): number {
    return this.items.length;
  }
  at(index: number): Value {
    const item = this.items[index];
    return this.#convert === undefined ? (item as Value) : this.#convert(item);
  }
  values(): Value[] {
    return this.#convert === undefined ? (this.items as Value[]) : this.items.map(this.#convert);
  }
}
export type Key = string | boolean | bigint | Uint;
/** Keys by what `Map` can find: int, uint and a whole double are one key. */
export function keyOf(value: Value): string | bigint | boolean | undefined {
  if (typeof value === 'string' || typeof value === 'bigint' || typeof value === 'boolean') return value;
  if (value instanceof Uint) return value.value;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  return undefined;
}
export interface MapValue {
  readonly kind: 'map' | 'object';
  readonly size: number;
  find(key: string | bigint | boolean): Value | undefined;
  keys(): readonly Key[];
}
/** `{...}` of an expression, or what `transformMap` builds. */
export class LiteralMap implements MapValue {
  readonly kind = 'map';
  readonly entries: ReadonlyMap<string | bigint | boolean, readonly [Key, Value]>;
  /** Set while a macro builds the map: an entry is added in place. */
  #growing: Map<string | bigint | boolean, readonly [Key, Value]> | undefined;
  constructor(entries: ReadonlyMap<string | bigint | boolean, readonly [Key, Value]>) {
    this.entries = entries;
  }
  static growing(): LiteralMap {
    const entries = new Map<string | bigint | boolean, readonly [Key, Value]>();
    const map = new LiteralMap(entries);
    map.#growing = entries;
    return map;
  }
  /** The map and one more entry. */
  with(index: string | bigint | boolean, entry: readonly [Key, Value]): LiteralMap {
    if (this.#growing === undefined) return new LiteralMap(new Map(this.entries).set(index, entry));
    this.#growing.set(index, entry);
    return this;
  }
  /** The end of growing. */
  settle(): void {
    this.#growing = undefined;
  }
  get size(): number {
    return this.entries.size;
  }
  find(key: string | bigint | boolean): Value | undefined {
    return this.entries.get(key)?.[1];
  }
  keys(): readonly Key[] {
    return [...this.entries.values()].map(([key]) => key);
  }
}
/** A JSON object whose keys are data. */
export class JsonMap implements MapValue {
  readonly kind = 'map';
  readonly raw: Readonly<Record<string, unknown>>;
  readonly #convert: (raw: unknown) => Value;
  #keys: readonly string[] | undefined;
  constructor(raw: Readonly<Record<string, unknown>>, convert: (raw: unknown) => Value) {
    this.raw = raw;
    this.#convert = convert;
  }
  get size(): number {
    return this.keys().length;
  }
  find(key: string | bigint | boolean): Value | undefined {
    if (typeof key !== 'string' || !Object.hasOwn(this.raw, key)) return undefined;
    const value = this.raw[key];
    return value === undefined ? undefined : this.#convert(value);
  }
  keys(): readonly string[] {
    this.#keys ??= Object.keys(this.raw).filter((key) => this.raw[key] !== undefined);
    return this.#keys;
  }
}
/** A JSON object of a declared type: null fields are absent ones, what is not declared only counts for equality. */
export class ObjectValue implements MapValue {
  readonly kind = 'object';
  readonly raw: Readonly<Record<string, unknown>>;
  readonly type: ObjectType;
  readonly #convert: (raw: unknown, type: CelType) => Value;
  constructor(raw: Readonly<Record<string, unknown>>, type: ObjectType, convert: (raw: unknown, type: CelType) => Value) {
    this.raw = raw;
    this.type = type;
    this.#convert = convert;
  }
  get size(): number {
    return this.keys().length;
  }
  find(key: string | bigint | boolean): Value | undefined {
    if (typeof key !== 'string') return undefined;
    const type = fieldOf(this.type, key);
    const name = this.type.properties?.get(key) ?? key;
    if (type === undefined || !Object.hasOwn(this.raw, name)) return undefined;
    const value = this.raw[name];
    return value === undefined || value === null ? undefined : this.#convert(value, type);
  }
  keys(): readonly string[] {
    return [...this.type.fields.keys()].filter((key) => {
      const value = this.raw[this.type.properties?.get(key) ?? key];
      return value !== undefined && value !== null;
    });
  }
}
/** A message made by an expression: `Object.spec{replicas: 3}`. */
export class StructValue implements MapValue {
  readonly kind = 'object';
  readonly name: string;
  readonly fields: ReadonlyMap<string, Value>;
  constructor(name: string, fields: ReadonlyMap<string, Value>) {
    this.name = name;
    this.fields = fields;
  }
  get size(): number {
    return this.fields.size;
  }
  find(key: string | bigint | boolean): Value | undefined {
    return typeof key === 'string' ? this.fields.get(key) : undefined;
  }
  keys(): readonly string[] {
    return [...this.fields.keys()];
  }
}
/** An object whose fields are found when they are read: `variables` of a policy. */
export class LazyFields implements MapValue {
  readonly kind = 'object';
  readonly #names: readonly string[];
  readonly #resolve: (name: string) => Value;
  /** @param resolve Called at each read: memoise there. */
  constructor(names: readonly string[], resolve: (name: string) => Value) {
    this.#names = names;
    this.#resolve = resolve;
  }
  get size(): number {
    return this.#names.length;
  }
  find(key: string | bigint | boolean): Value | undefined {
    return typeof key === 'string' && this.#names.includes(key) ? this.#resolve(key) : undefined;
  }
  keys(): readonly string[] {
    return this.#names;
  }
}
/** A value of a library: a quantity, an address. */
export interface Opaque {
  readonly opaque: string;
  /** Where the type has a size, for costs. */
  readonly size?: number;
  equals(other: unknown): boolean;
}
export type Value =
  | null
  | boolean
  | string
  | bigint
  | number
  | Uint
  | Uint8Array
  | Timestamp
  | Duration
  | TypeValue
  | OptionalValue
  | Failure
  | ListValue
  | MapValue
  | Opaque;

export function isMap(value: Value): value is MapValue {
  return typeof value === 'object' && value !== null && 'kind' in value;
}
export function isOpaque(value: unknown): value is Opaque {
  return typeof value === 'object' && value !== null && 'opaque' in value;
}
/** Whether it is a value already, no JSON. */
export function isValue(value: unknown): value is Value {
  if (typeof value !== 'object' || value === null) return typeof value !== 'number' && typeof value !== 'undefined';
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null;
}

/** The name of a value's type, as `type(x)` and errors have it. */
export function typeOfValue(value: Value): string {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    default:
  }
  if (value === null) return 'null_type';
  if (value instanceof ListValue) return 'list';
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof TypeValue) return 'type';
  if (value instanceof OptionalValue) return 'optional_type';
  if (value instanceof Failure) return 'error';
  if (isOpaque(value)) return value.opaque;
  if (value instanceof ObjectValue) return value.type.name;
  if (value instanceof StructValue) return value.name;
  return value.kind;
}

/** Characters of a string. */
export function lengthOf(text: string): number {
  let length = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff && index + 1 < text.length) {
      length -= 1;
      index += 1;
    }
  }
  return length;
}

/** What `size()` would say; 1 for what has no size. Costs count with it. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return lengthOf(value);
  if (value instanceof ListValue) return value.size;
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  if ('kind' in value) return value.size;
  return isOpaque(value) ? (value.size ?? 1) : 1;
}

export function failure(message: string): Failure {
  return new Failure(message);
}
export const NO_OVERLOAD = new Failure('no such overload');
