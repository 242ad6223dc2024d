// SPDX-License-Identifier: Apache-2.0
// Sets of field paths, as `managedFields` writes them (structured-merge-diff's fieldpath.Set). A set is a tree: a node says
// whether its own path is a member, and holds what is below. Path elements keep their written form: `f:name`, `k:{"name":"a"}`,
// `v:"x"`, `i:0`. Sets are values: no function here changes its arguments.

export interface FieldSet {
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

const NONE: ReadonlyMap<string, FieldSet> = new Map();
export const EMPTY_SET: FieldSet = { member: false, children: NONE };
/** A set of one path: the node's own. */
export const LEAF: FieldSet = { member: true, children: NONE };

export function isEmptySet(set: FieldSet): boolean {
  return !set.member && set.children.size === 0;
}

/** Thrown when fields are not in the form that upstream writes: whoever sent them made them up. */
export class FieldSetError extends Error {
  override readonly name = 'FieldSetError';
}

/** Parses the `fieldsV1` of an entry. What is no object is an empty set. @throws {FieldSetError} */
export function parseFieldsV1(fields: unknown): FieldSet {
  return typeof fields === 'object' && fields !== null ? { ...parseNode(fields as Record<string, unknown>), member: false } : EMPTY_SET;
}

function parseNode(fields: Record<string, unknown>): FieldSet {
  const keys = Object.keys(fields);
  if (keys.length === 0) return LEAF;
  const children = new Map<string, FieldSet>();
  let member = false;
  for (const key of keys) {
    if (key === '.') member = true;
    else if (isElement(key)) children.set(key, parseNode(childrenOf(key, fields[key])));
  }
  return { member, children };
}

function childrenOf(key: string, value: unknown): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new FieldSetError(`read what is below ${JSON.stringify(key)}: no object`);
  return value as Record<string, unknown>;
}

/** False for kinds of a later version, which are left out. @source structured-merge-diff fieldpath DeserializePathElement */
function isElement(key: string): boolean {
  if (key[1] !== ':') throw new FieldSetError(`read ${JSON.stringify(key)}: no kind of element`);
  const [kind, rest] = [key[0], key.slice(2)];
  if (kind === 'f') return true;
  if (kind === 'i' && /^-?\d{1,15}$/.test(rest)) return true;
  if (kind !== 'k' && kind !== 'v' && kind !== 'i') return false;
  const value = kind === 'i' ? undefined : parsedJson(rest);
  const fits = kind === 'v' ? value !== undefined : typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!fits) throw new FieldSetError(`read ${JSON.stringify(key)}: want JSON`);
  return true;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The form that `fieldsV1` has, elements in order. */
export function formatFieldsV1(set: FieldSet): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  if (set.member && set.children.size > 0) fields['.'] = {};
  for (const key of [...set.children.keys()].sort(compareElements)) fields[key] = formatFieldsV1(set.children.get(key) ?? EMPTY_SET);
  return fields;
}

const KINDS = 'fkvi';

/** Field names, then keys, values and indexes; numbers by size. */
export function compareElements(a: string, b: string): number {
  const kind = KINDS.indexOf(a[0] ?? '') - KINDS.indexOf(b[0] ?? '');
  if (kind !== 0) return kind;
  if (a.startsWith('f:')) return a < b ? -1 : a > b ? 1 : 0;
  return compareJson(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)));
}

function compareJson(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null) {
    const [left, right] = [Object.entries(a), Object.entries(b)];
    for (const [index, [key, value]] of left.entries()) {
      const [otherKey = '', other] = right[index] ?? [];
      const order = key < otherKey ? -1 : key > otherKey ? 1 : compareJson(value, other);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  const [left, right] = [String(a), String(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function node(member: boolean, children: Map<string, FieldSet>): FieldSet {
  for (const [key, child] of children) if (isEmptySet(child)) children.delete(key);
  return { member, children };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map(a.children);
  for (const [key, child] of b.children) children.set(key, union(children.get(key) ?? EMPTY_SET, child));
  return node(a.member || b.member, children);
}

/** The members of `a` that are not members of `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    children.set(key, other === undefined ? child : difference(child, other));
  }
  return node(a.member && !b.member, children);
}

/** As `difference`, and what is below a member of `b` goes too. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (other === undefined) children.set(key, child);
    else if (!other.member) children.set(key, recursiveDifference(child, other));
  }
  return node(a.member && !b.member, children);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (other !== undefined) children.set(key, intersection(child, other));
  }
  return node(a.member && b.member, children);
}

/** The members that have no member below them. */
export function leaves(set: FieldSet): FieldSet {
  const children = new Map([...set.children].map(([key, child]) => [key, leaves(child)] as const));
  return node(set.member && set.children.size === 0, children);
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (other === undefined || !equalSets(child, other)) return false;
  }
  return true;
}

/** The set of some paths, each a list of elements (`['f:metadata', 'f:name']`). */
export function setOfPaths(paths: readonly (readonly string[])[]): FieldSet {
  let set = EMPTY_SET;
  for (const path of paths)
    set = union(
      set,
      path.reduceRight<FieldSet>((inner, key) => ({ member: false, children: new Map([[key, inner]]) }), LEAF),
    );
  return set;
}

/** The members as messages name them, in order: `.spec.containers[name="a"].image`. */
export function pathsOf(set: FieldSet): string[] {
  const paths: string[] = [];
  collect(set, '', paths);
  return paths;
}

function collect(set: FieldSet, path: string, paths: string[]): void {
  if (set.member) paths.push(path);
  for (const key of [...set.children.keys()].sort(compareElements)) {
    collect(set.children.get(key) ?? EMPTY_SET, `${path}${elementText(key)}`, paths);
  }
}

function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${rest}]`;
    default:
      return `[${rest}]`;
  }
}
