// SPDX-License-Identifier: Apache-2.0
// The strategy of one version of a custom resource: generation, the status endpoint, defaults and validation by its schema, scale
// paths, selectable fields. @source upstream apiextensions-apiserver pkg/registry/customresource/{strategy,status_strategy,validator}.go
import { commonMetaUpdateCauses, validateObjectMeta, validateObjectMetaUpdate } from '#api';
import {
  checkDns1123Subdomain,
  type DeepReadonly,
  deepCopy,
  deepEqual,
  type FieldCause,
  invalidValue,
  type Resource,
  type StructSchema,
} from '#machinery';
import { restore } from '../registry/default-strategy.ts';
import type { MutableObject, RequestScope, Strategy, SubresourceRules, TableColumns } from '../registry/strategy.ts';
import { fillAll } from './custom-schema.ts';
import { finalizerWarnings } from './finalizer-warnings.ts';
import { parseJsonPath } from './json-path.ts';
import { listTypeCauses } from './list-types.ts';
import { embeddedCauses } from './object-meta.ts';
import type { RuleValidator } from './rule-validator.ts';
import { pathProblem, readReplicas, type ScalePaths } from './scale-paths.ts';
import { propertySchema, type SchemaProps } from './schema-props.ts';
import { valueValidator } from './value-validator.ts';

type Old = DeepReadonly<MutableObject>;

export interface CustomStrategyOptions {
  readonly resource: Resource;
  readonly props: SchemaProps;
  readonly schema: StructSchema;
  readonly table: TableColumns;
  readonly hasStatus: boolean;
  readonly scale: ScalePaths | undefined;
  /** Paths of fields that can be selected by: `.spec.color`. */
  readonly selectable: readonly string[];
  /** Undefined where the schema has no rules. */
  readonly rules: RuleValidator | undefined;
}

export function customStrategy(options: CustomStrategyOptions): Strategy {
  const { resource, props, schema, table, hasStatus } = options;
  const selectors = new Map(options.selectable.map((path) => [path.replace(/^\./, ''), parseJsonPath(path)]));
  const checks = objectChecks(options);
  return {
    resource,
    schema,
    table,
    allowCreateOnUpdate: false,
    allowUnconditionalUpdate: false,
    resetFields: hasStatus ? ['status'] : [],
    selectableFields: [...selectors.keys()],
    fieldValue: (object, name) => {
      const [value] = selectors.get(name)?.find(object) ?? [];
      return value === undefined || value === null ? '' : String(value);
    },
    subresources: hasStatus ? { status: statusRules(options) } : {},
    applyDefaults(object) {
      fillAll(object, withoutMetadata(props));
    },
    prepareForCreate(object) {
      if (hasStatus) delete object['status'];
      object.metadata.generation = 1;
    },
    prepareForUpdate(next, previous) {
      if (hasStatus) restore(next, previous, 'status');
      raiseGeneration(next, previous, hasStatus);
    },
    validateName: (name) => checkDns1123Subdomain(name),
    validate: (object, scope) => checks.create(object, scope),
    validateUpdate: (next, previous, scope) => checks.update(next, previous, scope),
    warnings: finalizerWarnings,
  };
}

const bare = new WeakMap<SchemaProps, SchemaProps>();

/** Metadata has its own form; what a schema says of it is for validation only. */
function withoutMetadata(props: SchemaProps): SchemaProps {
  let known = bare.get(props);
  if (known === undefined) {
    const { metadata: _, ...properties } = props.properties ?? {};
    known = { ...props, properties };
    bare.set(props, known);
  }
  return known;
}

/** One more for any change outside of metadata, and of status where it has its own endpoint. */
function raiseGeneration(next: MutableObject, previous: Old, hasStatus: boolean): void {
  const names = new Set([...Object.keys(next), ...Object.keys(previous)]);
  names.delete('metadata');
  if (hasStatus) names.delete('status');
  const changed = [...names].some((name) => !deepEqual(next[name], previous[name]));
  next.metadata.generation = (previous.metadata.generation ?? 0) + (changed ? 1 : 0);
  if (next.metadata.generation === 0) delete next.metadata.generation;
}

interface ObjectChecks {
  create(object: Old, scope: RequestScope): readonly FieldCause[];
  update(next: Old, previous: Old, scope: RequestScope): readonly FieldCause[];
}

