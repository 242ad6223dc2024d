// SPDX-License-Identifier: Apache-2.0
// What expressions cost, by the figures that upstream's own tests hold stable (celcoststability_test.go, cost_test.go).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type CelType, CostBudget, CostExceededError, compile, typeOfSchema } from './mod.ts';

const TEXT = { type: 'string' } as const;
const INTEGER = { type: 'integer' } as const;
const object = (properties: object) => ({ type: 'object', properties });
const list = (items: object, more: object = {}) => ({ type: 'array', items, ...more });
const byKey = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] };
const pair = object({ k: TEXT, v: TEXT, v2: TEXT });

function typeOf(schema: object): CelType {
  return typeOfSchema(schema as never);
}

function costOf(expression: string, schema: object, self: unknown): number {
  const { problem, program } = compile(expression, { variables: { self: typeOf(schema) }, result: 'bool' });
  assert.equal(problem, undefined, expression);
  const budget = new CostBudget(10_000_000);
  assert.equal(program?.evaluate({ self }, budget), true, expression);
  return budget.used;
}

const CASES: readonly { readonly name: string; readonly schema: object; readonly self: object; readonly costs: Record<string, number> }[] =
  [
    {
      name: 'numbers',
      schema: object({ a: INTEGER, b: INTEGER, c: { type: 'number' } }),
      self: { a: 5, b: 5, c: 10 },
      costs: {
        'self.a == self.b': 5,
        'type(self.a) == int': 4,
        'self.a + 1 == 5 + 1': 5,
        'double(self.a) < self.c': 6,
        'double(5) < 10.0': 1,
        'double(self.a) < 10.0': 4,
        'self.c == 10.0': 3,
      },
    },
    {
      name: 'text',
      schema: object({ val1: TEXT, enumStr: TEXT }),
      self: { val1: 'Rook takes 👑', enumStr: 'Pending' },
      costs: {
        "self.val1.startsWith('Rook')": 4,
        "!self.val1.startsWith('knight')": 5,
        "self.val1.matches('^[^0-9]*$')": 8,
        "!self.val1.matches('^[0-9]*$')": 7,
        'size(self.val1) == 12': 4,
        "self.val1.charAt(3) == 'k'": 4,
        "self.val1.indexOf('o') == 1": 4,
        "self.val1.indexOf('o', 2) == 2": 4,
        "self.val1.replace(' ', 'x') == 'Rookxtakesx👑'": 7,
        "self.val1.replace(' ', 'x', 1) == 'Rookxtakes 👑'": 7,
        "self.val1.split(' ') == ['Rook', 'takes', '👑']": 6,
        "self.val1.split(' ', 2) == ['Rook', 'takes 👑']": 6,
        "self.val1.substring(5) == 'takes 👑'": 5,
        "self.val1.substring(0, 4) == 'Rook'": 5,
        "self.val1.substring(4, 10).trim() == 'takes'": 6,
        "self.val1.upperAscii() == 'ROOK TAKES 👑'": 6,
        "self.enumStr in ['Pending', 'Available']": 2,
      },
    },
    {
      name: 'bytes, times and durations',
      schema: object({
        b: { ...TEXT, format: 'byte' },
        d: { ...TEXT, format: 'duration' },
        t: { ...TEXT, format: 'date-time' },
        date: { ...TEXT, format: 'date' },
        text: TEXT,
      }),
      self: {
        b: 'QUI=',
        d: '1h2m3s4ms',
        t: '2011-08-18T19:03:37.010000000+01:00',
        date: '1997-07-16',
        text: '2011-08-18T19:03:37.01+01:00',
      },
      costs: {
        "self.b == b'AB'": 3,
        'size(self.b) == 2': 4,
        "self.d == duration('1h2m') + duration('3s4ms')": 4,
        'self.d.getHours() == 1': 4,
        'type(self.d) == google.protobuf.Duration': 4,
        'self.date.getDate() == 16': 4,
        "self.t == timestamp('2011-08-18T00:00:00.000+01:00') + duration('19h3m37s10ms')": 4,
        "self.t.getDate('01:00') == 18": 4,
        'string(self.t) == self.text': 8,
        'timestamp(self.text) == self.t': 6,
      },
    },
    {
      name: 'lists',
      schema: object({
        val1: list(INTEGER),
        val2: list(INTEGER),
        array: list(INTEGER),
        set1: list(TEXT, { 'x-kubernetes-list-type': 'set' }),
        set2: list(TEXT, { 'x-kubernetes-list-type': 'set' }),
        objs: list(list(object({ k: TEXT, v: TEXT }), byKey)),
        listMap: list(pair, byKey),
      }),
      self: {
        val1: [1, 2, 3],
        val2: [1, 2, 3],
        array: [1, 1, 2, 2, 3, 3, 4, 5],
        set1: ['a', 'b', 'c'],
        set2: ['a', 'c', 'b'],
        objs: [
          [
            { k: 'a', v: '1' },
            { k: 'b', v: '2' },
          ],
          [
            { k: 'b', v: '2' },
            { k: 'a', v: '1' },
          ],
          [
            { k: 'b', v: '3' },
            { k: 'a', v: '1' },
          ],
          [{ k: 'c', v: '4' }],
        ],
        listMap: [
          { k: 'a1', v: 'b1' },
          { k: 'a2', v: 'b2' },
          { k: 'a3', v: 'b3', v2: 'z' },
        ],
      },
      costs: {
        '1 in self.val1': 5,
        'self.val2[0] in self.val1': 8,
        '!(0 in self.val1)': 6,
        'self.val1 + self.val2 == [1, 2, 3, 1, 2, 3]': 6,
        'self.val1 + [4, 5] == [1, 2, 3, 4, 5]': 4,
        "self.set1 == ['c', 'b', 'a']": 3,
        'self.set1 == self.set2': 5,
        "self.set1 + self.set2 == ['a', 'b', 'c']": 6,
        "self.set1 + ['c', 'd'] == ['a', 'b', 'c', 'd']": 4,
        'self.objs[0] == self.objs[1]': 7,
        'self.objs[0] + self.objs[2] == self.objs[2]': 11,
        'self.objs[0] == [self.objs[0][1], self.objs[0][0]]': 22,
        'self.objs[2] + [self.objs[0][0], self.objs[0][1]] == self.objs[0]': 26,
        'size(self.objs[0] + [self.objs[3][0]]) == 3': 20,
        "self.listMap.all(m, m.k.startsWith('a'))": 21,
        "self.listMap.all(m, !has(m.v2) || m.v2 == 'z')": 21,
        "self.listMap.exists(m, m.k.endsWith('1'))": 13,
        "self.listMap.exists_one(m, m.k == 'a3')": 15,
        "!self.listMap.all(m, m.k.endsWith('1'))": 18,
        "!self.listMap.exists(m, m.v == 'x')": 25,
        "!self.listMap.exists_one(m, m.k.startsWith('a'))": 20,
        "size(self.listMap.filter(m, m.k == 'a1')) == 1": 27,
        "self.listMap.exists(m, m.k == 'a1' && m.v == 'b1')": 16,
        "self.listMap.map(m, m.v).exists(v, v == 'b1')": 55,
        "self.listMap.exists(m, has(m.v2) && m.v2 == 'z')": 21,
        "!self.listMap.all(m, has(m.v2) && m.v2 != 'z')": 10,
        "self.listMap.exists_one(m, has(m.v2) && m.v2 == 'z')": 12,
        "self.listMap.filter(m, has(m.v2) && m.v2 == 'z').size() == 1": 24,
        "self.listMap.map(m, has(m.v2) && m.v2 == 'z', m.v2).size() == 1": 25,
        "self.listMap.filter(m, has(m.v2) && m.v2 == 'z').map(m, m.v2).size() == 1": 39,
        "self.listMap.exists(m, m.v2 == 'z')": 24,
        "!self.listMap.all(m, m.v2 != 'z')": 22,
        'self.array.all(e, e > 0)': 43,
        'self.array.exists(e, e > 2)': 36,
        'self.array.exists_one(e, e > 4)': 22,
        '!self.array.exists(e, e < 0)': 52,
        'size(self.array.filter(e, e%2 == 0)) == 3': 68,
        'self.array.map(e, e * 20).filter(e, e > 50).exists(e, e == 60)': 194,
      },
    },
    {
      name: 'objects and maps',
      schema: object({
        val1: { type: 'object', additionalProperties: TEXT },
        val: { type: 'object', additionalProperties: INTEGER },
        a: object({ b: INTEGER, d: { ...INTEGER, nullable: true } }),
        a1: object({ b1: object({ c1: INTEGER }), d2: object({ e2: INTEGER }) }),
        something: { 'x-kubernetes-int-or-string': true },
        current: INTEGER,
        nullable: { ...TEXT, nullable: true },
      }),
      self: {
        val1: { k1: 'a', k2: 'b' },
        val: { b: 1, d: 2 },
        a: { b: 1, d: null },
        a1: { b1: { c1: 4 } },
        something: '25%',
        current: 5,
        nullable: null,
      },
      costs: {
        "'k1' in self.val1": 3,
        "self.val1 == {'k1': 'a', 'k2': 'b'}": 3,
        'has(self.a.b)': 2,
        '!has(self.a.d)': 3,
        'has(self.a1.b1.c1)': 3,
        '!(has(self.a1.d2) && has(self.a1.d2.e2))': 3,
        '!has(self.val.a)': 3,
        'self.val.all(k, self.val[k] > 0)': 17,
        'self.val.exists_one(k, self.val[k] == 2)': 14,
        'size(self.val.filter(k, self.val[k] > 1)) == 1': 26,
        "type(self.something) == int ? self.something == 1 : self.something == '25%'": 7,
        "type(self.something) == string && self.something == '25%'": 7,
        'self.something != 1': 3,
        "self.something == 1 || self.something == '25%'": 6,
        "self.something != ['anything']": 3,
        "type(self.something) == string && self.something.matches(r'(\\d+(\\.\\d+)?%)')": 10,
        "double(self.current) / double(10) >= double(self.something.replace('%', '')) / 100.0": 10,
        'type(self) == type(self)': 5,
        '!has(self.nullable)': 2,
      },
    },
    {
      name: 'optional values',
      schema: object({
        obj: object({ field: TEXT, absentField: TEXT }),
        m: { type: 'object', additionalProperties: TEXT },
        l: list(TEXT),
      }),
      self: { obj: { field: 'a' }, m: { k: 'v' }, l: ['a'] },
      costs: {
        "optional.of('a') != optional.of('b')": 3,
        "optional.of('a') != optional.none()": 3,
        "optional.of('a').hasValue()": 2,
        "optional.of('a').or(optional.of('a')).hasValue()": 2,
        "optional.none().or(optional.of('a')).hasValue()": 3,
        "optional.of('a').optMap(v, v == 'value').hasValue()": 8,
        "self.obj.?field == optional.of('a')": 5,
        'self.obj.?absentField == optional.none()': 4,
        "self.obj.?field.orValue('v') == 'a'": 4,
        "self.m[?'k'] == optional.of('v')": 5,
        "self.l[?0] == optional.of('a')": 5,
        'optional.ofNonZeroValue(1).hasValue()': 2,
      },
    },
  ];

