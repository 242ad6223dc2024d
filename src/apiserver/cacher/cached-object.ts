// SPDX-License-Identifier: Apache-2.0
// One version of one object as the cache holds it: the value, its revision, and its JSON made once, on first need, and shared
// by every GET, LIST and watcher. The JSON is kept without its head (`kind`, `apiVersion`), which list items do not have.
import type { DeepReadonly } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import type { ObjectText } from './object-text.ts';

export class CachedObject {
  readonly key: string;
  readonly revision: number;
  readonly object: DeepReadonly<MutableObject>;
  #tail: string | undefined;
  /** What the tail can be taken from, until it is. */
  #text: ObjectText | undefined;
  #frame: { readonly before: string; readonly bytes: WeakRef<Buffer> } | undefined;

  /** @param text Of a write that has just been made. */
  constructor(key: string, revision: number, object: DeepReadonly<MutableObject>, text?: ObjectText) {
    this.key = key;
    this.revision = revision;
    this.object = object;
    this.#tail = undefined;
    this.#text = text;
    this.#frame = undefined;
  }

  /** The JSON after the head: `"metadata":{…},"spec":{…}}`. */
  get tail(): string {
    if (this.#tail === undefined) {
      this.#tail = this.#text?.tail(this.revision) ?? tailOf(this.object);
      this.#text = undefined;
    }
    return this.#tail;
  }

  /** The writer is not answered in JSON: the text is let go, unless somebody has used it. */
  forgetText(): void {
    this.#text = undefined;
  }

  /** The tail for one who does not expect others to ask: what is not there yet is made, and let go. */
  tailOnce(): string {
    return this.#tail ?? tailOf(this.object);
  }

  /**
   * The bytes of `before`, the tail and `}\n`: a frame of a watch. Watchers that are told of one event in one go share them; they
   * are held weakly, since afterwards nobody asks again. With 1,000 watchers 69 to 77k events/s instead of 62k.
   */
  frame(before: string): Buffer {
    const made = this.#frame?.before === before ? this.#frame.bytes.deref() : undefined;
    if (made !== undefined) return made;
    const bytes = Buffer.from(`${before}${this.tail}}\n`);
    this.#frame = { before, bytes: new WeakRef(bytes) };
    return bytes;
  }

  /** The same state under another revision: what DELETED events carry. */
  withRevision(revision: number): CachedObject {
    const { metadata } = this.object;
    return new CachedObject(this.key, revision, { ...this.object, metadata: { ...metadata, resourceVersion: String(revision) } });
  }
}

/** The JSON of an object without `{"kind":…,"apiVersion":…,`. */
export function tailOf(object: DeepReadonly<MutableObject>): string {
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return JSON.stringify(rest).slice(1);
}

/** `{"kind":"Pod","apiVersion":"v1",`: what goes before a tail. */
export function headOf(kind: string, apiVersion: string): string {
  return `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`;
}
