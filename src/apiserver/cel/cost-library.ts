// SPDX-License-Identifier: Apache-2.0
// Estimates of the functions of Kubernetes' libraries, which upstream keeps stable: what may be written into a definition depends on
// them. @source apiserver pkg/cel/library/cost.go EstimateCallCost
import { type Argument, type CallEstimate, listEstimate, type SizeOf } from './cost-lists.ts';
import { add, capped, fixed, multiply, NONE, ONE, type Range, scale } from './cost-ranges.ts';
import { LIST_COST, REGEX_LENGTH, STRING_TRAVERSAL, STRUCT_COST } from './runtime-cost.ts';
import { type CelType, DYN, isSameType } from './types.ts';

export interface LibraryCall {
  readonly name: string;
  /** Of the overload. */
  readonly id: string;
  readonly target: Argument | undefined;
  readonly args: readonly Argument[];
  readonly size: SizeOf;
}

const UNIT_FUNCTIONS = new Set(
  (
    'serviceAccount path group resource subresource namespace name allowed reason error errored ' +
    'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named ' +
    'sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch ' +
    'getScheme getHostname getHost getPort getEscapedPath getQuery'
  ).split(' '),
);

/** Kubernetes' functions, whose costs upstream keeps stable. */
export function libraryEstimate({ name, id, target, args, size }: LibraryCall): CallEstimate | undefined {
  const [a, b] = args;
  if (UNIT_FUNCTIONS.has(name)) return { cost: ONE };
  const ofLists = listEstimate(name, target, args, size);
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
      return parsed(name, id, name === 'ip' && target !== undefined && a === undefined, size(a));
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

function parsed(name: string, id: string, isMemberAlone: boolean, text: Range): CallEstimate | undefined {
  if (id === 'cidr_ip' || isMemberAlone) return { cost: ONE };
  return { cost: scale(text, name === 'ip.isCanonical' ? 2 * STRING_TRAVERSAL : STRING_TRAVERSAL) };
}

export function regexCost(text: Range, pattern: Range): Range {
  return multiply(scale(add(text, ONE), STRING_TRAVERSAL), scale(pattern, REGEX_LENGTH));
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
