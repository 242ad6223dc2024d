// SPDX-License-Identifier: Apache-2.0
// Evaluates the rules of a schema (`x-kubernetes-validations`) on objects: at every value that has rules, with the old value where the
// two correspond, under one cost budget for the whole object. Compiled once per version; places without rules cost nothing.
// @source upstream apiextensions-apiserver pkg/apiserver/schema/cel/validation.go
import type { JSONSchemaProps } from '#api/apiextensions/v1';
import { type DeepReadonly, duplicateValue, type FieldCause, FieldPath, forbiddenField, invalidValue, required } from '#machinery';
import type { CelProgram, CelType, Compiled, CostBudget } from '../cel/mod.ts';
import { findField } from './field-path.ts';
import { Correlated, counterpart } from './ratcheting.ts';
import type { RuleEngine } from './rule-engine.ts';
import { anySchema, isEmbedded, isRecord, itemSchema, type SchemaProps, type ValidationRule, valueSchema } from './schema-props.ts';
import { NOWHERE } from './value-validator.ts';

export interface RuleValidator {
  validate(object: DeepReadonly<object>, previous: DeepReadonly<object> | undefined, warn?: (text: string) => void): FieldCause[];
}

export function hasRules(props: SchemaProps): boolean {
  return anySchema(props, (schema) => (schema['x-kubernetes-validations'] ?? []).length > 0);
}

interface Rule {
  readonly rule: ValidationRule;
  readonly program: CelProgram | undefined;
  readonly message: CelProgram | undefined;
  readonly usesOld: boolean;
  /** Where the cause is, below the value. */
  readonly place: FieldPath | undefined;
  /** Why it does not compile: a definition that was stored before this server knew better. */
  readonly problem: string | undefined;
}

/** A value's place in the schema, if it or something below has rules. */
interface Node {
  readonly schema: SchemaProps;
  readonly rules: readonly Rule[];
  readonly type: CelType;
  readonly items: Node | undefined;
  readonly values: Node | undefined;
  readonly properties: ReadonlyMap<string, Node>;
}

/** Undefined where a schema has no rules. @throws {Error} If the engine is not loaded. */
export function ruleValidator(props: SchemaProps, engine: RuleEngine, isRoot = true): RuleValidator | undefined {
  if (!hasRules(props)) return undefined;
  let node: Node | undefined;
  return {
    validate(object, previous, warn) {
      // Compiled on first use: many versions that are served are never written to.
      node ??= nodeOf(props, engine, isRoot);
      if (node === undefined) return [];
      const run = new Evaluation(engine, warn);
      run.visit(node, object, previous, new FieldPath(), ratchetOf(object, previous, props));
      return run.causes;
    },
  };
}

function nodeOf(schema: SchemaProps, engine: RuleEngine, isRoot: boolean): Node | undefined {
  if (!hasRules(schema)) return undefined;
  const isResourceRoot = isRoot || isEmbedded(schema);
  const type = engine.cel.typeOfSchema(schema as JSONSchemaProps, { isResourceRoot });
  const items = itemSchema(schema);
  const values = valueSchema(schema);
  const properties = new Map<string, Node>();
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const node = nodeOf(inner, engine, false);
    if (node !== undefined) properties.set(name, node);
  }
  return {
    schema,
    type,
    rules: rulesOf(schema).map((rule) => ruleOf(rule, schema, type, engine)),
    items: items === undefined ? undefined : nodeOf(items, engine, false),
    values: values === undefined ? undefined : nodeOf(values, engine, false),
    properties,
  };
}

/** A schema's own rules, and those of its `allOf`, which are about the same value. */
function rulesOf(schema: SchemaProps): readonly ValidationRule[] {
  return [...(schema['x-kubernetes-validations'] ?? []), ...(schema.allOf ?? []).flatMap(rulesOf)];
}

/** Compiles the expressions of a rule against the type of its value. */
export function compileRule(
  rule: ValidationRule,
  type: CelType,
  { cel }: RuleEngine,
): { readonly rule: Compiled; readonly message: Compiled | undefined } {
  const variables = { self: type, oldSelf: rule.optionalOldSelf === true ? cel.optionalOf(type) : type };
  const compiled = cel.compile(rule.rule, { variables, result: 'bool' });
  const text = rule.messageExpression ?? '';
  return { rule: compiled, message: text === '' ? undefined : cel.compile(text, { variables, result: 'string' }) };
}

