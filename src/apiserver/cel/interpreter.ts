// SPDX-License-Identifier: Apache-2.0
// Turns a checked tree into closures and runs them. Costs are charged as cel-go's tracker counts them: one per variable and per
// field or index on it, none for constants (constant lists, maps and conversions are made once, as its optimizer does), calls by
// runtime-cost.ts. Failures are values, so that `||`, `&&` and macros can overrule them.
import type { CallNode, Expr, FoldNode, ListNode, MapNode, SelectNode, StructNode } from './ast.ts';
import { CelError } from './budget.ts';
import { attribute, binary, type Code, charge, constant, type Frame, type Step, unary } from './code.ts';
import { convert } from './convert.ts';
import { isEqual } from './equality.ts';
import { regexProblem, withPattern } from './library/regex.ts';
import { follow, isIn, isPresent, membersOf, unwrapped } from './members.ts';
import { ListBuilder, negate, noOverload, operation } from './operators.ts';
import { callCost, isChargedAfterwards, LIST_COST, MAP_COST, STRUCT_COST } from './runtime-cost.ts';
import type { CelType } from './types.ts';
import { typeName } from './types.ts';
import {
  Failure,
  failure,
  isMap,
  type Key,
  keyOf,
  ListValue,
  LiteralMap,
  NO_OVERLOAD,
  OptionalValue,
  StructValue,
  TypeValue,
  typeOfValue,
  type Value,
} from './values.ts';

/** Functions that make a value of another type: on constants they run once. */
const CONVERSIONS = new Set(['bool', 'bytes', 'double', 'duration', 'dyn', 'int', 'string', 'timestamp', 'type', 'uint']);
const CONVERSION_TARGETS: Readonly<Record<string, string>> = {
  duration: 'google.protobuf.Duration',
  timestamp: 'google.protobuf.Timestamp',
};
/** Functions of text whose failure names no signature. */
const PLAIN = new Set(['contains', 'endsWith', 'matches', 'startsWith']);

/** Thrown when a constant part can only fail: the program is not made. */
export class ConstantError extends Error {}

class Compiler {
  readonly #variables: ReadonlyMap<string, number>;
  readonly #locals: Map<string, number>[] = [];
  slots: number;

  constructor(variables: readonly string[]) {
    this.#variables = new Map(variables.map((name, index) => [name, index]));
    this.slots = variables.length;
  }

  compile(expr: Expr): Code {
    switch (expr.kind) {
      case 'const':
        return constant(expr.value);
      case 'ident':
        return expr.named === undefined ? this.#variable(expr.name) : constant(new TypeValue(typeName(expr.named)));
      case 'select':
        return this.#select(expr);
      case 'call':
        return this.#call(expr);
      case 'list':
        return this.#list(expr);
      case 'map':
        return this.#map(expr);
      case 'struct':
        return this.#struct(expr);
      case 'fold':
        return this.#fold(expr);
    }
  }

