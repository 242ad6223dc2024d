// SPDX-License-Identifier: Apache-2.0
// The SQLite half of the embedded store: tables, statements, and one function per operation. Runs in the worker thread only.
//
// `kv` is the history, one row per revision, and the only thing a write touches: rows are appended, and which of them are the newest is
// kept in memory (live-keys.ts). `ttl` is what expires, `meta` the compaction mark, `live` a view for those who look into the file.
// A batch of operations is one transaction: with WAL and synchronous=FULL its commit is one fdatasync.
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import {
  CompactedError,
  FutureRevisionError,
  type RangeOptions,
  type RangeResult,
  type Revision,
  type StoreEvent,
  type Versioned,
} from '../store.ts';
import { type LiveKey, LiveKeys } from './live-keys.ts';
import type { WriteAnswer } from './packed-writes.ts';

/** `previous` is the revision that a row took the place of, 0 if there was none. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS kv (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, create_revision INTEGER NOT NULL, previous INTEGER NOT NULL, value BLOB) STRICT;
CREATE TABLE IF NOT EXISTS ttl (key TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ttl_expires ON ttl (expires_at);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS live AS SELECT key, max(revision) AS revision, create_revision FROM kv GROUP BY key HAVING value IS NOT NULL;
`;
const SCHEMA_VERSION = 2;
/** Files of versions up to 0.2.0 had indexes on disk instead of `previous`. */
const FROM_VERSION_1 = `
DROP TABLE live;
ALTER TABLE kv RENAME TO kv_1;
${SCHEMA}
INSERT INTO kv SELECT revision, key, create_revision, CASE create_revision WHEN revision THEN 0 ELSE
  coalesce((SELECT max(older.revision) FROM kv_1 AS older WHERE older.key = kv_1.key AND older.revision < kv_1.revision), 0) END, value FROM kv_1;
DROP TABLE kv_1;
`;
const NOTHING = new Uint8Array();

interface Row {
  readonly key: string;
  readonly revision: number;
  readonly create_revision: number;
  readonly value: Uint8Array | null;
}

type Statements = Readonly<Record<keyof typeof SQL, StatementSync>>;

const SQL = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  row: 'SELECT key, revision, create_revision, value FROM kv WHERE revision = ?',
  previous: 'SELECT previous FROM kv WHERE revision = ?',
  rows: 'SELECT key, revision, create_revision, value IS NULL AS gone FROM kv ORDER BY revision',
  insert: 'INSERT INTO kv (revision, key, create_revision, previous, value) VALUES (?, ?, ?, ?, ?)',
  setTtl: 'INSERT INTO ttl (key, expires_at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at',
  dropTtl: 'DELETE FROM ttl WHERE key = ?',
  nextTtl: 'SELECT min(expires_at) AS at FROM ttl',
  dueTtl: 'SELECT key FROM ttl WHERE expires_at <= ?',
  changed: 'SELECT key, previous FROM kv WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision',
  history: 'SELECT key, revision, create_revision, value FROM kv WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision',
  // Only what changed since the last compaction is looked at: ?1 is the old mark, ?2 the new one.
  dropSuperseded: 'DELETE FROM kv WHERE revision IN (SELECT previous FROM kv WHERE revision > ?1 AND revision <= ?2)',
  dropTombstones: 'DELETE FROM kv WHERE revision > ?1 AND revision <= ?2 AND value IS NULL',
  setMeta: 'INSERT INTO meta (name, number) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = excluded.number',
  meta: 'SELECT number FROM meta WHERE name = ?',
  newest: 'SELECT max(revision) AS revision FROM kv',
} as const;

