// SPDX-License-Identifier: Apache-2.0
// Everything that can be wrong with a CustomResourceDefinition, in upstream's order and words. What all versions have alike is named as
// the definition's own (`spec.validation`), as upstream's internal form holds it. On update, what was accepted before is not held
// against the definition. @source upstream apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go
import { commonMetaUpdateCauses, internalForm, validateObjectMeta, validateObjectMetaUpdate } from '#api';
import type { CustomResourceColumnDefinition, CustomResourceSubresources } from '#api/apiextensions/v1';
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  deepEqual,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '#machinery';
import { conversionCauses, hasInvalidBundle } from './conversion-validation.ts';
import { defaultCauses, hasUnprunedDefaults } from './default-validation.ts';
import { FieldPathError, findField } from './field-path.ts';
import { APPROVED, approvalOf, findCondition, isProtectedGroup } from './naming.ts';
import type { RuleEngine } from './rule-engine.ts';
import { defaultRules, type RuleBudget, ruleBudget } from './rule-validation.ts';
import { anySchema, type SchemaProps } from './schema-props.ts';
import { hasGranularSetItems, mapKeyCauses, type SchemaOptions, schemaCauses } from './schema-validation.ts';
import type { Definition } from './served-definition.ts';
import { hasUnsupportedParts, structuralCauses } from './structural-validation.ts';

type Version = Definition['spec']['versions'][number];
type Names = Definition['spec']['names'];

interface Options extends SchemaOptions {
  readonly requireImmutableNames: boolean;
  readonly requireSchema: boolean;
  readonly requireStructural: boolean;
  readonly requirePrunedDefaults: boolean;
  readonly requireKnownReview: boolean;
  readonly allowInvalidCaBundle: boolean;
  /** Versions whose schema is as it was: their rules have been weighed before. */
  readonly unchanged: ReadonlySet<string>;
  readonly engine: RuleEngine;
}

const SPEC = field('spec');
const STATUS = field('status');

export function definitionCauses(definition: Definition, engine: RuleEngine): FieldCause[] {
  const { metadata, spec, status } = definition;
  const nameRule = (name: string) => [
    ...checkDns1123Subdomain(name),
    ...(name === `${spec.names.plural}.${spec.group}` ? [] : ['must be spec.names.plural+"."+spec.group']),
  ];
  return [
    ...validateObjectMeta(metadata, { namespaced: false, nameRule, standardFinalizers: false }),
    ...specCauses(definition, strictOptions(engine)),
    ...nameCauses(status?.acceptedNames, STATUS.child('acceptedNames')),
    ...storedVersionCauses(definition),
    ...approvalCauses(definition, undefined),
    ...preserveCauses(definition, undefined),
  ];
}

export function definitionUpdateCauses(next: Definition, previous: Definition, engine: RuleEngine): FieldCause[] {
  return [
    ...metaCauses(next, previous),
    // A spec that was accepted stays so: a definition must always be able to lose its finalizer.
    ...(deepEqual(next.spec, previous.spec) ? [] : specUpdateCauses(next, previous, engine)),
    ...nameCauses(next.status?.acceptedNames, STATUS.child('acceptedNames')),
    ...storedVersionCauses(next),
    ...approvalCauses(next, previous),
    ...preserveCauses(next, previous),
  ];
}

function specUpdateCauses(next: Definition, previous: Definition, engine: RuleEngine): FieldCause[] {
  const options = updateOptions(next, previous, engine);
  return [...specCauses(next, options), ...immutableCauses(next, previous, options)];
}

export function definitionStatusCauses(next: Definition, previous: Definition): FieldCause[] {
  return [...metaCauses(next, previous), ...nameCauses(next.status?.acceptedNames, STATUS.child('acceptedNames'))];
}

/** Upstream checks metadata for all kinds, and again for each. */
function metaCauses(next: Definition, previous: Definition): FieldCause[] {
  const common = commonMetaUpdateCauses(next.metadata, previous.metadata);
  return common.length === 0 ? common : [...common, ...validateObjectMetaUpdate(next.metadata, previous.metadata)];
}

function strictOptions(engine: RuleEngine): Options {
  return {
    requireImmutableNames: false,
    requireSchema: true,
    requireStructural: true,
    requirePrunedDefaults: true,
    requireValidType: true,
    requireAtomicSets: true,
    requireMapKeys: true,
    requireKnownReview: true,
    allowInvalidCaBundle: true,
    unchanged: new Set(),
    engine,
  };
}

