// SPDX-License-Identifier: Apache-2.0
// Expressions, their values, and what is said about those that do not compile or fail.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  AuthorizerValue,
  CelError,
  CostBudget,
  compile,
  DYN,
  evaluateAsync,
  LIBRARY_TYPES,
  type ObjectType,
  STRING,
  toJson,
  typeOfSchema,
  type Value,
} from './mod.ts';

const schema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    count: { type: 'integer' },
    tags: { type: 'array', items: { type: 'string' } },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    when: { type: 'string', format: 'date-time' },
    'a.b-c': { type: 'string' },
    namespace: { type: 'string' },
    anything: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
};
const VARIABLES = { self: typeOfSchema(schema as never), any: DYN };
const self = {
  name: 'n',
  count: 3,
  tags: ['t1', 'x'],
  labels: { a: 'b' },
  when: '2024-02-29T12:30:00.5+02:00',
  'a.b-c': 'escaped',
  namespace: 'ns',
};
const any = { list: [1, 2.5, 'x', null], map: { k: { deep: true } }, text: 'abc', none: null };

function run(expression: string): unknown {
  const { problem, program } = compile(expression, { variables: VARIABLES });
  assert.equal(problem, undefined);
  return toJson(program?.evaluate({ self, any }, new CostBudget(10_000_000)) as Value);
}

