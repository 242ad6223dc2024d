// SPDX-License-Identifier: Apache-2.0
// Validates values against an OpenAPI v3 schema, in the order and the words of upstream's go-openapi validators. Compiled once per
// schema: patterns, formats, bounds. Rules (CEL) and list types are checked elsewhere.
// @source kube-openapi pkg/validation/validate; apiextensions-apiserver pkg/apiserver/validation/validation.go
import { RE2JS } from 're2js';
import { deepEqual, type FieldCause, invalidValue, notSupported, required, tooLong, tooMany, typeInvalid } from '#machinery';
import { formatCheck } from './formats.ts';
import { goJson, inOrder } from './in-order.ts';
import { Correlated } from './ratcheting.ts';
import { isIntOrString, isRecord, itemSchema, type Json, META_FIELDS, type SchemaProps, valueSchema } from './schema-props.ts';

/** What is wrong, and how many checks were made: of several alternatives the one that got farthest is reported. */
interface Outcome {
  readonly causes: FieldCause[];
  checks: number;
}

/** One check. `path` is where the value is, below the validator's root; `old` is given where unchanged faults are let pass. */
type Check = (value: unknown, path: string, outcome: Outcome, old?: Correlated) => void;

export interface ValueValidator {
  /** @param base Goes before the fields of causes, not into their messages. @param path Below `base`. */
  validate(value: unknown, base?: string, path?: string): FieldCause[];
  /** As `validate`, without what was wrong before and has not changed. */
  validateUpdate(value: unknown, previous: unknown, base?: string): FieldCause[];
}

/** Compiled on first use: many versions that are served are never written to. */
export function valueValidator(schema: SchemaProps): ValueValidator {
  let check: Check | undefined;
  const run = (value: unknown, base: string, path: string, old?: Correlated) => {
    check ??= compile(schema);
    const outcome: Outcome = { causes: [], checks: 0 };
    check(value, path, outcome, old);
    return outcome.causes.map((cause) => ({ ...cause, field: base === '' ? named(cause.field) : under(base, cause.field) }));
  };
  return {
    validate: (value, base = '', path = '') => run(value, base, path),
    validateUpdate(value, previous, base = '') {
      const causes = run(value, base, '');
      // Most updates are right: only those that are not are compared with what was.
      return causes.length === 0 ? causes : run(value, base, '', new Correlated(value, previous, schema));
    },
  };
}

function under(base: string, path: string): string {
  if (path === NOWHERE) return base;
  return path === '' ? base : /^[[.]/.test(path) ? `${base}${path}` : `${base}.${path}`;
}

/** How upstream names the place of a cause that has none. */
export const NOWHERE = '<nil>';

/** Values of a map at the root are named with a dot before them, in messages only. */
const named = (path: string): string => (path === '' ? NOWHERE : path.replace(/^\./, ''));

const compiled = new WeakMap<SchemaProps, Check>();

function compile(schema: SchemaProps): Check {
  let check = compiled.get(schema);
  if (check === undefined) {
    check = compileNew(schema);
    compiled.set(schema, check);
  }
  return check;
}

function compileNew(schema: SchemaProps): Check {
  const types = isIntOrString(schema) ? ['integer', 'string'] : schema.type ? [schema.type] : [];
  const hasFormat = isKnownFormat(schema.format);
  const checkType = types.length === 0 && !hasFormat ? undefined : typeCheck(types, schema);
  const rest = [
    logicCheck(schema),
    stringCheck(schema),
    formatRule(schema),
    numberCheck(schema),
    listCheck(schema),
    enumCheck(schema),
    objectCheck(schema),
  ].filter((check) => check !== undefined);
  const checkNull = nullCheck(schema, types);
  const checkValue: Check = (value, path, outcome, old) => {
    if (value === null || value === undefined) return checkNull(value, path, outcome);
    const found = outcome.causes.length;
    checkType?.(value, path, outcome);
    outcome.checks += checksOf(value, hasFormat) + (checkType === undefined ? 0 : outcome.causes.length === found ? 2 : 1);
    for (const check of rest) check(value, path, outcome, old);
  };
  return (value, path, outcome, old) => {
    const found = outcome.causes.length;
    checkValue(value, path, outcome, old);
    if (old !== undefined && outcome.causes.length > found && old.isUnchanged) outcome.causes.length = found;
  };
}

/** How many of upstream's validators look at a value of some type, whatever its schema asks for; its type's own apart. */
function checksOf(value: unknown, hasFormat: boolean): number {
  const always = 4;
  if (typeof value === 'string') return always + (hasFormat ? 2 : 1);
  if (typeof value === 'number' || Array.isArray(value)) return always + 2;
  return typeof value === 'object' ? always + 1 : always;
}

/** Null is no value of an enum, not even of one that lists it. */
function nullCheck(schema: SchemaProps, types: readonly string[]): Check {
  const checkEnum = enumCheck(schema);
  return (_, path, outcome) => {
    if (schema.nullable === true || types.length === 0) outcome.checks += 1;
    else outcome.causes.push(typeInvalid(path, 'null', wrongType(path, types.join(','), 'null')));
    checkEnum?.(null, path, outcome);
  };
}

const wrongType = (path: string, wanted: string, found: string) => `${path} in body must be of type ${wanted}: ${JSON.stringify(found)}`;

/** What OpenAPI calls the value at hand. */
function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'number';
    case 'object':
      return 'object';
    default:
      return typeof value;
  }
}

