// SPDX-License-Identifier: Apache-2.0
// The strategy that most resources have: status dropped on create, generation from 1 and raised with every change outside of
// metadata and status, names as DNS subdomains, a status endpoint that takes status alone. A resource that differs passes
// what differs. Objects are in storage version, save for `applyDefaults`, which sees the version that was asked for.
import {
  defaultsOf,
  findSchema,
  nameRuleOf,
  objectWarnings,
  statusWarnings,
  storageVersionOf,
  validateObject,
  validateObjectUpdate,
} from '#api';
import {
  type DeepReadonly,
  deepCopy,
  type FieldCause,
  normalize,
  type ObjectMeta,
  type Resource,
  type StructSchema,
  semanticEqual,
} from '#machinery';
import { dropDisabledOf } from './disabled-fields.ts';
import type { MutableObject, RequestScope, Strategy, SubresourceRules } from './strategy.ts';
import { tableOf } from './tables/mod.ts';

type Old = DeepReadonly<MutableObject>;

/** What a resource says about itself beside the methods it replaces. */
export interface StrategyTraits extends Partial<Omit<Strategy, 'resource' | 'schema'>> {
  /** Keeps `metadata.generation`. @default false */
  readonly generation?: boolean;
  /** Status as a creator gets it; undefined keeps what was sent. @default {} for kinds with a status endpoint */
  readonly initialStatus?: (object: MutableObject) => unknown;
  /** The status endpoint restores labels, annotations, owners and finalizers too. @default false */
  readonly statusKeepsMetadata?: boolean;
  /** The status endpoint restores labels. @default false */
  readonly statusKeepsLabels?: boolean;
  /** What the status endpoint leaves out of managedFields, if not what it restores. */
  readonly statusResetFields?: readonly string[];
  /** Runs when all but the status is restored. */
  readonly afterPrepareForStatus?: (next: MutableObject, previous: Old) => void;
  /** Runs after the usual preparation. */
  readonly afterPrepareForCreate?: (object: MutableObject, scope: RequestScope) => void;
  /** Runs after the generation is settled. */
  readonly afterKeepGeneration?: (next: MutableObject, previous: Old) => void;
  readonly afterPrepareForUpdate?: (next: MutableObject, previous: Old, scope: RequestScope) => void;
}

/** The strategy of `resource`: the usual one, with the differences that `traits` names. */
export function defaultStrategy(resource: Resource, traits: StrategyTraits = {}): Strategy {
  const {
    generation,
    initialStatus,
    statusKeepsMetadata,
    statusKeepsLabels,
    statusResetFields,
    afterPrepareForStatus,
    afterPrepareForCreate,
    afterPrepareForUpdate,
    afterKeepGeneration,
    ...overrides
  } = traits;
  const stored = storageVersionOf(resource);
  const schema = schemaOf({ ...resource, ...stored });
  const hasStatus = schema.byName.has('status') && resource.subresources.some(({ name }) => name === 'status');
  const defaults = defaultsOf(apiVersion(resource), resource.kind);
  const dropDisabled = dropDisabledOf({ ...stored, kind: resource.kind });
  const validation = { group: stored.group, version: stored.version, kind: resource.kind };
  const base: Strategy = {
    resource,
    schema: schemaOf(resource),
    table: tableOf(validation),
    allowCreateOnUpdate: false,
    allowUnconditionalUpdate: true,
    selectableFields: [],
    resetFields: hasStatus ? ['status'] : [],
    subresources: hasStatus
      ? {
          status: statusRules(validation, {
            keepsMetadata: statusKeepsMetadata === true,
            keepsLabels: statusKeepsLabels === true,
            ...(statusResetFields === undefined ? {} : { resetFields: statusResetFields }),
            ...(afterPrepareForStatus === undefined ? {} : { afterPrepare: afterPrepareForStatus }),
          }),
        }
      : {},
    applyDefaults: (object) => defaults?.(object),
    fillsByName: afterPrepareForCreate !== undefined,
    prepareForCreate(object, scope) {
      if (initialStatus !== undefined) object['status'] = initialStatus(object);
      else if (hasStatus) object['status'] = emptyStatus(schema);
      if (generation === true) object.metadata.generation = 1;
      dropDisabled?.(object, undefined);
      afterPrepareForCreate?.(object, scope);
    },
    prepareForUpdate(next, previous, scope) {
      if (hasStatus) restore(next, previous, 'status');
      dropDisabled?.(next, previous);
      afterPrepareForUpdate?.(next, previous, scope);
      if (generation === true) keepGeneration(next, previous);
      afterKeepGeneration?.(next, previous);
    },
    validate: (object) => validateObject(validation, object),
    validateUpdate: (next, previous) => validateObjectUpdate(validation, next, previous, ''),
    validateName: nameRuleOf(validation),
    warnings: objectWarnings(validation),
  };
  return { ...base, ...overrides, subresources: { ...base.subresources, ...overrides.subresources } };
}

