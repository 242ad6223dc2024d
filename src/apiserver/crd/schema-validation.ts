// SPDX-License-Identifier: Apache-2.0
// The rules that every schema in a definition obeys, structural or not: supported parts, list and map types, defaults where they may be,
// rules well formed. Expressions are compiled by who is given as `compileRules`.
// @source upstream apiextensions-apiserver pkg/apis/apiextensions/validation ValidateCustomResourceDefinitionOpenAPISchema
import { type FieldCause, type FieldPath, forbiddenField, invalidValue, notSupported, required } from '#machinery';
import { FieldPathError, findField } from './field-path.ts';
import { isEmbedded, itemSchema, META_FIELDS, type SchemaProps, type ValidationRule, valueSchema } from './schema-props.ts';

/** What is known of the place of a schema while it is walked. */
export interface SchemaPlace {
  readonly isRoot: boolean;
  /** Why a default may not be here; undefined where it may. */
  readonly defaultsForbidden: string | undefined;
  readonly inMetadata: boolean;
  /** The first place above that two states of an object cannot be compared at. */
  readonly uncorrelatable: FieldPath | undefined;
  /** Undefined where rules are not compiled: below logic, or in a schema that is not structural. */
  readonly rules: RulePlace | undefined;
}

/** Where rules stand: how many values a schema may have, and what a type its values are. */
export interface RulePlace {
  /** @param parent The schema that a property, item or value is of. */
  child(parent: SchemaProps, kind: 'property' | 'item' | 'value'): RulePlace;
  compile(schema: SchemaProps, path: FieldPath, uncorrelatable: FieldPath | undefined): FieldCause[];
}

export interface SchemaOptions {
  readonly requireValidType: boolean;
  readonly requireAtomicSets: boolean;
  readonly requireMapKeys: boolean;
}

interface Found {
  readonly schema: FieldCause[];
  /** Of expressions: reported after everything else. */
  readonly rules: FieldCause[];
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

export function schemaCauses(schema: SchemaProps, path: FieldPath, options: SchemaOptions, rules: RulePlace | undefined): FieldCause[] {
  const place: SchemaPlace = { isRoot: true, defaultsForbidden: undefined, inMetadata: false, uncorrelatable: undefined, rules };
  const found = walk(schema, path, place, options);
  return [...found.schema, ...found.rules];
}

function walk(schema: SchemaProps, path: FieldPath, place: SchemaPlace, options: SchemaOptions): Found {
  const found: Found = { schema: ownCauses(schema, path, place, options), rules: [] };
  const visit = (inner: SchemaProps | undefined, at: FieldPath, next: SchemaPlace) => {
    if (inner === undefined) return;
    const deeper = walk(inner, at, { ...next, isRoot: false }, options);
    found.schema.push(...deeper.schema);
    found.rules.push(...deeper.rules);
  };
  visitMembers(schema, path, place, visit);
  visitLogic(schema, path, { ...place, rules: undefined }, visit);
  visitItems(schema, path, place, visit);
  found.schema.push(...extensionCauses(schema, path, options), ...ruleCauses(schema, path));
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length > 0 && found.schema.length === 0 && place.rules !== undefined)
    found.rules.push(...place.rules.compile(schema, path, place.uncorrelatable));
  return found;
}

type Visit = (inner: SchemaProps | undefined, at: FieldPath, place: SchemaPlace) => void;

function visitMembers(schema: SchemaProps, path: FieldPath, place: SchemaPlace, visit: Visit): void {
  const values = valueSchema(schema);
  if (values !== undefined) {
    const forbidden = place.inMetadata ? 'inside additionalProperties applying to object metadata' : place.defaultsForbidden;
    visit(values, path.child('additionalProperties'), {
      ...place,
      defaultsForbidden: forbidden,
      rules: place.rules?.child(schema, 'value'),
    });
  }
  const correlates = [undefined, 'granular', 'atomic'].includes(schema[MAP_TYPE]);
  const isResource = place.isRoot || isEmbedded(schema);
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    const isMeta = isResource && META_FIELDS.has(name);
    visit(inner, path.child('properties').key(name), {
      ...place,
      uncorrelatable: place.uncorrelatable ?? (correlates ? undefined : path),
      inMetadata: place.inMetadata || isMeta,
      defaultsForbidden: isMeta && place.isRoot ? `in top-level ${name}` : place.defaultsForbidden,
      rules: place.rules?.child(schema, 'property'),
    });
  }
}

function visitLogic(schema: SchemaProps, path: FieldPath, place: SchemaPlace, visit: Visit): void {
  visit(schema.not, path.child('not'), place);
  for (const name of ['allOf', 'oneOf', 'anyOf'] as const) {
    for (const [index, inner] of (schema[name] ?? []).entries()) visit(inner, path.child(name).index(index), place);
  }
  for (const [name, inner] of Object.entries(schema.definitions ?? {})) visit(inner, path.child('definitions').key(name), place);
}

