// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { storeContract } from '../store.contract.ts';
import { StoreUnavailableError } from '../store.ts';
import { SqliteStore } from './sqlite-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'sagong-store-'));
let opened = 0;
const nextFile = () => join(folder, `store-${++opened}.db`);
after(() => rmSync(folder, { recursive: true, force: true }));

storeContract('SqliteStore', (clock) => SqliteStore.open({ file: nextFile(), clock }));

test('SqliteStore keeps values and revisions over a reopening, also after a compaction of everything', async () => {
  const file = nextFile();
  {
    await using store = await SqliteStore.open({ file });
    await store.put('/a', Buffer.from('kept'), 0);
    await store.put('/b', Buffer.from('gone'), 0);
    await store.delete('/b', undefined);
    await store.compact(3);
  }

  await using store = await SqliteStore.open({ file });

  assert.equal(store.revision, 3);
  assert.equal(Buffer.from((await store.find('/a'))?.value ?? []).toString(), 'kept');
});

test('SqliteStore.open() refuses a file that is no database', async () => {
  const file = nextFile();
  writeFileSync(file, 'this is no database, and long enough that SQLite looks at its header to see so'.repeat(20));

  await assert.rejects(SqliteStore.open({ file }), StoreUnavailableError);
});

test('SqliteStore answers many operations in the order in which they were asked, each once, reads as of their turn', async () => {
  await using store = await SqliteStore.open({ file: nextFile() });
  const order: string[] = [];
  const asked = Array.from({ length: 700 }, async (_, index) => {
    const written = await store.put(`/k/${index % 50}`, Buffer.from(String(index)), undefined);
    order.push(`put ${index}`);
    assert.equal(written.ok && written.revision, index + 1);
  });
  const found = store.find('/k/49').then((versioned) => {
    order.push('find');
    return Buffer.from(versioned?.value ?? []).toString();
  });
  const late = store.put('/late', Buffer.from(''), 0);

  await Promise.all(asked);

  assert.equal(await found, '699');
  assert.equal((await late).ok && store.revision, 701);
  assert.deepEqual(order, [...asked.map((_, index) => `put ${index}`), 'find']);
});

test('SqliteStore rejects what comes after it was closed', async () => {
  const store = await SqliteStore.open({ file: nextFile() });
  await store[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();

  await assert.rejects(store.put('/a', Buffer.from('late'), 0), StoreUnavailableError);
});

test('SqliteStore loses no answered write when its process is killed in the middle of writing', async () => {
  const file = nextFile();
  const script = `
    const { SqliteStore } = await import(${JSON.stringify(new URL('./sqlite-store.ts', import.meta.url).href)});
    const store = await SqliteStore.open({ file: ${JSON.stringify(file)} });
    let next = 0;
    const writer = async () => { for (;;) { const n = next++; await store.put('/k/' + n, Buffer.from(String(n)), 0); console.log(n); } };
    await Promise.all(Array.from({ length: 8 }, writer));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const answered: number[] = [];
  for await (const line of createInterface(child.stdout)) {
    answered.push(Number(line));
    if (answered.length === 500) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');

  assert.ok(answered.length >= 500, 'the writer was killed before it had written');
  await using store = await SqliteStore.open({ file });
  const { items } = await store.range('/k/');

  const present = new Set(items.map((item) => item.key));
  assert.deepEqual(
    answered.filter((n) => !present.has(`/k/${n}`)),
    [],
  );
  assert.equal(store.revision, items.length); // Each write raised it by one, none shows twice.
});
