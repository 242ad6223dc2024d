// SPDX-License-Identifier: Apache-2.0
// Writes on their way to the store's thread and back. What a message clones costs by the object and by the buffer (8 % of a create's
// time); so writes that follow each other go as one: numbers in columns, and all values in one buffer that is handed over.
import type { Revision, Versioned } from '../store.ts';

export interface PutOperation {
  readonly op: 'put';
  readonly key: string;
  readonly value: Uint8Array;
  /** As of `Store.put`. */
  readonly expected: Revision | undefined;
  /** Milliseconds since the epoch; undefined: never. */
  readonly expiresAt: number | undefined;
}

export interface DeleteOperation {
  readonly op: 'delete';
  readonly key: string;
  readonly expected: Revision | undefined;
}

export type WriteOperation = PutOperation | DeleteOperation;

/** A write's answer carries no value back: the main thread still has it. */
export type WriteAnswer =
  | { readonly ok: true; readonly revision: Revision; readonly createRevision: Revision }
  | { readonly ok: false; readonly current: Versioned | undefined };

export interface PackedWrites {
  readonly op: 'writes';
  readonly keys: readonly string[];
  /** `COLUMNS` of each: the bytes of its value, the revision expected, when it expires. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** One after the other. */
  readonly values: Uint8Array<ArrayBuffer>;
}

export interface PackedAnswers {
  readonly kind: 'writes';
  /** The revision and the creation's of each; `NONE` of a conflict. */
  readonly revisions: Float64Array<ArrayBuffer>;
  /** What was there instead, of each conflict in turn. */
  readonly conflicts: readonly (Versioned | undefined)[];
}

const COLUMNS = 3;
/** A delete's size, what expects nothing, what never expires, the revision of a conflict. */
const NONE = -1;

/** Operations as they are sent: each run of writes is one. */
export function pack<Other extends { readonly op: string }>(operations: readonly (WriteOperation | Other)[]): (PackedWrites | Other)[] {
  const packed: (PackedWrites | Other)[] = [];
  let writes: WriteOperation[] = [];
  const endRun = () => {
    if (writes.length > 0) packed.push(packWrites(writes));
    writes = [];
  };
  for (const operation of operations) {
    if (isWrite(operation)) writes.push(operation);
    else {
      endRun();
      packed.push(operation);
    }
  }
  endRun();
  return packed;
}

function isWrite(operation: { readonly op: string }): operation is WriteOperation {
  return operation.op === 'put' || operation.op === 'delete';
}

function packWrites(writes: readonly WriteOperation[]): PackedWrites {
  let size = 0;
  for (const write of writes) if (write.op === 'put') size += write.value.length;
  const values = new Uint8Array(size);
  const numbers = new Float64Array(writes.length * COLUMNS).fill(NONE);
  const keys: string[] = [];
  let end = 0;
  let row = 0;
  for (const write of writes) {
    keys.push(write.key);
    if (write.expected !== undefined) numbers[row + 1] = write.expected;
    if (write.op === 'put') {
      numbers[row] = write.value.length;
      values.set(write.value, end);
      end += write.value.length;
      if (write.expiresAt !== undefined) numbers[row + 2] = write.expiresAt;
    }
    row += COLUMNS;
  }
  return { op: 'writes', keys, numbers, values };
}

/** Values are views of the packed buffer. */
export function unpackWrites({ keys, numbers, values }: PackedWrites): WriteOperation[] {
  let end = 0;
  return keys.map((key, index) => {
    const row = index * COLUMNS;
    const expected = given(numbers[row + 1]);
    const size = given(numbers[row]);
    if (size === undefined) return { op: 'delete', key, expected };
    const value = values.subarray(end, end + size);
    end += size;
    return { op: 'put', key, value, expected, expiresAt: given(numbers[row + 2]) };
  });
}

export function packAnswers(answers: readonly WriteAnswer[]): PackedAnswers {
  const revisions = new Float64Array(answers.length * 2).fill(NONE);
  const conflicts: (Versioned | undefined)[] = [];
  answers.forEach((answer, index) => {
    if (!answer.ok) conflicts.push(answer.current);
    else {
      revisions[index * 2] = answer.revision;
      revisions[index * 2 + 1] = answer.createRevision;
    }
  });
  return { kind: 'writes', revisions, conflicts };
}

export function unpackAnswers({ revisions, conflicts }: PackedAnswers): WriteAnswer[] {
  let conflict = 0;
  return Array.from({ length: revisions.length / 2 }, (_, index) => {
    const revision = given(revisions[index * 2]);
    if (revision === undefined) return { ok: false, current: conflicts[conflict++] };
    return { ok: true, revision, createRevision: revisions[index * 2 + 1] ?? revision };
  });
}

function given(number: number | undefined): number | undefined {
  return number === NONE ? undefined : number;
}
