// SPDX-License-Identifier: Apache-2.0
// One definition as it is served: for each of its versions a resource, a schema, a strategy and a view of the objects, all made once,
// when the definition changes. @source upstream apiextensions-apiserver pkg/apiserver/customresource_handler.go
import { createHash } from 'node:crypto';
import { customresourcedefinitions } from '#api';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '#api/apiextensions/v1';
import type { Clock } from '#component';
import type { DeepReadonly, Resource, StructSchema, Subresource } from '#machinery';
import type { Store } from '#store';
import type { CachedObject } from '../cacher/cached-object.ts';
import type { Cacher } from '../cacher/cacher.ts';
import { compareVersions } from '../discovery/version-order.ts';
import { GenericStore, type StoreVersion } from '../registry/generic/generic-store.ts';
import { prefixOf } from '../registry/generic/keys.ts';
import { type ServedResource, serve } from '../registry/generic/served-resource.ts';
import type { MutableObject, ObjectReader } from '../registry/strategy.ts';
import type { StoredForm } from '../storage.ts';
import { type Converter, noConverter, type ObserveConversion, webhookConverter } from './conversion.ts';
import { type CustomKind, coerceConverted, coerceStored, customSchema, fillAll } from './custom-schema.ts';
import type { DefinitionMetrics } from './definition-metrics.ts';
import type { RuleEngine } from './rule-engine.ts';
import { ruleValidator } from './rule-validator.ts';
import type { ScalePaths } from './scale-paths.ts';
import type { SchemaProps } from './schema-props.ts';
import { customStrategy } from './strategy.ts';
import { customTable } from './table.ts';
import { VersionView } from './version-view.ts';

export type Definition = DeepReadonly<CustomResourceDefinition>;
type Version = DeepReadonly<CustomResourceDefinitionVersion>;

export interface ServingDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly form: StoredForm;
  readonly rules: RuleEngine;
  /** Told of conversions by webhooks. */
  readonly metrics: DefinitionMetrics;
  /** Sends a ConversionReview to the webhook of a definition. */
  readonly convert: (definition: Definition, review: object) => Promise<unknown>;
}

export interface ServedVersion {
  readonly resource: Resource;
  readonly served: ServedResource;
  readonly props: SchemaProps;
  readonly scale: ScalePaths | undefined;
  /** What every answer warns of. */
  readonly deprecation: string | undefined;
}

export interface ServedDefinition {
  readonly name: string;
  readonly prefix: string;
  /** In the order of the definition; unserved versions are left out. */
  readonly versions: readonly ServedVersion[];
  /** Of the storage version, served or not. */
  readonly storage: GenericStore;
  readonly storageVersion: string;
  readonly resource: Resource;
  /** Ends the watches of every version. */
  end(): void;
}

const KEEP_ALL: SchemaProps = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'] as const;
const SUBRESOURCE_VERBS = ['get', 'patch', 'update'] as const;

/** Where the objects of a definition lie below `/registry/`. */
export function definitionPrefix({ spec }: Definition): string {
  return `${spec.group}/${spec.names.plural}/`;
}

/** For the cacher: each definition brings the prefix of its objects. */
export const DEFINITIONS = {
  prefix: prefixOf(customresourcedefinitions as Resource),
  prefixOf: (object: MutableObject) => definitionPrefix(object as unknown as Definition),
};

export function serveDefinition(definition: Definition, deps: ServingDeps): ServedDefinition {
  const { spec } = definition;
  const prefix = definitionPrefix(definition);
  const storage = spec.versions.find((version) => version.storage) ?? (spec.versions[0] as Version);
  const shared = {
    definition,
    deps,
    prefix,
    storage,
    converter: converterOf(definition, deps),
    propsOf: propsByVersion(definition),
    schemas: spec.versions.length > 1 ? new Map<string, StructSchema>() : undefined,
  };
  const views: VersionView[] = [];
  const all = spec.versions.map((version) => ({ version, made: serveVersion(version, shared, views) }));
  const stored = all.find(({ version }) => version === storage)?.made ?? serveVersion(storage, shared, views);
  return {
    name: definition.metadata.name,
    prefix,
    versions: all.filter(({ version }) => version.served).map(({ made }) => made),
    storage: stored.served.store,
    resource: stored.resource,
    storageVersion: storage.name,
    end: () => {
      for (const view of views) view.end();
    },
  };
}

interface Shared {
  readonly definition: Definition;
  readonly deps: ServingDeps;
  readonly prefix: string;
  readonly storage: Version;
  readonly converter: Converter;
  readonly propsOf: (version: string) => SchemaProps;
  /** Filled as versions are made; undefined where there is but one. */
  readonly schemas: Map<string, StructSchema> | undefined;
}

function converterOf(definition: Definition, { convert, metrics }: ServingDeps): Converter {
  const { conversion } = definition.spec;
  if (conversion?.strategy !== 'Webhook') return noConverter;
  const observe: ObserveConversion = (from, to, succeeded, seconds) =>
    metrics.converted({ definition: definition.metadata.name, from, to, succeeded, seconds });
  return webhookConverter((review) => convert(definition, review), conversion.webhook?.conversionReviewVersions, observe);
}

function propsByVersion({ spec }: Definition): (version: string) => SchemaProps {
  const props = new Map(spec.versions.map(({ name, schema }) => [name, (schema?.openAPIV3Schema ?? KEEP_ALL) as SchemaProps]));
  return (version) => props.get(version) ?? KEEP_ALL;
}

