// SPDX-License-Identifier: Apache-2.0
// Copies of plain JSON values: how a component gets an object it may change from one that a cache owns.

/** Undoes `DeepReadonly`. */
export type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
    : T;

/** A copy that shares nothing with `value`. Only for plain JSON values: no cycles, dates or class instances. */
export function deepCopy<T>(value: T): Mutable<T> {
  return copy(value) as Mutable<T>;
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const list = new Array<unknown>(value.length);
    for (let index = 0; index < value.length; index++) list[index] = copy(value[index]);
    return list;
  }
  const object: Record<string, unknown> = {};
  for (const key of Object.keys(value)) setOwn(object, key, copy((value as Record<string, unknown>)[key]));
  return object;
}

/** Assigns a key that came from outside: `__proto__` becomes an ordinary property, as it is in JSON. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}
