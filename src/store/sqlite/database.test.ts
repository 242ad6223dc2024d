// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { MemoryStore } from '../memory/memory-store.ts';
import type { RangeResult, Versioned } from '../store.ts';
import { Database } from './database.ts';

const folder = mkdtempSync(join(tmpdir(), 'sagong-database-'));
let made = 0;
const nextFile = () => join(folder, `database-${++made}.db`);
after(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string) => Buffer.from(text);
const shown = ({ key, value, createRevision, modRevision }: Versioned) =>
  `${key}=${Buffer.from(value).toString()} @${modRevision}/${createRevision}`;
const shownRange = ({ items, more, count }: RangeResult) => ({ items: items.map(shown), more, count });

function put(database: Database, key: string, text: string): void {
  database.transact(() => database.put(key, bytes(text), undefined, undefined));
}

const keys = fc.constantFrom('/a', '/a/1', '/a/2', '/b/1', '/b', '/b/10');
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ op: fc.constant('put' as const), key: keys }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('delete' as const), key: keys }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('compact' as const), back: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('reopen' as const) }) },
  ),
  { maxLength: 40 },
);

test('Database tells of every revision that is kept what a plain history tells', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom('/', '/a/', '/b'), keys, fc.nat(3), async (history, prefix, start, limit) => {
      await using model = new MemoryStore();
      const file = nextFile();
      let database = new Database(file);
      let compacted = 0;
      for (const [index, step] of history.entries()) {
        if (step.op === 'put') {
          put(database, step.key, String(index));
          await model.put(step.key, bytes(String(index)), undefined);
        } else if (step.op === 'delete') {
          database.transact(() => database.delete(step.key, undefined));
          await model.delete(step.key, undefined);
        } else if (step.op === 'compact') {
          compacted = Math.max(compacted, model.revision - step.back);
          database.transact(() => database.compact(compacted));
          await model.compact(compacted);
        } else {
          database.close();
          database = new Database(file);
        }
      }

      assert.equal(database.revision, model.revision);
      for (let revision = Math.max(1, compacted); revision <= model.revision; revision++) {
        for (const after of ['', start]) {
          const options = { revision, after, limit };
          assert.deepEqual(shownRange(database.range(prefix, options)), shownRange(await model.range(prefix, options)), `at ${revision}`);
        }
        const [found, wanted] = [database.find(start, revision), await model.find(start, revision)];
        assert.equal(found && shown(found), wanted && shown(wanted), `${start} at ${revision}`);
      }
      database.close();
      rmSync(file);
    }),
    { numRuns: 60 },
  );
});

test('Database.transact() leaves nothing of a transaction that fails', () => {
  const database = new Database(nextFile());
  put(database, '/kept', 'before');

  const failing = () =>
    database.transact(() => {
      database.put('/kept', bytes('after'), undefined, undefined);
      database.put('/new', bytes('x'), 0, undefined);
      database.delete('/kept', undefined);
      throw new Error('disk full');
    });

  assert.throws(failing, /disk full/);
  assert.equal(database.revision, 1);
  assert.deepEqual(database.range('/', {}).items.map(shown), ['/kept=before @1/1']);
  put(database, '/new', 'y');
  assert.deepEqual(database.range('/', {}).items.map(shown), ['/kept=before @1/1', '/new=y @2/2']);
});

test('Database opens a file of version 0.2.0, with its history', () => {
  const file = nextFile();
  const old = new DatabaseSync(file);
  old.exec(`
    CREATE TABLE kv (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, create_revision INTEGER NOT NULL) STRICT;
    CREATE INDEX kv_key ON kv (key, revision);
    CREATE TABLE live (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, create_revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE ttl (key TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO kv VALUES (1, '/a', x'31', 1), (2, '/b', x'32', 2), (3, '/a', x'33', 1), (4, '/b', NULL, 2), (5, '/b', x'35', 5);
    INSERT INTO live VALUES ('/a', 3, 1), ('/b', 5, 5);
    INSERT INTO ttl VALUES ('/a', 77);`);
  old.close();

  const database = new Database(file);

  const at = (revision: number) => database.range('/', { revision }).items.map(shown);
  assert.deepEqual([1, 2, 3, 4, 5].map(at), [
    ['/a=1 @1/1'],
    ['/a=1 @1/1', '/b=2 @2/2'],
    ['/a=3 @3/1', '/b=2 @2/2'],
    ['/a=3 @3/1'],
    ['/a=3 @3/1', '/b=5 @5/5'],
  ]);
  assert.equal(database.nextExpiry, 77);
  database.transact(() => database.compact(5));
  assert.deepEqual(at(5), ['/a=3 @3/1', '/b=5 @5/5']);
  database.close();
  assert.deepEqual(new Database(file).history('/', 5), []);
});

test('Database refuses a file of a newer version', () => {
  const file = nextFile();
  const newer = new DatabaseSync(file);
  newer.exec('PRAGMA user_version = 9');
  newer.close();

  assert.throws(() => new Database(file), /newer sagong: its schema is 9, known is 2/);
});

test('Database shows the newest states in a view, for those who look into the file', () => {
  const file = nextFile();
  const database = new Database(file);
  put(database, '/a', '1');
  put(database, '/gone', '2');
  put(database, '/a', '3');
  database.transact(() => database.delete('/gone', undefined));
  database.close();

  const rows = new DatabaseSync(file).prepare('SELECT kv.key, kv.value, live.create_revision FROM live JOIN kv USING (revision)').all();

  assert.deepEqual(
    rows.map((row) => ({ ...row })),
    [{ key: '/a', value: new Uint8Array(bytes('3')), create_revision: 1 }],
  );
});