function objectChecks(options: CustomStrategyOptions): ObjectChecks {
  const { resource, props } = options;
  const values = valueValidator(props);
  const nameRule = (name: string) => checkDns1123Subdomain(name);
  return {
    create(object) {
      const wrongKind = kindCauses(object, resource);
      const causes =
        wrongKind.length > 0
          ? wrongKind
          : [
              ...validateObjectMeta(object.metadata, { namespaced: resource.namespaced, nameRule, standardFinalizers: false }),
              ...values.validate(object),
              ...scaleCauses(object, options.scale),
            ];
      causes.push(...embeddedCauses(object, props), ...listTypeCauses(object, props));
      return withRules(causes, options, object, undefined);
    },
    update(next, previous, scope) {
      const wrongKind = kindCauses(next, resource);
      const causes = [...metaCauses(next, previous, wrongKind.length > 0), ...wrongKind];
      if (wrongKind.length === 0) {
        causes.push(...values.validateUpdate(next, previous), ...scaleCauses(next, options.scale));
      }
      causes.push(...embeddedCauses(next, props), ...newListTypeCauses(next, previous, props));
      return withRules(causes, options, next, previous, scope.warn);
    },
  };
}

/** Upstream checks metadata for all kinds, and again for this one where it is of this kind. */
function metaCauses(next: Old, previous: Old, isOther: boolean): FieldCause[] {
  const common = commonMetaUpdateCauses(next.metadata, previous.metadata);
  return common.length === 0 || isOther ? common : [...common, ...validateObjectMetaUpdate(next.metadata, previous.metadata)];
}

/** What was wrong before may stay wrong. */
function newListTypeCauses(next: Old, previous: Old, props: SchemaProps): FieldCause[] {
  const causes = listTypeCauses(next, props);
  return causes.length > 0 && listTypeCauses(previous, props).length > 0 ? [] : causes;
}

function kindCauses({ kind, apiVersion }: Old, resource: Resource): FieldCause[] {
  if (kind !== resource.kind) return [invalidValue('kind', kind, `must be ${resource.kind}`)];
  const wanted = `${resource.group}/${resource.version}`;
  return apiVersion === wanted ? [] : [invalidValue('apiVersion', apiVersion, `must be ${wanted}`)];
}

const BLOCKING = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const UNCHECKED: FieldCause = {
  reason: 'FieldValueInvalid',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  field: '<nil>',
};

/** Rules see only objects that have their types: others could not be evaluated. */
function withRules(
  causes: FieldCause[],
  { rules }: CustomStrategyOptions,
  object: Old,
  previous: Old | undefined,
  warn?: (text: string) => void,
): readonly FieldCause[] {
  if (rules === undefined) return causes;
  if (causes.some(({ reason }) => BLOCKING.has(reason))) return [...causes, UNCHECKED];
  return [...causes, ...rules.validate(object, previous, warn)];
}

function scaleCauses(object: Old, scale: ScalePaths | undefined): FieldCause[] {
  if (scale === undefined) return [];
  return [...replicaCauses(object, scale.spec), ...scaleStatusCauses(object, scale)];
}

const MAX_REPLICAS = 2 ** 31 - 1;

function scaleStatusCauses(object: Old, { status, selector }: ScalePaths): FieldCause[] {
  const causes = replicaCauses(object, status);
  const problem = selector ? pathProblem(object, selector, 'string') : undefined;
  if (selector && problem !== undefined) causes.push(invalidValue(selector, '', problem));
  return causes;
}

function replicaCauses(object: Old, path: string): FieldCause[] {
  const problem = pathProblem(object, path, 'int64');
  if (problem !== undefined) return [invalidValue(path, 0, problem)];
  const value = readReplicas(object, path);
  if (value === undefined || value === 'unreadable') return [];
  if (value < 0) return [invalidValue(path, value, 'should be a non-negative integer')];
  return value > MAX_REPLICAS ? [invalidValue(path, value, `should be less than or equal to ${MAX_REPLICAS}`)] : [];
}

/** The status endpoint changes status alone. */
function statusRules(options: CustomStrategyOptions): SubresourceRules {
  const { props, resource, scale } = options;
  const statusProps = propertySchema(props, 'status');
  const values = statusProps === undefined ? undefined : valueValidator(statusProps);
  return {
    resetFields: ['spec', 'metadata'],
    prepareForUpdate(next, previous) {
      const { status, metadata } = next as MutableObject & { status?: unknown };
      const { managedFields } = metadata;
      for (const name of Object.keys(next)) delete (next as Record<string, unknown>)[name];
      Object.assign(next, deepCopy(previous));
      if (managedFields === undefined) delete next.metadata.managedFields;
      else next.metadata.managedFields = managedFields;
      if (status === undefined) delete next['status'];
      else next['status'] = status;
    },
    validateUpdate(next, previous, scope) {
      const wrongKind = kindCauses(next, resource);
      const causes = [...metaCauses(next, previous, wrongKind.length > 0), ...wrongKind];
      const { status } = next as { status?: unknown };
      if (wrongKind.length === 0 && status !== undefined && values !== undefined) {
        causes.push(...values.validateUpdate(status, (previous as { status?: unknown }).status, 'status'));
      }
      if (wrongKind.length === 0 && scale !== undefined) causes.push(...scaleStatusCauses(next, scale));
      // Objects that are embedded in the status are not looked into.
      causes.push(...newListTypeCauses(next, previous, props));
      return withRules(causes, options, next, previous, scope.warn);
    },
  };
}