const VALUES: readonly (readonly [string, unknown])[] = [
  ['1 + 2 * 3 - 4 / 2 % 2', 7],
  ['-(3) + --2', -1],
  ['0x1F + 1', 32],
  ['1u + 2u == 3u', true],
  ['1.5e1 + .5', 15.5],
  ["'a' + \"b\" + '''c''' + r'\\n'", 'abc\\n'],
  ["'\\u00e9\\x41\\101'", 'éAA'],
  ["b'\\xff' + b'a' == b'\\xffa'", true],
  ['dyn(1) == 1.0 && dyn(1u) == 1 && 2 > 1.5 && 1u < 2', true],
  ['true ? 1 : 1 / 0', 1],
  ['false || (1 / 0 == 1 || true)', true],
  ['[1, 2, 3][1] + {"a": 5}["a"]', 7],
  ["'k' in {'k': 1} && !(4 in [1, 2])", true],
  ['self.tags.map(t, t + "!")', ['t1!', 'x!']],
  ['self.tags.exists(t, t == "x") && self.tags.all(t, size(t) < 3)', true],
  ['self.tags.filter(t, t.startsWith("t"))', ['t1']],
  ['self.labels.all(k, self.labels[k] == "b")', true],
  ['[1, 2].all(i, v, v == i + 1)', true],
  ['{"a": 1, "b": 2}.transformMap(k, v, v * 2)', { a: 2, b: 4 }],
  ['{"a": 1, "b": 2}.transformMap(k, v, v > 1, v)', { b: 2 }],
  ['[3, 4].transformList(i, v, i * v)', [0, 4]],
  ['["x", "y"].transformMapEntry(i, v, {v: i})', { x: 0, y: 1 }],
  ['has(self.name) && !has(self.anything) && !has(any.nothing) && has(any.none)', true],
  ['self.a__dot__b__dash__c + self.__namespace__', 'escapedns'],
  ['any.map.k.deep && any.list[1] == 2.5 && any.list[3] == null', true],
  ['any.?map.?k.deep.orValue(false)', true],
  ['any.?nothing.more.orValue("none")', 'none'],
  ['any[?"text"].optMap(t, t.size()).value()', 3],
  ['[?any.?text, ?any.?nothing]', ['abc']],
  ['{?"a": any.?text, ?"b": any.?nothing}', { a: 'abc' }],
  ['self.when.getHours() == 10 && self.when.getHours("02:00") == 12 && self.when.getDayOfYear() == 59', true],
  ['string(self.when)', '2024-02-29T12:30:00.5+02:00'],
  ['string(duration("1h2m3.5s")) + string(timestamp(0))', '3723.5s1970-01-01T00:00:00Z'],
  ['timestamp("2024-01-01T00:00:00Z") + duration("24h") == timestamp("2024-01-02T00:00:00Z")', true],
  ['string(1e6) + " " + string(0.1) + " " + string(-1.5e-7)', '1e+06 0.1 -1.5e-07'],
  ['int("-42") + int(3.9) + int(7u)', -32],
  ['double("1.5") + double(1)', 2.5],
  ['type(1) == int && type("") == string && type(type(1)) == type && type([]) == list', true],
  ['"héllo".charAt(1) + "héllo".substring(2, 4)', 'éll'],
  ['"a,b,c".split(",", 2)', ['a', 'b,c']],
  ['["a", "b"].join("-") + " x ".trim() + "aXa".replace("a", "b", 1)', 'a-bxbXa'],
  ['"%s is %d, %.2f %x %b".format([dyn("n"), dyn(5), dyn(1.0), dyn(255), dyn(true)])', 'n is 5, 1.00 ff 1'],
  ['[3, 1, 2].sort() == [1, 2, 3] && [3, 1, 2].max() == 3 && [1, 2].sum() == 3 && [1, 2].isSorted()', true],
  ['["bb", "a"].sortBy(s, s.size())', ['a', 'bb']],
  ['[[1], [2, 3]].flatten() == [1, 2, 3] && [1, 1, 2].distinct() == [1, 2] && lists.range(3) == [0, 1, 2]', true],
  ['sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])', true],
  ['"abc 123 def".find("[0-9]+") + "a1b2".findAll("[0-9]")[1]', '1232'],
  ['url("https://user@example.com:80/a%20b?x=1&x=2").getHostname() + url("https://h:8/p?q=v").getPort()', 'example.com8'],
  ['url("https://h/p?q=1&q=2").getQuery()["q"] == ["1", "2"] && !isURL("nope")', true],
  ['quantity("1Gi").isGreaterThan(quantity("1G")) && quantity("1.5k").asInteger() == 1500 && !isQuantity("x")', true],
  ['quantity("50k").add(20).sub(quantity("20")) == quantity("50k") && quantity("-1").sign() == -1', true],
  ['ip("::1").isLoopback() && ip("10.0.0.1").family() == 4 && !isIP("1.2.3") && ip.isCanonical("2001:db8::1")', true],
  [
    'cidr("10.0.0.0/8").containsIP("10.1.2.3") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16") && string(cidr("10.1.2.3/8").masked()) == "10.0.0.0/8"',
    true,
  ],
  ['type(ip("10.0.0.1")) == net.IP && type(cidr("10.0.0.0/8")) == net.CIDR', true],
  ['format.dns1123Label().validate("ok").hasValue() || format.named("dns1123Label").value().validate("No_").value().size() == 1', true],
  ['semver("1.2.3-rc.1").isLessThan(semver("1.2.3")) && semver("v1.02", true).minor() == 2 && !isSemver("1.2")', true],
  ['optional.of(1).or(optional.none()).value() + optional.none().orValue(2)', 3],
  ['[optional.of(1), optional.none()].unwrapOpt()', [1]],
  ['self == self && any.map == {"k": {"deep": true}}', true],
  ['null == any.none && any.text != 1', true],
  ['dyn([1u, 2u]).sum() == 3u && dyn(["1s", "2s"].map(d, duration(d))).sum() == duration("3s") && [].sum() == 0', true],
  ['url("https://h/p?q=v#part").getQuery()["q"] == ["v"] && url("https://h/p#part").getEscapedPath() == "/p"', true],
  ["isURL('https://a<b>\"c')", true],
  ['optional.ofNonZeroValue(timestamp("0001-01-01T00:00:00Z")).hasValue()', false],
  ['optional.ofNonZeroValue(timestamp(0)).hasValue()', true],
];

describe('values', () => {
  for (const [expression, value] of VALUES) test(expression, () => assert.deepEqual(run(expression), value));
});