/** The first string after every string that begins with `prefix`. */
function endOf(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function versionedOf(row: Row | undefined): Versioned | undefined {
  if (row === undefined || row.value === null) return undefined;
  return { key: row.key, value: row.value, createRevision: row.create_revision, modRevision: row.revision };
}

function eventOf(row: Row): StoreEvent {
  const type = row.value === null ? 'delete' : 'put';
  return { type, key: row.key, revision: row.revision, value: row.value ?? NOTHING, createRevision: row.create_revision };
}

export class Database {
  readonly #db: DatabaseSync;
  readonly #statements: Statements;
  readonly #live = new LiveKeys();
  #revision: Revision;
  #compacted: Revision;

  /** @throws {Error} SQLite's, if the file cannot be opened or is no database. */
  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY');
    this.#prepareTables();
    this.#statements = Object.fromEntries(Object.entries(SQL).map(([name, sql]) => [name, this.#db.prepare(sql)])) as unknown as Statements;
    this.#compacted = (this.#statements.meta.get('compacted') as { number: number } | undefined)?.number ?? 0;
    const newest = (this.#statements.newest.get() as { revision: number | null }).revision ?? 0;
    this.#revision = Math.max(newest, this.#compacted);
    for (const row of this.#statements.rows.iterate() as Iterable<Row & { readonly gone: number }>) {
      this.#live.set(row.key, row.gone === 1 ? undefined : { revision: row.revision, createRevision: row.create_revision });
    }
  }

  #prepareTables(): void {
    const { user_version: version } = this.#db.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > SCHEMA_VERSION) throw new Error(`the file is of a newer sagong: its schema is ${version}, known is ${SCHEMA_VERSION}`);
    if (version === SCHEMA_VERSION) return;
    const isOld = this.#db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'live'").get() !== undefined;
    this.#db.exec(`BEGIN IMMEDIATE; ${isOld ? FROM_VERSION_1 : SCHEMA} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  }

  get revision(): Revision {
    return this.#revision;
  }

  /** Runs `work` in one transaction. If it or the commit throws, nothing happened and the revision is what it was. */
  transact<T>(work: () => T): T {
    const { begin, commit, rollback } = this.#statements;
    const before = this.#revision;
    begin.run();
    try {
      return this.#live.attempt(() => {
        const result = work();
        commit.run();
        return result;
      });
    } catch (error) {
      this.#revision = before;
      if (this.#db.isTransaction) rollback.run();
      throw error;
    }
  }

  put(key: string, value: Uint8Array, expected: Revision | undefined, expiresAt: number | undefined): WriteAnswer {
    const live = this.#live.get(key);
    if (expected !== undefined && (live?.revision ?? 0) !== expected) return { ok: false, current: this.#current(live) };
    const revision = this.#revision + 1;
    const createRevision = live?.createRevision ?? revision;
    this.#statements.insert.run(revision, key, createRevision, live?.revision ?? 0, value);
    if (expiresAt !== undefined) this.#statements.setTtl.run(key, expiresAt);
    else if (live !== undefined) this.#statements.dropTtl.run(key);
    this.#live.set(key, { revision, createRevision });
    this.#revision = revision;
    return { ok: true, revision, createRevision };
  }

  delete(key: string, expected: Revision | undefined): WriteAnswer {
    const live = this.#live.get(key);
    if (live === undefined || (expected !== undefined && live.revision !== expected)) return { ok: false, current: this.#current(live) };
    const revision = this.#revision + 1;
    this.#statements.insert.run(revision, key, live.createRevision, live.revision, null);
    this.#statements.dropTtl.run(key);
    this.#live.set(key, undefined);
    this.#revision = revision;
    return { ok: true, revision, createRevision: live.createRevision };
  }

  expire(now: number): StoreEvent[] {
    const due = this.#statements.dueTtl.all(now) as unknown as { key: string }[];
    return due.flatMap(({ key }) => {
      const answer = this.delete(key, undefined);
      if (!answer.ok) return [];
      return [{ type: 'delete' as const, key, revision: answer.revision, value: NOTHING, createRevision: answer.createRevision }];
    });
  }

  get nextExpiry(): number | undefined {
    return (this.#statements.nextTtl.get() as { at: number | null }).at ?? undefined;
  }

  find(key: string, at: Revision | undefined): Versioned | undefined {
    if (!at) return this.#current(this.#live.get(key));
    this.#checkReadable(at);
    let revision = this.#live.get(key)?.revision ?? 0;
    while (revision > at) revision = (this.#statements.previous.get(revision) as { previous: number }).previous;
    if (revision > 0) return this.#row(revision);
    // It is not there, or was made again since: nothing leads back over a deletion.
    return this.#row(this.#changedSince(at, key, `${key}\0`).get(key) ?? 0);
  }

  range(prefix: string, { limit = 0, revision, after = '' }: RangeOptions): RangeResult {
    const at = revision || this.#revision;
    this.#checkReadable(at);
    const changed = at === this.#revision ? new Map<string, Revision>() : this.#changedSince(at, prefix, endOf(prefix));
    const unchanged = this.#live.under(prefix, after).filter((key) => !changed.has(key));
    const replaced = [...changed].flatMap(([key, before]) => (before > 0 && key > after ? [key] : []));
    const keys = replaced.length === 0 ? unchanged : [...unchanged, ...replaced].sort();
    const items = (limit > 0 ? keys.slice(0, limit) : keys).flatMap(
      (key) => this.#row(changed.get(key) ?? this.#live.get(key)?.revision ?? 0) ?? [],
    );
    return { items, revision: at, more: items.length < keys.length, count: keys.length };
  }

  /** What keys from `start` to before `end` were at, as of a revision, if they changed since; 0 for those that were not there. */
  #changedSince(at: Revision, start: string, end: string): Map<string, Revision> {
    const changed = new Map<string, Revision>();
    for (const { key, previous } of this.#statements.changed.iterate(at, start, end) as Iterable<{ key: string; previous: number }>) {
      if (!changed.has(key)) changed.set(key, previous);
    }
    return changed;
  }

  history(prefix: string, after: Revision): StoreEvent[] {
    if (after < this.#compacted) throw new CompactedError(after, this.#compacted);
    return (this.#statements.history.all(after, prefix, endOf(prefix)) as unknown as Row[]).map(eventOf);
  }

  compact(revision: Revision): void {
    const mark = Math.min(revision, this.#revision);
    if (mark <= this.#compacted) return;
    this.#statements.setMeta.run('compacted', mark);
    this.#statements.dropSuperseded.run(this.#compacted, mark);
    this.#statements.dropTombstones.run(this.#compacted, mark);
    this.#compacted = mark;
  }

  size(): number {
    const pages = this.#db.prepare('PRAGMA page_count').get() as { page_count: number };
    const page = this.#db.prepare('PRAGMA page_size').get() as { page_size: number };
    return pages.page_count * page.page_size;
  }

  close(): void {
    this.#db.close();
  }

  #current(live: LiveKey | undefined): Versioned | undefined {
    return live === undefined ? undefined : this.#row(live.revision);
  }

  #row(revision: Revision): Versioned | undefined {
    return versionedOf(this.#statements.row.get(revision) as Row | undefined);
  }

  #checkReadable(at: Revision): void {
    if (at < this.#compacted) throw new CompactedError(at, this.#compacted);
    if (at > this.#revision) throw new FutureRevisionError(at, this.#revision);
  }
}
