// SPDX-License-Identifier: Apache-2.0
// Server-side apply among several managers: what stays, what goes, who owns it. A row is a flow of writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anything, list, map, number, type Outcome, play, root, struct, text, truth, type Write } from './_flows.ts';
import { setOfPaths, type ToVersion } from './mod.ts';
import type { Json } from './shape.ts';

const item = struct({ name: text, one: number, two: number });
const schema = root({
  items: list(item, 'map', ['name']),
  set: list(number, 'set'),
  plain: list(number),
  pairs: map(text),
  nested: list(struct({ name: text, tags: list(text, 'set'), pairs: map(text) }), 'map', ['name']),
  maps: map(map(text)),
  whole: struct({ a: number, b: number }, 'atomic'),
  parts: struct({ a: number, b: text }),
  open: anything,
  flag: truth,
});

const a = (one: number) => ({ name: 'a', one });
const b = { name: 'b', one: 3 };
const B = ['.items[name="b"]', '.items[name="b"].name', '.items[name="b"].one'];

const flows: readonly (readonly [name: string, writes: readonly Write[], want: Partial<Outcome>])[] = [
  ['a repeated value is owned once', [['u', 'up', { set: [1, 1, 3] }]], { owned: { up: ['.set', '.set[=1]', '.set[=3]'] } }],
  [
    'who repeats a value owns it',
    [
      ['u', 'one', { set: [1, 3] }],
      ['u', 'two', { set: [1, 1, 3] }],
    ],
    { owned: { one: ['.set', '.set[=3]'], two: ['.set[=1]'] } },
  ],
  [
    'who ends a repetition owns the value',
    [
      ['u', 'one', { set: [1, 1, 3] }],
      ['u', 'two', { set: [1, 3] }],
    ],
    { owned: { one: ['.set', '.set[=3]'], two: ['.set[=1]'] } },
  ],
  [
    'an applied value replaces its repetitions, which is a conflict',
    [
      ['u', 'up', { set: [1, 1, 3] }],
      ['a', 'app', { set: [1] }],
      ['f', 'app', { set: [1] }],
    ],
    { object: { set: [1, 3] }, owned: { app: ['.set[=1]'], up: ['.set', '.set[=3]'] }, conflicts: ['up.set[=1]'] },
  ],
  [
    'repetitions that an apply does not name stay',
    [
      ['u', 'up', { set: [1, 1, 3] }],
      ['a', 'app', { set: [5] }],
    ],
    { object: { set: [1, 1, 3, 5] } },
  ],
  [
    'items under one key become the applied one',
    [
      ['u', 'up', { items: [a(1), a(2), b] }],
      ['f', 'app', { items: [a(3)] }],
    ],
    {
      object: { items: [a(3), b] },
      owned: { app: ['.items[name="a"]', '.items[name="a"].name', '.items[name="a"].one'], up: ['.items', ...B] },
    },
  ],
  [
    'an item that an updater has doubled stays when its applier leaves it out',
    [
      ['a', 'app', { items: [a(1), b] }],
      ['u', 'up', { items: [a(1), a(2), b] }],
      ['a', 'app', { items: [b] }],
    ],
    { object: { items: [a(1), a(2), b] }, owned: { app: B, up: ['.items[name="a"]'] } },
  ],
  [
    'an item goes with what an updater has put into it',
    [
      ['a', 'app', { nested: [{ name: 'a', tags: ['x'] }] }],
      ['u', 'up', { nested: [{ name: 'a', tags: ['x', 'y'] }] }],
      ['a', 'app', { pairs: { k: 'v' } }],
    ],
    { object: { pairs: { k: 'v' }, nested: null }, owned: { app: ['.pairs.k'] } },
  ],
  [
    'what an updater has put into an item stays with it while another applier names it',
    [
      ['a', 'one', { nested: [{ name: 'b', tags: ['c'] }] }],
      ['a', 'two', { nested: [{ name: 'b', tags: ['d'] }] }],
      ['u', 'up', { nested: [{ name: 'b', tags: ['c', 'd', 'e'] }] }],
      ['a', 'one', { flag: true }],
    ],
    { object: { nested: [{ name: 'b', tags: ['d', 'e'] }], flag: true } },
  ],
  [
    'a struct stays while an updater owns a member',
    [
      ['a', 'app', { parts: { a: 1 } }],
      ['u', 'up', { parts: { a: 1, b: 'x' } }],
      ['a', 'app', {}],
    ],
    { object: { parts: { b: 'x' } }, owned: { up: ['.parts.b'] } },
  ],
  [
    'null leaves a map as it is, and owns it',
    [
      ['a', 'one', { pairs: { k: 'v' } }],
      ['a', 'two', { pairs: null }],
    ],
    { object: { pairs: { k: 'v' } }, owned: { one: ['.pairs.k'], two: ['.pairs'] } },
  ],
  [
    'nothing in a list leaves it as it is, and owns nothing',
    [
      ['a', 'one', { set: [1] }],
      ['a', 'two', { set: [] }],
    ],
    { object: { set: [1] }, owned: { one: ['.set[=1]'] } },
  ],
  [
    'null replaces what is a whole',
    [
      ['a', 'one', { whole: { a: 1 } }],
      ['f', 'two', { whole: null }],
    ],
    { object: { whole: null }, owned: { two: ['.whole'] } },
  ],
  [
    'a value without a schema that is no object any more is another as a whole',
    [
      ['a', 'app', { open: { x: { y: 1 } } }],
      ['u', 'up', { open: { x: 's' } }],
    ],
    { owned: { up: ['.open.x'] } },
  ],
  [
    'a value without a schema that becomes an object is owned with what is in it',
    [
      ['a', 'app', { open: { x: 's' } }],
      ['u', 'up', { open: { x: { y: 1 } } }],
    ],
    { owned: { up: ['.open.x', '.open.x.y'] } },
  ],
];