const FAILURES: readonly (readonly [string, string])[] = [
  ['any.foo', 'no such key: foo'],
  ['any.map["x"]', 'no such key: x'],
  ['any.list[7]', 'index out of bounds: 7'],
  ['self.tags[3]', 'index out of bounds: 3'],
  ['self.count / 0', 'division by zero'],
  ['self.count % 0', 'modulus by zero'],
  ['9223372036854775807 + self.count', 'integer overflow'],
  ['0u - 1u', 'unsigned integer overflow'],
  ['int(self.name)', "type conversion error from 'string' to 'int'"],
  ['any.text + 1', 'no such overload'],
  ['any.text && true', 'no such overload'],
  ['any.list.startsWith("x")', 'no such overload'],
  ['timestamp(self.name)', "type conversion error from 'string' to 'google.protobuf.Timestamp'"],
  ['optional.none().value()', 'optional.none() dereference'],
  [
    'ip("fd00:1:::2")',
    'IP Address "fd00:1:::2" parse error during conversion from string: ParseAddr("fd00:1:::2"): each colon-separated field must have at least one digit (at ":2")',
  ],
  [
    'cidr("10.0.0.0/")',
    'network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix("10.0.0.0/"): bad bits after slash: ""',
  ],
  ['cidr("10.0.0.0/8").containsIP("x")', 'no such overload'],
  ['self.name.charAt(5)', 'index out of range: 5'],
  ['self.name.matches(self.name + "(")', 'error parsing regexp: missing closing ): `n(`'],
  ['[1].filter(x, x > 1).max()', 'max called on empty list'],
  ['quantity("x" + self.name)', "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"],
];

describe('failures', () => {
  for (const [expression, message] of FAILURES) {
    test(`${expression} fails: ${message}`, () => assert.throws(() => run(expression), new CelError(message)));
  }
});

const OPERANDS = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";
const PROBLEMS: readonly (readonly [string, string])[] = [
  ['self ==', `ERROR: <input>:1:8: Syntax error: mismatched input '<EOF>' expecting ${OPERANDS}\n | self ==\n | .......^`],
  ['object.', "ERROR: <input>:1:8: Syntax error: no viable alternative at input '.'\n | object.\n | .......^"],
  ['foo.bar', "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo.bar\n | ^"],
  ['1 +\n  foo(2)', "ERROR: <input>:2:6: undeclared reference to 'foo' (in container '')\n |   foo(2)\n | .....^"],
  [
    'self.name + 1 == 2',
    "ERROR: <input>:1:11: found no matching overload for '_+_' applied to '(string, int)'\n | self.name + 1 == 2\n | ..........^",
  ],
  ['self.name.x', "ERROR: <input>:1:10: type 'string' does not support field selection\n | self.name.x\n | .........^"],
  ['self.z', "ERROR: <input>:1:5: undefined field 'z'\n | self.z\n | ....^"],
  [
    'a | b',
    "ERROR: <input>:1:3: Syntax error: token recognition error at: '| '\n | a | b\n | ..^\nERROR: <input>:1:5: Syntax error: extraneous input 'b' expecting <EOF>\n | a | b\n | ....^",
  ],
  ["[1, 'a']", "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, 'a']\n | ....^"],
  ["'é' + 1", "ERROR: <input>:1:5: found no matching overload for '_+_' applied to '(string, int)'\n | 'é' + 1\n | .．..^"],
  ["duration('x') > duration('1s')", "ERROR: <input>:1:10: invalid duration argument\n | duration('x') > duration('1s')\n | .........^"],
  ['9223372036854775808', 'ERROR: <input>:1:1: invalid int literal\n | 9223372036854775808\n | ^'],
  [
    'self.tags.all(self.name, true)',
    'ERROR: <input>:1:19: argument must be a simple name\n | self.tags.all(self.name, true)\n | ..................^',
  ],
  ['[1, ', "ERROR: <input>:1:5: Syntax error: missing ']' at '<EOF>'\n | [1, \n | ....^"],
  [
    'size(self.tags) > 1)',
    "ERROR: <input>:1:20: Syntax error: extraneous input ')' expecting <EOF>\n | size(self.tags) > 1)\n | ...................^",
  ],
  ['1 == 1.0', "ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, double)'\n | 1 == 1.0\n | ..^"],
  ['[1].all(i, i, true)', 'ERROR: <input>:1:12: duplicate variable name: i\n | [1].all(i, i, true)\n | ...........^'],
  [
    '[1].all(__result__, true)',
    'ERROR: <input>:1:9: iteration variable overwrites accumulator variable\n | [1].all(__result__, true)\n | ........^',
  ],
  [
    'self.tags == null',
    "ERROR: <input>:1:11: found no matching overload for '_==_' applied to '(list(string), null)'\n | self.tags == null\n | ..........^",
  ],
];

describe('what does not compile', () => {
  for (const [expression, error] of PROBLEMS) {
    test(expression, () => assert.deepEqual(compile(expression, { variables: VARIABLES }).errors, [error]));
  }
});

