// SPDX-License-Identifier: Apache-2.0
// Macros: calls that the parser replaces by what they mean, mostly a fold over a list or map. Standard ones, those over two
// variables, `optMap`, `optFlatMap`, `sortBy` and, where it is asked for, `cel.bind` (cel-go's parser/macro.go, ext/comprehensions.go,
// cel/library.go, ext/lists.go, ext/bindings.go).
import type { CallNode, Expr, FoldNode } from './ast.ts';
import type { Source } from './source.ts';
import type { Value } from './values.ts';

const ACCUMULATOR = '@result';
const UNUSED = '#unused';

interface Macro {
  readonly args: number;
  readonly expand: (call: CallNode, source: Source) => Expr | undefined;
}

/** What one expansion makes its nodes with: all of them stand where the call does. */
class Builder {
  readonly at: number;
  constructor(at: number) {
    this.at = at;
  }
  value(value: Value): Expr {
    return { kind: 'const', at: this.at, value };
  }
  ident(name: string): Expr {
    return { kind: 'ident', at: this.at, name };
  }
  accumulator(): Expr {
    return this.ident(ACCUMULATOR);
  }
  call(name: string, ...args: readonly Expr[]): Expr {
    return { kind: 'call', at: this.at, function: name, target: undefined, args };
  }
  member(target: Expr, name: string, ...args: readonly Expr[]): Expr {
    return { kind: 'call', at: this.at, function: name, target, args };
  }
  list(...elements: readonly Expr[]): Expr {
    return { kind: 'list', at: this.at, elements, optional: new Set() };
  }
  emptyMap(): Expr {
    return { kind: 'map', at: this.at, entries: [] };
  }
  fold(fold: Omit<FoldNode, 'kind' | 'at' | 'accumulator'> & { readonly accumulator?: string }): Expr {
    return { accumulator: ACCUMULATOR, ...fold, kind: 'fold', at: this.at };
  }
}

/** A copy with nodes of its own: the checker writes into nodes. Nested macros double what they copy, so it is counted. */
function copyOf<T>(node: T, source: Source): T {
  if (typeof node !== 'object' || node === null) return node;
  if (Array.isArray(node)) return node.map((one) => copyOf(one, source)) as T;
  if (Object.getPrototypeOf(node) !== Object.prototype || !source.mayCopy()) return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, copyOf(value, source)])) as T;
}

/** What macros gather their results in, now and formerly: not for others to use. */
const ACCUMULATORS = new Set(['@result', '__result__']);

/** The names of a macro's iteration variables; undefined, and reported, if they cannot be that. */
function variablesOf(args: readonly (Expr | undefined)[], source: Source): readonly string[] | undefined {
  const names: string[] = [];
  for (const arg of args) {
    if (arg?.kind !== 'ident' || arg.name.startsWith('.')) return refuse(arg, 'argument must be a simple name', source);
    names.push(arg.name);
  }
  const [first, second] = names;
  if (first !== undefined && first === second) return refuse(args[1], `duplicate variable name: ${first}`, source);
  const overwriting = names.findIndex((name) => ACCUMULATORS.has(name));
  return overwriting < 0 ? names : refuse(args[overwriting], 'iteration variable overwrites accumulator variable', source);
}

function refuse(arg: Expr | undefined, why: string, source: Source): undefined {
  source.report(arg?.at ?? 0, why);
  return undefined;
}

type Quantifier = (build: Builder, predicate: Expr) => Pick<FoldNode, 'initial' | 'condition' | 'step' | 'result'>;

const QUANTIFIERS: Readonly<Record<'all' | 'exists' | 'existsOne', Quantifier>> = {
  all: (build, predicate) => ({
    initial: build.value(true),
    condition: build.call('@not_strictly_false', build.accumulator()),
    step: build.call('_&&_', build.accumulator(), predicate),
    result: build.accumulator(),
  }),
  exists: (build, predicate) => ({
    initial: build.value(false),
    condition: build.call('@not_strictly_false', build.call('!_', build.accumulator())),
    step: build.call('_||_', build.accumulator(), predicate),
    result: build.accumulator(),
  }),
  existsOne: (build, predicate) => ({
    initial: build.value(0n),
    condition: build.value(true),
    step: build.call('_?_:_', predicate, build.call('_+_', build.accumulator(), build.value(1n)), build.accumulator()),
    result: build.call('_==_', build.accumulator(), build.value(1n)),
  }),
};

function quantifier(name: keyof typeof QUANTIFIERS, variables: 1 | 2): Macro {
  return {
    args: variables + 1,
    expand({ at, target, args }, source) {
      const names = variablesOf(args.slice(0, variables), source);
      if (target === undefined || names === undefined) return undefined;
      const build = new Builder(at);
      const [variable = '', variable2] = names;
      return build.fold({ variable, variable2, range: target, ...QUANTIFIERS[name](build, args[variables] as Expr) });
    },
  };
}

/** map, filter, transformList: a list grows by an element per step, where the filter lets it. */
function collecting(variables: 1 | 2, filtered: boolean, keeps: boolean): Macro {
  return {
    args: variables + (filtered && !keeps ? 2 : 1),
    expand({ at, target, args }, source) {
      const names = variablesOf(args.slice(0, variables), source);
      if (target === undefined || names === undefined) return undefined;
      const build = new Builder(at);
      const [variable = '', variable2] = names;
      const element = keeps ? build.ident(variable) : (args.at(-1) as Expr);
      const grown = build.call('_+_', build.accumulator(), build.list(element));
      const step = filtered ? build.call('_?_:_', args[variables] as Expr, grown, build.accumulator()) : grown;
      const rest = { initial: build.list(), condition: build.value(true), step, result: build.accumulator() };
      return build.fold({ variable, variable2, range: target, ...rest });
    },
  };
}

