// SPDX-License-Identifier: Apache-2.0
// The types of CEL as the checker knows them, how their names are printed in errors, and which type may stand where another is
// asked for (cel-go's checker/types.go: parameters are bound as they are met, null fits objects and opaque types, dyn fits all).

export interface SimpleType {
  readonly kind: 'dyn' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'null' | 'timestamp' | 'duration';
  /** The largest size a value can have, for cost estimates; elements of strings and bytes. */
  readonly maxLength?: number;
}
export interface ListType {
  readonly kind: 'list';
  readonly element: CelType;
  readonly maxItems?: number;
  /** How CustomResources see the list: `==` of sets and maps ignores order, `+` merges. @default atomic */
  readonly listType?: 'atomic' | 'set' | 'map';
  /** The JSON names of the keys of a `map` list. */
  readonly mapKeys?: readonly string[];
}
export interface MapType {
  readonly kind: 'map';
  readonly key: CelType;
  readonly value: CelType;
  readonly maxItems?: number;
}
export interface ObjectType {
  readonly kind: 'object';
  readonly name: string;
  /** By name in expressions, which may be an escaped one. */
  readonly fields: ReadonlyMap<string, CelType>;
  /** Name in expressions to name in JSON, where they differ. */
  readonly properties?: ReadonlyMap<string, string>;
  /** Any field may be named; it is dyn. */
  readonly hasAnyField?: boolean;
}
export type CelType =
  | SimpleType
  | { readonly kind: 'type'; readonly of?: CelType }
  | { readonly kind: 'intOrString'; readonly maxLength?: number }
  | ListType
  | MapType
  | ObjectType
  | { readonly kind: 'opaque'; readonly name: string }
  | { readonly kind: 'optional'; readonly value: CelType }
  /** A type parameter of a function, and what could not be typed: only inside the checker. */
  | { readonly kind: 'param'; readonly name: string }
  | { readonly kind: 'error' };

export const DYN: CelType = { kind: 'dyn' };
export const BOOL: CelType = { kind: 'bool' };
export const INT: CelType = { kind: 'int' };
export const UINT: CelType = { kind: 'uint' };
export const DOUBLE: CelType = { kind: 'double' };
export const STRING: CelType = { kind: 'string' };
export const BYTES: CelType = { kind: 'bytes' };
export const NULL: CelType = { kind: 'null' };
export const TIMESTAMP: CelType = { kind: 'timestamp' };
export const DURATION: CelType = { kind: 'duration' };
export const ERROR: CelType = { kind: 'error' };

export function listOf(element: CelType): CelType {
  return { kind: 'list', element };
}
export function mapOf(key: CelType, value: CelType): CelType {
  return { kind: 'map', key, value };
}
export function optionalOf(value: CelType): CelType {
  return { kind: 'optional', value };
}

/** Types that an expression can name; the others are reached through values. */
export const NAMED_TYPES: ReadonlyMap<string, CelType> = new Map<string, CelType>([
  ['bool', BOOL],
  ['int', INT],
  ['uint', UINT],
  ['double', DOUBLE],
  ['string', STRING],
  ['bytes', BYTES],
  ['null_type', NULL],
  ['list', listOf(DYN)],
  ['map', mapOf(DYN, DYN)],
  ['type', { kind: 'type' }],
  ['google.protobuf.Timestamp', TIMESTAMP],
  ['google.protobuf.Duration', DURATION],
  ['optional_type', optionalOf(DYN)],
  ['net.IP', { kind: 'opaque', name: 'net.IP' }],
  ['net.CIDR', { kind: 'opaque', name: 'net.CIDR' }],
]);

/** The name of a type without its parameters, as `type(x)` has it. */
export function typeName(type: CelType): string {
  switch (type.kind) {
    case 'null':
      return 'null_type';
    case 'timestamp':
      return 'google.protobuf.Timestamp';
    case 'duration':
      return 'google.protobuf.Duration';
    case 'intOrString':
      return 'dyn';
    case 'object':
    case 'opaque':
    case 'param':
      return type.name;
    case 'optional':
      return 'optional_type';
    case 'error':
      return '!error!';
    default:
      return type.kind;
  }
}

/** The type of a field; a reserved word may be written as it is: `self.namespace`. */
export function fieldOf(type: ObjectType, name: string): CelType | undefined {
  return type.fields.get(name) ?? type.fields.get(`__${name}__`) ?? (type.hasAnyField === true ? DYN : undefined);
}

function parametersOf(type: CelType): readonly CelType[] {
  switch (type.kind) {
    case 'list':
      return [type.element];
    case 'map':
      return [type.key, type.value];
    case 'optional':
      return [type.value];
    case 'type':
      return type.of === undefined ? [] : [type.of];
    default:
      return [];
  }
}

function printed(type: CelType, name: (type: CelType) => string): string {
  const parameters = parametersOf(type);
  return parameters.length === 0 ? name(type) : `${name(type)}(${parameters.map((one) => printed(one, name)).join(', ')})`;
}

