// SPDX-License-Identifier: Apache-2.0
// How much an expression can cost at least and at most, before it runs: cel-go's estimator (checker/cost.go) with the rules of
// Kubernetes' libraries (apiserver pkg/cel/library/cost.go). Sizes come from constants and, along the path from a variable, from
// the limits of declared types. Past 2^64-1 a cost is 2^64-1.
import type { CallNode, Expr, FoldNode, SelectNode } from './ast.ts';
import { LIST_COST, MAP_COST, REGEX_LENGTH, STRING_TRAVERSAL, STRUCT_COST } from './runtime-cost.ts';
import { type CelType, DYN, isSameType } from './types.ts';
import { Duration, lengthOf, Timestamp, Uint } from './values.ts';

/** Costs and sizes alike: what it is at least and at most. */
export interface Range {
  readonly min: number;
  readonly max: number;
}
/** 2^64, as exact as it gets: what overflows becomes this. */
const MAX = 2 ** 64;
const NONE: Range = { min: 0, max: 0 };
const ONE: Range = { min: 1, max: 1 };
const UNKNOWN: Range = { min: 0, max: MAX };

function capped(value: number): number {
  return value >= MAX ? MAX : value;
}
function fixed(value: number): Range {
  return { min: value, max: value };
}
function add(...ranges: readonly Range[]): Range {
  return ranges.reduce((sum, { min, max }) => ({ min: capped(sum.min + min), max: capped(sum.max + max) }), NONE);
}
function multiply(a: Range, b: Range): Range {
  return { min: capped(a.min * b.min), max: capped(a.max * b.max) };
}
function scale({ min, max }: Range, factor: number): Range {
  return { min: capped(Math.ceil(min * factor)), max: capped(Math.ceil(max * factor)) };
}
function union(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

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
/** An argument of a call. */
interface Argument {
  readonly expr: Expr | undefined;
  readonly type: CelType;
  readonly path: readonly string[] | undefined;
  readonly size: Range | undefined;
}
interface CallEstimate {
  readonly cost: Range;
  readonly size?: Range | undefined;
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
    const own = this.#library(expr.function, id, target, args);
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

  /** Kubernetes' functions, whose costs upstream keeps stable. */
  #library(name: string, id: string, target: Argument | undefined, args: readonly Argument[]): CallEstimate | undefined {
    const size = (arg: Argument | undefined) => this.#argumentSize(arg);
    const [a, b] = args;
    if (UNIT_FUNCTIONS.has(name)) return { cost: ONE };
    const ofLists = this.#ofLists(name, target, args);
    if (ofLists !== undefined) return ofLists;
    switch (name) {
      case 'check':
        return { cost: fixed(350_000) };
      case 'fieldSelector':
      case 'labelSelector':
        if (args.length !== 1) return undefined;
        return { cost: add(fixed(LIST_COST), scale(size(a), STRING_TRAVERSAL), scale(scale(size(a), 0.5), LIST_COST + STRUCT_COST)) };
      case 'url':
      case 'jsonpatch.escapeKey':
        return args.length === 1 ? { cost: scale(size(a), STRING_TRAVERSAL), size: size(a) } : undefined;
      case 'lowerAscii':
      case 'upperAscii':
      case 'substring':
      case 'trim':
        return target === undefined ? undefined : { cost: scale(size(target), STRING_TRAVERSAL), size: size(target) };
      case 'replace':
        if (target === undefined || args.length < 2) return undefined;
        return { cost: scale(size(target), 2 * STRING_TRAVERSAL), size: replacedSize(size(target), size(a), size(b)) };
      case 'split': {
        if (target === undefined) return undefined;
        const limit = b?.expr?.kind === 'const' && typeof b.expr.value === 'bigint' ? Number(BigInt.asUintN(64, b.expr.value)) : undefined;
        return { cost: scale(size(target), 2 * STRING_TRAVERSAL), size: { min: 0, max: limit ?? size(target).max } };
      }
      case 'find':
      case 'findAll':
        if (target === undefined || args.length === 0) return undefined;
        return { cost: regexCost(size(target), size(a)), size: { min: 0, max: size(target).max } };
      case 'cidr':
      case 'isIP':
      case 'isCIDR':
      case 'quantity':
      case 'isQuantity':
      case 'semver':
      case 'isSemver':
      case 'ip':
      case 'ip.isCanonical':
        return this.#parsed(name, id, target, args);
      case 'containsIP':
      case 'containsCIDR':
        return target === undefined || a === undefined ? undefined : { cost: containsCost(id, size(a)) };
      case 'validate':
        return target === undefined ? undefined : { cost: scale(scale(size(a), STRING_TRAVERSAL), 128 * REGEX_LENGTH) };
      case '_==_':
        return isSameType(a?.type ?? DYN, b?.type ?? DYN) ? libraryEquality(a?.type ?? DYN, b?.size) : undefined;
    }
    return undefined;
  }

  /** Functions of lists and sets. */
  #ofLists(name: string, target: Argument | undefined, [a, b]: readonly Argument[]): CallEstimate | undefined {
    const size = (arg: Argument | undefined) => this.#argumentSize(arg);
    switch (name) {
      case 'isSorted':
      case 'sum':
      case 'max':
      case 'min':
      case 'indexOf':
      case 'lastIndexOf': {
        if (target === undefined) return undefined;
        const element = elementOf(target);
        if (element === undefined) return { cost: scale(size(target), STRING_TRAVERSAL) };
        const isText = element.type.kind === 'string' || element.type.kind === 'bytes';
        return { cost: multiply(size(target), isText ? add(ONE, scale(size(element), STRING_TRAVERSAL)) : ONE) };
      }
      case 'join':
        return target === undefined ? undefined : this.#join(target, a);
      case 'sets.contains':
      case 'sets.intersects':
        return { cost: add(multiply(size(a), size(b)), ONE) };
      case 'sets.equivalent':
        return { cost: add(scale(multiply(size(a), size(b)), 2), ONE) };
      case 'lists.range': {
        const count = a?.expr?.kind === 'const' && typeof a.expr.value === 'bigint' ? fixed(Math.max(0, Number(a.expr.value))) : UNKNOWN;
        return { cost: add(count, fixed(1 + LIST_COST)), size: count };
      }
      case 'flatten': {
        const element = target === undefined ? undefined : elementOf(target);
        const count = element === undefined ? UNKNOWN : multiply(size(target), size(element));
        return { cost: add(count, fixed(1 + LIST_COST)), size: { min: 0, max: count.max } };
      }
      case 'slice':
      case 'reverse':
        return { cost: add(size(target), fixed(1 + LIST_COST)), size: { min: 0, max: size(target).max } };
      case 'sort':
      case 'distinct':
      case '@sortByAssociatedKeys':
        return { cost: add(multiply(size(target), size(target)), fixed(1 + LIST_COST)), size: { min: 0, max: size(target).max } };
    }
    return undefined;
  }

  #parsed(name: string, id: string, target: Argument | undefined, args: readonly Argument[]): CallEstimate | undefined {
    const size = this.#argumentSize(args[0]);
    if (name === 'ip' && target !== undefined && args.length === 0) return { cost: ONE };
    if (id === 'cidr_ip') return { cost: ONE };
    return { cost: scale(size, name === 'ip.isCanonical' ? 2 * STRING_TRAVERSAL : STRING_TRAVERSAL) };
  }

  #join(target: Argument, separator: Argument | undefined): CallEstimate {
    const list = this.#argumentSize(target);
    const element = elementOf(target);
    let size: Range = element === undefined ? NONE : multiply(list, this.#argumentSize(element));
    if (separator !== undefined) {
      const count = { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) };
      size = add(size, multiply(this.#argumentSize(separator), count));
    }
    return { cost: scale(size, STRING_TRAVERSAL), size };
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

const UNIT_FUNCTIONS = new Set(
  (
    'serviceAccount path group resource subresource namespace name allowed reason error errored ' +
    'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named ' +
    'sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch ' +
    'getScheme getHostname getHost getPort getEscapedPath getQuery'
  ).split(' '),
);

function step(type: CelType, name: string): CelType | undefined {
  switch (name) {
    case '@items':
    case '@values':
      return type.kind === 'list' ? type.element : type.kind === 'map' ? type.value : undefined;
    case '@keys':
      return type.kind === 'map' ? type.key : undefined;
    case '@indices':
      return undefined;
    default:
      if (type.kind === 'map') return type.value;
      return type.kind === 'object' ? type.fields.get(name) : undefined;
  }
}

/** Types without a limit count as upstream's zero: what is neither text nor container is compared for nothing. */
function limitOf(type: CelType): number | undefined {
  if (type.kind === 'list' || type.kind === 'map') return type.maxItems;
  if ('maxLength' in type) return type.maxLength;
  return type.kind === 'dyn' || type.kind === 'string' || type.kind === 'bytes' ? undefined : 0;
}

function literalSize(expr: Expr): Range | undefined {
  if (expr.kind === 'list') return fixed(expr.elements.length);
  if (expr.kind === 'map') return fixed(expr.entries.length);
  if (expr.kind !== 'const') return undefined;
  const { value } = expr;
  if (typeof value === 'string') return fixed(lengthOf(value));
  if (value instanceof Uint8Array) return fixed(value.length);
  const isPlain =
    typeof value !== 'object' || value === null || value instanceof Uint || value instanceof Duration || value instanceof Timestamp;
  return isPlain ? ONE : undefined;
}

function isScalar(type: CelType): boolean {
  if (type.kind === 'optional') return isScalar(type.value);
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind);
}

function elementOf({ type, path }: Argument): Argument | undefined {
  if (type.kind !== 'list') return undefined;
  return { expr: undefined, type: type.element, path: path === undefined ? undefined : [...path, '@items'], size: undefined };
}

function unionEntry(a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { isList: a.isList, key: union(a.key, b.key), value: union(a.value, b.value) };
}

function regexCost(text: Range, pattern: Range): Range {
  return multiply(scale(add(text, ONE), STRING_TRAVERSAL), scale(pattern, REGEX_LENGTH));
}

function smaller(a: Range, b: Range): Range {
  const max = Math.min(a.max, b.max);
  return scale({ min: max > 0 ? 1 : 0, max }, STRING_TRAVERSAL);
}

function containsCost(id: string, other: Range): Range {
  const bytes = { min: 4, max: 16 };
  const compared = scale(add(bytes, bytes), STRING_TRAVERSAL);
  const parsed = id.endsWith('_string') ? scale(other, STRING_TRAVERSAL) : NONE;
  return id.startsWith('cidr_contains_ip') ? add(compared, parsed) : add(compared, scale(bytes, STRING_TRAVERSAL), ONE, parsed);
}

/** The size of `text.replace(old, next)`: as many replacements as fit, each as long as it may be. */
function replacedSize(text: Range, old: Range, next: Range): Range {
  let max: number;
  if (old.min === 0) max = add(fixed(text.max), multiply(fixed(capped(text.max + 1)), fixed(next.max))).max;
  else if (next.max <= old.min) max = text.max;
  else max = capped(Math.ceil(text.max / old.min) * next.max);
  let min: number;
  if (old.max === 0) min = capped(text.min + (text.min + 1) * next.min);
  else if (old.max <= next.min) min = text.min;
  else min = Math.ceil(text.min / old.max) * next.min;
  return { min, max };
}

function libraryEquality(type: CelType, other: Range | undefined): CallEstimate | undefined {
  if (type.kind === 'opaque') return { cost: ONE };
  if (type.kind !== 'object' || !type.name.startsWith('kubernetes.')) return undefined;
  switch (type.name) {
    case 'kubernetes.Quantity':
    case 'kubernetes.Semver':
      return { cost: ONE };
    case 'kubernetes.NamedFormat':
      return { cost: scale({ min: 1, max: 64 }, STRING_TRAVERSAL) };
    case 'kubernetes.URL':
      return { cost: scale({ min: 1, max: other?.max ?? 1 }, STRING_TRAVERSAL) };
    default:
      return type.name.startsWith('kubernetes.authorization.') ? { cost: ONE } : undefined;
  }
}

function isBind({ range, condition, accumulator }: FoldNode): boolean {
  const isEmpty = range.kind === 'list' && range.elements.length === 0;
  return isEmpty && condition.kind === 'const' && condition.value === false && accumulator !== '@result';
}