function serveVersion(version: Version, shared: Shared, views: VersionView[]): ServedVersion {
  const { definition, deps, prefix } = shared;
  const { spec, status } = definition;
  const names = status?.acceptedNames?.kind ? status.acceptedNames : spec.names;
  const props = shared.propsOf(version.name);
  const scale = scaleOf(version);
  const resource = resourceOf(definition, version, names);
  const of: CustomKind = { group: spec.group, version: version.name, kind: resource.kind };
  const schema = customSchema(of, props);
  shared.schemas?.set(`${spec.group}/${version.name}`, schema);
  const hasStatus = version.subresources?.status !== undefined;
  const strategy = customStrategy({
    resource,
    props,
    schema,
    table: customTable(version.additionalPrinterColumns ?? []),
    hasStatus,
    scale,
    selectable: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath),
    rules: ruleValidator(props, deps.rules),
  });
  const view = viewOf(of, shared);
  views.push(view);
  const store = new GenericStore({
    strategy,
    store: deps.store,
    cacher: deps.cacher,
    reader: deps.reader,
    clock: deps.clock,
    prefix,
    traits: { returnsDeleted: false },
    form: deps.form,
    version: storeVersion(view, of, shared),
  });
  const listKind = names.listKind || `${resource.kind}List`;
  const served = serve({ resource, schema, store, table: strategy.table, itemsHaveKind: true, listKind, otherVersions: shared.schemas });
  return { resource, served, props, scale, deprecation: deprecationOf(version, of, spec.versions) };
}

/** Stored objects are pruned and defaulted by the schema of the version that they are stored in, then converted and pruned by that of this one. */
function viewOf(of: CustomKind, { deps, prefix, converter, propsOf }: Shared): VersionView {
  const apiVersion = `${of.group}/${of.version}`;
  const props = propsOf(of.version);
  const inForm = (object: DeepReadonly<MutableObject>) => formed(object, of, propsOf);
  const shown = (object: MutableObject) => coerceConverted(object, of, props) as unknown as MutableObject;
  const { now } = converter;
  const convert = (object: MutableObject) =>
    object.apiVersion === apiVersion || now === undefined ? object : shown(now(object, apiVersion));
  return new VersionView(() => deps.cacher.findCache(prefix), {
    now: now === undefined ? undefined : (object) => convert(inForm(object)),
    async all(objects) {
      const own = objects.map(inForm);
      const converted = await converter.all(own, apiVersion);
      return converted.map((object, index) => (object === own[index] ? object : shown(object)));
    },
  });
}

/** A stored object as the version that it is stored in has it today. */
function formed(
  object: DeepReadonly<MutableObject>,
  { group, kind }: CustomKind,
  propsOf: (version: string) => SchemaProps,
): MutableObject {
  const version = object.apiVersion.slice(group.length + 1);
  const props = propsOf(version);
  const result = coerceStored(object, { group, version, kind }, props) as unknown as MutableObject;
  fillAll(result, props);
  // What others wrote into the store may lack it.
  result.metadata.generation ??= 1;
  return result;
}

function storeVersion(view: VersionView, of: CustomKind, { definition, storage, converter, propsOf }: Shared): StoreVersion {
  const apiVersion = `${definition.spec.group}/${storage.name}`;
  const target: CustomKind = { ...of, version: storage.name };
  const props = propsOf(storage.name);
  const stored = (object: MutableObject) => coerceConverted(object, target, props) as unknown as MutableObject;
  return {
    cache: view,
    toStored(object) {
      if (of.version === storage.name) return { ...object };
      if (converter.now !== undefined) return stored(converter.now(object, apiVersion));
      return converter.all([object], apiVersion).then(([converted]) => stored(converted as MutableObject));
    },
    isSlow: view.isSlow,
    read: (key, read) => view.read(() => view.prepare(key), read),
    readSince: (revision, read) => view.read(() => view.prepareSince(revision), read),
    viewAll(items: readonly CachedObject[]) {
      const viewed = () => items.map((cached) => view.view(cached));
      return view.isSlow ? view.prepareAll(items).then(viewed) : viewed();
    },
  };
}

function resourceOf({ spec }: Definition, version: Version, names: Definition['spec']['names']): Resource {
  const subresources: Subresource[] = [];
  if (version.subresources?.status !== undefined) subresources.push({ name: 'status', kind: names.kind, verbs: SUBRESOURCE_VERBS });
  if (version.subresources?.scale !== undefined)
    subresources.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: SUBRESOURCE_VERBS });
  const storage = spec.versions.find((one) => one.storage)?.name ?? version.name;
  return {
    group: spec.group,
    version: version.name,
    resource: spec.names.plural,
    singular: names.singular ?? '',
    kind: names.kind,
    namespaced: spec.scope === 'Namespaced',
    verbs: VERBS,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    storageVersionHash: createHash('sha256').update(`${spec.group}/${storage}/${names.kind}`).digest().subarray(0, 8).toString('base64'),
    subresources,
  };
}

function scaleOf({ subresources }: Version): ScalePaths | undefined {
  const scale = subresources?.scale;
  if (scale === undefined) return undefined;
  return { spec: scale.specReplicasPath, status: scale.statusReplicasPath, selector: scale.labelSelectorPath };
}

/** A version that is better and not deprecated is named. */
function deprecationOf(version: Version, { group, kind }: CustomKind, versions: readonly Version[]): string | undefined {
  if (version.deprecated !== true) return undefined;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const names = versions.filter(({ served, deprecated }) => served && deprecated !== true).map(({ name }) => name);
  const [best] = names.filter((name) => compareVersions(name, version.name) < 0).sort(compareVersions);
  const hint = best === undefined ? '' : `; use ${group}/${best} ${kind}`;
  return `${group}/${version.name} ${kind} is deprecated${hint}`;
}
