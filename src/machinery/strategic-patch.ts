// SPDX-License-Identifier: Apache-2.0
// Strategic merge patch (apimachinery util/strategicpatch): lists with a merge key merge by it, and directives in the patch say
// what a plain merge cannot: `$patch`, `$retainKeys`, `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.
// The order of merged lists is upstream's: items of the patch keep their order and stand before those they were not ordered with.
import { deepCopy, setOwn } from './deep-copy.ts';
import { goValue } from './go-print.ts';
import type { Field, Schema } from './schema.ts';

/** Thrown when a patch has a directive it must not have or lacks a merge key. The server answers 500 with the message, as upstream does. */
export class StrategicPatchError extends Error {
  override readonly name = 'StrategicPatchError';
}

type Json = Record<string, unknown>;

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const ORDER_PREFIX = '$setElementOrder/';
const DELETE_PREFIX = '$deleteFromPrimitiveList/';

/** The result of a patch; neither argument is changed. @throws {StrategicPatchError} */
export function applyStrategicPatch(original: Readonly<Json>, patch: Readonly<Json>, schema: Schema): Json {
  return mergeMap(deepCopy(original) as Json, deepCopy(patch) as Json, schema);
}

/** What the schema says of a member of an object. */
interface Member {
  readonly schema: Schema | undefined;
  readonly strategies: readonly string[];
  readonly mergeKey: string;
}

function memberOf(schema: Schema | undefined, name: string): Member {
  if (schema?.kind === 'map') return { schema: schema.value, strategies: [], mergeKey: '' };
  const field: Field | undefined = schema?.kind === 'struct' ? schema.byName.get(name) : undefined;
  return { schema: field?.schema, strategies: field?.patchStrategy ?? [], mergeKey: field?.patchMergeKey ?? '' };
}

function mergeMap(original: Json, patch: Json, schema: Schema | undefined): Json {
  if (Object.hasOwn(patch, DIRECTIVE)) {
    const directive = patch[DIRECTIVE];
    if (directive === 'replace') {
      delete patch[DIRECTIVE];
      return patch;
    }
    if (directive === 'delete') return {};
    if (directive !== 'merge') throw unknownDirective(patch);
    delete patch[DIRECTIVE];
  }
  retainKeys(original, patch);
  applyOrders(original, patch, schema);
  for (const [name, value] of Object.entries(patch)) mergeMember(original, name, value, schema);
  return original;
}

