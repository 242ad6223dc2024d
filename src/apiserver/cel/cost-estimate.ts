// SPDX-License-Identifier: Apache-2.0
// How much an expression can cost at least and at most, before it runs: cel-go's estimator (checker/cost.go), with the rules of
// Kubernetes' libraries in cost-library.ts and cost-lists.ts. Sizes come from constants and, along the path from a variable, from
// the limits of declared types (cost-sizes.ts).
import type { CallNode, Expr, FoldNode, SelectNode } from './ast.ts';
import { libraryEstimate, regexCost } from './cost-library.ts';
import type { Argument, CallEstimate } from './cost-lists.ts';
import { add, capped, fixed, MAX, multiply, NONE, ONE, type Range, scale, smaller, UNKNOWN, union } from './cost-ranges.ts';
import { isScalar, limitOf, literalSize, step } from './cost-sizes.ts';
import { LIST_COST, MAP_COST, STRING_TRAVERSAL, STRUCT_COST } from './runtime-cost.ts';
import { type CelType, DYN } from './types.ts';

interface EntrySize {
  readonly isList: boolean;
  readonly key: Range;
  readonly value: Range;
}
interface Local {
  readonly path: readonly string[];
  readonly size?: Range | undefined;
  readonly entry?: EntrySize | undefined;
}
export class CostEstimator {
  readonly #variables: ReadonlyMap<string, CelType>;
  readonly #paths = new Map<Expr, readonly string[]>();
  readonly #sizes = new Map<Expr, Range>();
  readonly #entries = new Map<Expr, EntrySize>();
  readonly #locals = new Map<string, Local[]>();

  constructor(variables: ReadonlyMap<string, CelType>) {
    this.#variables = variables;
  }