for (const { name, schema, self, costs } of CASES) {
  describe(`runtime costs of ${name}`, () => {
    for (const [expression, cost] of Object.entries(costs)) {
      test(`${expression} costs ${cost}`, () => assert.equal(costOf(expression, schema, self), cost));
    }
  });
}

const ESTIMATES: readonly (readonly [string, number, number])[] = [
  ['[1, 2, 3, 4, 5].sum()', 15, 15],
  ['[uint(1), uint(2), uint(3), uint(4), uint(5)].sum()', 20, 20],
  ["'01234567890123456789012345678901234567890123456789'.indexOf('123')", 5, 5],
  ["url('https:://kubernetes.io/').getHost()", 4, 4],
  ["url('https:://kubernetes.io/') == url('http://x.b')", 5, 5],
  ["ip('192.168.0.1')", 2, 2],
  ["ip('2001:db8:3333:4444:5555:6666:7777:8888').family()", 5, 5],
  ["ip.isCanonical('192.168.0.1')", 3, 3],
  ["cidr('192.168.0.0/16').containsIP(ip('192.0.0.1'))", 4, 7],
  ["cidr('192.168.0.0/16').containsCIDR('192.0.0.0/30')", 7, 11],
  ["cidr('192.168.0.0/16').prefixLength()", 3, 3],
  ["quantity('10Mi') == quantity('20Mi')", 3, 3],
  ['dyn(1) == 1', 2, 2],
];

