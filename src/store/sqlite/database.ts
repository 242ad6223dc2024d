// SPDX-License-Identifier: Apache-2.0
// The SQLite half of the embedded store: tables, statements, and one function per operation. Runs in the worker thread only.
//
// `kv` is the history, one row per revision; `live` the newest state per key, for lookups and ranges; `ttl` what expires;
// `meta` the compaction mark. A batch of operations is one transaction: with WAL and synchronous=FULL its commit is one fdatasync.
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
import type { WriteAnswer } from './packed-writes.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS kv (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, create_revision INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS kv_key ON kv (key, revision);
CREATE TABLE IF NOT EXISTS live (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, create_revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ttl (key TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ttl_expires ON ttl (expires_at);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
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
  live: 'SELECT revision, create_revision FROM live WHERE key = ?',
  row: 'SELECT key, revision, create_revision, value FROM kv WHERE revision = ?',
  rowAt: 'SELECT key, revision, create_revision, value FROM kv WHERE key = ? AND revision <= ? ORDER BY revision DESC LIMIT 1',
  insert: 'INSERT INTO kv (revision, key, value, create_revision) VALUES (?, ?, ?, ?)',
  setLive:
    'INSERT INTO live (key, revision, create_revision) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision',
  dropLive: 'DELETE FROM live WHERE key = ?',
  setTtl: 'INSERT INTO ttl (key, expires_at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at',
  dropTtl: 'DELETE FROM ttl WHERE key = ?',
  nextTtl: 'SELECT min(expires_at) AS at FROM ttl',
  dueTtl: 'SELECT key FROM ttl WHERE expires_at <= ?',
  countLive: 'SELECT count(*) AS n FROM live WHERE key > ? AND key >= ? AND key < ?',
  rangeLive:
    'SELECT kv.key, kv.revision, kv.create_revision, kv.value FROM live JOIN kv ON kv.revision = live.revision WHERE live.key > ? AND live.key >= ? AND live.key < ? ORDER BY live.key LIMIT ?',
  rangeAt:
    'SELECT key, max(revision) AS revision, create_revision, value FROM kv WHERE key > ? AND key >= ? AND key < ? AND revision <= ? GROUP BY key HAVING value IS NOT NULL ORDER BY key',
  history: 'SELECT key, revision, create_revision, value FROM kv WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision',
  // Only what changed since the last compaction is looked at: ?1 is the old mark, ?2 the new one.
  dropSuperseded:
    'DELETE FROM kv WHERE revision IN (SELECT older.revision FROM kv AS newer JOIN kv AS older ON older.key = newer.key AND older.revision < newer.revision WHERE newer.revision > ?1 AND newer.revision <= ?2)',
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
  #revision: Revision;
  #compacted: Revision;

  /** @throws {Error} SQLite's, if the file cannot be opened or is no database. */
  constructor(file: string) {
    this.#db = new DatabaseSync(file);
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY');
    this.#db.exec(SCHEMA);
    this.#statements = Object.fromEntries(Object.entries(SQL).map(([name, sql]) => [name, this.#db.prepare(sql)])) as unknown as Statements;
    this.#compacted = (this.#statements.meta.get('compacted') as { number: number } | undefined)?.number ?? 0;
    const newest = (this.#statements.newest.get() as { revision: number | null }).revision ?? 0;
    this.#revision = Math.max(newest, this.#compacted);
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
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      this.#revision = before;
      if (this.#db.isTransaction) rollback.run();
      throw error;
    }
  }

  put(key: string, value: Uint8Array, expected: Revision | undefined, expiresAt: number | undefined): WriteAnswer {
    const live = this.#statements.live.get(key) as Row | undefined;
    if (expected !== undefined && (live?.revision ?? 0) !== expected) return { ok: false, current: this.#current(live) };
    const revision = this.#revision + 1;
    const createRevision = live?.create_revision ?? revision;
    this.#statements.insert.run(revision, key, value, createRevision);
    this.#statements.setLive.run(key, revision, createRevision);
    if (expiresAt !== undefined) this.#statements.setTtl.run(key, expiresAt);
    else if (live !== undefined) this.#statements.dropTtl.run(key);
    this.#revision = revision;
    return { ok: true, revision, createRevision };
  }

  delete(key: string, expected: Revision | undefined): WriteAnswer {
    const live = this.#statements.live.get(key) as Row | undefined;
    if (live === undefined || (expected !== undefined && live.revision !== expected)) return { ok: false, current: this.#current(live) };
    const revision = this.#revision + 1;
    this.#statements.insert.run(revision, key, null, live.create_revision);
    this.#statements.dropLive.run(key);
    this.#statements.dropTtl.run(key);
    this.#revision = revision;
    return { ok: true, revision, createRevision: live.create_revision };
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
    if (!at) return this.#current(this.#statements.live.get(key) as Row | undefined);
    this.#checkReadable(at);
    return versionedOf(this.#statements.rowAt.get(key, at) as Row | undefined);
  }

  range(prefix: string, { limit = 0, revision, after = '' }: RangeOptions): RangeResult {
    const end = endOf(prefix);
    if (!revision || revision === this.#revision) {
      const rows = this.#statements.rangeLive.all(after, prefix, end, limit > 0 ? limit : -1) as unknown as Row[];
      const all =
        limit > 0 && rows.length === limit ? (this.#statements.countLive.get(after, prefix, end) as { n: number }).n : rows.length;
      return { items: rows.flatMap((row) => versionedOf(row) ?? []), revision: this.#revision, more: all > rows.length, count: all };
    }
    this.#checkReadable(revision);
    const rows = this.#statements.rangeAt.all(after, prefix, end, revision) as unknown as Row[];
    const items = (limit > 0 ? rows.slice(0, limit) : rows).flatMap((row) => versionedOf(row) ?? []);
    return { items, revision, more: items.length < rows.length, count: rows.length };
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

  #current(live: Row | undefined): Versioned | undefined {
    return live === undefined ? undefined : versionedOf(this.#statements.row.get(live.revision) as Row | undefined);
  }

  #checkReadable(at: Revision): void {
    if (at < this.#compacted) throw new CompactedError(at, this.#compacted);
    if (at > this.#revision) throw new FutureRevisionError(at, this.#revision);
  }
}