function mergeMember(original: Json, name: string, value: unknown, schema: Schema | undefined): void {
  const deletes = name.startsWith(DELETE_PREFIX);
  const field = deletes ? name.slice(DELETE_PREFIX.length) : name;
  if (value === null) {
    delete original[field];
    return;
  }
  const own = Object.hasOwn(original, field) ? original[field] : undefined;
  if (kindOf(own) !== kindOf(value) || own === undefined) {
    if (!deletes) setOwn(original, field, dropDirectives(value));
    return;
  }
  const member = memberOf(schema, field);
  if (isObject(own) && isObject(value)) {
    setOwn(original, field, member.strategies.includes('replace') ? value : mergeMap(own, value, member.schema));
  } else if (Array.isArray(own) && Array.isArray(value)) setOwn(original, field, mergeLists(own, value, member, deletes));
  else setOwn(original, field, value);
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknownDirective(patch: Json): StrategicPatchError {
  return new StrategicPatchError(`unknown patch type: ${goValue(patch[DIRECTIVE])} in map: ${goValue(patch)}`);
}

function retainKeys(original: Json, patch: Json): void {
  if (!Object.hasOwn(patch, RETAIN_KEYS)) return;
  const kept = patch[RETAIN_KEYS];
  delete patch[RETAIN_KEYS];
  if (!Array.isArray(kept)) throw new StrategicPatchError('invalid patch format of retainKeys');
  for (const key of Object.keys(patch)) {
    if (!key.startsWith('$') && patch[key] !== null && !kept.includes(key))
      throw new StrategicPatchError('invalid patch format of retainKeys');
  }
  for (const key of Object.keys(original)) if (!kept.includes(key)) delete original[key];
}

function applyOrders(original: Json, patch: Json, schema: Schema | undefined): void {
  for (const name of Object.keys(patch)) {
    if (!name.startsWith(ORDER_PREFIX)) continue;
    const field = name.slice(ORDER_PREFIX.length);
    const order = patch[name];
    delete patch[name];
    if (!Array.isArray(order)) throw new StrategicPatchError('invalid patch format of setElementOrder list');
    const member = memberOf(schema, field);
    const own = original[field];
    const given = patch[field];
    if (Array.isArray(given)) checkOrder(given, order, member.mergeKey);
    const merged = mergedForOrder(own, given, member);
    if (merged === undefined) continue;
    delete patch[field];
    original[field] = inOrder(merged, order, Array.isArray(own) ? own : [], member.mergeKey);
  }
}

function mergedForOrder(own: unknown, given: unknown, member: Member): unknown[] | undefined {
  if (Array.isArray(own)) return Array.isArray(given) ? mergeLists([...own], given, member, false) : own;
  return Array.isArray(given) ? (dropDirectives(given) as unknown[]) : undefined;
}

/** The items of the patch must come in the order that the directive gives. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  const items = patch.filter((item) => !(isObject(item) && Object.hasOwn(item, DIRECTIVE)));
  let next = 0;
  for (const item of order) {
    if (next < items.length && identityOf(items[next], mergeKey) === identityOf(item, mergeKey)) next += 1;
  }
  if (next === items.length) return;
  throw new StrategicPatchError(`The order in patch list:\n${goValue(patch)}\n doesn't match $setElementOrder list:\n${goValue(order)}\n`);
}

function mergeLists(original: unknown[], patch: unknown[], { schema, strategies, mergeKey }: Member, deletes: boolean): unknown[] {
  if (!strategies.includes('merge')) return dropDirectives(patch) as unknown[];
  if (original.length === 0 && patch.length === 0) return original;
  if (!isObject(original[0] ?? patch[0])) return mergeScalars(original, patch, deletes);
  if (mergeKey === '') throw new StrategicPatchError(`cannot merge lists without merge key for ${schema?.kind ?? 'list'}`);
  const element = schema?.kind === 'list' ? schema.element : undefined;
  const special = applyListDirectives(original, patch, mergeKey);
  const merged = mergeItems([...special.original], special.patch, mergeKey, element);
  return inOrder(merged, special.patch, special.original, mergeKey);
}

function mergeScalars(original: unknown[], patch: unknown[], deletes: boolean): unknown[] {
  if (deletes) return original.filter((item) => !patch.includes(item));
  return inOrder([...new Set([...original, ...patch])], patch, original, '');
}

function applyListDirectives(original: unknown[], patch: unknown[], mergeKey: string): { original: unknown[]; patch: unknown[] } {
  let left = original;
  let replaces = false;
  const rest: unknown[] = [];
  for (const item of patch) {
    if (!isObject(item) || !Object.hasOwn(item, DIRECTIVE)) {
      rest.push(item);
    } else if (item[DIRECTIVE] === 'delete') {
      const key = item[mergeKey];
      if (key === undefined) throw missingKey(item, mergeKey);
      left = left.filter((other) => !(isObject(other) && other[mergeKey] === key));
    } else if (item[DIRECTIVE] === 'replace') replaces = true;
    else if (item[DIRECTIVE] === 'merge') throw new StrategicPatchError('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(item);
  }
  return replaces ? { original: rest, patch: [] } : { original: left, patch: rest };
}

function mergeItems(items: unknown[], patch: readonly unknown[], mergeKey: string, element: Schema | undefined): unknown[] {
  for (const item of patch) {
    if (!isObject(item)) throw new StrategicPatchError(`map: ${goValue(item)} does not contain declared merge key: ${mergeKey}`);
    const key = item[mergeKey];
    if (key === undefined) throw missingKey(item, mergeKey);
    const index = items.findIndex((other) => isObject(other) && other[mergeKey] === key);
    const found = items[index];
    if (isObject(found)) items[index] = mergeMap(found, { ...item }, element);
    else items.push(dropDirectives(item));
  }
  return items;
}

function missingKey(item: Json, mergeKey: string): StrategicPatchError {
  return new StrategicPatchError(`map: ${goValue(item)} does not contain declared merge key: ${mergeKey}`);
}

function identityOf(item: unknown, mergeKey: string): unknown {
  return isObject(item) && mergeKey !== '' ? item[mergeKey] : item;
}

/**
 * Merges two orders: items named by `order` come in that order, the others in the server's; where the server's order does not
 * relate two of them, the one named by `order` comes first.
 */
function inOrder(items: readonly unknown[], order: readonly unknown[], serverOrder: readonly unknown[], mergeKey: string): unknown[] {
  const rank = new Map(order.map((item, index) => [identityOf(item, mergeKey), index]));
  const serverRank = new Map(serverOrder.map((item, index) => [identityOf(item, mergeKey), index]));
  const rankOf = (ranks: Map<unknown, number>, item: unknown) => ranks.get(identityOf(item, mergeKey));
  const sorted = (list: unknown[], ranks: Map<unknown, number>) => list.sort((a, b) => (rankOf(ranks, a) ?? 0) - (rankOf(ranks, b) ?? 0));
  const named = sorted(
    items.filter((item) => rankOf(rank, item) !== undefined),
    rank,
  );
  const others = sorted(
    items.filter((item) => rankOf(rank, item) === undefined),
    serverRank,
  );
  const result: unknown[] = [];
  let next = 0;
  for (const item of others) {
    const own = rankOf(serverRank, item) ?? -1;
    // Named items go first unless the server has them behind this one.
    while (next < named.length && !(own >= 0 && own < (rankOf(serverRank, named[next]) ?? -1))) {
      result.push(named[next]);
      next += 1;
    }
    result.push(item);
  }
  return [...result, ...named.slice(next)];
}

/** A value of the patch that has nothing to merge with: without nulls and directives. */
function dropDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((item) => !(isObject(item) && Object.hasOwn(item, DIRECTIVE))).map(dropDirectives);
  if (!isObject(value)) return value;
  const result: Json = {};
  if (value[DIRECTIVE] === 'delete') return result;
  for (const [key, inner] of Object.entries(value)) {
    const isDirective = key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(ORDER_PREFIX) || key.startsWith(DELETE_PREFIX);
    if (inner !== null && !isDirective) setOwn(result, key, dropDirectives(inner));
  }
  return result;
}
