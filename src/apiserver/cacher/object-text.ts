// SPDX-License-Identifier: Apache-2.0
// The JSON of an object that is about to be written, made once for both its uses: the bytes of the store, in which no revision is
// written down, and, under the revision that the write gets, the tail of what is answered (7 % of a create's time).
import type { DeepReadonly } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import { headOf } from './cached-object.ts';

const UNVERSIONED = '"resourceVersion":""';

export class ObjectText {
  readonly #text: string;
  /** Where the only empty revision stands. */
  readonly #at: number;
  /** Characters of `kind` and `apiVersion` at the beginning. */
  readonly #head: number;

  private constructor(text: string, at: number, head: number) {
    this.#text = text;
    this.#at = at;
    this.#head = head;
  }

  /** @returns undefined where the text cannot be had both ways: the revision is not the empty one, or other fields are like it. */
  static of(object: DeepReadonly<MutableObject>): ObjectText | undefined {
    if (object.metadata.resourceVersion !== '') return undefined;
    const text = JSON.stringify(object);
    const at = text.indexOf(UNVERSIONED); // Within a string value the quotes would be escaped.
    if (text.indexOf(UNVERSIONED, at + 1) >= 0) return undefined;
    const head = headLength(text, object);
    return head === 0 ? undefined : new ObjectText(text, at, head);
  }

  /** As it is stored. */
  get stored(): string {
    const end = this.#at + UNVERSIONED.length;
    // A name or a time stands beside it, so there is a comma on one side.
    return this.#text[end] === ','
      ? this.#text.slice(0, this.#at) + this.#text.slice(end + 1)
      : this.#text.slice(0, this.#at - 1) + this.#text.slice(end);
  }

  /** As `CachedObject.tail` of the object at `revision`. */
  tail(revision: number): string {
    const end = this.#at + UNVERSIONED.length;
    return flat(`${this.#text.slice(this.#head, this.#at)}"resourceVersion":"${revision}"${this.#text.slice(end)}`);
  }
}

/** V8 keeps a joined string as a tree of its parts until a character of it is looked at. The tail is kept long, so it becomes one piece. */
function flat(text: string): string {
  return text.charCodeAt(0) === 0 ? '' : text;
}

function headLength(text: string, { kind, apiVersion }: DeepReadonly<MutableObject>): number {
  const head = headOf(kind, apiVersion);
  if (text.startsWith(head)) return head.length;
  const turned = `{"apiVersion":${JSON.stringify(apiVersion)},"kind":${JSON.stringify(kind)},`;
  return text.startsWith(turned) ? turned.length : 0;
}
