// SPDX-License-Identifier: Apache-2.0
// Gives every node its type and every call its overloads, or says what is wrong in upstream's words (cel-go checker/checker.go).
// Lists and maps must hold one type, as Kubernetes' environment demands (HomogeneousAggregateLiterals).
import { type CallNode, childrenOf, type Entry, type Expr, type FoldNode, type ListNode, type SelectNode, type StructNode } from './ast.ts';
import type { Functions, Overload } from './declarations.ts';
import type { Source } from './source.ts';
import {
  areAssignable,
  type Bindings,
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DYN,
  ERROR,
  fieldOf,
  formatType,
  INT,
  isDyn,
  isSameType,
  listOf,
  mapOf,
  mostGeneral,
  NAMED_TYPES,
  NULL,
  type ObjectType,
  optionalOf,
  STRING,
  substitute,
  UINT,
} from './types.ts';
import { Uint, type Value } from './values.ts';

export interface Declarations {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly functions: Functions;
  /** Types that expressions may construct, by name. */
  readonly struct: (name: string) => ObjectType | undefined;
}

/** Functions that upstream binds once for all their overloads. */
const BY_VALUE = /^(?:size|get[A-Z]\w+|bool|bytes|double|duration|int|string|timestamp|uint)$/;

export class Checker {
  readonly #source: Source;
  readonly #declarations: Declarations;
  readonly #bindings: Bindings = new Map();
  readonly #scopes: Map<string, CelType>[] = [];
  #fresh = 0;

  constructor(source: Source, declarations: Declarations) {
    this.#source = source;
    this.#declarations = declarations;
  }

  /** @returns The type of the whole, without free parameters. */
  check(expr: Expr): CelType {
    this.#check(expr);
    this.#settle(expr);
    return expr.type ?? ERROR;
  }

  /** Replaces what parameters came to stand for, in every node. */
  #settle(expr: Expr): void {
    if (expr.type !== undefined) expr.type = substitute(this.#bindings, expr.type, true);
    for (const child of childrenOf(expr)) this.#settle(child);
  }

