// SPDX-License-Identifier: Apache-2.0
// Estimates of rules by their schemas: the most that each can cost, without limits of sizes and with them. The figures are those
// of upstream's own test (apiextensions-apiserver schema/cel/compilation_test.go): a rule that it takes must be taken here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compile, typeOfSchema } from './mod.ts';

type Limit = number | undefined;
type Make = (limit: Limit) => object;

const SCALARS: Readonly<Record<string, object>> = {
  'int-or-string': { 'x-kubernetes-int-or-string': true },
  duration: { type: 'string', format: 'duration' },
  date: { type: 'string', format: 'date' },
  'date-time': { type: 'string', format: 'date-time' },
};
const scalar = (name: string) => SCALARS[name] ?? { type: name };
const sized = (name: string, limit: Limit) => (limit === undefined ? {} : { [name]: limit });
const listOf =
  (items: object): Make =>
  (limit) => ({ type: 'array', items, ...sized('maxItems', limit) });
const mapOf =
  (values: object): Make =>
  (limit) => ({ type: 'object', additionalProperties: values, ...sized('maxProperties', limit) });
const text: Make = (limit) => ({ type: 'string', ...sized('maxLength', limit) });
const texts: Make = (limit) => ({ type: 'array', items: text(limit), ...sized('maxItems', limit) });
const list = (name: string) => listOf(scalar(name));
const map = (name: string) => mapOf(scalar(name));
const object = (properties: object, required: string[] = []) => ({ type: 'object', properties, required });
const pair = object({ required: scalar('string'), optional: scalar('string') }, ['required']);
const strings = (limit: Limit) => object({ str: text(limit), separator: text(limit), before: text(2), after: text(4) });

/** What it is, the rule, the most without a limit; the limit, the most with it. */
const CASES: readonly (readonly [Make, string, number, number, number])[] = [
  [list('number'), 'self.all(x, true)', 4718591, 10, 32],
  [list('string'), 'self.all(x, true)', 3145727, 20, 62],
  [list('boolean'), 'self.all(x, true)', 1887437, 5, 17],
  [list('int-or-string'), 'self.all(x, true)', 4718591, 10, 32],
  [list('duration'), 'self.all(x, true)', 2359295, 5, 17],
  [list('date'), 'self.all(x, true)', 725936, 15, 47],
  [list('date-time'), 'self.all(x, true)', 428963, 25, 77],
  [listOf(listOf(scalar('number'))(undefined)), 'self.all(x, true)', 3145727, 100, 302],
  [listOf(pair), 'self.all(x, true)', 555128, 50, 152],
  [map('number'), 'self.all(x, true)', 1348169, 10, 32],
  [map('string'), 'self.all(x, true)', 1179647, 3, 11],
  [map('boolean'), 'self.all(x, true)', 943718, 100, 302],
  [map('date-time'), 'self.all(x, true)', 349526, 25, 77],
  [mapOf(pair), 'self.all(x, true)', 428963, 20, 62],
  [mapOf(mapOf(scalar('number'))(undefined)), 'self.all(x, true)', 1179647, 10, 32],
  [text, "self.contains('test')", 314574, 10, 5],
  [text, "self.startsWith('test')", 2, 15, 2],
  [text, 'size(self + "hello") > size("hello")', 314578, 4, 7],
  [text, 'self.matches("x")', 314574, 50, 22],
  [text, '"".matches("(((((((((())))))))))[0-9]")', 7, 10, 7],
  [text, 'self.matches("")', 1, 100, 1],
  [text, 'self == "x"', 2, 0, 1],
  [text, "self.find('[0-9]+') == ''", 629147, 10, 11],
  [text, "self.lowerAscii() == 'lower!'", 314575, 10, 6],
  [list('number'), 'self[1] == 0.0', 2, 5000, 2],
  [list('string'), 'self[1] == self[1]', 314577, 8, 314577],
  [list('number'), 'self.all(x, x == 0.0)', 6291454, 6291456, 25165826],
  [list('int-or-string'), 'self[0] == 5', 3, 10, 3],
  [list('duration'), 'self[0].getHours() == 2', 4, 525, 4],
  [listOf(pair), 'self[0] == null', 2, 422, 2],
  [text, 'type(self) == string', 314576, 10, 7],
  [list('integer'), 'type(self[0]) == int && self[0] == 5', 157293, 10, 7],
  [() => scalar('date'), 'type(self) == google.protobuf.Timestamp', 5, 10, 5],
  [listOf(listOf(scalar('number'))(undefined)), 'self[0][0] == -1.0', 3, 51, 3],
  [map('number'), 'self["x"] == 0.0', 2, 0, 2],
  [map('integer'), 'oldSelf.size() == self.size()', 5, 10, 5],
  [map('date-time'), 'self["a"] == self["b"]', 8, 7, 8],
  [texts, "self.join(' ') == 'aa bb'", 329853068905, 10, 43],
  [texts, 'self.isSorted() == true', 329854432052, 10, 52],
  [strings, "self.str.replace(self.before, self.after) == 'does not matter'", 629154, 4, 12],
  [strings, 'self.str.split(self.separator) == []', 629160, 10, 22],
  // cel-go's own list functions, by the factors of its version 3.
  [list('number'), 'self.reverse() == []', 1572885, 10, 32],
  [list('number'), 'self.slice(1, 3) == []', 24, 10, 24],
  [listOf(listOf(scalar('number'))(undefined)), 'self.flatten() == []', 1048597, 10, 32],
  [list('number'), 'self.distinct() == []', 4947796033560, 10, 222],
  [list('integer'), 'self.sort() == []', 4947796033560, 10, 222],
  [(limit) => ({ type: 'string', enum: ['A', 'LongValue'], ...sized('maxLength', limit) }), "self.contains('A')", 2, 1000, 401],
];

for (const [make, rule, open, limit, closed] of CASES) {
  test(`${rule} of ${JSON.stringify(make(undefined))} costs at most ${open}, and ${closed} with the limit ${limit}`, () => {
    const most = (schema: object) => {
      const self = typeOfSchema(schema as never);
      const { problem, estimateCost } = compile(rule, { variables: { self, oldSelf: self } });
      assert.equal(problem, undefined);
      return estimateCost().max;
    };
    assert.deepEqual([most(make(undefined)), most(make(limit))], [open, closed]);
  });
}
