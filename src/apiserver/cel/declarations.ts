// SPDX-License-Identifier: Apache-2.0
// Functions that expressions can call: their overloads, written as text (`string.(string)->bool`; capital letters are type
// parameters) with upstream's overload ids, which cost rules go by, and what they do.
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  isDyn,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  STRING,
  TIMESTAMP,
  UINT,
} from './types.ts';
import { Duration as DurationValue, isMap, ListValue, OptionalValue, Timestamp, TypeValue, Uint, type Value } from './values.ts';

/** Arguments in order, the target of a member call first. Results of failing calls are failures. */
export type Implementation = (...args: Value[]) => Value;

export interface Overload {
  readonly id: string;
  readonly function: string;
  readonly isMember: boolean;
  /** The target first, for members. */
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Whether a value may stand for each argument while the expression runs. */
  readonly accepts: readonly ((value: Value) => boolean)[];
  readonly run: Implementation;
}

/** Function name to overloads, written as `[id, signature, implementation]`. */
export type Library = Readonly<Record<string, readonly (readonly [id: string, signature: string, run: Implementation])[]>>;

/** Types of libraries, by their short names in signatures. */
export const LIBRARY_TYPES: Readonly<Record<string, CelType>> = {
  URL: { kind: 'object', name: 'kubernetes.URL', fields: new Map() },
  Quantity: { kind: 'object', name: 'kubernetes.Quantity', fields: new Map() },
  Semver: { kind: 'object', name: 'kubernetes.Semver', fields: new Map() },
  Format: { kind: 'object', name: 'kubernetes.NamedFormat', fields: new Map() },
  IP: { kind: 'opaque', name: 'net.IP' },
  CIDR: { kind: 'opaque', name: 'net.CIDR' },
  Authorizer: { kind: 'object', name: 'kubernetes.authorization.Authorizer', fields: new Map() },
  PathCheck: { kind: 'object', name: 'kubernetes.authorization.PathCheck', fields: new Map() },
  GroupCheck: { kind: 'object', name: 'kubernetes.authorization.GroupCheck', fields: new Map() },
  ResourceCheck: { kind: 'object', name: 'kubernetes.authorization.ResourceCheck', fields: new Map() },
  Decision: { kind: 'object', name: 'kubernetes.authorization.Decision', fields: new Map() },
};
const SIMPLE: Readonly<Record<string, CelType>> = {
  dyn: DYN,
  bool: BOOL,
  int: INT,
  uint: UINT,
  double: DOUBLE,
  string: STRING,
  bytes: BYTES,
  null: NULL,
  timestamp: TIMESTAMP,
  duration: DURATION,
  type: { kind: 'type' },
};

/** Reads one type of a signature. */
export function readType(text: string): CelType {
  const [, name = text, inner] = /^(\w+)\((.*)\)$/.exec(text) ?? [];
  if (inner !== undefined) {
    const [first = DYN, second = DYN] = splitTypes(inner).map(readType);
    if (name === 'list') return listOf(first);
    if (name === 'map') return mapOf(first, second);
    return name === 'type' ? { kind: 'type', of: first } : optionalOf(first);
  }
  const known = SIMPLE[name] ?? LIBRARY_TYPES[name];
  if (known !== undefined) return known;
  if (/^[A-Z]$/.test(name)) return { kind: 'param', name };
  throw new RangeError(`read a signature: unknown type "${text}"`);
}

function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let begin = 0;
  for (let index = 0; index < text.length; index += 1) {
    if (text[index] === '(') depth += 1;
    else if (text[index] === ')') depth -= 1;
    else if (text[index] === ',' && depth === 0) {
      parts.push(text.slice(begin, index));
      begin = index + 1;
    }
  }
  if (text.length > 0) parts.push(text.slice(begin));
  return parts.map((part) => part.trim());
}

/** Whether a value can be of a type; elements of lists and maps are not looked at. */
function acceptor(type: CelType): (value: Value) => boolean {
  if (isDyn(type) || type.kind === 'param') return () => true;
  switch (type.kind) {
    case 'bool':
      return (value) => typeof value === 'boolean';
    case 'int':
      return (value) => typeof value === 'bigint';
    case 'uint':
      return (value) => value instanceof Uint;
    case 'double':
      return (value) => typeof value === 'number';
    case 'string':
      return (value) => typeof value === 'string';
    case 'bytes':
      return (value) => value instanceof Uint8Array;
    case 'null':
      return (value) => value === null;
    case 'timestamp':
      return (value) => value instanceof Timestamp;
    case 'duration':
      return (value) => value instanceof DurationValue;
    case 'type':
      return (value) => value instanceof TypeValue;
    case 'list':
      return (value) => value instanceof ListValue;
    case 'map':
      return (value) => isMap(value);
    case 'optional':
      return (value) => value instanceof OptionalValue;
    case 'object':
    case 'opaque': {
      const { name } = type;
      return (value) => typeof value === 'object' && value !== null && 'opaque' in value && value.opaque === name;
    }
    default:
      return () => true;
  }
}

export function readOverload(name: string, id: string, signature: string, run: Implementation): Overload {
  const [, target = '', inner = '', result = ''] = /^(?:(.+)\.)?\((.*)\)->(.+)$/.exec(signature) ?? [];
  const args = [...(target === '' ? [] : [target]), ...splitTypes(inner)].map(readType);
  return { id, function: name, isMember: target !== '', args, result: readType(result), accepts: args.map(acceptor), run };
}

/** All functions of an environment, by name. */
export class Functions {
  readonly #byName = new Map<string, Overload[]>();

  constructor(libraries: readonly Library[]) {
    for (const library of libraries) {
      for (const [name, overloads] of Object.entries(library)) {
        const list = this.#byName.get(name) ?? [];
        list.push(...overloads.map(([id, signature, run]) => readOverload(name, id, signature, run)));
        this.#byName.set(name, list);
      }
    }
  }

  find(name: string): readonly Overload[] | undefined {
    return this.#byName.get(name);
  }

  /** Whether a name begins that of a function: `ip` of `ip.isCanonical`. */
  names(): Iterable<string> {
    return this.#byName.keys();
  }
}