  #slotOf(name: string): number | undefined {
    for (let index = this.#locals.length - 1; index >= 0; index -= 1) {
      const slot = this.#locals[index]?.get(name);
      if (slot !== undefined) return slot;
    }
    return this.#variables.get(name.replace(/^\./, ''));
  }

  #variable(name: string): Code {
    const slot = this.#slotOf(name);
    if (slot === undefined) throw new ConstantError(`no such attribute(s): ${name}`);
    return attribute((frame) => {
      const value = frame.slots[slot];
      return value === undefined ? failure(`no such attribute(s): ${name}`) : (value as Value);
    }, 1);
  }

  /** The operand of a field or index, as the beginning of a chain. */
  #operand(expr: Expr): { readonly chain: Step; readonly base: 0 | 1 } {
    const code = this.compile(expr);
    if (code.chain === undefined) return { chain: code.run, base: 1 };
    return { chain: code.chain, base: code.chain === code.run ? 0 : 1 };
  }

  /** `a.b.c` may be one declared variable or a type. */
  #select(expr: SelectNode): Code {
    if (expr.named !== undefined) return constant(new TypeValue(typeName(expr.named)));
    if (expr.variable !== undefined) return this.#variable(expr.variable);
    const { chain, base } = this.#operand(expr.operand);
    const { field } = expr;
    if (!expr.testOnly) return attribute((frame) => follow(frame, chain(frame), field, false), base);
    return { run: (frame) => isPresent(chain(frame), field, frame, base) };
  }

  #index(expr: CallNode, optional: boolean): Code {
    const [operand, index] = expr.args as readonly [Expr, Expr];
    const { chain, base } = this.#operand(operand);
    const code = this.compile(index);
    const key = code.chain ?? code.run;
    return attribute((frame) => follow(frame, chain(frame), key(frame), optional), base);
  }

  #call(expr: CallNode): Code {
    const [first, second] = expr.args;
    switch (expr.function) {
      case '_&&_':
      case '_||_':
        return this.#logical(expr);
      case '_?_:_':
        return this.#conditional(expr);
      case '_[_]':
        return this.#index(expr, false);
      case '_[?_]':
      case '_?._':
        return this.#index(expr, true);
      case '@in':
        return this.#in(expr);
      case 'or':
      case 'orValue':
        return this.#optionalOr(expr);
      case '_==_':
      case '_!=_':
        return binary(this.compile(first as Expr), this.compile(second as Expr), callCost(expr.function, ''), equality(expr.function));
      case '@not_strictly_false':
        return unary(
          this.compile(first as Expr),
          (value) => (value instanceof Failure ? true : value !== false),
          () => 1,
          { takesFailures: true },
        );
      case '!_':
        return unary(
          this.compile(first as Expr),
          (value) => (typeof value === 'boolean' ? !value : noOverload('!_', [value])),
          () => 1,
        );
      case '-_':
        return unary(this.compile(first as Expr), negate, () => 1);
      default:
        return this.#function(expr);
    }
  }

  #logical(expr: CallNode): Code {
    const [left, right] = expr.args.map((arg) => this.compile(arg).run) as [Step, Step];
    const decisive = expr.function === '_||_';
    return {
      run(frame) {
        const a = left(frame);
        if (a === decisive) return decisive;
        const b = right(frame);
        if (b === decisive) return decisive;
        if (typeof a === 'boolean' && typeof b === 'boolean') return !decisive;
        if (a instanceof Failure) return a;
        return b instanceof Failure ? b : NO_OVERLOAD;
      },
    };
  }

  #conditional(expr: CallNode): Code {
    const [condition, left, right] = expr.args.map((arg) => this.compile(arg)) as [Code, Code, Code];
    const test = condition.run;
    // A branch that is a chain is part of the conditional's own, and costs no start of its own.
    const whenTrue = left.chain ?? left.run;
    const whenFalse = right.chain ?? right.run;
    return attribute((frame) => {
      const value = test(frame);
      if (value === true) return whenTrue(frame);
      if (value === false) return whenFalse(frame);
      return value instanceof Failure ? value : NO_OVERLOAD;
    }, 0);
  }

  #in(expr: CallNode): Code {
    const [element, container] = expr.args.map((arg) => this.compile(arg)) as [Code, Code];
    const members = container.constant instanceof ListValue ? membersOf(container.constant) : undefined;
    if (members !== undefined && container.constant instanceof ListValue && container.constant.size === 0) return constant(false);
    if (members !== undefined) {
      const { run } = element;
      return {
        run(frame) {
          const value = run(frame);
          return value instanceof Failure ? value : members.has(keyOf(value) ?? value);
        },
      };
    }
    return binary(element, container, callCost('@in', overloadId(expr)), isIn);
  }

  #optionalOr(expr: CallNode): Code {
    const target = this.compile(expr.target as Expr).run;
    const otherwise = this.compile(expr.args[0] as Expr).run;
    const unwraps = expr.function === 'orValue';
    return {
      run(frame) {
        const value = target(frame);
        if (value instanceof Failure) return value;
        if (!(value instanceof OptionalValue)) return NO_OVERLOAD;
        if (value.value === undefined) return otherwise(frame);
        return unwraps ? value.value : value;
      },
    };
  }

  #function(expr: CallNode): Code {
    const name = expr.function;
    const args = [...(expr.target === undefined ? [] : [expr.target]), ...expr.args].map((arg) => this.compile(arg));
    // Standard functions go by what they are given, others by what the checker chose.
    const overloads = [...(expr.overloads ?? []), ...(expr.others ?? [])];
    const cost = callCost(name, overloadId(expr));
    const isLate = isChargedAfterwards(name);
    const operate = operation(name);
    const apply = (values: readonly Value[]): Value => {
      for (const { accepts, run } of overloads) if (accepts.every((accept, index) => accept(values[index] ?? null))) return run(...values);
      if (CONVERSIONS.has(name))
        return failure(`type conversion error from '${typeOfValue(values[0] ?? null)}' to '${CONVERSION_TARGETS[name] ?? name}'`);
      return PLAIN.has(name) ? NO_OVERLOAD : noOverload(name, values);
    };
    const [first, second] = args;
    if (SEARCHES.has(name) && typeof second?.constant === 'string') checkPattern(second.constant);
    if (typeof second?.constant === 'string' && first !== undefined && args.length === 2) {
      const search = withPattern(name, second.constant);
      if (search !== undefined) return binary(first, second, cost, search);
    }
    if (args.length === 2 && first !== undefined && second !== undefined)
      return binary(first, second, cost, operate ?? ((a, b) => apply([a, b])), { isLate });
    if (args.length === 1 && first !== undefined) {
      if (first.constant !== undefined && CONVERSIONS.has(name)) return constant(settled(apply([first.constant])));
      return unary(first, (value) => apply([value]), cost, { isLate });
    }
    const steps = args.map(({ run }) => run);
    return {
      run(frame) {
        const values: Value[] = [];
        for (const step of steps) {
          const value = step(frame);
          if (value instanceof Failure) return value;
          values.push(value);
        }
        if (!isLate) charge(frame, cost(values, null));
        const result = apply(values);
        if (isLate) charge(frame, cost(values, result));
        return result;
      },
    };
  }

  #list(expr: ListNode): Code {
    const elements = expr.elements.map((element) => this.compile(element));
    if (expr.optional.size === 0 && elements.every((element) => element.constant !== undefined))
      return constant(new ListValue(elements.map((element) => element.constant)));
    const steps = elements.map(({ run }, index) => ({ run, optional: expr.optional.has(index) }));
    return {
      run(frame) {
        const items: Value[] = [];
        let failed: Failure | undefined;
        for (const { run, optional } of steps) {
          const value = run(frame);
          const result = optional ? unwrapped(value) : value;
          if (result instanceof Failure) {
            failed = result;
            break;
          }
          if (result !== undefined) items.push(result);
        }
        charge(frame, LIST_COST);
        return failed ?? new ListValue(items);
      },
    };
  }

  #map(expr: MapNode): Code {
    const parts = expr.entries.map(({ key, value, optional }) => ({ key: this.compile(key), value: this.compile(value), optional }));
    const build = (frame: Frame): Value => {
      const entries = new Map<string | bigint | boolean, readonly [Key, Value]>();
      for (const { key: keyCode, value: valueCode, optional } of parts) {
        const key = keyCode.run(frame);
        if (key instanceof Failure) return key;
        const given = valueCode.run(frame);
        const value = optional ? unwrapped(given) : given;
        if (value instanceof Failure) return value;
        const index = keyOf(key);
        if (index === undefined || typeof key === 'number') return failure(`unsupported key type: ${typeOfValue(key)}`);
        if (value !== undefined) entries.set(index, [key as Key, value]);
      }
      return new LiteralMap(entries);
    };
    const isConstant = parts.every(({ key, value, optional }) => !optional && key.constant !== undefined && value.constant !== undefined);
    if (isConstant) return constant(settled(build({ cost: 0, limit: 0, slots: [] })));
    return {
      run(frame) {
        const value = build(frame);
        charge(frame, MAP_COST);
        return value;
      },
    };
  }

  #struct(expr: StructNode): Code {
    const parts = expr.fields.map(({ name, value, optional }) => ({ name, run: this.compile(value).run, optional }));
    const name = expr.name.replace(/^\./, '');
    return {
      run(frame) {
        const fields = new Map<string, Value>();
        for (const part of parts) {
          const given = part.run(frame);
          const value = part.optional ? unwrapped(given) : given;
          if (value instanceof Failure) return value;
          if (value !== undefined) fields.set(part.name, value);
        }
        charge(frame, STRUCT_COST);
        return new StructValue(name, fields);
      },
    };
  }

  #scope<T>(names: Readonly<Record<string, number>>, rule: () => T): T {
    this.#locals.push(new Map(Object.entries(names)));
    try {
      return rule();
    } finally {
      this.#locals.pop();
    }
  }

  #newSlot(): number {
    this.slots += 1;
    return this.slots - 1;
  }

  #fold(expr: FoldNode): Code {
    const range = this.compile(expr.range).run;
    const initial = this.compile(expr.initial).run;
    const accumulator = this.#newSlot();
    const first = this.#newSlot();
    const second = this.#newSlot();
    // A macro's own list or map grows in place.
    const start = expr.accumulator.startsWith('@') ? growing(expr.initial) : undefined;
    const { variable, variable2 } = expr;
    const outer = { [expr.accumulator]: accumulator };
    const inner = variable2 === undefined ? { [variable]: first } : { [variable]: first, [variable2]: second };
    const [condition, step] = this.#scope(outer, () =>
      this.#scope(inner, () => [this.compile(expr.condition).run, this.compile(expr.step).run] as const),
    );
    const result = this.#scope(outer, () => this.compile(expr.result).run);
    const two = variable2 !== undefined;
    return {
      run(frame) {
        const { slots } = frame;
        const over = range(frame);
        if (over instanceof Failure) return over;
        if (!(over instanceof ListValue) && !isMap(over)) return failure(`got '${typeOfValue(over)}', expected iterable type`);
        slots[accumulator] = start === undefined ? initial(frame) : start();
        const count = over.size;
        const keys = over instanceof ListValue ? undefined : over.keys();
        for (let index = 0; index < count; index += 1) {
          const key = keys === undefined ? BigInt(index) : (keys[index] as Value);
          const value = over instanceof ListValue ? over.at(index) : two ? (over.find(keyOf(key) ?? '') ?? null) : null;
          slots[first] = two || keys !== undefined ? key : value;
          slots[second] = value;
          if (condition(frame) === false) break;
          slots[accumulator] = step(frame);
        }
        const built = slots[accumulator];
        if (built instanceof ListBuilder) slots[accumulator] = new ListValue(built.items);
        else if (built instanceof LiteralMap) built.settle();
        return result(frame);
      },
    };
  }
}

