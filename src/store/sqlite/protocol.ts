// SPDX-License-Identifier: Apache-2.0
// What the store's two halves say to each other: the main thread sends batches of operations, the worker answers those it has got
// once they are committed. One operation, one answer, in order; writes that follow each other, and their answers, are packed.

import type { RangeOptions, RangeResult, Revision, StoreEvent, Versioned } from '../store.ts';
import type { PackedAnswers, PackedWrites, WriteAnswer, WriteOperation } from './packed-writes.ts';

export type OtherOperation =
  | { readonly op: 'expire'; readonly now: number }
  | { readonly op: 'find'; readonly key: string; readonly at: Revision | undefined }
  | { readonly op: 'range'; readonly prefix: string; readonly options: RangeOptions }
  | { readonly op: 'history'; readonly prefix: string; readonly after: Revision }
  | { readonly op: 'compact'; readonly revision: Revision }
  | { readonly op: 'size' };

export type Operation = WriteOperation | OtherOperation;
export type SentOperation = PackedWrites | OtherOperation;

export type SentAnswer =
  | PackedAnswers
  | { readonly kind: 'expired'; readonly deleted: readonly StoreEvent[]; readonly nextExpiry: number | undefined }
  | { readonly kind: 'found'; readonly found: Versioned | undefined }
  | { readonly kind: 'range'; readonly result: RangeResult }
  | { readonly kind: 'history'; readonly events: readonly StoreEvent[] }
  | { readonly kind: 'size'; readonly bytes: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly error: AnswerError };

export type Answer = Exclude<SentAnswer, PackedAnswers> | { readonly kind: 'write'; readonly result: WriteAnswer };

export type AnswerError =
  | { readonly type: 'compacted'; readonly asked: Revision; readonly revision: Revision }
  | { readonly type: 'future'; readonly asked: Revision; readonly revision: Revision }
  | { readonly type: 'unavailable'; readonly message: string };

export type ToWorker = { readonly type: 'batch'; readonly operations: readonly SentOperation[] } | { readonly type: 'close' };

export type FromWorker =
  | { readonly type: 'opened'; readonly revision: Revision; readonly nextExpiry: number | undefined }
  | { readonly type: 'failed'; readonly message: string }
  /** Of one batch or several, in the order in which they were sent. */
  | { readonly type: 'committed'; readonly batches: readonly (readonly SentAnswer[])[]; readonly revision: Revision }
  | { readonly type: 'closed' };
