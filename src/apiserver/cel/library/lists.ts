// SPDX-License-Identifier: Apache-2.0
// Lists and sets: Kubernetes' own functions (library/lists.go), cel-go's ext.Lists and ext.Sets, and what macros over two
// variables build maps with.
import type { Implementation, Library } from '../declarations.ts';
import { compare, isEqual, isOrdered } from '../equality.ts';
import { operation } from '../operators.ts';
import {
  Duration,
  Failure,
  failure,
  isMap,
  type Key,
  keyOf,
  ListValue,
  LiteralMap,
  NO_OVERLOAD,
  OptionalValue,
  Uint,
  type Value,
} from '../values.ts';

type Row = readonly [string, string, Implementation];
const COMPARABLE = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'];
/** Lists longer than this are not made out of nothing. */
const LONGEST = 1_000_000n;

function forTypes(types: readonly string[], id: (type: string) => string, signature: (type: string) => string, run: Implementation): Row[] {
  return types.map((type) => [id(type), signature(type), run]);
}

function valuesOf(list: Value | undefined): readonly Value[] {
  return (list as ListValue).values();
}

function isSorted(list: Value): Value {
  const values = valuesOf(list);
  for (let index = 1; index < values.length; index += 1) {
    const order = compare(values[index - 1] ?? null, values[index] ?? null);
    if (order instanceof Failure) return order;
    if (order > 0) return false;
  }
  return true;
}

/** What to begin a sum with, by the first to be added. */
function zeroOf(value: Value): Value {
  if (value instanceof Uint) return new Uint(0n);
  if (value instanceof Duration) return new Duration(0n);
  return typeof value === 'bigint' ? 0n : typeof value === 'number' ? 0 : NO_OVERLOAD;
}

/** @param zero The sum of nothing. */
function sum(zero: Value): Implementation {
  const add = operation('_+_');
  return (list) => {
    const values = valuesOf(list);
    let total = values.length === 0 ? zero : zeroOf(values[0] ?? null);
    if (total instanceof Failure) return total;
    for (const value of values) {
      total = add?.(total, value) ?? total;
      if (total instanceof Failure) return total;
    }
    return total;
  };
}

function extreme(name: 'min' | 'max', sign: 1 | -1): Implementation {
  return (list) => {
    const [first, ...rest] = valuesOf(list);
    if (first === undefined) return failure(`${name} called on empty list`);
    let best = first;
    for (const value of rest) {
      const order = compare(value, best);
      if (order instanceof Failure) return order;
      if (order * sign > 0) best = value;
    }
    return best;
  };
}

function slice(list: Value, begin: bigint, end: bigint): Value {
  const { length } = valuesOf(list);
  if (begin < 0n || end < 0n) return failure(`cannot slice(${begin}, ${end}), negative indexes not supported`);
  if (begin > end) return failure(`cannot slice(${begin}, ${end}), start index must be less than or equal to end index`);
  if (end > BigInt(length)) return failure(`cannot slice(${begin}, ${end}), list is length ${length}`);
  return new ListValue(valuesOf(list).slice(Number(begin), Number(end)));
}

function flatten(list: Value, depth: bigint): Value {
  if (depth < 0n) return failure('level must be non-negative');
  const flat = (values: readonly Value[], level: bigint): Value[] =>
    values.flatMap((value) => (value instanceof ListValue && level > 0n ? flat(value.values(), level - 1n) : [value]));
  return new ListValue(flat(valuesOf(list), depth));
}

function sortedBy(list: readonly Value[], keys: readonly Value[]): Value {
  const [first] = keys;
  if (keys.length !== list.length) return failure('@sortByAssociatedKeys() expected a list of the same size as the associated keys list');
  if (first !== undefined && !isOrdered(first)) return failure('list elements must be comparable');
  if (keys.some((key) => compare(first ?? null, key) instanceof Failure)) return failure('list elements must have the same type');
  const order = list.map((value, index) => ({ value, key: keys[index] ?? null }));
  order.sort((a, b) => Number(compare(a.key, b.key)));
  return new ListValue(order.map(({ value }) => value));
}

/** Without repetition, in order of first appearance. Plain values by lookup, others by comparison with each other. */
function distinct(list: readonly Value[]): ListValue {
  const seen = new Set<unknown>();
  const others: Value[] = [];
  const kept = list.filter((value) => {
    const key = keyOf(value);
    if (key !== undefined) return !seen.has(key) && seen.add(key);
    if (others.some((other) => isEqual(other, value))) return false;
    others.push(value);
    return true;
  });
  return new ListValue(kept);
}

function containsAll(list: readonly Value[], part: readonly Value[]): boolean {
  return part.every((value) => list.some((other) => isEqual(other, value)));
}

function sets(run: (a: readonly Value[], b: readonly Value[]) => boolean): Implementation {
  return (a, b) => run(valuesOf(a), valuesOf(b));
}