  estimate(expr: Expr): Range {
    switch (expr.kind) {
      case 'const':
        return NONE;
      case 'ident':
        this.#paths.set(expr, this.#locals.get(expr.name)?.at(-1)?.path ?? [expr.name]);
        return ONE;
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list': {
        const costs = expr.elements.map((element) => this.estimate(element));
        const value = expr.elements
          .map((element) => this.#sizeOrUnknown(element))
          .reduce(union, { min: costs.length === 0 ? 0 : MAX, max: 0 });
        this.#entries.set(expr, { isList: true, key: ONE, value });
        return add(...costs, fixed(LIST_COST));
      }
      case 'map': {
        const start = { min: expr.entries.length === 0 ? 0 : MAX, max: 0 };
        const costs = expr.entries.flatMap(({ key, value }) => [this.estimate(key), this.estimate(value)]);
        const key = expr.entries.map((entry) => this.#sizeOrUnknown(entry.key)).reduce(union, start);
        const value = expr.entries.map((entry) => this.#sizeOrUnknown(entry.value)).reduce(union, start);
        this.#entries.set(expr, { isList: false, key, value });
        return add(...costs, fixed(MAP_COST));
      }
      case 'struct':
        return add(...expr.fields.map(({ value }) => this.estimate(value)), fixed(STRUCT_COST));
      case 'fold':
        return isBind(expr) ? this.#bind(expr) : this.#fold(expr);
    }
  }

  #select(expr: SelectNode): Range {
    if (expr.named !== undefined) {
      this.#paths.set(expr, [expr.field]);
      return ONE;
    }
    if (expr.variable !== undefined) return ONE;
    const cost = this.estimate(expr.operand);
    if (expr.testOnly) return cost;
    this.#paths.set(expr, [...this.#pathOf(expr.operand), expr.field]);
    const kind = expr.operand.type?.kind;
    return kind === 'map' || kind === 'object' || kind === 'param' ? add(cost, ONE) : cost;
  }

  #pathOf(expr: Expr): readonly string[] {
    if (expr.kind === 'ident') {
      const local = this.#locals.get(expr.name)?.at(-1);
      if (local !== undefined) return local.path;
    }
    return this.#paths.get(expr) ?? [];
  }

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name);
    if (stack === undefined) this.#locals.set(name, [local]);
    else stack.push(local);
  }

  #pop(name: string): void {
    this.#locals.get(name)?.pop();
  }

  #bind(expr: FoldNode): Range {
    const cost = add(this.estimate(expr.range), this.estimate(expr.initial));
    this.#push(expr.accumulator, { path: this.#pathOf(expr.initial), size: this.#size(expr.initial), entry: this.#entry(expr.initial) });
    const result = this.estimate(expr.result);
    this.#pop(expr.accumulator);
    this.#copySizes(expr, expr.result);
    return add(cost, result);
  }

  #fold(expr: FoldNode): Range {
    const before = add(this.estimate(expr.range), this.estimate(expr.initial));
    this.#push(expr.accumulator, { path: this.#pathOf(expr.initial), size: this.#size(expr.initial), entry: this.#entry(expr.initial) });
    this.#pushVariables(expr);
    const condition = this.estimate(expr.condition);
    const step = this.estimate(expr.step);
    this.#pop(expr.variable);
    if (expr.variable2 !== undefined) this.#pop(expr.variable2);
    const after = this.estimate(expr.result);
    this.#pop(expr.accumulator);
    const count = this.#sizeOrUnknown(expr.range);
    if (expr.initial.kind === 'const') this.#setSize(expr, this.#size(expr.initial));
    else if (expr.initial.kind === 'list' || expr.initial.kind === 'map') {
      this.#setSize(expr, count);
      this.#setEntry(expr, this.#entry(expr.step));
    }
    return add(before, after, multiply(count, add(step, condition)));
  }

  #pushVariables({ range, variable, variable2 }: FoldNode): void {
    const entry = this.#entry(range);
    const isList = entry?.isList ?? range.type?.kind === 'list';
    const path = this.#pathOf(range);
    const keys: Local = { path: [...path, isList ? '@indices' : '@keys'], size: entry?.key };
    const values: Local = { path: [...path, isList ? '@items' : '@values'], size: entry?.value };
    this.#push(variable, isList && variable2 === undefined ? values : keys);
    if (variable2 !== undefined) this.#push(variable2, values);
  }

  #argument(expr: Expr): Argument {
    const path = this.#pathOf(expr);
    const hidden = path[0]?.startsWith('@') ?? false;
    return { expr, type: expr.type ?? DYN, path: hidden ? undefined : path, size: this.#size(expr) };
  }

  #call(expr: CallNode): Range {
    const [first] = expr.args;
    if (expr.function === 'dyn' && first !== undefined) {
      const cost = this.estimate(first);
      this.#copySizes(expr, first);
      return add(cost, ONE);
    }
    const costs: Range[] = [];
    const args: Argument[] = [];
    for (const arg of expr.args) {
      costs.push(this.estimate(arg));
      args.push(this.#argument(arg));
    }
    const overloads = expr.overloads ?? (expr.function === '_?._' ? [{ id: 'select_optional_field' }] : []);
    if (overloads.length === 0) return NONE;
    let sum = NONE;
    let target: Argument | undefined;
    if (expr.target !== undefined) {
      sum = this.estimate(expr.target);
      target = this.#argument(expr.target);
    }
    let cost: Range = { min: MAX, max: 0 };
    let size: Range | undefined;
    for (const { id } of overloads) {
      const estimate = this.#function(expr, id, target, args, costs);
      cost = union(cost, estimate.cost);
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size);
      if ((id === 'index_list' || id === 'index_map') && first !== undefined) {
        size = this.#entry(first)?.value;
        this.#paths.set(expr, [...this.#pathOf(first), id === 'index_list' ? '@items' : '@values']);
      }
      size ??= this.#size(expr);
    }
    this.#setSize(expr, size);
    return add(sum, cost);
  }

  #function(expr: CallNode, id: string, target: Argument | undefined, args: readonly Argument[], costs: readonly Range[]): CallEstimate {
    const all = add(...costs);
    const own = libraryEstimate({ name: expr.function, id, target, args, size: (arg) => this.#argumentSize(arg) });
    if (own !== undefined) return { cost: add(own.cost, all), size: own.size };
    const [a, b, c] = args;
    const size = (arg: Argument | undefined) => arg?.size ?? UNKNOWN;
    const single = args.length === 1;
    switch (id) {
      case 'string_format':
        return { cost: add(scale(size(target), STRING_TRAVERSAL), all) };
      case 'string_to_bytes':
        return { cost: add(scale(size(a), STRING_TRAVERSAL), all), size: { min: size(a).min, max: capped(size(a).max * 4) } };
      case 'bytes_to_string':
        return { cost: add(scale(size(a), STRING_TRAVERSAL), all), size: { min: Math.floor(size(a).min / 4), max: size(a).max } };
      case 'strings_quote':
        return { cost: add(scale(size(a), STRING_TRAVERSAL), all), size: { min: size(a).min + 2, max: capped(size(a).max * 2 + 2) } };
      case 'starts_with_string':
      case 'ends_with_string':
        if (single) return { cost: add(scale(size(a), STRING_TRAVERSAL), all) };
        break;
      case 'in_list':
        return { cost: add(scale(size(b), 1), all) };
      case 'matches_string':
        if (target !== undefined && single) return { cost: add(regexCost(size(target), size(a)), all) };
        break;
      case 'contains_string':
        if (target !== undefined && single)
          return { cost: add(multiply(scale(size(target), STRING_TRAVERSAL), scale(size(a), STRING_TRAVERSAL)), all) };
        break;
      case 'logical_or':
      case 'logical_and': {
        const [left = NONE, right = NONE] = costs;
        return { cost: { min: left.min, max: add(left, right).max } };
      }
      case 'conditional': {
        const [condition = NONE, whenTrue = NONE, whenFalse = NONE] = costs;
        const left = b?.expr === undefined ? undefined : this.#entry(b.expr);
        const right = c?.expr === undefined ? undefined : this.#entry(c.expr);
        this.#setEntry(expr, unionEntry(left, right));
        return { cost: add(condition, union(whenTrue, whenFalse)), size: union(size(b), size(c)) };
      }
      case 'add_string':
      case 'add_bytes':
      case 'add_list': {
        const sum = add(size(a), size(b));
        this.#setEntry(expr, unionEntry(a?.expr && this.#entry(a.expr), b?.expr && this.#entry(b.expr)));
        return { cost: add(id === 'add_list' ? ONE : scale(sum, STRING_TRAVERSAL), all), size: sum };
      }
      case 'equals':
      case 'not_equals':
        return { cost: add(smaller(size(a), size(b)), all) };
    }
    if (/^(?:less|greater)(?:_equals)?_(?:string|bytes)$/.test(id)) return { cost: add(smaller(size(a), size(b)), all) };
    return { cost: add(ONE, all) };
  }

  #argumentSize(arg: Argument | undefined): Range {
    if (arg === undefined) return UNKNOWN;
    return arg.size ?? (arg.path === undefined ? undefined : this.#declaredSize(arg.path)) ?? UNKNOWN;
  }

  #sizeOrUnknown(expr: Expr): Range {
    return this.#size(expr) ?? UNKNOWN;
  }

  #setSize(expr: Expr, size: Range | undefined): void {
    if (size !== undefined) this.#sizes.set(expr, size);
  }

  #setEntry(expr: Expr, entry: EntrySize | undefined): void {
    if (entry !== undefined) this.#entries.set(expr, entry);
  }

  #copySizes(to: Expr, from: Expr): void {
    this.#setSize(to, this.#size(from));
    this.#setEntry(to, this.#entry(from));
  }

  #size(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr);
    if (known !== undefined) return known;
    const declared = this.#declaredSize(this.#pathOf(expr));
    if (declared !== undefined) {
      this.#sizes.set(expr, declared);
      return declared;
    }
    if (isScalar(expr.type ?? DYN)) return ONE;
    return expr.kind === 'ident' ? this.#locals.get(expr.name)?.at(-1)?.size : undefined;
  }

  #entry(expr: Expr): EntrySize | undefined {
    return this.#entries.get(expr) ?? (expr.kind === 'ident' ? this.#locals.get(expr.name)?.at(-1)?.entry : undefined);
  }

  /** The limit of the type that a path leads to from a variable. */
  #declaredSize(path: readonly string[]): Range | undefined {
    const [root, ...rest] = path;
    if (root === undefined || root.startsWith('@')) return undefined;
    // Upstream does not look at the root: the name of a type, as in `type(self) == int`, has the size of `self`.
    let type = this.#variables.get(root) ?? this.#variables.get('self');
    for (const name of rest) {
      if (type === undefined) return undefined;
      type = step(type, name);
    }
    const max = type === undefined ? undefined : limitOf(type);
    return max === undefined ? undefined : { min: 0, max };
  }
}

function unionEntry(a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { isList: a.isList, key: union(a.key, b.key), value: union(a.value, b.value) };
}

function isBind({ range, condition, accumulator }: FoldNode): boolean {
  const isEmpty = range.kind === 'list' && range.elements.length === 0;
  return isEmpty && condition.kind === 'const' && condition.value === false && accumulator !== '@result';
}