describe('estimates of constant expressions', () => {
  for (const [expression, min, max] of ESTIMATES) {
    test(`${expression} is estimated at ${min} to ${max}`, () => {
      assert.deepEqual(compile(expression, { variables: {} }).estimateCost(), { min, max });
    });
  }
});

test('an estimate goes by the limits of the schema, and by the size of a request where there are none', () => {
  const schema = object({ a: list({ ...TEXT, maxLength: 10 }, { maxItems: 5 }), open: list(TEXT) });
  const max = (expression: string) => compile(expression, { variables: { self: typeOf(schema) } }).estimateCost().max;
  assert.equal(max("self.a.all(x, x == 'y')"), 2 + 5 * (2 + 1 + 1 + 1) + 1);
  assert.ok(max("self.open.all(x, x.contains('y'))") > 100_000_000);
});

test('evaluate() ends with an error when a call costs more than its limit', () => {
  const numbers = `[${Array.from({ length: 200 }, (_, index) => index).join(',')}]`;
  const expression = `${numbers}.all(a, ${numbers}.all(b, ${numbers}.all(c, a + b + c >= 0)))`;
  const { program } = compile(expression, { variables: {} });
  const budget = new CostBudget(10_000_000);
  assert.throws(
    () => program?.evaluate({}, budget),
    (error: Error) => error instanceof CostExceededError && error.scope === 'call',
  );
  assert.equal(budget.used, 1_000_001);
});

test('what would take too long is refused before it is done', () => {
  const schema = object({ a: list(object({ k: TEXT })) });
  const self = { a: Array.from({ length: 20_000 }, (_, index) => ({ k: `k${index}` })) };
  for (const expression of [
    'self.a.distinct().size() > 0',
    'sets.contains(self.a, self.a)',
    'lists.range(999999).map(x, lists.range(999999)).size() > 0',
  ]) {
    const { program } = compile(expression, { variables: { self: typeOf(schema) } });
    const error = (thrown: Error) => thrown instanceof CostExceededError;
    assert.throws(() => program?.evaluate({ self }, new CostBudget(10_000_000)), error, expression);
  }
});

test('evaluate() ends with an error when the budget is used up', () => {
  const { program } = compile('[1, 2].all(x, x > 0)', { variables: {} });
  const budget = new CostBudget(15);
  assert.equal(program?.evaluate({}, budget), true);
  assert.throws(
    () => program?.evaluate({}, budget),
    (error: Error) => error instanceof CostExceededError && error.scope === 'budget',
  );
});