test('a result of the wrong type is named', () => {
  const problem = (expression: string, result: 'bool' | 'string') => compile(expression, { variables: VARIABLES, result }).problem;
  assert.equal(problem('1 + 1', 'bool'), 'must evaluate to bool but got int');
  assert.equal(problem('any', 'bool'), 'must evaluate to bool but got dyn');
  assert.equal(problem('self.tags', 'string'), 'must evaluate to string but got list(string)');
  assert.equal(
    compile("int('x')", { variables: {} }).problem,
    "program instantiation failed: type conversion error from 'string' to 'int'",
  );
  assert.equal(
    compile("'a'.find(')')", { variables: {} }).problem,
    'program instantiation failed: error parsing regexp: unexpected ): `)`',
  );
});

test('reads() knows the variables of an expression', () => {
  const compiled = compile('self.tags.exists(any, any == "x")', { variables: VARIABLES });
  assert.deepEqual([compiled.reads('self'), compiled.reads('oldSelf')], [true, false]);
});

test('objects of declared types can be constructed, and nothing else', () => {
  const spec: ObjectType = { kind: 'object', name: 'Object.spec', fields: new Map([['replicas', DYN]]) };
  const root: ObjectType = { kind: 'object', name: 'Object', fields: new Map([['spec', spec]]) };
  const structs = new Map([root, spec].map((type) => [type.name, type]));
  const at = (expression: string) =>
    compile(expression, { variables: {}, result: root, mutation: { struct: (name) => structs.get(name) } });
  const made = at('Object{spec: Object.spec{replicas: 3}}').program?.evaluate({}, new CostBudget(1000)) as Value;
  assert.deepEqual(toJson(made), { spec: { replicas: 3 } });
  assert.match(at('Object{spec: Object.status{}}').problem ?? '', /undeclared reference to 'Object.status' \(in container ''\)/);
  assert.match(at('Object{kind: "x"}').problem ?? '', /undefined field 'kind'/);
});

test('authorization checks are waited for, asked once, and cost what upstream says', async () => {
  const asked: string[] = [];
  const authorizer = new AuthorizerValue(async ({ verb, resource }) => {
    asked.push(`${verb} ${resource}`);
    return { allowed: verb === 'get', reason: 'because' };
  });
  const expression =
    'authorizer.group("").resource("pods").namespace("x").check("get").allowed() && authorizer.group("").resource("pods").check("list").reason() == "because"';
  const { program } = compile(expression, { variables: { authorizer: LIBRARY_TYPES.Authorizer ?? DYN } });
  const budget = new CostBudget(10_000_000);
  assert.ok(program);
  assert.equal(await evaluateAsync(program, { authorizer }, budget), true);
  assert.deepEqual(asked, ['get pods', 'list pods']);
  assert.ok(budget.used > 700_000 && budget.used < 700_020);
});

test('any text compiles or is refused, without delay', () => {
  const piece = fc.constantFrom(
    ...'self any . [ ] { } ( ) , ? : + - * / % ! && || == in 1 2u 1.5 "x" b\'y\' true null has all map optMap t, Object ` \\ \n'.split(' '),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 60 }),
        fc.array(piece, { maxLength: 30 }).map((parts) => parts.join(' ')),
      ),
      (text) => {
        const { program, problem } = compile(text, { variables: { self: STRING, any: DYN } });
        assert.notEqual(program === undefined, problem === undefined);
        try {
          program?.evaluate({ self: 'x', any: { a: [1] } }, new CostBudget(1_000_000));
        } catch (error) {
          assert.ok(error instanceof CelError, String(error));
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('nesting and length are limited', () => {
  const problem = (text: string) => compile(text, { variables: { a: DYN } }).problem ?? '';
  assert.match(problem('('.repeat(1000)), /expression recursion limit exceeded: 250/);
  assert.match(problem(`a${'.b'.repeat(5000)}`), /max recursion depth exceeded/);
  assert.match(problem('1+'.repeat(1000)), /max recursion depth exceeded/);
  assert.match(problem(`'${'x'.repeat(100_001)}'`), /expression code point size exceeds limit: size: 100003, limit 100000/);
  assert.equal(problem(Array.from({ length: 2000 }, () => 'a').join(' || ')), '');
  assert.match(problem(`a${'.optMap(x, x)'.repeat(30)}`), /limit exceeded/);
});