const schemaOf = ({ schema }: Version) => schema?.openAPIV3Schema as SchemaProps | undefined;

function updateOptions(next: Definition, previous: Definition, engine: RuleEngine): Options {
  const schemas = previous.spec.versions.map(schemaOf).filter((schema) => schema !== undefined);
  const some = (test: (schema: SchemaProps) => boolean) => schemas.some((schema) => anySchema(schema, test));
  const established = findCondition(previous, 'Established')?.status === 'True';
  const reviews = previous.spec.conversion?.webhook?.conversionReviewVersions ?? [];
  const before = new Map(previous.spec.versions.map((version) => [version.name, schemaOf(version)]));
  const unchanged = next.spec.versions.filter((version) => deepEqual(before.get(version.name), schemaOf(version))).map(({ name }) => name);
  return {
    requireImmutableNames: established,
    requireSchema: schemas.length === previous.spec.versions.length,
    requireStructural: schemas.every((schema) => !hasUnsupportedParts(schema) && structuralCauses(schema, SPEC).length === 0),
    requirePrunedDefaults: !schemas.some(hasUnprunedDefaults),
    requireValidType: !some(
      ({ type }) => Boolean(type) && !['array', 'boolean', 'integer', 'number', 'object', 'string'].includes(type ?? ''),
    ),
    requireAtomicSets: !some(hasGranularSetItems),
    requireMapKeys: !some((schema) => mapKeyCauses(schema, SPEC).length > 0),
    requireKnownReview: reviews.length === 0 || reviews.some((version) => version === 'v1' || version === 'v1beta1'),
    allowInvalidCaBundle: !established || hasInvalidBundle(previous.spec.conversion),
    unchanged: new Set(unchanged),
    engine,
  };
}

/** The parts of versions: those that all have alike belong to the definition itself. */
interface Parts {
  readonly schema: boolean;
  readonly subresources: boolean;
  readonly columns: boolean;
  readonly selectable: boolean;
}

function sharedParts(versions: readonly Version[]): Parts {
  const alike = (part: (version: Version) => unknown) =>
    versions.every((version) => deepEqual(part(version), part(versions[0] as Version)));
  return {
    schema: alike(schemaOf),
    subresources: alike(({ subresources }) => subresources),
    columns: alike(({ additionalPrinterColumns }) => additionalPrinterColumns),
    selectable: alike(({ selectableFields }) => selectableFields),
  };
}

function specCauses({ spec }: Definition, options: Options): FieldCause[] {
  const versions = spec.versions ?? [];
  const shared = sharedParts(versions);
  const [first] = versions;
  const causes = [...groupCauses(spec.group), ...enumCauses(spec.scope, ['Cluster', 'Namespaced'], SPEC.child('scope'))];
  causes.push(...missingSchemaCauses(versions, options));
  for (const [index, version] of versions.entries()) {
    const at = SPEC.child('versions').index(index);
    causes.push(...labelCauses(version.name, at.child('name')), ...versionCauses(version, at, shared, options));
  }
  causes.push(...versionSetCauses(versions));
  if (first !== undefined) causes.push(...labelCauses(first.name, SPEC.child('version')));
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!spec.names[name]) causes.push(required(SPEC.child('names', name)));
  causes.push(...nameCauses(spec.names, SPEC.child('names')));
  if (first !== undefined) causes.push(...hoistedCauses(first, versions, shared, options));
  causes.push(...conversionCauses(spec.conversion, SPEC.child('conversion'), options));
  return causes;
}

function groupCauses(group: string): FieldCause[] {
  const at = SPEC.child('group');
  if (!group) return [required(at)];
  const problems = checkDns1123Subdomain(group);
  if (problems.length > 0) return [invalidValue(at, group, problems.join(','))];
  return group.includes('.') ? [] : [invalidValue(at, group, 'should be a domain with at least one dot')];
}

function enumCauses(value: string, allowed: readonly string[], path: FieldPath): FieldCause[] {
  if (!value) return [required(path)];
  return allowed.includes(value) ? [] : [notSupported(path, value, allowed)];
}

function labelCauses(name: string, path: FieldPath): FieldCause[] {
  const problems = checkDns1035Label(name);
  return problems.length === 0 ? [] : [invalidValue(path, name, problems.join(','))];
}

