// SPDX-License-Identifier: Apache-2.0
// Checks the rules of a definition's schema when it is written: that they compile, what they may cost at worst, each and all together,
// and that they compare only states that correspond. @source upstream apiextensions validation.go and cel_validation.go
import type { JSONSchemaProps } from '#api/apiextensions/v1';
import { type FieldCause, type FieldPath, forbiddenField, internalField, invalidValue } from '#machinery';
import type { Compiled } from '../cel/mod.ts';
import type { DefaultRules } from './default-validation.ts';
import type { RuleEngine } from './rule-engine.ts';
import { compileRule, hasRules, ruleValidator } from './rule-validator.ts';
import { isEmbedded, isIntOrString, type SchemaProps, type ValidationRule } from './schema-props.ts';
import type { RulePlace } from './schema-validation.ts';

/** What one expression may cost by estimate. @source upstream StaticEstimatedCostLimit */
const EXPRESSION_LIMIT = 10_000_000;
/** What all of a schema may. @source upstream StaticEstimatedCRDCostLimit */
const SCHEMA_LIMIT = 100_000_000;
const REQUEST_BYTES = 3 * 1024 * 1024;
/** The most expensive expressions are named when all together are too many. */
const NAMED = 4;

export interface RuleBudget {
  readonly root: RulePlace;
  /** What is wrong with the sum, after the walk. */
  totalCauses(path: FieldPath): FieldCause[];
}

/** Checks the rules of a default's schema on it: as an update without a change, then as a value that is new. */
export function defaultRules(engine: RuleEngine): DefaultRules {
  return (value, schema, path) => {
    const validator = ruleValidator(schema, engine, false);
    if (validator === undefined || value === null) return [];
    const unchanged = validator.validate(value as object, value as object);
    const causes = unchanged.length > 0 ? unchanged : validator.validate(value as object, undefined);
    return causes.map((cause) => ({ ...cause, field: below(path, cause.field) }));
  };
}

function below(path: FieldPath, place: string): string {
  if (place === '<nil>') return String(path);
  return place.startsWith('[') ? `${path}${place}` : `${path}.${place}`;
}

/** Undefined where a schema has no rules. @param perExpression Off for schemas that were accepted before. */
export function ruleBudget(schema: SchemaProps, engine: RuleEngine, perExpression: boolean): RuleBudget | undefined {
  if (!hasRules(schema)) return undefined;
  const total = new Total();
  return {
    root: placeOf({ engine, total, perExpression }, 1, true),
    totalCauses: (path) => total.causes(path),
  };
}

interface Context {
  readonly engine: RuleEngine;
  readonly total: Total;
  readonly perExpression: boolean;
}

/** @param count How many such values an object may have at most; undefined where nothing bounds it. */
function placeOf(context: Context, count: number | undefined, isRoot: boolean): RulePlace {
  return {
    child(parent, kind) {
      const limit = kind === 'property' ? 1 : kind === 'item' ? parent.maxItems : parent.maxProperties;
      return placeOf(context, count === undefined || limit === undefined ? undefined : count * limit, false);
    },
    compile: (schema, path, uncorrelatable) => compileAll(context, schema, path, { count, isRoot, uncorrelatable }),
  };
}

interface Where {
  readonly count: number | undefined;
  readonly isRoot: boolean;
  readonly uncorrelatable: FieldPath | undefined;
}

function compileAll(context: Context, schema: SchemaProps, path: FieldPath, where: Where): FieldCause[] {
  const { cel } = context.engine;
  const at = path.child('x-kubernetes-validations');
  const isResourceRoot = where.isRoot || isEmbedded(schema);
  if (!isResourceRoot && !cel.isExposed(schema as JSONSchemaProps)) {
    return [internalField(at, 'internal error: failed to retrieve type information for x-kubernetes-validations')];
  }
  const type = cel.typeOfSchema(schema as JSONSchemaProps, { isResourceRoot });
  const count = where.count ?? Math.floor(REQUEST_BYTES / (leastBytes(schema) + 1));
  return (schema['x-kubernetes-validations'] ?? []).flatMap((rule, index) => {
    const compiled = compileRule(rule, type, context.engine);
    return ruleCauses(context, rule, compiled, { path: at.index(index), count, uncorrelatable: where.uncorrelatable });
  });
}

