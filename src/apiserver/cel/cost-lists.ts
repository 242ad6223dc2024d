// SPDX-License-Identifier: Apache-2.0
// Estimates of functions of lists and sets. Those of cel-go's newest list functions make a list, whose size is that of what they read.
// @source apiserver pkg/cel/library/cost.go, cel-go ext/lists.go and ext/sets.go
import type { Expr } from './ast.ts';
import { add, fixed, MAX, multiply, NONE, ONE, type Range, scale } from './cost-ranges.ts';
import { LIST_COST, STRING_TRAVERSAL } from './runtime-cost.ts';
import type { CelType } from './types.ts';

/** An argument of a call. */
export interface Argument {
  readonly expr: Expr | undefined;
  readonly type: CelType;
  readonly path: readonly string[] | undefined;
  readonly size: Range | undefined;
}
export interface CallEstimate {
  readonly cost: Range;
  readonly size?: Range | undefined;
}

/** The size of an argument; unknown is anything. */
export type SizeOf = (arg: Argument | undefined) => Range;

/** Functions of lists and sets. */
export function listEstimate(
  name: string,
  target: Argument | undefined,
  [a, b]: readonly Argument[],
  size: SizeOf,
): CallEstimate | undefined {
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
      return target === undefined ? undefined : joined(target, a, size);
    case 'sets.contains':
    case 'sets.intersects':
      return { cost: add(multiply(size(a), size(b)), ONE) };
    case 'sets.equivalent':
      return { cost: add(scale(multiply(size(a), size(b)), 2), ONE) };
    case 'lists.range':
      return allocating(1, fixed(constant(a, MAX)));
    case 'slice': {
      const list = size(target);
      return allocating(1, fixed(Math.max(0, constant(b, list.max) - constant(a, 0))));
    }
    case 'reverse':
      return allocating(1, size(target));
    case 'flatten':
      return allocating(a === undefined ? 1 : constant(a, MAX), size(target));
    case 'distinct':
      return allocating(2, multiply(size(target), size(target)));
    case 'sort':
      return sorted(target, size);
    case '@sortByAssociatedKeys':
      return sorted(a, size);
  }
  return undefined;
}

/** A call that makes a list of a size, with so much work for each element. */
function allocating(factor: number, size: Range): CallEstimate {
  return { cost: add(scale(size, factor), fixed(1 + LIST_COST)), size };
}

/** A whole number that is written down. */
function constant(arg: Argument | undefined, otherwise: number): number {
  if (arg?.expr?.kind !== 'const' || typeof arg.expr.value !== 'bigint') return otherwise;
  return Math.max(0, Number(arg.expr.value));
}

/** @param list Whose elements are compared with each other. */
function sorted(list: Argument | undefined, size: SizeOf): CallEstimate {
  const kind = list === undefined ? undefined : elementOf(list)?.type.kind;
  const isText = kind === 'string' || kind === 'bytes';
  return allocating(isText ? 2 + STRING_TRAVERSAL : 2, multiply(size(list), size(list)));
}

function joined(target: Argument, separator: Argument | undefined, size: SizeOf): CallEstimate {
  const list = size(target);
  const element = elementOf(target);
  let result: Range = element === undefined ? NONE : multiply(list, size(element));
  if (separator !== undefined) {
    const count = { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) };
    result = add(result, multiply(size(separator), count));
  }
  return { cost: scale(result, STRING_TRAVERSAL), size: result };
}

export function elementOf({ type, path }: Argument): Argument | undefined {
  if (type.kind !== 'list') return undefined;
  return { expr: undefined, type: type.element, path: path === undefined ? undefined : [...path, '@items'], size: undefined };
}