function missingSchemaCauses(versions: readonly Version[], { requireSchema }: Options): FieldCause[] {
  if (requireSchema && versions.length > 0 && !versions.every((version) => schemaOf(version) !== undefined)) {
    return versions.flatMap((version, index) => {
      const at = SPEC.child('versions').index(index).child('schema', 'openAPIV3Schema');
      return schemaOf(version) === undefined ? [required(at)] : [];
    });
  }
  return [];
}

function versionSetCauses(versions: readonly Version[]): FieldCause[] {
  const causes: FieldCause[] = [];
  const at = SPEC.child('versions');
  if (new Set(versions.map(({ name }) => name)).size !== versions.length)
    causes.push(invalidValue(at, internalForm(versions), 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1)
    causes.push(invalidValue(at, internalForm(versions), 'must have exactly one version marked as storage version'));
  return causes;
}

function versionCauses(version: Version, path: FieldPath, shared: Parts, options: Options): FieldCause[] {
  const causes = deprecationCauses(version, path.child('deprecationWarning'));
  if (!shared.schema) causes.push(...validationCauses(version, path.child('schema'), [version], options));
  if (!shared.subresources) causes.push(...subresourceCauses(version.subresources, path.child('subresources')));
  if (!shared.columns) causes.push(...columnsCauses(version, path.child('additionalPrinterColumns')));
  if (!shared.selectable)
    causes.push(...selectableCauses(version, path.child('selectableFields'), 'version.schema.openAPIV3Schema is not included'));
  return causes;
}

function hoistedCauses(first: Version, versions: readonly Version[], shared: Parts, options: Options): FieldCause[] {
  const causes: FieldCause[] = [];
  if (shared.schema) causes.push(...validationCauses(first, SPEC.child('validation'), versions, options));
  if (shared.subresources) causes.push(...subresourceCauses(first.subresources, SPEC.child('subresources')));
  if (shared.columns) causes.push(...columnsCauses(first, SPEC.child('additionalPrinterColumns')));
  if (shared.selectable) causes.push(...selectableCauses(first, SPEC.child('selectableFields'), 'validations.schema is included'));
  return causes;
}

const MAX_WARNING = 256;

function deprecationCauses({ deprecated, deprecationWarning: text }: Version, path: FieldPath): FieldCause[] {
  if (text === undefined) return [];
  if (deprecated !== true) return [invalidValue(path, text, 'can only be set for deprecated versions')];
  const problems: string[] = [];
  if (Buffer.byteLength(text) > MAX_WARNING) problems.push('must be <= 256 characters long');
  if (text === '') problems.push('must not be an empty string');
  const bad = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.exec(text);
  if (bad !== null) {
    const index = Buffer.byteLength(text.slice(0, bad.index));
    problems.push(`must only contain printable UTF-8 characters; non-printable character found at index ${index}`);
  }
  return problems.map((problem) => invalidValue(path, text, problem));
}

/** What a schema may say at its root beside its properties, where the status has a validation of its own. */
const AT_ROOT: Readonly<Record<string, string>> = {
  description: 'Description',
  type: 'Type',
  format: 'Format',
  title: 'Title',
  maximum: 'Maximum',
  exclusiveMaximum: 'ExclusiveMaximum',
  minimum: 'Minimum',
  exclusiveMinimum: 'ExclusiveMinimum',
  maxLength: 'MaxLength',
  minLength: 'MinLength',
  pattern: 'Pattern',
  maxItems: 'MaxItems',
  minItems: 'MinItems',
  uniqueItems: 'UniqueItems',
  multipleOf: 'MultipleOf',
  required: 'Required',
  items: 'Items',
  properties: 'Properties',
  externalDocs: 'ExternalDocs',
  example: 'Example',
  'x-kubernetes-preserve-unknown-fields': 'XPreserveUnknownFields',
  'x-kubernetes-validations': 'XValidations',
};

function validationCauses(version: Version, path: FieldPath, versions: readonly Version[], options: Options): FieldCause[] {
  const schema = schemaOf(version);
  if (schema === undefined) return [];
  const at = path.child('openAPIV3Schema');
  const causes: FieldCause[] = [];
  if (versions.some(({ subresources }) => subresources?.status !== undefined)) causes.push(...rootCauses(schema, at));
  if (schema.nullable === true) causes.push(forbiddenField(at.child('nullable'), 'nullable cannot be true at the root'));
  let budget: RuleBudget | undefined;
  if (!hasUnsupportedParts(schema)) {
    const structural = structuralCauses(schema, at);
    const wrong =
      structural.length > 0
        ? structural
        : defaultCauses(schema, at, { requirePruned: options.requirePrunedDefaults, rules: defaultRules(options.engine) });
    if (structural.length === 0 || options.requireStructural) causes.push(...wrong);
    if (wrong.length === 0) budget = ruleBudget(schema, options.engine, !options.unchanged.has(version.name));
  }
  causes.push(...schemaCauses(schema, at, options, budget?.root));
  causes.push(...(budget?.totalCauses(at) ?? []));
  // The one part that the structural form cannot hold, and that the rules for all schemas have nothing against.
  if (causes.length === 0 && anySchema(schema, ({ $schema }) => Boolean($schema)))
    causes.push(invalidValue(at, '', `OpenAPIV3Schema 'schema' is not supported`));
  return causes;
}

function rootCauses(schema: SchemaProps, path: FieldPath): FieldCause[] {
  for (const [name, value] of Object.entries(schema)) {
    const isUnset = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
    if (isUnset || (value === false && name !== 'additionalProperties')) continue;
    if (name === 'type') {
      if (value === 'object') continue;
      const why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      return [invalidValue(path.child('type'), value, why)];
    }
    if (AT_ROOT[name] !== undefined) continue;
    const why = `only [${Object.values(AT_ROOT).join(' ')}] fields are allowed at the root of the schema if the status subresource is enabled`;
    return [invalidValue(path, internalForm(schema), why)];
  }
  return [];
}

function subresourceCauses(subresources: DeepReadonly<CustomResourceSubresources> | undefined, path: FieldPath): FieldCause[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const at = path.child('scale');
  const causes = [
    ...scalePathCauses(scale.specReplicasPath, at.child('specReplicasPath'), ['.spec.'], 'should be a json path under .spec'),
    ...scalePathCauses(scale.statusReplicasPath, at.child('statusReplicasPath'), ['.status.'], 'should be a json path under .status'),
  ];
  if (scale.labelSelectorPath) {
    const why = 'should be a json path under either .spec or .status';
    causes.push(...scalePathCauses(scale.labelSelectorPath, at.child('labelSelectorPath'), ['.spec.', '.status.'], why));
  }
  return causes;
}

function scalePathCauses(text: string, path: FieldPath, roots: readonly string[], why: string): FieldCause[] {
  if (!text) return [required(path)];
  const simple = simplePathCauses(text, path);
  if (simple.length > 0) return simple;
  return roots.some((root) => text.startsWith(root)) ? [] : [invalidValue(path, text, why)];
}

function simplePathCauses(text: string, path: FieldPath): FieldCause[] {
  return text.startsWith('.') ? [] : [invalidValue(path, text, 'must be a simple json path starting with .')];
}

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

function columnsCauses({ additionalPrinterColumns = [] }: Version, path: FieldPath): FieldCause[] {
  return additionalPrinterColumns.flatMap((column, index) => columnCauses(column, path.index(index)));
}

function columnCauses({ name, type, format, jsonPath }: DeepReadonly<CustomResourceColumnDefinition>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const types = `must be one of ${COLUMN_TYPES.join(',')}`;
  if (!name) causes.push(required(path.child('name')));
  if (!type) causes.push(required(path.child('type'), types));
  else if (!COLUMN_TYPES.includes(type)) causes.push(invalidValue(path.child('type'), type, types));
  if (format && !COLUMN_FORMATS.includes(format))
    causes.push(invalidValue(path.child('format'), format, `must be one of ${COLUMN_FORMATS.join(',')}`));
  if (!jsonPath) causes.push(required(path.child('JSONPath')));
  else causes.push(...simplePathCauses(jsonPath, path.child('JSONPath')));
  return causes;
}

const MAX_SELECTABLE = 8;
const SELECTABLE = ['string', 'boolean', 'integer'];

/** @param when How upstream names the condition that there is a schema. */
function selectableCauses(version: Version, path: FieldPath, when: string): FieldCause[] {
  const fields = version.selectableFields ?? [];
  const schema = schemaOf(version);
  if (fields.length === 0) return [];
  if (schema === undefined) return [invalidValue(path, '', `selectableFields may only be set when ${when}`)];
  const seen = new Set<string>();
  const causes = fields.flatMap(({ jsonPath }, index) =>
    selectableFieldCauses(jsonPath, schema, path.index(index).child('jsonPath'), seen),
  );
  if (seen.size > MAX_SELECTABLE) causes.push(tooMany(path, seen.size, MAX_SELECTABLE));
  return causes;
}

function selectableFieldCauses(text: string, schema: SchemaProps, path: FieldPath, seen: Set<string>): FieldCause[] {
  if (!text) return [required(path)];
  try {
    const found = findField(text, schema, { brackets: false });
    const causes: FieldCause[] = [];
    if (found.root === 'metadata') causes.push(invalidValue(path, text, 'must not point to fields in metadata'));
    if (!SELECTABLE.includes(found.schema.type ?? '')) {
      const why = 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
      causes.push(invalidValue(path, text, why));
    }
    if (seen.has(String(found.path))) causes.push(duplicateValue(path, text));
    seen.add(String(found.path));
    return causes;
  } catch (error) {
    if (error instanceof FieldPathError) return [invalidValue(path, text, `is an invalid path: ${error.message}`)];
    throw error;
  }
}

function nameCauses(names: Names | undefined, path: FieldPath): FieldCause[] {
  if (names === undefined) return [];
  const causes: FieldCause[] = [];
  for (const name of ['plural', 'singular'] as const) if (names[name]) causes.push(...labelCauses(names[name], path.child(name)));
  for (const name of ['kind', 'listKind'] as const) {
    const value = names[name];
    const problems = value ? checkDns1035Label(value.toLowerCase()) : [];
    if (problems.length > 0)
      causes.push(invalidValue(path.child(name), value, `may have mixed case, but should otherwise match: ${problems.join(',')}`));
  }
  for (const [index, name] of (names.shortNames ?? []).entries()) causes.push(...labelCauses(name, path.child('shortNames').index(index)));
  if (names.kind && names.kind === names.listKind)
    causes.push(invalidValue(path.child('listKind'), names.listKind, 'kind and listKind may not be the same'));
  for (const [index, name] of (names.categories ?? []).entries()) causes.push(...labelCauses(name, path.child('categories').index(index)));
  return causes;
}

function immutableCauses({ spec: next }: Definition, { spec: previous }: Definition, { requireImmutableNames }: Options): FieldCause[] {
  const pairs: (readonly [unknown, unknown, FieldPath])[] = [];
  if (requireImmutableNames) {
    pairs.push([next.scope, previous.scope, SPEC.child('scope')], [next.names.kind, previous.names.kind, SPEC.child('names', 'kind')]);
  }
  pairs.push([next.group, previous.group, SPEC.child('group')], [next.names.plural, previous.names.plural, SPEC.child('names', 'plural')]);
  return pairs.flatMap(([now, before, path]) => (now === before ? [] : [invalidValue(path, now, 'field is immutable')]));
}

function storedVersionCauses({ spec, status }: Definition): FieldCause[] {
  const stored = status?.storedVersions ?? [];
  const at = STATUS.child('storedVersions');
  if (stored.length === 0) return [invalidValue(at, status?.storedVersions ?? null, 'must have at least one stored version')];
  const versions = spec.versions ?? [];
  const missing = versions.filter(({ storage, name }) => storage && !stored.includes(name));
  const causes = missing.map(({ name }) => invalidValue(at, stored, `must have the storage version ${name}`));
  for (const [index, name] of stored.entries()) {
    if (versions.some((version) => version.name === name)) continue;
    const why = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    causes.push(invalidValue(at.index(index), name, why));
  }
  return causes;
}

function approvalCauses({ metadata, spec }: Definition, previous: Definition | undefined): FieldCause[] {
  if (!isProtectedGroup(spec.group ?? '')) return [];
  const { state, message } = approvalOf(metadata.annotations);
  if (previous !== undefined && approvalOf(previous.metadata.annotations).state === state) return [];
  const at = field('metadata', 'annotations').key(APPROVED);
  if (state === 'missing') return [required(at, message)];
  return state === 'invalid' ? [invalidValue(at, metadata.annotations?.[APPROVED], message)] : [];
}

function preserveCauses({ spec }: Definition, previous: Definition | undefined): FieldCause[] {
  if (spec.preserveUnknownFields !== true || previous?.spec.preserveUnknownFields === true) return [];
  const why = 'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  return [invalidValue(SPEC.child('preserveUnknownFields'), true, why)];
}