/** transformMap keeps the key, transformMapEntry makes entries of its own. */
function mapping(filtered: boolean, entries: boolean): Macro {
  return {
    args: filtered ? 4 : 3,
    expand({ at, target, args }, source) {
      const names = variablesOf(args.slice(0, 2), source);
      if (target === undefined || names === undefined) return undefined;
      const build = new Builder(at);
      const [variable = '', variable2] = names;
      const value = args.at(-1) as Expr;
      const grown = entries
        ? build.call('cel.@mapInsert', build.accumulator(), value)
        : build.call('cel.@mapInsert', build.accumulator(), build.ident(variable), value);
      const step = filtered ? build.call('_?_:_', args[2] as Expr, grown, build.accumulator()) : grown;
      const rest = { initial: build.emptyMap(), condition: build.value(true), step, result: build.accumulator() };
      return build.fold({ variable, variable2, range: target, ...rest });
    },
  };
}

/** `name` stands for `initial` inside `body`. */
function bind(build: Builder, name: string, initial: Expr, body: Expr): Expr {
  return build.fold({
    variable: UNUSED,
    variable2: undefined,
    range: build.list(),
    accumulator: name,
    initial,
    condition: build.value(false),
    step: build.ident(name),
    result: body,
  });
}

function optional(flat: boolean): Macro {
  return {
    args: 2,
    expand({ at, target, args }, source) {
      const name = args[0];
      if (name?.kind !== 'ident') {
        source.report(name?.at ?? at, `${flat ? 'optFlatMap' : 'optMap'}() variable name must be a simple identifier`);
        return undefined;
      }
      if (target === undefined) return undefined;
      const build = new Builder(at);
      const bound = bind(build, name.name, build.member(copyOf(target, source), 'value'), args[1] as Expr);
      const some = flat ? bound : build.call('optional.of', bound);
      return build.call('_?_:_', build.member(target, 'hasValue'), some, build.call('optional.none'));
    },
  };
}

const SORT_INPUT = '@__sortBy_input__';
const SORTABLE = new Set(['ident', 'select', 'list', 'fold', 'call']);
const sortBy: Macro = {
  args: 2,
  expand({ at, target, args }, source) {
    if (target === undefined || !SORTABLE.has(target.kind)) {
      source.report(target?.at ?? at, 'sortBy can only be applied to a list, identifier, comprehension, call or select expression');
      return undefined;
    }
    if (variablesOf(args.slice(0, 1), source) === undefined) return undefined;
    const build = new Builder(at);
    const keys = collecting(1, false, false).expand({ kind: 'call', at, function: 'map', target: build.ident(SORT_INPUT), args }, source);
    if (keys === undefined) return undefined;
    return bind(build, SORT_INPUT, target, build.member(build.ident(SORT_INPUT), '@sortByAssociatedKeys', keys));
  },
};

const has: Macro = {
  args: 1,
  expand({ at, args }, source) {
    const [arg] = args;
    if (arg?.kind === 'select') return { kind: 'select', at, operand: arg.operand, field: arg.field, testOnly: true };
    source.report(arg?.at ?? at, 'invalid argument to has() macro');
    return undefined;
  },
};

const MEMBER: Readonly<Record<string, readonly Macro[]>> = {
  all: [quantifier('all', 1), quantifier('all', 2)],
  exists: [quantifier('exists', 1), quantifier('exists', 2)],
  exists_one: [quantifier('existsOne', 1), quantifier('existsOne', 2)],
  existsOne: [quantifier('existsOne', 1), quantifier('existsOne', 2)],
  map: [collecting(1, false, false), collecting(1, true, false)],
  filter: [collecting(1, true, true)],
  transformList: [collecting(2, false, false), collecting(2, true, false)],
  transformMap: [mapping(false, false), mapping(true, false)],
  transformMapEntry: [mapping(false, true), mapping(true, true)],
  optMap: [optional(false)],
  optFlatMap: [optional(true)],
  sortBy: [sortBy],
};

/** `cel.bind(name, initial, body)`: only some environments have it. */
const celBind: Macro = {
  args: 3,
  expand({ at, args }, source) {
    const [name, initial, body] = args;
    if (name?.kind !== 'ident') return refuse(name, 'cel.bind() variable names must be simple identifiers', source);
    return bind(new Builder(at), name.name, initial as Expr, body as Expr);
  },
};

const isBinding = ({ target, function: name, args }: CallNode) =>
  target?.kind === 'ident' && target.name === 'cel' && name === 'bind' && args.length === celBind.args;

/** What the call means, if it is a macro; reports what is wrong with its arguments. @param hasBindings Whether `cel.bind` is one. */
export function expandMacro(call: CallNode, source: Source, hasBindings: boolean): Expr | undefined {
  if (hasBindings && isBinding(call)) return celBind.expand(call, source);
  if (call.target === undefined) return call.function === 'has' && call.args.length === 1 ? has.expand(call, source) : undefined;
  if (!Object.hasOwn(MEMBER, call.function)) return undefined;
  return MEMBER[call.function]?.find(({ args }) => args === call.args.length)?.expand(call, source);
}
