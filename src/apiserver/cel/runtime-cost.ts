// SPDX-License-Identifier: Apache-2.0
// What calls cost while an expression runs: the rules of cel-go (interpreter/runtimecost.go) under those of Kubernetes'
// libraries (apiserver pkg/cel/library/cost.go). Costs go by function and, where one overload was certain, by its id.
import { isMap, isOpaque, keyOf, ListValue, sizeOf, type Value } from './values.ts';

export const STRING_TRAVERSAL = 0.1;
export const REGEX_LENGTH = 0.25;
export const LIST_COST = 10;
export const MAP_COST = 30;
export const STRUCT_COST = 40;

/** The cost of one call. Arguments may be failures: they have size 1. */
export type CallCost = (args: readonly Value[], result: Value) => number;

const UNIT: CallCost = () => 1;

function traverse(value: Value | undefined, factor = STRING_TRAVERSAL): number {
  return Math.ceil(sizeOf(value ?? null) * factor);
}

/** A tree's cost: strings and bytes by length, all else by leaves. */
function traversal(value: Value): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * STRING_TRAVERSAL);
  if (value instanceof Uint8Array) return Math.floor(value.length * STRING_TRAVERSAL);
  if (value instanceof ListValue) return value.values().reduce<number>((sum, one) => sum + traversal(one), 0);
  if (!isMap(value)) return 1;
  return value.keys().reduce<number>((sum, key) => sum + traversal(key) + traversal(value.find(keyOf(key) ?? '') ?? null), 0);
}

const firstTraversed: CallCost = ([first]) => traverse(first);
const firstTwice: CallCost = ([first]) => traverse(first, 2 * STRING_TRAVERSAL);
const regex: CallCost = ([text, pattern]) => Math.ceil((1 + sizeOf(text ?? null)) * STRING_TRAVERSAL) * traverse(pattern, REGEX_LENGTH);
const selector: CallCost = ([, text]) =>
  LIST_COST + traverse(text) + Math.ceil(Math.ceil(sizeOf(text ?? null) * 0.5) * (LIST_COST + STRUCT_COST));
const product =
  (factor: number): CallCost =>
  ([a, b]) =>
    1 + Math.floor(sizeOf(a ?? null) * sizeOf(b ?? null) * factor);
const smaller: CallCost = ([a, b]) => Math.ceil(Math.min(sizeOf(a ?? null), sizeOf(b ?? null)) * STRING_TRAVERSAL);

function each(cost: CallCost, names: string): [string, CallCost][] {
  return names.split(' ').map((name) => [name, cost]);
}

const BY_FUNCTION: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ['check', () => 350_000],
  ...each(UNIT, 'serviceAccount path group resource subresource namespace name allowed reason error errored'),
  ...each(selector, 'fieldSelector labelSelector'),
  ...each(([first]) => traversal(first ?? null), 'isSorted sum max min indexOf lastIndexOf'),
  ...each(
    firstTraversed,
    'url lowerAscii upperAscii substring trim jsonpatch.escapeKey cidr isIP isCIDR quantity isQuantity semver isSemver',
  ),
  ...each(firstTwice, 'replace split ip.isCanonical'),
  ['join', (_args, result) => traverse(result, 2 * STRING_TRAVERSAL)],
  ...each(regex, 'find findAll'),
  ...each(UNIT, 'masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named'),
  ...each(UNIT, 'sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch'),
  ...each(UNIT, 'getScheme getHostname getHost getPort getEscapedPath getQuery'),
  ['validate', validateCost],
  ...each(product(1), 'sets.contains sets.intersects'),
  ['sets.equivalent', product(2)],
  ...each((_args, result) => 1 + LIST_COST + sizeOf(result), 'lists.range slice reverse'),
  ['flatten', ([list, depth = 1n]) => 1 + LIST_COST + Math.floor(sizeOf(list ?? null) * Number(depth))],
  ...each(([list]) => selfCompared(list), 'sort distinct'),
  ['@sortByAssociatedKeys', ([, keys]) => selfCompared(keys)],
]);

/** Each element of a list with each other. */
function selfCompared(list: Value | undefined): number {
  const [first] = list instanceof ListValue ? list.values() : [];
  const isText = typeof first === 'string' || first instanceof Uint8Array;
  return 1 + LIST_COST + Math.floor(sizeOf(list ?? null) ** 2 * (isText ? 2 + STRING_TRAVERSAL : 2));
}

function validateCost([format, text]: readonly Value[]): number {
  const length = isOpaque(format) && 'regexLength' in format ? Number(format.regexLength) : 1;
  return Math.ceil((1 + sizeOf(text ?? null)) * STRING_TRAVERSAL) * Math.ceil(length * REGEX_LENGTH);
}

function containsIp(parses: boolean): CallCost {
  return ([cidr, other]) => Math.ceil(2 * sizeOf(cidr ?? null) * STRING_TRAVERSAL) + (parses ? traverse(other) : 0);
}
function containsCidr(parses: boolean): CallCost {
  return ([cidr, other]) => Math.ceil(2 * sizeOf(cidr ?? null) * STRING_TRAVERSAL) + traverse(cidr) + 1 + (parses ? traverse(other) : 0);
}

const BY_OVERLOAD: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ...each(firstTraversed, 'starts_with_string ends_with_string string_to_bytes bytes_to_string'),
  ['in_list', ([, list]) => sizeOf(list ?? null)],
  ...each(smaller, 'less_string greater_string less_equals_string greater_equals_string'),
  ...each(smaller, 'less_bytes greater_bytes less_equals_bytes greater_equals_bytes'),
  ...each(([a, b]) => Math.ceil((sizeOf(a ?? null) + sizeOf(b ?? null)) * STRING_TRAVERSAL), 'add_string add_bytes'),
  ['matches_string', regex],
  ['contains_string', ([text, part]) => traverse(text) * traverse(part)],
]);

/** Functions whose cost is known only when they are done; all others are charged for before they run. */
const BY_RESULT = new Set(['join', 'lists.range', 'slice', 'reverse']);

export function isChargedAfterwards(name: string): boolean {
  return BY_RESULT.has(name);
}

/** Equality: by the smaller of the two, one unit for values of libraries. */
const equalityCost: CallCost = (args, result) => (isOpaque(args[0]) ? 1 : smaller(args, result));

/** @param overload '' where the checker left several. */
export function callCost(name: string, overload: string): CallCost {
  if (name === '_==_' || name === '_!=_') return name === '_==_' ? equalityCost : smaller;
  if (name === 'ip') return overload === 'cidr_ip' ? UNIT : firstTraversed;
  if (name === 'containsIP') return containsIp(overload === 'cidr_contains_ip_string');
  if (name === 'containsCIDR') return containsCidr(overload === 'cidr_contains_cidr_string');
  return BY_FUNCTION.get(name) ?? BY_OVERLOAD.get(overload) ?? UNIT;
}