/** As errors of the checker print a type. */
export function formatType(type: CelType): string {
  return printed(type, (one) => (one.kind === 'null' ? 'null' : typeName(one)));
}

/** As Kubernetes prints the type of a whole expression: `list(string)`, `null_type`. */
export function describeType(type: CelType): string {
  return printed(type, typeName);
}

export function isDyn(type: CelType): boolean {
  return type.kind === 'dyn' || type.kind === 'intOrString' || type.kind === 'error';
}

/** Equal in every part, sizes aside. */
export function isSameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (typeName(a) !== typeName(b)) return false;
  const left = parametersOf(a);
  const right = parametersOf(b);
  return left.length === right.length && left.every((one, index) => isSameType(one, right[index] ?? ERROR));
}

const NULLABLE = new Set(['opaque', 'object', 'optional', 'duration', 'timestamp', 'null', 'dyn']);

/** What the parameters met so far stand for. */
export type Bindings = Map<string, CelType>;

/** The type with its bound parameters replaced; `toDyn` makes dyn of the free ones. */
export function substitute(bindings: Bindings, type: CelType, toDyn: boolean): CelType {
  switch (type.kind) {
    case 'param': {
      const bound = bindings.get(type.name);
      if (bound !== undefined) return substitute(bindings, bound, toDyn);
      return toDyn ? DYN : type;
    }
    case 'list':
      return { ...type, element: substitute(bindings, type.element, toDyn) };
    case 'map':
      return { ...type, key: substitute(bindings, type.key, toDyn), value: substitute(bindings, type.value, toDyn) };
    case 'optional':
      return optionalOf(substitute(bindings, type.value, toDyn));
    case 'type':
      return type.of === undefined ? type : { kind: 'type', of: substitute(bindings, type.of, toDyn) };
    default:
      return type;
  }
}

function mentions(bindings: Bindings, name: string, type: CelType): boolean {
  if (type.kind === 'param') {
    if (type.name === name) return true;
    const bound = bindings.get(type.name);
    return bound !== undefined && mentions(bindings, name, bound);
  }
  return parametersOf(type).some((one) => mentions(bindings, name, one));
}

function isEqualOrLessSpecific(a: CelType, b: CelType): boolean {
  if (isDyn(a) || a.kind === 'param') return true;
  if (isDyn(b) || b.kind === 'param') return false;
  if (typeName(a) !== typeName(b)) return false;
  const right = parametersOf(b);
  return parametersOf(a).every((one, index) => isEqualOrLessSpecific(one, right[index] ?? ERROR));
}

/** The one of two agreeing types that says less. */
export function mostGeneral(a: CelType, b: CelType): CelType {
  return isEqualOrLessSpecific(a, b) ? a : b;
}

/** Binds the parameter `a` to `b`. @returns undefined where nothing was decided. */
function bind(bindings: Bindings, a: { readonly name: string }, b: CelType): { readonly fits: boolean; readonly known: boolean } {
  if (b.kind === 'param' && a.name === b.name) return { fits: true, known: true };
  const bound = bindings.get(a.name);
  if (bound !== undefined) {
    if (isSameType(bound, b)) return { fits: true, known: true };
    if (!fits(bindings, bound, b)) return { fits: false, known: true };
    const general = mostGeneral(bound, b);
    if (!mentions(bindings, a.name, general)) bindings.set(a.name, general);
    return { fits: true, known: true };
  }
  if (mentions(bindings, a.name, b)) return { fits: false, known: false };
  bindings.set(a.name, b);
  return { fits: true, known: false };
}

function fits(bindings: Bindings, wanted: CelType, given: CelType): boolean {
  if (given.kind === 'param') {
    const result = bind(bindings, given, wanted);
    if (result.fits) return true;
    if (result.known) return false;
  }
  if (wanted.kind === 'param') return bind(bindings, wanted, given).fits;
  if (isDyn(wanted) || isDyn(given)) return true;
  if (wanted.kind === 'null') return NULLABLE.has(given.kind);
  if (given.kind === 'null') return NULLABLE.has(wanted.kind);
  if (wanted.kind === 'type') return given.kind === 'type';
  if (typeName(wanted) !== typeName(given)) return false;
  const right = parametersOf(given);
  return parametersOf(wanted).every((one, index) => fits(bindings, one, right[index] ?? ERROR));
}

/** Whether values of the types `given` fit where `wanted` are asked for; binds parameters only if all do. */
export function areAssignable(bindings: Bindings, wanted: readonly CelType[], given: readonly CelType[]): boolean {
  if (wanted.length !== given.length) return false;
  const attempt = new Map(bindings);
  for (const [index, type] of wanted.entries()) if (!fits(attempt, type, given[index] ?? ERROR)) return false;
  for (const [name, type] of attempt) bindings.set(name, type);
  return true;
}