/** A status of which nothing is known: zeros where the type always prints them. */
function emptyStatus(schema: StructSchema): unknown {
  const status = schema.byName.get('status')?.schema;
  return status?.kind === 'struct' ? normalize({}, status) : {};
}

function apiVersion({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

function schemaOf(of: { group: string; version: string; kind: string }): StructSchema {
  const schema = findSchema(of);
  if (schema === undefined) throw new RangeError(`make the strategy of ${of.kind}: no schema for ${of.group}/${of.version}`);
  return schema;
}

/** Puts a top-level field back as it was. */
export function restore(next: MutableObject, previous: Old, name: string): void {
  if (previous[name] === undefined) delete next[name];
  else next[name] = deepCopy(previous[name]);
}

const OUTSIDE = new Set(['kind', 'apiVersion', 'metadata', 'status']);

/** The generation as it was, one more if anything but metadata and status differs. */
export function keepGeneration(next: MutableObject, previous: Old): void {
  const names = new Set([...Object.keys(next), ...Object.keys(previous)]);
  const changed = [...names].some((name) => !OUTSIDE.has(name) && !semanticEqual(next[name], previous[name]));
  const generation = previous.metadata.generation ?? 0;
  if (changed) next.metadata.generation = generation + 1;
  else if (previous.metadata.generation !== undefined) next.metadata.generation = generation;
  else delete next.metadata.generation;
}

const META_FIELDS = ['labels', 'annotations', 'ownerReferences', 'finalizers', 'deletionTimestamp', 'generation'] as const;

/** Restores everything of the object but `status`. */
export function keepAllButStatus(next: MutableObject, previous: Old): void {
  for (const name of new Set([...Object.keys(next), ...Object.keys(previous)])) {
    if (name !== 'status' && name !== 'metadata' && name !== 'kind' && name !== 'apiVersion') restore(next, previous, name);
  }
}

export function restoreMeta(next: ObjectMeta, previous: DeepReadonly<ObjectMeta>, names: readonly (keyof ObjectMeta)[]): void {
  const [to, from] = [next as unknown as Record<string, unknown>, previous as unknown as Record<string, unknown>];
  for (const name of names) {
    if (from[name] === undefined) delete to[name];
    else to[name] = deepCopy(from[name]);
  }
}

/** Restores what a status endpoint may not change of `metadata`, where the kind says so. @source upstream ResetObjectMetaForStatus */
export function resetMetaForStatus(next: MutableObject, previous: Old): void {
  restoreMeta(next.metadata, previous.metadata, META_FIELDS);
}

interface StatusTraits {
  readonly keepsMetadata: boolean;
  readonly keepsLabels: boolean;
  readonly resetFields?: readonly string[];
  readonly afterPrepare?: (next: MutableObject, previous: Old) => void;
}

/** The usual status endpoint. */
export function statusRules(of: { group: string; version: string; kind: string }, traits: StatusTraits): SubresourceRules {
  const restored = traits.keepsMetadata ? ['spec', 'metadata'] : traits.keepsLabels ? ['spec', 'metadata.labels'] : ['spec'];
  const warnings = statusWarnings(of);
  return {
    resetFields: traits.resetFields ?? restored,
    ...(warnings === undefined ? {} : { warnings }),
    prepareForUpdate(next, previous) {
      keepAllButStatus(next, previous);
      if (traits.keepsMetadata) resetMetaForStatus(next, previous);
      else if (traits.keepsLabels) restoreMeta(next.metadata, previous.metadata, ['labels']);
      restoreMeta(next.metadata, previous.metadata, ['generation']);
      traits.afterPrepare?.(next, previous);
    },
    validateUpdate: (next, previous): readonly FieldCause[] => validateObjectUpdate(of, next, previous, 'status'),
  };
}