/** The formats that values have by nature. */
const OWN_FORMATS: Readonly<Record<string, string>> = { integer: 'int64', number: 'double' };
const NUMBER_FORMATS: ReadonlySet<string> = new Set(['int32', 'int64', 'float', 'double']);

function isKnownFormat(format = ''): boolean {
  return format !== '' && (NUMBER_FORMATS.has(format) || formatCheck(format) !== undefined);
}

function typeCheck(types: readonly string[], { format = '' }: SchemaProps): Check {
  const hasFormat = isKnownFormat(format);
  const isNumber = types.includes('number') || types.includes('integer');
  return (value, path, { causes }) => {
    const found = typeOf(value);
    const isText = found === 'string' || found === 'array';
    // The format's own check says what is wrong with a text or a list that has one.
    if (hasFormat && isText && !isNumber) return;
    if (types.includes(found) || (found === 'integer' && types.includes('number'))) return;
    if (hasFormat && !isText) {
      const own = OWN_FORMATS[found] ?? '';
      if (own !== format) causes.push(typeInvalid(path, own, wrongType(path, format, own)));
      else if (types.length > 0) causes.push(typeInvalid(path, found, wrongType(path, types.join(','), found)));
      return;
    }
    causes.push(typeInvalid(path, found, wrongType(path, types.join(','), found)));
  };
}

function fault(path: string, value: unknown, what: string): FieldCause {
  return invalidValue(path, value, `${path} in body ${what}`);
}

/** A cause of a whole value, which upstream gives no place. */
function pathless(what: string): FieldCause {
  return { reason: 'FieldValueInvalid', message: `Invalid value: "": ${what}`, field: NOWHERE };
}

function logicCheck({ anyOf = [], oneOf = [], allOf = [], not }: SchemaProps): Check | undefined {
  if (anyOf.length + oneOf.length + allOf.length === 0 && not === undefined) return undefined;
  const [any, one, all, none] = [anyOf.map(compile), oneOf.map(compile), allOf.map(compile), not === undefined ? undefined : compile(not)];
  return (value, path, outcome) => {
    if (any.length > 0) checkAny(any, value, path, outcome);
    if (one.length > 0) checkOne(one, value, path, outcome);
    if (all.length > 0) checkAll(all, value, path, outcome);
    if (none !== undefined && judge(none, value, path).causes.length === 0) {
      outcome.causes.push(pathless(`${JSON.stringify(path)} must not validate the schema (not)`));
    }
  };
}

function judge(check: Check, value: unknown, path: string): Outcome {
  const outcome: Outcome = { causes: [], checks: 0 };
  check(value, path, outcome);
  return outcome;
}

/** Takes over what an alternative found, and how far it got. */
function merge(into: Outcome, one: Outcome | undefined): void {
  if (one === undefined) return;
  into.causes.push(...one.causes);
  into.checks += one.checks;
}

/** The first of those that got farthest. */
function farthest(outcomes: readonly Outcome[]): Outcome | undefined {
  return outcomes.reduce<Outcome | undefined>((best, one) => (best === undefined || one.checks > best.checks ? one : best), undefined);
}

function checkAny(checks: readonly Check[], value: unknown, path: string, outcome: Outcome): void {
  const outcomes: Outcome[] = [];
  for (const check of checks) {
    const one = judge(check, value, path);
    if (one.causes.length === 0) {
      merge(outcome, one);
      return;
    }
    outcomes.push(one);
  }
  outcome.causes.push(pathless(`${JSON.stringify(path)} must validate at least one schema (anyOf)`));
  merge(outcome, farthest(outcomes));
}

