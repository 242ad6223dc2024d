// SPDX-License-Identifier: Apache-2.0
// What the store's two halves say to each other: the main thread sends batches of operations, the worker answers each batch
// once it is committed. One operation, one answer, in order.
import type { RangeOptions, RangeResult, Revision, StoreEvent, Versioned, WriteResult } from '../store.ts';

export type Operation =
  | {
      readonly op: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      readonly expected: Revision | undefined;
      readonly expiresAt: number | undefined;
    }
  | { readonly op: 'delete'; readonly key: string; readonly expected: Revision | undefined }
  | { readonly op: 'expire'; readonly now: number }
  | { readonly op: 'find'; readonly key: string; readonly at: Revision | undefined }
  | { readonly op: 'range'; readonly prefix: string; readonly options: RangeOptions }
  | { readonly op: 'history'; readonly prefix: string; readonly after: Revision }
  | { readonly op: 'compact'; readonly revision: Revision }
  | { readonly op: 'size' };

/** A write's answer carries no value back: the main thread still has it. */
export type WriteAnswer = WriteResult & { readonly createRevision?: Revision };

export type Answer =
  | { readonly kind: 'write'; readonly result: WriteAnswer }
  | { readonly kind: 'expired'; readonly deleted: readonly StoreEvent[]; readonly nextExpiry: number | undefined }
  | { readonly kind: 'found'; readonly found: Versioned | undefined }
  | { readonly kind: 'range'; readonly result: RangeResult }
  | { readonly kind: 'history'; readonly events: readonly StoreEvent[] }
  | { readonly kind: 'size'; readonly bytes: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly error: AnswerError };

export type AnswerError =
  | { readonly type: 'compacted'; readonly asked: Revision; readonly revision: Revision }
  | { readonly type: 'future'; readonly asked: Revision; readonly revision: Revision }
  | { readonly type: 'unavailable'; readonly message: string };

export type ToWorker = { readonly type: 'batch'; readonly operations: readonly Operation[] } | { readonly type: 'close' };

export type FromWorker =
  | { readonly type: 'opened'; readonly revision: Revision; readonly nextExpiry: number | undefined }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'batch'; readonly answers: readonly Answer[]; readonly revision: Revision }
  | { readonly type: 'closed' };
