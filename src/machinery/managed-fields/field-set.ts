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
  const children = new Map<string, FieldSet>();
  let member = false;
  for (const key of Object.keys(fields)) {
    if (key === '.') {
      member = true;
      continue;
    }
    const element = elementOf(key);
    const below = childrenOf(key, fields[key]);
    if (element === undefined) continue;
    const child = parseNode(below);
    const found = children.get(element);
    children.set(element, found === undefined ? child : union(found, child));
  }
  return children.size === 0 ? LEAF : { member, children };
}

function childrenOf(key: string, value: unknown): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new FieldSetError(`read what is below ${JSON.stringify(key)}: no object`);
  return value as Record<string, unknown>;
}

/** An element as this server writes it; undefined for kinds of a later version. @source fieldpath DeserializePathElement */
function elementOf(key: string): string | undefined {
  if (key[1] !== ':') throw new FieldSetError(`read ${JSON.stringify(key)}: no kind of element`);
  const [kind, rest] = [key[0], key.slice(2)];
  if (kind === 'f') return key;
  if (kind === 'i' && /^[-+]?\d{1,15}$/.test(rest)) return `i:${Number(rest)}`;
  if (kind !== 'k' && kind !== 'v' && kind !== 'i') return undefined;
  const value = kind === 'i' ? undefined : parsedJson(rest);
  const fits = kind === 'v' ? value !== undefined : typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!fits) throw new FieldSetError(`read ${JSON.stringify(key)}: want JSON`);
  return kind === 'v' ? valueElement(value) : keyElement(value as Record<string, unknown>);
}

/** The first value of a text; what comes after it is left out, as upstream's reader leaves it out. */
function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const end = endOfValue(text);
    return end === undefined ? undefined : parsedJson(text.slice(0, end));
  }
}

/** Where the first object, list or text ends; undefined where the text goes on to its end, or begins with none. */
function endOfValue(text: string): number | undefined {
  let depth = 0;
  let isText = false;
  for (let index = 0; index < text.length - 1; index++) {
    const char = text[index];
    if (isText && char === '\\') index++;
    else if (char === '"') isText = !isText;
    else if (!isText && (char === '{' || char === '[')) depth++;
    else if (!isText && (char === '}' || char === ']')) depth--;
    if (depth <= 0 && !isText && (char === '"' || char === '}' || char === ']')) return index + 1;
  }
  return undefined;
}

/** The element of an item of a `set` list. */
export function valueElement(value: unknown): string {
  return `v:${goJson(value)}`;
}

/** The element of an item of a `map` list. */
export function keyElement(keys: Readonly<Record<string, unknown>>): string {
  return `k:${goJson(keys)}`;
}

/** As Go writes JSON: members in order, and nothing in it that a browser could take for markup. */
function goJson(value: unknown): string {
  const text = JSON.stringify(isInOrder(value) ? value : inOrder(value));
  return MARKUP.test(text) ? text.replace(/[&<>\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`) : text;
}

const MARKUP = /[&<>\u2028\u2029]/;

function isInOrder(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  let last = '';
  for (const name in value) {
    if (name < last || !isInOrder((value as Record<string, unknown>)[name])) return false;
    last = name;
  }
  return true;
}

function inOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  const names = Object.keys(value).sort();
  return Object.fromEntries(names.map((name) => [name, inOrder((value as Record<string, unknown>)[name])]));
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

/** @source structured-merge-diff value.Compare: numbers, texts, truth values, lists, objects, null. */
function compareJson(a: unknown, b: unknown): number {
  const kind = rankOf(a) - rankOf(b);
  if (kind !== 0) return kind;
  if (typeof a === 'number') return a - (b as number);
  if (typeof a === 'string') return a < (b as string) ? -1 : a > (b as string) ? 1 : 0;
  if (typeof a === 'boolean') return Number(a) - Number(b);
  return a === null ? 0 : compareMembers(Object.entries(a as object), Object.entries(b as object));
}

function rankOf(value: unknown): number {
  if (value === null) return 5;
  if (Array.isArray(value)) return 3;
  return ['number', 'string', 'boolean', '', 'object'].indexOf(typeof value);
}

type Members = readonly (readonly [string, unknown])[];

function compareMembers(left: Members, right: Members): number {
  for (const [index, [key, value]] of left.entries()) {
    const other = right[index];
    if (other === undefined) return 1;
    const order = key < other[0] ? -1 : key > other[0] ? 1 : compareJson(value, other[1]);
    if (order !== 0) return order;
  }
  return left.length - right.length;
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

/** The members as messages name them: `.spec.containers[name="a"].image`. Those of one level come before those that are deeper. */
export function pathsOf(set: FieldSet): string[] {
  const paths: string[] = [];
  if (set.member) paths.push('');
  collect(set, '', paths);
  return paths;
}

function collect(set: FieldSet, path: string, paths: string[]): void {
  const elements = [...set.children].sort(([a], [b]) => compareElements(a, b));
  for (const [key, child] of elements) if (child.member) paths.push(`${path}${elementText(key)}`);
  for (const [key, child] of elements) collect(child, `${path}${elementText(key)}`, paths);
}

/** An element as messages name it: `.image`, `[name="a"]`, `[="x"]`. */
export function elementText(element: string): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case 'f':
      return `.${rest}`;
    case 'k': {
      const keys = Object.entries(JSON.parse(rest) as Record<string, unknown>);
      return `[${keys.map(([key, value]) => `${key}=${valueText(value)}`).join(',')}]`;
    }
    case 'v':
      return `[=${valueText(JSON.parse(rest))}]`;
    default:
      return `[${rest}]`;
  }
}

/** @source structured-merge-diff value.ToString */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, inner]) => `${key}=${valueText(inner)}`)
    .join(';')}}`;
}