function checkOne(checks: readonly Check[], value: unknown, path: string, outcome: Outcome): void {
  const outcomes = checks.map((check) => judge(check, value, path));
  const valid = outcomes.filter((one) => one.causes.length === 0);
  if (valid.length === 1) {
    merge(outcome, valid[0]);
    return;
  }
  const why = valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`;
  outcome.causes.push(pathless(`${JSON.stringify(path)} must validate one and only one schema (oneOf). ${why}`));
  if (valid.length === 0) merge(outcome, farthest(outcomes));
}

function checkAll(checks: readonly Check[], value: unknown, path: string, outcome: Outcome): void {
  const { causes } = outcome;
  const outcomes = checks.map((check) => judge(check, value, path));
  for (const one of outcomes) merge(outcome, one);
  const valid = outcomes.filter((one) => one.causes.length === 0).length;
  if (valid === checks.length) return;
  causes.push(pathless(`${JSON.stringify(path)} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`));
}

function stringCheck({ maxLength, minLength, pattern }: SchemaProps): Check | undefined {
  if (maxLength === undefined && minLength === undefined && !pattern) return undefined;
  const expression = pattern ? RE2JS.compile(pattern) : undefined;
  return (value, path, { causes }) => {
    if (typeof value !== 'string') return;
    const length = [...value].length;
    if (maxLength !== undefined && length > maxLength) causes.push(tooLong(path, maxLength));
    else if (minLength !== undefined && length < minLength) causes.push(fault(path, value, `should be at least ${minLength} chars long`));
    else if (expression !== undefined && !expression.matcher(value).find()) causes.push(fault(path, value, `should match '${pattern}'`));
  };
}

function formatRule({ format = '' }: SchemaProps): Check | undefined {
  const isRight = formatCheck(format);
  if (isRight === undefined) return undefined;
  return (value, path, { causes }) => {
    if (typeof value === 'string' && !isRight(value)) causes.push(typeInvalid(path, value, wrongType(path, format, value)));
  };
}

const RANGES: Readonly<Record<string, readonly [least: number, most: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  uint64: [0, 2 ** 64],
  float: [-3.4028234663852886e38, 3.4028234663852886e38],
};

/** Whether a number is one of its type and format; else what is wrong. */
function rangeFault(value: number, what: string, { type, format = '' }: SchemaProps, path: string): FieldCause | undefined {
  const text = format === '' ? '(default format)' : `with format ${format}`;
  const range = type === 'integer' ? (RANGES[format] ?? RANGES['int64']) : format === 'float' ? RANGES['float'] : undefined;
  const fits = (type !== 'integer' || Number.isInteger(value)) && (range === undefined || (value >= range[0] && value <= range[1]));
  return fits ? undefined : pathless(`${what} value must be of type ${type} ${text} in ${path}`);
}

function numberCheck(schema: SchemaProps): Check | undefined {
  const { multipleOf, maximum, minimum } = schema;
  const isTyped = schema.type === 'integer' || schema.type === 'number';
  if (!isTyped && multipleOf === undefined && maximum === undefined && minimum === undefined) return undefined;
  return (value, path, { causes }) => {
    if (typeof value !== 'number') return;
    if (isTyped) add(causes, rangeFault(value, 'Checked', schema, path));
    if (multipleOf !== undefined) causes.push(...multipleCauses(value, multipleOf, schema, path));
    if (minimum !== undefined) causes.push(...boundCauses(value, minimum, schema, path, 'Minimum'));
    if (maximum !== undefined) causes.push(...boundCauses(value, maximum, schema, path, 'Maximum'));
  };
}

function add(causes: FieldCause[], cause: FieldCause | undefined): void {
  if (cause !== undefined) causes.push(cause);
}

function multipleCauses(value: number, multipleOf: number, schema: SchemaProps, path: string): FieldCause[] {
  const misfit = schema.type === 'integer' ? rangeFault(multipleOf, 'MultipleOf', schema, path) : undefined;
  if (misfit !== undefined) return [misfit, ...multipleFault(value, multipleOf, path)];
  // Whole values are divided as whole numbers, whatever the factor is.
  return multipleFault(value, Number.isInteger(value) ? Math.trunc(multipleOf) : multipleOf, path, multipleOf);
}

function multipleFault(value: number, factor: number, path: string, shown = factor): FieldCause[] {
  if (factor <= 0) return [invalidValue(path, factor, `factor MultipleOf declared for ${path} must be positive: ${factor}`)];
  const isMultiple = Number.isInteger(value) && Number.isInteger(factor) ? value % factor === 0 : Number.isInteger(divided(value, factor));
  return isMultiple ? [] : [fault(path, value, `should be a multiple of ${shown}`)];
}

function divided(value: number, factor: number): number {
  return factor < 1 ? (1 / factor) * value : value / factor;
}

function boundCauses(value: number, bound: number, schema: SchemaProps, path: string, kind: 'Maximum' | 'Minimum'): FieldCause[] {
  const misfit = schema.type === 'integer' ? rangeFault(bound, `${kind} boundary`, schema, path) : undefined;
  const exclusive = (kind === 'Maximum' ? schema.exclusiveMaximum : schema.exclusiveMinimum) === true;
  const limit = misfit === undefined && Number.isInteger(value) ? Math.trunc(bound) : bound;
  const fits = kind === 'Maximum' ? (exclusive ? value < limit : value <= limit) : exclusive ? value > limit : value >= limit;
  const word = kind === 'Maximum' ? 'less than' : 'greater than';
  const found = fits ? [] : [fault(path, value, `should be ${word}${exclusive ? '' : ' or equal to'} ${limit}`)];
  return misfit === undefined ? found : [misfit, ...found];
}

function listCheck(schema: SchemaProps): Check | undefined {
  const items = itemSchema(schema);
  const { minItems, maxItems } = schema;
  if (items === undefined && minItems === undefined && maxItems === undefined) return undefined;
  const check = items === undefined ? undefined : compile(items);
  return (value, path, outcome, old) => {
    if (!Array.isArray(value)) return;
    if (check !== undefined) for (const [index, item] of value.entries()) check(item, `${path}[${index}]`, outcome, old?.index(index));
    if (minItems !== undefined && value.length < minItems)
      outcome.causes.push(fault(path, value.length, `should have at least ${minItems} items`));
    if (maxItems !== undefined && value.length > maxItems) outcome.causes.push(tooMany(path, value.length, maxItems));
  };
}

function enumCheck({ enum: allowed = [] }: SchemaProps): Check | undefined {
  if (allowed.length === 0) return undefined;
  const shown = allowed.map((value) => (typeof value === 'string' ? value : goJson(value)));
  return (value, path, { causes }) => {
    if (value === null || !allowed.some((one) => deepEqual(one, value))) causes.push(notSupported(path, inOrder(value), shown));
  };
}

function objectCheck(schema: SchemaProps): Check | undefined {
  const { minProperties, maxProperties, required: needed = [], additionalProperties } = schema;
  const members = new Map(Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, compile(inner)]));
  const values = valueSchema(schema);
  const check = values === undefined ? undefined : compile(values);
  const isOpen = additionalProperties !== false;
  if (members.size + needed.length === 0 && check === undefined && isOpen && minProperties === undefined && maxProperties === undefined)
    return undefined;
  const join = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);
  // What an object is does not show in a change: it is converted before.
  const before = (old: Correlated | undefined, path: string, name: string) =>
    path === '' && name !== 'metadata' && META_FIELDS.has(name) ? undefined : old?.key(name);
  return (value, path, outcome, old) => {
    if (!isRecord(value)) return;
    const names = Object.keys(value);
    if (minProperties !== undefined && names.length < minProperties) {
      outcome.causes.push(fault(path, names.length, `should have at least ${minProperties} properties`));
      return;
    }
    if (maxProperties !== undefined && names.length > maxProperties) {
      outcome.causes.push(tooMany(path, names.length, maxProperties));
      return;
    }
    names.sort();
    if (check !== undefined || !isOpen) {
      for (const name of names) {
        if (members.has(name)) continue;
        if (isOpen) check?.((value as Json)[name], `${path}.${name}`, outcome, before(old, path, name));
        else outcome.causes.push(invalidValue(path, name, `${path}.${name} in body is a forbidden property`));
      }
    }
    for (const name of names) members.get(name)?.((value as Json)[name], join(path, name), outcome, before(old, path, name));
    for (const name of needed) if (!Object.hasOwn(value, name)) outcome.causes.push(required(join(path, name)));
  };
}
