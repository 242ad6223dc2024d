// SPDX-License-Identifier: Apache-2.0
// Container logs: the format, the tail, rotation, following across a rotation.
import assert from 'node:assert/strict';
import { mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { FakeClock, silentLogger } from '#component';
import type { FakeRuntime } from '../testing/fake-runtime.ts';
import { LineSplitter, parseLogEntry } from './cri-log.ts';
import { type LogOptions, readLogs, tailStart } from './read-logs.ts';
import { rotateLogs } from './rotation.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'logs-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const OPTIONS: LogOptions = {
  follow: false,
  timestamps: false,
  tailLines: undefined,
  limitBytes: undefined,
  since: undefined,
  stream: undefined,
};
const line = (text: string, tag = 'F') => `2026-01-01T00:00:00.123456789Z stdout ${tag} ${text}\n`;

test('parseLogEntry() reads entries, partial ones and empty ones, and nothing else', () => {
  const parse = (text: string) => parseLogEntry(Buffer.from(text));
  assert.deepEqual(parse('2026-01-01T00:00:00Z stdout F a b ')?.text.toString(), 'a b ');
  assert.equal(parse('2026-01-01T00:00:00Z stderr P:x a')?.partial, true);
  assert.equal(parse('2026-01-01T00:00:00Z stdout F')?.text.length, 0);
  for (const bad of ['', 'x', 'now stdout F a', '2026-01-01T00:00:00Z other F a', '2026-01-01T00:00:00Z stdout X a'])
    assert.equal(parse(bad), undefined, bad);
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void parseLogEntry(Buffer.from(bytes))));
});

test('lines come out whole however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z]{0,9}$/)), fc.integer({ min: 1, max: 7 }), (lines, size) => {
      const wire = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const splitter = new LineSplitter();
      const seen: string[] = [];
      for (let at = 0; at < wire.length; at += size) seen.push(...splitter.push(wire.subarray(at, at + size)).map(String));
      assert.deepEqual(seen, lines);
    }),
  );
});

test('tailStart() finds the last lines in a long file', async (t) => {
  const path = join(await folder(t), 'log');
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`);
  await writeFile(path, lines.join(''));
  const file = await open(path);
  for (const count of [0, 1, 2, 15_000, 19_999, 20_000, 30_000]) {
    const kept = lines.slice(Math.max(0, lines.length - count)).join('').length;
    assert.equal(await tailStart(file, count), lines.join('').length - kept, `${count}`);
  }
  await file.close();
});

test('following goes on in the new file after a rotation and ends with the container', async (t) => {
  const directory = await folder(t);
  const path = join(directory, '0.log');
  await writeFile(path, line('one'));
  let running = true;
  let ended: () => void = () => {};
  const onEnd = (wake: () => void) => {
    ended = wake;
  };
  const source = { path, isRunning: () => running, onEnd };
  const reader = readLogs(source, { ...OPTIONS, follow: true }, t.signal);

  assert.equal(String((await reader.next()).value), 'one\n');
  const next = reader.next();
  await rename(path, `${path}.old`);
  await writeFile(path, line('two'));
  assert.equal(String((await next).value), 'two\n');
  const last = reader.next();
  await writeFile(path, line('three', 'P'), { flag: 'a' });
  running = false;
  ended();
  assert.equal(String((await last).value), 'three');
  assert.equal((await reader.next()).done, true);
});

test('rotateLogs() renames, compresses and keeps a bounded number', async (t) => {
  const directory = await folder(t);
  const clock = new FakeClock();
  const path = join(directory, '0.log');
  const container = { id: 'c', state: 'running', logPath: path };
  const runtime = { listContainers: () => [container], reopenLog: () => writeFile(path, '') } as unknown as FakeRuntime;
  for (let round = 0; round < 6; round++) {
    await writeFile(path, 'x'.repeat(100));
    await rotateLogs({ runtime, clock, logger: silentLogger, maxBytes: 100, maxFiles: 3 });
    await clock.advance(1000);
  }

  const names = (await readdir(directory)).sort();
  assert.deepEqual(names, ['0.log', '0.log.20260101-000004.gz', '0.log.20260101-000005']);
});