interface RuleWhere {
  readonly path: FieldPath;
  readonly count: number;
  readonly uncorrelatable: FieldPath | undefined;
}

function ruleCauses(
  context: Context,
  rule: ValidationRule,
  { rule: compiled, message }: { readonly rule: Compiled; readonly message: Compiled | undefined },
  { path, count, uncorrelatable }: RuleWhere,
): FieldCause[] {
  const causes = [...weigh(context, compiled, count, path.child('rule'), 'estimated rule cost')];
  if (compiled.errors.length > 0) {
    const why = compiled.failure === 'result' ? 'cel expression must evaluate to a bool' : compiled.problem;
    causes.push(invalidValue(path.child('rule'), shown(rule), why ?? ''));
    return causes;
  }
  causes.push(...messageCauses(context, rule, message, path.child('messageExpression')));
  if (!compiled.reads('oldSelf')) {
    if (rule.optionalOldSelf !== undefined)
      causes.push(invalidValue(path.child('optionalOldSelf'), rule.optionalOldSelf, 'may not be set if oldSelf is not used in rule'));
  } else if (uncorrelatable !== undefined) {
    const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`;
    causes.push(invalidValue(path.child('rule'), rule.rule, why));
  }
  return causes;
}

function messageCauses(context: Context, rule: ValidationRule, message: Compiled | undefined, path: FieldPath): FieldCause[] {
  if (message === undefined) return [];
  if (message.errors.length > 0) {
    const why = message.failure === 'result' ? 'messageExpression must evaluate to a string' : `messageExpression ${message.problem}`;
    return [invalidValue(path, shown(rule), why)];
  }
  return weigh(context, message, 1, path, 'estimated messageExpression cost');
}

/** A rule as upstream's internal type prints. */
function shown(rule: ValidationRule): object {
  return {
    Rule: rule.rule,
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
}

function weigh({ total, perExpression }: Context, compiled: Compiled, count: number, path: FieldPath, what: string): FieldCause[] {
  const cost = compiled.estimateCost().max * count;
  total.add(path, cost);
  return perExpression && cost > EXPRESSION_LIMIT ? [forbiddenField(path, costText(what, cost, EXPRESSION_LIMIT))] : [];
}

function costText(what: string, cost: number, limit: number): string {
  const times = cost / limit;
  const factor = times > 100 ? 'more than 100x' : times < 1.5 ? `${times.toFixed(6)}x` : `${times.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${factor} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

class Total {
  #sum = 0;
  #most: { readonly path: FieldPath; readonly cost: number }[] = [];

  add(path: FieldPath, cost: number): void {
    if (cost <= 0) return;
    this.#sum += cost;
    this.#most = [...this.#most, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, NAMED);
  }

  causes(path: FieldPath): FieldCause[] {
    if (this.#sum <= SCHEMA_LIMIT) return [];
    const why = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [...this.#most.map((one) => forbiddenField(one.path, why)), forbiddenField(path, costText(what, this.#sum, SCHEMA_LIMIT))];
  }
}

const LEAST_TEXT: Readonly<Record<string, number>> = { duration: 3, date: 12, 'date-time': 21 };

/** The bytes that the smallest value of a schema takes in JSON. */
function leastBytes(schema: SchemaProps): number {
  if (isIntOrString(schema)) return 1;
  switch (schema.type) {
    case 'string':
      return LEAST_TEXT[schema.format ?? ''] ?? 2;
    case 'boolean':
      return 4;
    case 'integer':
    case 'number':
      return 1;
    case 'object':
      return leastObject(schema);
    default:
      return 2;
  }
}

function leastObject(schema: SchemaProps): number {
  const needed = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).reduce(
    (sum, [name, inner]) => (needed.has(name) && inner.default === undefined ? sum + name.length + leastBytes(inner) + 4 : sum),
    2,
  );
}
