// SPDX-License-Identifier: Apache-2.0
// Strategic merge patch (apimachinery util/strategicpatch): lists with a merge key merge by it, and directives in the patch say
// what a plain merge cannot: `$patch`, `$retainKeys`, `$setElementOrder/LIST`, `$deleteFromPrimitiveList/LIST`.
// The order of merged lists is upstream's: items of the patch keep their order and stand before those they were not ordered with.
import { deepCopy, setOwn } from './deep-copy.ts';
import { goValue } from './go-print.ts';
import { goTypeOf } from './normalize.ts';
import type { Field, Schema } from './schema.ts';

/** Thrown when a patch has a directive it must not have, or lacks a merge key. */
export class StrategicPatchError extends Error {
  override readonly name = 'StrategicPatchError';
  /** What the server answers: 500 for most, as upstream does. */
  readonly status: 400 | 422 | 500;

  constructor(message: string, status: 400 | 422 | 500 = 500) {
    super(message);
    this.status = status;
  }
}

type Json = Record<string, unknown>;

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const ORDER = '$setElementOrder';
const DELETE = '$deleteFromPrimitiveList';

/** The result of a patch; neither argument is changed. @throws {StrategicPatchError} */
export function applyStrategicPatch(original: Readonly<Json>, patch: Readonly<Json>, schema: Schema): Json {
  return mergeMap(deepCopy(original) as Json, deepCopy(patch) as Json, schema);
}

/** What the schema says of a member of an object. */
interface Member {
  readonly schema: Schema;
  readonly strategies: readonly string[];
  readonly mergeKey: string;
}

/** @throws {StrategicPatchError} Only the members of structs are known; upstream cannot merge objects within maps either. */
function memberOf(schema: Schema, name: string): Member {
  if (schema.kind === 'list' || schema.kind === 'map')
    throw new StrategicPatchError(
      `merging an object in json but data type is not struct, instead is: ${schema.kind === 'map' ? 'map' : 'slice'}`,
    );
  const field: Field | undefined = schema.kind === 'struct' ? schema.byName.get(name) : undefined;
  if (field !== undefined) return { schema: field.schema, strategies: field.patchStrategy ?? [], mergeKey: field.patchMergeKey ?? '' };
  const struct = goTypeOf(schema).split('.').at(-1) ?? '';
  throw new StrategicPatchError(`unable to find api field in struct ${struct} for the json field ${JSON.stringify(name)}`);
}

function mergeMap(original: Json, patch: Json, schema: Schema): Json {
  if (Object.hasOwn(patch, DIRECTIVE)) {
    const directive = patch[DIRECTIVE];
    if (directive === 'delete') return {};
    if (directive !== 'replace') throw unknownDirective(patch);
    delete patch[DIRECTIVE];
    return patch;
  }
  retainKeys(original, patch);
  applyOrders(original, patch, schema);
  for (const [name, value] of Object.entries(patch)) mergeMember(original, name, value, schema);
  return original;
}

/** The list that a directive is about. @throws {StrategicPatchError} 400 */
function listOf(name: string, directive: string, what: string): string {
  if (name[directive.length] === '/') return name.slice(directive.length + 1);
  throw new StrategicPatchError(`invalid patch format of ${what} list`, 400);
}

function mergeMember(original: Json, name: string, value: unknown, schema: Schema): void {
  const deletes = name.startsWith(DELETE);
  const field = deletes ? listOf(name, DELETE, 'primitive') : name;
  if (value === null) {
    delete original[field];
    return;
  }
  const own = Object.hasOwn(original, field) ? original[field] : undefined;
  if (own === undefined || kindOf(own) !== kindOf(value)) {
    if (!deletes) take(original, field, dropNulls(value));
  } else if (isObject(own) && isObject(value)) {
    const member = memberOf(schema, field);
    setOwn(original, field, member.strategies.includes('replace') ? value : mergeMap(own, value, member.schema));
  } else if (Array.isArray(own) && Array.isArray(value)) setOwn(original, field, mergeLists(own, value, memberOf(schema, field), deletes));
  else setOwn(original, field, value);
}