  #check(expr: Expr): CelType {
    const type = this.#typeOf(expr);
    expr.type = type;
    return type;
  }

  #typeOf(expr: Expr): CelType {
    switch (expr.kind) {
      case 'const':
        return typeOfConstant(expr.value);
      case 'ident': {
        const local = this.#local(expr.name);
        if (local !== undefined) return local;
        const found = this.#variable(expr.name);
        if (found !== undefined) return found;
        const named = NAMED_TYPES.get(expr.name.replace(/^\./, ''));
        if (named !== undefined) {
          expr.named = named;
          return { kind: 'type', of: named };
        }
        return this.#error(expr.at, `undeclared reference to '${expr.name.replace(/^\./, '')}' (in container '')`);
      }
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map': {
        const key = this.#joined(expr.entries.map((entry) => ({ node: entry.key, optional: false })));
        const value = this.#joined(expr.entries.map((entry: Entry) => ({ node: entry.value, optional: entry.optional })));
        return mapOf(key, value);
      }
      case 'struct':
        return this.#struct(expr);
      case 'fold':
        return this.#fold(expr);
    }
  }

  #error(at: number, message: string): CelType {
    this.#source.report(at, message);
    return ERROR;
  }

  #newParam(): CelType {
    this.#fresh += 1;
    return { kind: 'param', name: `_var${this.#fresh}` };
  }

  #format(type: CelType): string {
    return formatType(substitute(this.#bindings, type, true));
  }

  #local(name: string): CelType | undefined {
    for (let index = this.#scopes.length - 1; index >= 0; index -= 1) {
      const found = this.#scopes[index]?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #variable(name: string): CelType | undefined {
    return this.#declarations.variables.get(name.replace(/^\./, ''));
  }

  /** `a.b.c` as one name, where the chain is nothing but names and does not begin at a local variable. */
  #qualified(expr: Expr): string | undefined {
    if (expr.kind === 'ident') return this.#local(expr.name) === undefined ? expr.name.replace(/^\./, '') : undefined;
    if (expr.kind !== 'select' || expr.testOnly) return undefined;
    const prefix = this.#qualified(expr.operand);
    return prefix === undefined ? undefined : `${prefix}.${expr.field}`;
  }

  #select(expr: SelectNode): CelType {
    const name = this.#qualified(expr);
    if (name !== undefined) {
      const variable = this.#declarations.variables.get(name);
      if (variable !== undefined) {
        expr.variable = name;
        return variable;
      }
      const named = NAMED_TYPES.get(name);
      if (named !== undefined) {
        expr.named = named;
        return { kind: 'type', of: named };
      }
    }
    const type = this.#field(expr.at, this.#check(expr.operand), expr.field);
    return expr.testOnly ? (type.kind === 'error' ? type : BOOL) : type;
  }

  /** The type of `operand.field`; optional operands give optional fields. */
  #field(at: number, operand: CelType, field: string): CelType {
    const type = substitute(this.#bindings, operand, false);
    switch (type.kind) {
      case 'optional': {
        const inner = this.#field(at, type.value, field);
        return inner.kind === 'error' ? inner : optionalOf(inner);
      }
      case 'map':
        return type.value;
      case 'object':
        return fieldOf(type, field) ?? this.#error(at, `undefined field '${field}'`);
      case 'param':
        areAssignable(this.#bindings, [type], [DYN]);
        return DYN;
      default:
        if (isDyn(type)) return DYN;
        return this.#error(at, `type '${this.#format(type)}' does not support field selection`);
    }
  }

  #call(expr: CallNode): CelType {
    if (expr.function === '_?._') return this.#optionalSelect(expr);
    const qualifier = expr.target === undefined ? undefined : this.#qualified(expr.target);
    const qualified = qualifier === undefined ? undefined : this.#declarations.functions.find(`${qualifier}.${expr.function}`);
    if (qualified !== undefined) {
      expr.function = `${qualifier}.${expr.function}`;
      expr.target = undefined;
    }
    const name = expr.function.replace(/^\./, '');
    const overloads = qualified ?? this.#declarations.functions.find(name);
    const target = expr.target === undefined ? undefined : this.#check(expr.target);
    const args = expr.args.map((arg) => this.#check(arg));
    if (overloads === undefined) return this.#error(expr.at, `undeclared reference to '${name}' (in container '')`);
    expr.function = name;
    return this.#resolve(expr, overloads, target, args);
  }

  #resolve(expr: CallNode, overloads: readonly Overload[], target: CelType | undefined, args: readonly CelType[]): CelType {
    const given = (target === undefined ? args : [target, ...args]).map((type) => substitute(this.#bindings, type, false));
    const matching: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of overloads) {
      if (overload.isMember !== (target !== undefined) || overload.args.length !== given.length) continue;
      const fresh = this.#freshOf(overload);
      if (!areAssignable(this.#bindings, fresh.args, given)) continue;
      matching.push(overload);
      const type = substitute(this.#bindings, fresh.result, false);
      if (result === undefined) result = type;
      else if (!isDyn(result) && !isSameType(result, type)) result = DYN;
    }
    if (result === undefined) {
      const shown = given.map((type) => this.#format(type));
      const applied = target === undefined ? `(${shown.join(', ')})` : `${shown[0]}.(${shown.slice(1).join(', ')})`;
      return given.some(({ kind }) => kind === 'error')
        ? ERROR
        : this.#error(expr.at, `found no matching overload for '${expr.function}' applied to '${applied}'`);
    }
    expr.overloads = matching;
    if (BY_VALUE.test(expr.function))
      expr.others = overloads.filter(({ isMember, args }) => isMember === (target !== undefined) && args.length === given.length);
    return result;
  }

  /** The overload's types with parameters of their own. */
  #freshOf({ args, result }: Overload): { readonly args: readonly CelType[]; readonly result: CelType } {
    const own: Bindings = new Map();
    const rename = (type: CelType): CelType => {
      if (type.kind !== 'param') return type;
      const known = own.get(type.name);
      if (known !== undefined) return known;
      const fresh = this.#newParam();
      own.set(type.name, fresh);
      return fresh;
    };
    const walk = (type: CelType): CelType => {
      switch (type.kind) {
        case 'list':
          return listOf(walk(type.element));
        case 'map':
          return mapOf(walk(type.key), walk(type.value));
        case 'optional':
          return optionalOf(walk(type.value));
        case 'type':
          return type.of === undefined ? type : { kind: 'type', of: walk(type.of) };
        default:
          return rename(type);
      }
    };
    return { args: args.map(walk), result: walk(result) };
  }

  #optionalSelect(expr: CallNode): CelType {
    const [operand, field] = expr.args;
    if (operand === undefined || field?.kind !== 'const' || typeof field.value !== 'string') return ERROR;
    this.#check(field);
    const type = this.#field(expr.at, this.#check(operand), field.value);
    if (type.kind === 'error') return type;
    return type.kind === 'optional' ? type : optionalOf(type);
  }

  #list(expr: ListNode): CelType {
    return listOf(this.#joined(expr.elements.map((node, index) => ({ node, optional: expr.optional.has(index) }))));
  }

  /** The one type of all elements; the first that differs is an error. */
  #joined(elements: readonly { readonly node: Expr; readonly optional: boolean }[]): CelType {
    let joined: CelType | undefined;
    for (const { node, optional } of elements) {
      const type = this.#unwrapped(node, optional);
      if (joined === undefined) joined = type;
      else if (areAssignable(this.#bindings, [joined], [type])) joined = mostGeneral(joined, type);
      else this.#error(node.at, `expected type '${this.#format(joined)}' but found '${this.#format(type)}'`);
    }
    return joined ?? this.#newParam();
  }

  #unwrapped(node: Expr, optional: boolean): CelType {
    const type = substitute(this.#bindings, this.#check(node), false);
    if (!optional || isDyn(type)) return type;
    if (type.kind === 'optional') return type.value;
    return this.#error(node.at, `expected type '${formatType(optionalOf(type))}' but found '${this.#format(type)}'`);
  }

  #struct(expr: StructNode): CelType {
    const name = expr.name.replace(/^\./, '');
    const type = this.#declarations.struct(name);
    for (const field of expr.fields) {
      const value = this.#unwrapped(field.value, field.optional);
      if (type === undefined) continue;
      const wanted = fieldOf(type, field.name);
      if (wanted === undefined) this.#error(field.at, `undefined field '${field.name}'`);
      else if (!areAssignable(this.#bindings, [wanted], [value])) {
        const shown = `expected type of field '${field.name}' is '${this.#format(wanted)}' but provided type is '${this.#format(value)}'`;
        this.#error(field.at, shown);
      }
    }
    return type ?? this.#error(expr.at, `undeclared reference to '${name}' (in container '')`);
  }

  #fold(expr: FoldNode): CelType {
    const range = substitute(this.#bindings, this.#check(expr.range), false);
    const accumulator = this.#check(expr.initial);
    const [first, second] = this.#iterated(expr, range);
    this.#scopes.push(new Map([[expr.accumulator, accumulator]]));
    const variables = new Map<string, CelType>([[expr.variable, first]]);
    if (expr.variable2 !== undefined) variables.set(expr.variable2, second);
    this.#scopes.push(variables);
    this.#expect(expr.condition, BOOL);
    this.#expect(expr.step, accumulator);
    this.#scopes.pop();
    const result = this.#check(expr.result);
    this.#scopes.pop();
    return substitute(this.#bindings, result, false);
  }

  /** Types of the iteration variables: one is the element or key; two are index or key, and element or value. */
  #iterated(expr: FoldNode, range: CelType): readonly [CelType, CelType] {
    const two = expr.variable2 !== undefined;
    switch (range.kind) {
      case 'list':
        return two ? [INT, range.element] : [range.element, DYN];
      case 'map':
        return [range.key, range.value];
      case 'param':
        areAssignable(this.#bindings, [range], [DYN]);
        return [DYN, DYN];
      default:
        if (isDyn(range)) return [DYN, DYN];
        this.#error(
          expr.range.at,
          `expression of type '${this.#format(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        );
        return [ERROR, ERROR];
    }
  }

  #expect(expr: Expr, wanted: CelType): void {
    const type = this.#check(expr);
    if (!areAssignable(this.#bindings, [wanted], [type]))
      this.#error(expr.at, `expected type '${this.#format(wanted)}' but found '${this.#format(type)}'`);
  }
}

function typeOfConstant(value: Value): CelType {
  if (value === null) return NULL;
  switch (typeof value) {
    case 'string':
      return STRING;
    case 'boolean':
      return BOOL;
    case 'bigint':
      return INT;
    case 'number':
      return DOUBLE;
    default:
      return value instanceof Uint ? UINT : BYTES;
  }
}