for (const [name, writes, want] of flows) {
  test(name, () => {
    const outcome = play(schema, writes);

    assert.deepEqual(outcome.conflicts, want.conflicts ?? []);
    if (want.object !== undefined) assert.deepEqual(outcome.object, want.object);
    if (want.owned !== undefined) assert.deepEqual(outcome.owned, want.owned);
  });
}

test('merged lists keep the order of the configuration, the object items between where they stood', () => {
  const rows: readonly (readonly [live: number[], config: number[], merged: number[]])[] = [
    [
      [1, 2],
      [2, 1],
      [2, 1],
    ],
    [
      [1, 2, 3],
      [2, 1],
      [2, 3, 1],
    ],
    [
      [1, 2, 3, 4],
      [4, 2],
      [1, 3, 4, 2],
    ],
    [
      [3, 4],
      [1, 2, 3],
      [1, 2, 3, 4],
    ],
    [[5, 1, 6], [1], [5, 1, 6]],
    [
      [1, 1, 3, 4],
      [1, 5],
      [1, 5, 3, 4],
    ],
  ];
  for (const [live, config, merged] of rows) {
    const { object } = play(schema, [
      ['u', 'up', { set: live }],
      ['f', 'app', { set: config }],
    ]);
    assert.deepEqual(object, { set: merged }, JSON.stringify([live, config]));
  }
});

test('a struct that has become atomic is owned as a whole by who owned something in it', () => {
  const loose = root({ it: struct({ a: number, b: text }) });
  const whole = root({ it: struct({ a: number, b: text }, 'atomic') });

  const outcome = play(
    [loose, whole, whole],
    [
      ['a', 'one', { it: { a: 1 } }],
      ['a', 'two', { it: { b: 'x' } }],
      ['f', 'two', { it: { b: 'x' } }],
    ],
  );

  assert.deepEqual(outcome, { object: { it: { b: 'x' } }, owned: { two: ['.it'] }, conflicts: ['one.it'] });
});

const versioned = (version: string) => root({ it: struct({ name: text, [`field_${version}`]: text }) });
const renaming: ToVersion = ({ object: { it, ...rest }, apiVersion }, wanted) => {
  const renamed = JSON.parse(JSON.stringify(it ?? null).replaceAll(`field_${apiVersion}`, `field_${wanted}`)) as Json;
  return { object: { ...rest, it: renamed }, apiVersion: wanted, schema: versioned(wanted) };
};

test('what was applied in another version goes and stays by the names of that version', () => {
  const first: Write = ['a', 'one', { it: { name: 'a', field_v1: 'x' } }];
  const drop: Write = ['a', 'one', { it: { name: 'a' } }, 'v3'];
  const flow = (share: Write) => play([versioned('v1'), versioned('v2'), versioned('v3')], [first, share, drop], { toVersion: renaming });

  const alone = flow(['a', 'two', { it: { name: 'a' } }, 'v2']);
  const shared = flow(['a', 'two', { it: { field_v2: 'x' } }, 'v2']);

  assert.deepEqual(alone.object, { it: { name: 'a' } });
  assert.deepEqual(shared.object, { it: { name: 'a', field_v3: 'x' } });
  assert.deepEqual(shared.owned, { 'one v3': ['.it.name'], 'two v2': ['.it.field_v2'] });
});

test('whoever owns fields in a version that there is no longer is forgotten', () => {
  const gone = play(versioned('v1'), [['a', 'old', { it: { name: 'a' } }, 'v1']], { toVersion: renaming });
  const after = play(
    [versioned('v1'), versioned('v2')],
    [
      ['a', 'old', { it: { name: 'a' } }, 'v1'],
      ['u', 'up', { it: { name: 'b' } }, 'v2'],
    ],
    { toVersion: (of, wanted) => (wanted === 'v1' ? undefined : { ...of, apiVersion: wanted }) },
  );

  assert.deepEqual(gone.owned, { old: ['.it.name'] });
  assert.deepEqual(after.owned, { 'up v2': ['.it.name'] });
});

test('fields that a write puts back are owned by nobody, before the first apply as little as after it', () => {
  const resetFields = setOfPaths([['f:flag']]);
  const outcome = play(schema, [['u', 'up', { flag: true, plain: [1] }]], { resetFields });
  const untracked = play(
    schema,
    [
      ['u', 'up', {}],
      ['a', 'app', { flag: true, pairs: { k: 'v' } }],
    ],
    { resetFields },
  );

  assert.deepEqual(outcome.owned, { up: ['.plain'] });
  assert.deepEqual(untracked.owned, { app: ['.pairs.k'] });
});