/** Sets a member to what is left of a new value. */
function take(original: Json, field: string, value: unknown): void {
  if (isObject(value) && Object.hasOwn(value, DIRECTIVE)) delete original[field];
  else setOwn(original, field, dropDirectives(value));
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

/** How Go calls the type of a decoded value. */
function goKindOf(value: unknown): string {
  if (value === null || value === undefined) return '%!s(<nil>)';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'map[string]interface {}';
}

function badType(wanted: readonly [] | object, found: unknown): StrategicPatchError {
  return new StrategicPatchError(`expected a ${goKindOf(wanted)}, but received a ${goKindOf(found)}`);
}

function retainKeys(original: Json, patch: Json): void {
  if (!Object.hasOwn(patch, RETAIN_KEYS)) return;
  const kept = patch[RETAIN_KEYS];
  delete patch[RETAIN_KEYS];
  const bad = new StrategicPatchError('invalid patch format of retainKeys', 400);
  if (!Array.isArray(kept)) throw bad;
  for (const key of Object.keys(patch)) {
    if (patch[key] !== null && !key.startsWith(DELETE) && !key.startsWith(ORDER) && !kept.includes(key)) throw bad;
  }
  for (const key of Object.keys(original)) if (!kept.includes(key)) delete original[key];
}

function applyOrders(original: Json, patch: Json, schema: Schema): void {
  for (const name of Object.keys(patch)) {
    if (!name.startsWith(ORDER)) continue;
    const order = patch[name];
    delete patch[name];
    if (!Array.isArray(order)) throw badType([], order);
    const field = listOf(name, ORDER, 'setElementOrder');
    const own = listIn(original, field);
    const given = listIn(patch, field);
    const member = memberOf(schema, field);
    if (given !== undefined) checkOrder(given, order, member.mergeKey);
    const merged = mergedForOrder(own, given, member);
    if (merged === undefined) continue;
    delete patch[field];
    checkElements(own ?? [], given ?? []);
    if (member.mergeKey !== '') for (const item of order) keyOf(item, member.mergeKey);
    original[field] = inOrder(merged, order, own ?? [], member.mergeKey);
  }
}

function listIn(object: Json, field: string): unknown[] | undefined {
  const value = Object.hasOwn(object, field) ? object[field] : undefined;
  if (value === undefined || Array.isArray(value)) return value;
  throw badType([], value);
}

function mergedForOrder(own: unknown[] | undefined, given: unknown[] | undefined, member: Member): unknown[] | undefined {
  if (own !== undefined) return given === undefined ? own : mergeLists([...own], given, member, false);
  return given === undefined ? undefined : (dropDirectives(given) as unknown[]);
}

/** The items of the patch must come in the order that the directive gives. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (patch.length === 0 || order.length === 0) return;
  const identity = (item: unknown) => (mergeKey === '' ? item : keyOf(item, mergeKey));
  const items = mergeKey === '' ? patch : patch.filter((item) => !(isObject(item) && Object.hasOwn(item, DIRECTIVE)));
  let next = 0;
  for (const item of order) {
    if (next < items.length && identity(items[next]) === identity(item)) next += 1;
  }
  if (next === items.length) return;
  throw new StrategicPatchError(`The order in patch list:\n${goValue(patch)}\n doesn't match $setElementOrder list:\n${goValue(order)}\n`);
}

/** All items of lists that are merged are of one type. @throws {StrategicPatchError} */
function checkElements(...lists: readonly (readonly unknown[])[]): void {
  const [first, ...rest] = lists.flat();
  if (Array.isArray(first)) throw new StrategicPatchError('lists of lists are not supported', 422);
  if (first === undefined) throw new StrategicPatchError('no elements in any of the given slices');
  const kind = goKindOf(first);
  if (rest.some((item) => goKindOf(item) !== kind))
    throw new StrategicPatchError(`list element types are not identical: ${goValue(lists)}`);
}

function mergeLists(original: unknown[], patch: unknown[], { schema, strategies, mergeKey }: Member, deletes: boolean): unknown[] {
  if (!strategies.includes('merge') && !deletes) return patch;
  if (original.length === 0 && patch.length === 0) return original;
  checkElements(original, patch);
  if (!isObject(original[0] ?? patch[0])) return mergeScalars(original, patch, deletes);
  const element = schema.kind === 'list' ? schema.element : schema;
  if (mergeKey === '') throw new StrategicPatchError(`cannot merge lists without merge key for ${element.kind}`);
  const special = applyListDirectives(original, patch, mergeKey);
  const merged = mergeItems([...special.original], special.patch, mergeKey, element);
  for (const item of merged) keyOf(item, mergeKey);
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
      const key = keyOf(item, mergeKey);
      left = left.filter((other) => !(isObject(other) && other[mergeKey] === key));
    } else if (item[DIRECTIVE] === 'replace') replaces = true;
    else if (item[DIRECTIVE] === 'merge') throw new StrategicPatchError('merging lists cannot yet be specified in the patch');
    else throw unknownDirective(item);
  }
  return replaces ? { original: rest, patch: [] } : { original: left, patch: rest };
}

function mergeItems(items: unknown[], patch: readonly unknown[], mergeKey: string, element: Schema): unknown[] {
  for (const item of patch) {
    const key = keyOf(item, mergeKey);
    const index = items.findIndex((other) => isObject(other) && other[mergeKey] === key);
    const found = items[index];
    if (isObject(found)) items[index] = mergeMap(found, { ...(item as Json) }, element);
    else items.push(item);
  }
  return items;
}

/** @throws {StrategicPatchError} Without a key, or if it is no object. */
function keyOf(item: unknown, mergeKey: string): unknown {
  if (!isObject(item)) throw badType({}, item);
  if (Object.hasOwn(item, mergeKey)) return item[mergeKey];
  throw new StrategicPatchError(`map: ${goValue(item)} does not contain declared merge key: ${mergeKey}`);
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

/** A new value without the members that are null. */
function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(dropNulls);
  if (!isObject(value)) return value;
  const result: Json = {};
  for (const [key, inner] of Object.entries(value)) if (inner !== null) setOwn(result, key, dropNulls(inner));
  return result;
}

/** A new value without the objects in it that have a directive; what else begins with `$` stays, and is unknown to the type. */
function dropDirectives(value: unknown): unknown {
  const isDirective = (inner: unknown) => isObject(inner) && Object.hasOwn(inner, DIRECTIVE);
  if (Array.isArray(value)) return value.filter((item) => !isDirective(item)).map(dropDirectives);
  if (!isObject(value)) return value;
  const result: Json = {};
  for (const [key, inner] of Object.entries(value)) if (!isDirective(inner)) setOwn(result, key, dropDirectives(inner));
  return result;
}
