// SPDX-License-Identifier: Apache-2.0
// What a tree is turned into: closures over one run's variables, which charge what they cost as they go.
import { CostExceededError } from './budget.ts';
import { ListBuilder } from './operators.ts';
import type { CallCost } from './runtime-cost.ts';
import { Failure, ListValue, NO_OVERLOAD, type Value } from './values.ts';

/** One run: its cost so far, and the values of variables, those of macros included. */
export interface Frame {
  cost: number;
  readonly limit: number;
  readonly slots: (Value | ListBuilder | undefined)[];
}
export type Step = (frame: Frame) => Value;

/** A part of the tree: what it does; and as a chain of fields and indexes, which costs one less where it is not the whole. */
export interface Code {
  readonly run: Step;
  readonly chain?: Step;
  /** Set where the part is constant. */
  readonly constant?: Value;
}

export function charge(frame: Frame, cost: number): void {
  frame.cost += cost;
  if (frame.cost > frame.limit) throw new CostExceededError('call');
}

export function constant(value: Value): Code {
  return { run: () => value, constant: value };
}

export function attribute(chain: Step, base: 0 | 1): Code {
  if (base === 0) return { run: chain, chain };
  return {
    chain,
    run(frame) {
      charge(frame, 1);
      return chain(frame);
    },
  };
}

interface CallTraits {
  /** The cost goes by the result. */
  readonly isLate?: boolean;
  readonly takesFailures?: boolean;
}

export function unary(arg: Code, apply: (value: Value) => Value, cost: CallCost, { isLate, takesFailures }: CallTraits = {}): Code {
  const { run } = arg;
  return {
    run(frame) {
      const value = run(frame);
      if (isLate !== true) charge(frame, cost([value], null));
      const result = value instanceof Failure && takesFailures !== true ? value : apply(value);
      if (isLate === true) charge(frame, cost([value], result));
      return result;
    },
  };
}

export function binary(left: Code, right: Code, cost: CallCost, apply: (a: Value, b: Value) => Value, { isLate }: CallTraits = {}): Code {
  const runLeft = left.run;
  const runRight = right.run;
  return {
    run(frame) {
      const a: Value | ListBuilder = runLeft(frame);
      const b = runRight(frame);
      if ((a as unknown) instanceof ListBuilder) return append(frame, a as unknown as ListBuilder, b);
      if (isLate !== true) charge(frame, cost([a, b], null));
      const result = a instanceof Failure ? a : b instanceof Failure ? b : apply(a, b);
      if (isLate === true) charge(frame, cost([a, b], result));
      return result;
    },
  };
}

/** `accumulator + [element]` of a macro. */
function append(frame: Frame, builder: ListBuilder, more: Value): Value {
  charge(frame, 1);
  if (!(more instanceof ListValue)) return more instanceof Failure ? more : NO_OVERLOAD;
  builder.items.push(...more.values());
  return builder as unknown as Value;
}