function visitItems(schema: SchemaProps, path: FieldPath, place: SchemaPlace, visit: Visit): void {
  const correlates = schema['x-kubernetes-list-type'] === 'map';
  const items = itemSchema(schema);
  const next = { ...place, uncorrelatable: place.uncorrelatable ?? (correlates ? undefined : path) };
  if (items !== undefined) visit(items, path.child('items'), { ...next, rules: place.rules?.child(schema, 'item') });
  if (Array.isArray(schema.items)) {
    for (const [index, inner] of (schema.items as readonly SchemaProps[]).entries())
      visit(inner, path.child('items').index(index), { ...next, rules: undefined });
  }
}

function ownCauses(schema: SchemaProps, path: FieldPath, place: SchemaPlace, { requireValidType }: SchemaOptions): FieldCause[] {
  const causes: FieldCause[] = [];
  const refuse = (name: string, present: boolean, why: string) => {
    if (present) causes.push(forbiddenField(path.child(name), why));
  };
  const { type = '' } = schema;
  if (requireValidType && type !== '' && !TYPES.includes(type)) causes.push(notSupported(path.child('type'), type, TYPES));
  refuse('default', schema.default !== undefined && place.defaultsForbidden !== undefined, `must not be set ${place.defaultsForbidden}`);
  refuse('id', Boolean(schema.id), 'id is not supported');
  refuse('additionalItems', schema.additionalItems !== undefined, 'additionalItems is not supported');
  refuse('patternProperties', Object.keys(schema.patternProperties ?? {}).length > 0, 'patternProperties is not supported');
  refuse('definitions', Object.keys(schema.definitions ?? {}).length > 0, 'definitions is not supported');
  refuse('dependencies', schema.dependencies !== undefined, 'dependencies is not supported');
  refuse('$ref', schema.$ref !== undefined, '$ref is not supported');
  refuse('type', type === 'null', 'type cannot be set to null, use nullable as an alternative');
  refuse('items', Array.isArray(schema.items) && schema.items.length > 0, 'items must be a schema object and not an array');
  refuse('x-kubernetes-embedded-resource', place.inMetadata && isEmbedded(schema), 'must not be used inside of resource meta');
  refuse('uniqueItems', schema.uniqueItems === true, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic');
  const exclusive = schema.additionalProperties !== undefined && schema.additionalProperties !== true;
  refuse(
    'additionalProperties',
    exclusive && Object.keys(schema.properties ?? {}).length > 0,
    'additionalProperties and properties are mutual exclusive',
  );
  return causes;
}

const LIST_TYPE = 'x-kubernetes-list-type';
const LIST_KEYS = 'x-kubernetes-list-map-keys';
const MAP_TYPE = 'x-kubernetes-map-type';

function extensionCauses(schema: SchemaProps, path: FieldPath, options: SchemaOptions): FieldCause[] {
  const causes: FieldCause[] = [];
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    causes.push(invalidValue(path.child('x-kubernetes-preserve-unknown-fields'), false, 'must be true or undefined'));
  const mapType = schema[MAP_TYPE];
  if (mapType !== undefined) {
    causes.push(...typeCauses(schema, 'object', MAP_TYPE, path));
    if (mapType !== 'atomic' && mapType !== 'granular') causes.push(notSupported(path.child(MAP_TYPE), mapType, ['atomic', 'granular']));
  }
  return [...causes, ...listCauses(schema, path, options)];
}

function typeCauses({ type = '' }: SchemaProps, wanted: string, extension: string, path: FieldPath): FieldCause[] {
  if (type === wanted) return [];
  const why = `must be ${wanted} if ${extension} is specified`;
  return [type === '' ? required(path.child('type'), why) : invalidValue(path.child('type'), type, why)];
}

function listCauses(schema: SchemaProps, path: FieldPath, options: SchemaOptions): FieldCause[] {
  const type = schema[LIST_TYPE];
  const keys = schema[LIST_KEYS] ?? [];
  const causes: FieldCause[] = [];
  if (type !== undefined) {
    const wrong = typeCauses(schema, 'array', LIST_TYPE, path);
    causes.push(...wrong);
    if (wrong.length === 0 && options.requireAtomicSets && type === 'set') causes.push(...setItemCauses(schema, path));
    if (!['atomic', 'set', 'map'].includes(type)) causes.push(notSupported(path.child(LIST_TYPE), type, ['atomic', 'set', 'map']));
  }
  if (keys.length > 0 && type !== 'map') {
    const why = `must be map if ${LIST_KEYS} is non-empty`;
    causes.push(type === undefined ? required(path.child(LIST_TYPE), why) : invalidValue(path.child(LIST_TYPE), type, why));
  }
  if (type === 'map') causes.push(...mapListCauses(schema, keys, path));
  if (options.requireMapKeys) causes.push(...mapKeyCauses(schema, path));
  return causes;
}

/** Whether a list of type set has items that are owned piece by piece. */
export function hasGranularSetItems(schema: SchemaProps): boolean {
  const items = itemSchema(schema);
  if (schema[LIST_TYPE] !== 'set' || items === undefined) return false;
  if (items.type === 'array') return items[LIST_TYPE] !== undefined && items[LIST_TYPE] !== 'atomic';
  return items.type === 'object' && items[MAP_TYPE] !== 'atomic';
}

function setItemCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  if (!hasGranularSetItems(schema)) return [];
  const items = itemSchema(schema);
  const extension = items?.type === 'array' ? LIST_TYPE : MAP_TYPE;
  // Upstream shows the list type of the items in both cases.
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  return [invalidValue(path.child('items', extension), items?.[LIST_TYPE] ?? null, why)];
}

