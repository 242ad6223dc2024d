// SPDX-License-Identifier: Apache-2.0
// A binary heap whose items can be found and removed by key. Items that compare equal come out in the order they went in.

interface Entry<T> {
  readonly item: T;
  readonly serial: number;
  index: number;
}

export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  readonly #byKey = new Map<string, Entry<T>>();
  readonly #before: (a: T, b: T) => boolean;
  readonly #keyOf: (item: T) => string;
  #serial: number;

  /** @param before Whether the first comes out earlier than the second. */
  constructor(before: (a: T, b: T) => boolean, keyOf: (item: T) => string) {
    this.#before = before;
    this.#keyOf = keyOf;
    this.#serial = 0;
  }

  get size(): number {
    return this.#entries.length;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key)?.item;
  }

  push(item: T): void {
    const key = this.#keyOf(item);
    this.delete(key);
    this.#serial += 1;
    const entry = { item, serial: this.#serial, index: this.#entries.length };
    this.#byKey.set(key, entry);
    this.#entries.push(entry);
    this.#rise(entry);
  }

  pop(): T | undefined {
    const [first] = this.#entries;
    if (first === undefined) return undefined;
    this.delete(this.#keyOf(first.item));
    return first.item;
  }

  delete(key: string): boolean {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return false;
    this.#byKey.delete(key);
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return true;
    this.#put(last, entry.index);
    this.#rise(last);
    this.#sink(last);
    return true;
  }

  #precedes(a: Entry<T>, b: Entry<T>): boolean {
    if (this.#before(a.item, b.item)) return true;
    return !this.#before(b.item, a.item) && a.serial < b.serial;
  }

  #put(entry: Entry<T>, index: number): void {
    entry.index = index;
    this.#entries[index] = entry;
  }

  #rise(entry: Entry<T>): void {
    while (entry.index > 0) {
      const parent = this.#entries[(entry.index - 1) >> 1];
      if (parent === undefined || !this.#precedes(entry, parent)) return;
      const { index } = parent;
      this.#put(parent, entry.index);
      this.#put(entry, index);
    }
  }

  #sink(entry: Entry<T>): void {
    for (;;) {
      const [left, right] = [this.#entries[2 * entry.index + 1], this.#entries[2 * entry.index + 2]];
      const child = right !== undefined && left !== undefined && this.#precedes(right, left) ? right : left;
      if (child === undefined || !this.#precedes(child, entry)) return;
      const { index } = child;
      this.#put(child, entry.index);
      this.#put(entry, index);
    }
  }
}
