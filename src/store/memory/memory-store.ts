// SPDX-License-Identifier: Apache-2.0
// A store in plain memory, for tests and throw-away API servers. Nothing survives the process; everything else is the contract.
import { type Clock, systemClock } from '#component';
import {
  CompactedError,
  FutureRevisionError,
  type PutOptions,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type Store,
  type StoreEvent,
  type Versioned,
  type WriteResult,
} from '../store.ts';
import { WatchHub } from '../watch-hub.ts';

const NOTHING = new Uint8Array();

export class MemoryStore implements Store {
  #revision = 0;
  #compacted = 0;
  #log: StoreEvent[] = [];
  readonly #versions = new Map<string, StoreEvent[]>();
  readonly #expiry = new Map<string, Disposable>();
  readonly #hub = new WatchHub();
  readonly #clock: Clock;

  constructor(options: { readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
  }

  get revision(): Revision {
    return this.#revision;
  }

  async find(key: string, at?: Revision): Promise<Versioned | undefined> {
    this.#checkReadable(at);
    return this.#at(key, at ?? this.#revision);
  }

  async range(prefix: string, options: RangeOptions = {}): Promise<RangeResult> {
    const { limit = 0, revision, after } = options;
    this.#checkReadable(revision);
    const at = revision || this.#revision;
    const keys = [...this.#versions.keys()].filter((key) => key.startsWith(prefix) && (after === undefined || key > after)).sort();
    const all = keys.flatMap((key) => this.#at(key, at) ?? []);
    const items = limit > 0 ? all.slice(0, limit) : all;
    return { items, revision: at, more: items.length < all.length, count: all.length };
  }

  async put(key: string, value: Uint8Array, expected: Revision | undefined, options: PutOptions = {}): Promise<WriteResult> {
    const current = this.#at(key, this.#revision);
    if (expected !== undefined && (current?.modRevision ?? 0) !== expected) return { ok: false, current };
    this.#expiry.get(key)?.[Symbol.dispose]();
    this.#expiry.delete(key);
    if (options.ttlSeconds !== undefined) {
      this.#expiry.set(
        key,
        this.#clock.after(options.ttlSeconds * 1000, () => void this.delete(key, undefined)),
      );
    }
    return { ok: true, revision: this.#append('put', key, value, current?.createRevision) };
  }

  async delete(key: string, expected: Revision | undefined): Promise<WriteResult> {
    const current = this.#at(key, this.#revision);
    if (current === undefined || (expected !== undefined && current.modRevision !== expected)) return { ok: false, current };
    this.#expiry.get(key)?.[Symbol.dispose]();
    this.#expiry.delete(key);
    return { ok: true, revision: this.#append('delete', key, NOTHING, current.createRevision) };
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]> {
    return this.#hub.watch(prefix, after, async () => this.#history(prefix, after), signal);
  }

  async compact(revision: Revision): Promise<void> {
    if (revision <= this.#compacted) return;
    this.#compacted = Math.min(revision, this.#revision);
    this.#log = this.#log.filter((event) => event.revision > this.#compacted);
    for (const [key, versions] of this.#versions) {
      const newest = versions.findLastIndex((event) => event.revision <= this.#compacted);
      const kept = versions.slice(Math.max(0, newest));
      if (kept.length === 1 && kept[0]?.type === 'delete' && kept[0].revision <= this.#compacted) this.#versions.delete(key);
      else this.#versions.set(key, kept);
    }
  }

  async size(): Promise<number> {
    let bytes = 0;
    for (const versions of this.#versions.values()) for (const event of versions) bytes += event.value.byteLength;
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#expiry.values()) timer[Symbol.dispose]();
    this.#expiry.clear();
    this.#hub.close();
  }

  #checkReadable(at: Revision | undefined): void {
    if (!at) return;
    if (at < this.#compacted) throw new CompactedError(at, this.#compacted);
    if (at > this.#revision) throw new FutureRevisionError(at, this.#revision);
  }

  #history(prefix: string, after: Revision): readonly StoreEvent[] {
    if (after < this.#compacted) throw new CompactedError(after, this.#compacted);
    return this.#log.filter((event) => event.revision > after && event.key.startsWith(prefix));
  }

  #at(key: string, revision: Revision): Versioned | undefined {
    const event = this.#versions.get(key)?.findLast((version) => version.revision <= revision);
    if (event === undefined || event.type === 'delete') return undefined;
    return { key, value: event.value, createRevision: event.createRevision, modRevision: event.revision };
  }

  #append(type: 'put' | 'delete', key: string, value: Uint8Array, createRevision: Revision | undefined): Revision {
    this.#revision += 1;
    const event: StoreEvent = { type, key, revision: this.#revision, value, createRevision: createRevision ?? this.#revision };
    this.#log.push(event);
    const versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, [event]);
    else versions.push(event);
    this.#hub.publish([event]);
    return this.#revision;
  }
}