function mapListCauses(schema: SchemaProps, keys: readonly string[], path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const items = itemSchema(schema);
  if (keys.length === 0) causes.push(required(path.child(LIST_KEYS), `must not be empty if ${LIST_TYPE} is map`));
  if (schema.items === undefined) causes.push(required(path.child('items'), `must have a schema if ${LIST_TYPE} is map`));
  else if (items === undefined)
    causes.push(invalidValue(path.child('items'), schema.items, `must only have a single schema if ${LIST_TYPE} is map`));
  else if (items.type !== 'object')
    causes.push(invalidValue(path.child('items', 'type'), items.type ?? '', `must be object if parent array's ${LIST_TYPE} is map`));
  else causes.push(...keyNameCauses(items, keys, path));
  return causes;
}

function keyNameCauses(items: SchemaProps, keys: readonly string[], path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return keys.flatMap((key) => {
    const causes: FieldCause[] = [];
    const property = items.properties?.[key];
    if (property === undefined) causes.push(invalidValue(path.child(LIST_KEYS), keys, 'entries must all be names of item properties'));
    else if (property.type === 'array' || property.type === 'object') {
      const at = path.child('items', 'properties').key(key).child('type');
      causes.push(invalidValue(at, items.type, `must be a scalar type if parent array's ${LIST_TYPE} is map`));
    }
    if (seen.has(key)) causes.push(invalidValue(path.child(LIST_KEYS), keys, 'must not contain duplicate entries'));
    seen.add(key);
    return causes;
  });
}

/** Keys that may be missing or null could not tell items apart. */
export function mapKeyCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  const type = schema[LIST_TYPE];
  const items = itemSchema(schema);
  if (items === undefined || (type !== 'set' && type !== 'map')) return [];
  const causes: FieldCause[] = [];
  if (items.nullable === true)
    causes.push(forbiddenField(path.child('items', 'nullable'), `cannot be nullable when ${LIST_TYPE} is ${type}`));
  if (type !== 'map') return causes;
  for (const key of schema[LIST_KEYS] ?? []) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    const at = path.child('items', 'properties').key(key);
    const why = `this property is in ${LIST_KEYS}, so it`;
    if (!items.required?.includes(key) && property.default === undefined)
      causes.push(required(at.child('default'), `${why} must have a default or be a required property`));
    if (property.nullable === true) causes.push(forbiddenField(at.child('nullable'), `${why} cannot be nullable`));
  }
  return causes;
}

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const hasNewlines = (text: string) => /[\n\r]/.test(text);

function ruleCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  return rules.flatMap((rule, index) => oneRuleCauses(rule, schema, path.child('x-kubernetes-validations').index(index)));
}

function oneRuleCauses(rule: ValidationRule, schema: SchemaProps, path: FieldPath): FieldCause[] {
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule;
  const causes: FieldCause[] = [];
  const [text, said] = [(rule.rule ?? '').trim(), message.trim()];
  if (text === '') causes.push(required(path.child('rule'), 'rule is not specified'));
  else if (message !== '' && said === '') causes.push(invalidValue(path.child('message'), message, 'must be non-empty if specified'));
  else if (hasNewlines(said)) causes.push(invalidValue(path.child('message'), message, 'must not contain line breaks'));
  else if (hasNewlines(text) && said === '') causes.push(required(path.child('message'), 'must be specified if rule contains line breaks'));
  if (messageExpression !== '' && messageExpression.trim() === '')
    causes.push(required(path.child('messageExpression'), 'must be non-empty if specified'));
  if (reason !== undefined && !REASONS.includes(reason)) causes.push(notSupported(path.child('reason'), reason, REASONS));
  if (fieldPath !== '' && fieldPath.trim() === '')
    causes.push(invalidValue(path.child('fieldPath'), fieldPath, 'must be non-empty if specified'));
  if (hasNewlines(fieldPath)) causes.push(invalidValue(path.child('fieldPath'), fieldPath, 'must not contain line breaks'));
  if (fieldPath !== '' && !isFieldPath(fieldPath, schema))
    causes.push(invalidValue(path.child('fieldPath'), fieldPath, 'must be a valid path'));
  return causes;
}

function isFieldPath(text: string, schema: SchemaProps): boolean {
  try {
    findField(text, schema);
    return true;
  } catch (error) {
    if (error instanceof FieldPathError) return false;
    throw error;
  }
}