function ruleOf(rule: ValidationRule, schema: SchemaProps, type: CelType, engine: RuleEngine): Rule {
  const { rule: compiled, message } = compileRule(rule, type, engine);
  return {
    rule,
    program: compiled.program,
    message: message?.program,
    usesOld: compiled.reads('oldSelf'),
    place: rule.fieldPath ? placeOf(rule.fieldPath, schema) : undefined,
    problem: compiled.problem,
  };
}

function placeOf(text: string, schema: SchemaProps): FieldPath | undefined {
  try {
    return findField(text, schema).path;
  } catch {
    return undefined;
  }
}

/** The longest message that an expression may make. @source upstream: 5 KiB */
const MAX_MESSAGE = 5 * 1024;

/** What a value is compared with to let a fault pass: its own counterpart, or else the nearest above that has one. */
interface Ratchet {
  readonly own: Correlated | undefined;
  readonly above: Correlated | undefined;
}

const NO_RATCHET: Ratchet = { own: undefined, above: undefined };

function ratchetOf(object: unknown, previous: unknown, props: SchemaProps): Ratchet {
  return previous === undefined ? NO_RATCHET : { own: new Correlated(object, previous, props), above: undefined };
}

function memberRatchet(ratchet: Ratchet, name: string): Ratchet {
  const { own, above } = ratchet;
  if (own === undefined) return ratchet;
  // What an object is does not show in a change.
  if (above === undefined && (name === 'apiVersion' || name === 'kind')) return NO_RATCHET;
  return { own: own.key(name), above: own };
}

function itemRatchet(ratchet: Ratchet, index: number): Ratchet {
  return ratchet.own === undefined ? ratchet : { own: ratchet.own.index(index), above: ratchet.own };
}

const isUnchanged = ({ own, above }: Ratchet) => (own ?? above)?.isUnchanged === true;

class Evaluation {
  readonly causes: FieldCause[] = [];
  readonly #engine: RuleEngine;
  readonly #warn: ((text: string) => void) | undefined;
  readonly #budget: CostBudget;
  #isOver = false;

  constructor(engine: RuleEngine, warn: ((text: string) => void) | undefined) {
    this.#engine = engine;
    this.#warn = warn;
    this.#budget = new engine.cel.CostBudget(engine.cel.RUNTIME_COST_BUDGET);
  }

  visit(node: Node, value: unknown, old: unknown, path: FieldPath, ratchet: Ratchet): void {
    if (value === null || value === undefined || this.#isOver) return;
    for (const rule of node.rules) {
      if (this.#isOver) return;
      this.#evaluate(rule, node, value, old ?? undefined, path, ratchet);
    }
    if (Array.isArray(value)) this.#visitItems(node, value, old, path, ratchet);
    else if (isRecord(value)) this.#visitMembers(node, value, old, path, ratchet);
  }

  #visitItems({ items, schema }: Node, list: readonly unknown[], old: unknown, path: FieldPath, ratchet: Ratchet): void {
    if (items === undefined) return;
    for (const [index, item] of list.entries())
      this.visit(items, item, counterpart(item, old, schema), path.index(index), itemRatchet(ratchet, index));
  }

  /** Members correspond by name, in atomic maps as well. */
  #visitMembers(
    { properties, values, schema }: Node,
    record: Record<string, unknown>,
    old: unknown,
    path: FieldPath,
    ratchet: Ratchet,
  ): void {
    const before = isRecord(old) ? old : {};
    for (const name of Object.keys(record).sort()) {
      const property = properties.get(name);
      const declared = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
      const own = Object.hasOwn(before, name) ? before[name] : undefined;
      if (property !== undefined) this.visit(property, record[name], own, path.child(name), memberRatchet(ratchet, name));
      else if (values !== undefined && !declared) this.visit(values, record[name], own, path.key(name), memberRatchet(ratchet, name));
    }
  }

