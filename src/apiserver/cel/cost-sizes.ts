// SPDX-License-Identifier: Apache-2.0
// Sizes that are known before an expression runs: of constants, and along the path from a variable of its declared type's limits.
// @source apiserver pkg/cel/common, apiextensions-apiserver pkg/apiserver/schema/cel/compilation.go sizeEstimator
import type { Expr } from './ast.ts';
import { fixed, ONE, type Range } from './cost-ranges.ts';
import type { CelType } from './types.ts';
import { Duration, lengthOf, Timestamp, Uint } from './values.ts';

export function step(type: CelType, name: string): CelType | undefined {
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
export function limitOf(type: CelType): number | undefined {
  if (type.kind === 'list' || type.kind === 'map') return type.maxItems;
  if ('maxLength' in type) return type.maxLength;
  return type.kind === 'dyn' || type.kind === 'string' || type.kind === 'bytes' ? undefined : 0;
}

export function literalSize(expr: Expr): Range | undefined {
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

export function isScalar(type: CelType): boolean {
  if (type.kind === 'optional') return isScalar(type.value);
  return ['bool', 'double', 'duration', 'int', 'timestamp', 'uint'].includes(type.kind);
}
