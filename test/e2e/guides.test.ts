// SPDX-License-Identifier: Apache-2.0
// The guides under docs/guides: every command of each does what its page says, in a folder like a fresh clone, against a cluster of
// its own; the Korean pages have the same commands, and no link leads nowhere.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { blocksOf, patternOf, Reader } from './_guides.ts';
import { hasProgram, ROOT } from './cluster.ts';

const FOLDER = join(ROOT, 'docs/guides');
const pages = readdirSync(FOLDER).filter((name) => name.endsWith('.md'));
const guides = pages.filter((name) => !name.endsWith('.ko.md')).map((name) => name.slice(0, -'.md'.length));
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const missing = ['bash', 'kubectl', 'curl', 'openssl'].filter((name) => !hasProgram(name));
const why = missing.length === 0 ? '' : ` (skipped: needs ${missing.join(', ')})`;

describe('the reader of guides', () => {
  test('an expectation takes … for any text in a line, and for any lines', () => {
    assert.match('pod-1   3s  \nx\ny\nend\n', patternOf('pod-…   …s\n…\nend'));
    assert.match('end\n', patternOf('…\nend'));
    assert.doesNotMatch('pod-1\npod-2\n', patternOf('pod-…'));
    assert.doesNotMatch('a.c\n', patternOf('a.b'));
    assert.doesNotMatch('abc\n', patternOf('a.c'));
  });

  test('blocks keep their order and marks, and one without a mark is refused', () => {
    const page = 'Do:\n```sh run\necho a\n```\n<!-- ctrl-c -->\n```yaml file=a/b.yaml\nx: 1\n```\n';
    assert.deepEqual(blocksOf(page), [
      { kind: 'run', text: 'echo a', line: 2 },
      { kind: 'ctrl-c', text: '', line: 5 },
      { kind: 'file', text: 'x: 1\n', line: 6, path: 'a/b.yaml' },
    ]);
    assert.throws(() => blocksOf('```sh\nls\n```\n'), /line 1: no such mark: "sh"/);
    assert.throws(() => blocksOf('text\n```sh run\nls\n'), /line 2: the block does not end/);
  });
});

describe('the guides', { timeout: 600_000 }, () => {
  for (const guide of guides) {
    test(`${guide}: every command does what the page says${why}`, { skip: missing.length > 0, timeout: 180_000 }, async () => {
      await using reader = await Reader.start();

      for (const block of blocksOf(read(`${guide}.md`))) await reader.follow(block);
    });

    test(`${guide}: the Korean page has the same commands`, () => {
      const blocks = (name: string) => blocksOf(read(name)).map(({ line: _, ...block }) => block);

      assert.deepEqual(blocks(`${guide}.ko.md`), blocks(`${guide}.md`));
    });
  }

  test('no page has a link that leads nowhere', () => {
    const links = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)]
        .map(([, target = '']) => ({ page, target }))
        .filter(({ target }) => !/^https?:/.test(target)),
    );

    assert.ok(links.length > 0);
    assert.deepEqual(
      links.filter(({ target }) => !existsSync(join(FOLDER, target))),
      [],
    );
  });
});
