// SPDX-License-Identifier: Apache-2.0
// Arithmetic of estimates: what a cost or a size is at least and at most. Past 2^64-1 it is 2^64-1.
// @source cel-go checker/cost.go SizeEstimate, CostEstimate
import { STRING_TRAVERSAL } from './runtime-cost.ts';

/** Costs and sizes alike: what it is at least and at most. */
export interface Range {
  readonly min: number;
  readonly max: number;
}
/** 2^64, as exact as it gets: what overflows becomes this. */
export const MAX = 2 ** 64;
export const NONE: Range = { min: 0, max: 0 };
export const ONE: Range = { min: 1, max: 1 };
export const UNKNOWN: Range = { min: 0, max: MAX };

export function capped(value: number): number {
  return value >= MAX ? MAX : value;
}
export function fixed(value: number): Range {
  return { min: value, max: value };
}
export function add(...ranges: readonly Range[]): Range {
  return ranges.reduce((sum, { min, max }) => ({ min: capped(sum.min + min), max: capped(sum.max + max) }), NONE);
}
export function multiply(a: Range, b: Range): Range {
  return { min: capped(a.min * b.min), max: capped(a.max * b.max) };
}
export function scale({ min, max }: Range, factor: number): Range {
  return { min: capped(Math.ceil(min * factor)), max: capped(Math.ceil(max * factor)) };
}
export function union(a: Range, b: Range): Range {
  return { min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) };
}

export function smaller(a: Range, b: Range): Range {
  const max = Math.min(a.max, b.max);
  return scale({ min: max > 0 ? 1 : 0, max }, STRING_TRAVERSAL);
}