  #evaluate(rule: Rule, node: Node, value: unknown, old: unknown, path: FieldPath, ratchet: Ratchet): void {
    const isOptional = rule.rule.optionalOldSelf === true;
    if (rule.usesOld && !isOptional && old === undefined) return;
    const type = node.schema.type ?? '';
    if (rule.program === undefined) {
      this.causes.push(invalidAt(path, type, `rule compile error: ${rule.problem}`));
      return;
    }
    const variables = { self: value, oldSelf: isOptional ? this.#optional(old, node.type) : old };
    try {
      if (rule.program.evaluate(variables, this.#budget) === true) return;
    } catch (error) {
      this.#failed(error, rule, path, type);
      return;
    }
    const text = this.#messageOf(rule, variables);
    if (this.#isOver) {
      const why = 'messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run';
      this.causes.push(invalidAt(rule.place === undefined ? path : joined(path, rule.place), type, why));
      return;
    }
    const at = rule.place === undefined ? path : joined(path, rule.place);
    const shown = type === 'object' || type === 'array' ? undefined : { value };
    this.#report(causeOf(at, shown, text ?? defaultMessage(rule.rule), rule.rule.reason), !rule.usesOld && isUnchanged(ratchet));
  }

  #optional(old: unknown, type: CelType): unknown {
    const { OptionalValue, convert } = this.#engine.cel;
    return new OptionalValue(old === undefined ? undefined : convert(old, type));
  }

  /** A rule that cannot be evaluated is an error whatever was there before. */
  #failed(error: unknown, { rule }: Rule, path: FieldPath, type: string): void {
    const report = (cause: FieldCause) => this.causes.push(cause);
    const { CelError, CostExceededError } = this.#engine.cel;
    if (!(error instanceof CelError)) throw error;
    const shown = rule.message?.trim() || rule.rule.trim();
    if (error instanceof CostExceededError) {
      this.#isOver = true;
      const why =
        error.scope === 'call'
          ? `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`
          : error.message;
      this.causes.push(invalidAt(path, type, why));
    } else if (error.message.startsWith('no such overload')) {
      report(
        invalidAt(
          path,
          type,
          `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`,
        ),
      );
    } else report(invalidAt(path, type, `${error.message} evaluating rule: ${shown}`));
  }

  /** What the message expression makes; undefined where it fails or makes nothing that could be shown. */
  #messageOf({ message }: Rule, variables: Readonly<Record<string, unknown>>): string | undefined {
    if (message === undefined) return undefined;
    try {
      const text = message.evaluate(variables, this.#budget);
      if (typeof text !== 'string') return undefined;
      const trimmed = text.trim();
      return trimmed === '' || Buffer.byteLength(trimmed) > MAX_MESSAGE || trimmed.includes('\n') ? undefined : trimmed;
    } catch (error) {
      if (!(error instanceof this.#engine.cel.CelError)) throw error;
      if (this.#budget.isExhausted) this.#isOver = true;
      return undefined;
    }
  }

  #report(cause: FieldCause, ratcheted: boolean): void {
    if (ratcheted && this.#warn !== undefined) this.#warn(`${cause.field}: ${cause.message}`);
    else this.causes.push(cause);
  }
}

const defaultMessage = ({ message = '', rule }: ValidationRule) => message.trim() || `failed rule: ${rule.trim()}`;

function joined(path: FieldPath, below: FieldPath): FieldPath {
  const [base, tail] = [String(path), String(below)];
  return new FieldPath(base === '' ? tail : tail.startsWith('[') ? `${base}${tail}` : `${base}.${tail}`);
}

const fieldOf = (path: FieldPath) => (String(path) === '' ? NOWHERE : String(path));

function invalidAt(path: FieldPath, value: unknown, detail: string): FieldCause {
  return invalidValue(fieldOf(path), value, detail);
}

/** @param shown Undefined: the value is left out. */
function causeOf(
  path: FieldPath,
  shown: { readonly value: unknown } | undefined,
  detail: string,
  reason = 'FieldValueInvalid',
): FieldCause {
  const at = fieldOf(path);
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenField(at, detail);
    case 'FieldValueRequired':
      return required(at, detail);
    case 'FieldValueDuplicate':
      return shown === undefined ? { reason, field: at, message: 'Duplicate value' } : duplicateValue(at, shown.value);
    default:
      if (shown !== undefined) return invalidValue(at, shown.value, detail);
      return { reason: 'FieldValueInvalid', field: at, message: `Invalid value: ${detail}` };
  }
}