function insert(map: Value, key: Value, value: Value): Value {
  const index = keyOf(key);
  if (!(map instanceof LiteralMap) || index === undefined) return failure('no such overload');
  if (map.entries.has(index)) return failure(`insert failed: key ${key instanceof Uint ? key.value : String(key)} already exists`);
  return map.with(index, [key as Key, value]);
}

function insertAll(map: Value, more: Value): Value {
  let result = map;
  if (!isMap(more)) return failure('no such overload');
  for (const key of more.keys()) {
    result = insert(result, key, more.find(keyOf(key) ?? '') ?? null);
    if (result instanceof Failure) return result;
  }
  return result;
}

function optionalAt(list: Value | undefined, index: number): OptionalValue {
  const value = valuesOf(list).at(index);
  return value === undefined ? OptionalValue.NONE : new OptionalValue(value);
}

export const LISTS: Library = {
  isSorted: forTypes(
    COMPARABLE,
    (type) => `list_${type}_is_sorted_bool`,
    (type) => `list(${type}).()->bool`,
    (list) => isSorted(list as Value),
  ),
  sum: [
    ['list_int_sum_int', 'list(int).()->int', sum(0n)],
    ['list_uint_sum_uint', 'list(uint).()->uint', sum(new Uint(0n))],
    ['list_double_sum_double', 'list(double).()->double', sum(0)],
    ['list_duration_sum_duration', 'list(duration).()->duration', sum(new Duration(0n))],
  ],
  max: forTypes(
    COMPARABLE,
    (type) => `list_${type}_max_${type}`,
    (type) => `list(${type}).()->${type}`,
    extreme('max', 1),
  ),
  min: forTypes(
    COMPARABLE,
    (type) => `list_${type}_min_${type}`,
    (type) => `list(${type}).()->${type}`,
    extreme('min', -1),
  ),
  indexOf: [
    ['list_a_index_of_int', 'list(A).(A)->int', (list, value) => BigInt(valuesOf(list).findIndex((one) => isEqual(one, value as Value)))],
  ],
  lastIndexOf: [
    [
      'list_a_last_index_of_int',
      'list(A).(A)->int',
      (list, value) => BigInt(valuesOf(list).findLastIndex((one) => isEqual(one, value as Value))),
    ],
  ],
  slice: [['list_slice', 'list(A).(int,int)->list(A)', (list, begin, end) => slice(list as Value, begin as bigint, end as bigint)]],
  flatten: [
    ['list_flatten', 'list(list(A)).()->list(A)', (list) => flatten(list as Value, 1n)],
    ['list_flatten_int', 'list(dyn).(int)->list(dyn)', (list, depth) => flatten(list as Value, depth as bigint)],
  ],
  sort: forTypes(
    COMPARABLE,
    (type) => `list_${type}_sort`,
    (type) => `list(${type}).()->list(${type})`,
    (list) => sortedBy(valuesOf(list), valuesOf(list)),
  ),
  '@sortByAssociatedKeys': forTypes(
    COMPARABLE,
    (type) => `list_${type}_sortByAssociatedKeys`,
    (type) => `list(A).(list(${type}))->list(A)`,
    (list, keys) => sortedBy(valuesOf(list), valuesOf(keys)),
  ),
  distinct: [['list_distinct', 'list(A).()->list(A)', (list) => distinct(valuesOf(list))]],
  reverse: [['list_reverse', 'list(A).()->list(A)', (list) => new ListValue([...valuesOf(list)].reverse())]],
  'lists.range': [
    [
      'lists_range',
      '(int)->list(int)',
      (count) => {
        if ((count as bigint) > LONGEST) return failure(`lists.range: ${count} is more than ${LONGEST}`);
        return new ListValue(Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index)));
      },
    ],
  ],
  first: [['list_first', 'list(A).()->optional(A)', (list) => optionalAt(list, 0)]],
  last: [['list_last', 'list(A).()->optional(A)', (list) => optionalAt(list, -1)]],
  'sets.contains': [['list_sets_contains_list', '(list(A),list(A))->bool', sets(containsAll)]],
  'sets.equivalent': [['list_sets_equivalent_list', '(list(A),list(A))->bool', sets((a, b) => containsAll(a, b) && containsAll(b, a))]],
  'sets.intersects': [
    ['list_sets_intersects_list', '(list(A),list(A))->bool', sets((a, b) => b.some((value) => a.some((other) => isEqual(other, value))))],
  ],
  'cel.@mapInsert': [
    ['@mapInsert_map_map', '(map(A,B),map(A,B))->map(A,B)', (map, more) => insertAll(map as Value, more as Value)],
    ['@mapInsert_map_key_value', '(map(A,B),A,B)->map(A,B)', (map, key, value) => insert(map as Value, key as Value, value as Value)],
  ],
};