function growing(initial: Expr): (() => ListBuilder | LiteralMap) | undefined {
  if (initial.kind === 'list' && initial.elements.length === 0) return () => new ListBuilder();
  return initial.kind === 'map' && initial.entries.length === 0 ? () => LiteralMap.growing() : undefined;
}

/** A constant that failed when it was made. */
function settled(value: Value): Value {
  if (value instanceof Failure) throw new ConstantError(value.message);
  return value;
}

/** Searches by constant patterns; those of `matches` the compiler has checked. */
const SEARCHES = new Set(['find', 'findAll']);

/** @throws {ConstantError} */
function checkPattern(pattern: string): void {
  const problem = regexProblem(pattern);
  if (problem !== undefined) throw new ConstantError(problem);
}

function overloadId({ overloads }: CallNode): string {
  return overloads?.length === 1 ? (overloads[0]?.id ?? '') : '';
}

function equality(name: string): (a: Value, b: Value) => Value {
  return name === '_==_' ? isEqual : (a, b) => !isEqual(a, b);
}

/** What a compiled expression is run with. */
export interface Executable {
  /** @returns The value and what it cost. @throws {CelError} */
  execute(variables: Readonly<Record<string, unknown>>, limit: number): { readonly value: Value; readonly cost: number };
}

/** @throws {ConstantError} If a constant part of the expression can only fail. */
export function assemble(expr: Expr, variables: ReadonlyMap<string, CelType>): Executable {
  const names = [...variables.keys()];
  const types = [...variables.values()];
  const compiler = new Compiler(names);
  const { run } = compiler.compile(expr);
  const count = compiler.slots;
  return {
    execute(values, limit) {
      const slots: Value[] = new Array(count);
      for (let index = 0; index < names.length; index += 1) {
        const raw = values[names[index] as string];
        if (raw !== undefined) slots[index] = convert(raw, types[index] as CelType);
      }
      const frame: Frame = { cost: 0, limit, slots };
      const value = run(frame);
      if (value instanceof Failure) throw Object.assign(new CelError(value.message), { cost: frame.cost });
      return { value, cost: frame.cost };
    },
  };
}
