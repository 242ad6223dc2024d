// SPDX-License-Identifier: Apache-2.0
// One resource as served: a group, version and name of the API bound to its store, with what every request of it needs, made
// once at registration: codec parts, columns, conversions, subresources.
import type { DeepReadonly, Resource, StructSchema } from '#machinery';
import { apiVersionOf } from '#machinery';
import { headOf } from '../../cacher/cached-object.ts';
import type { MutableObject, TableColumns } from '../strategy.ts';
import type { GenericStore } from './generic-store.ts';

export interface ServedResource {
  readonly resource: Resource;
  readonly apiVersion: string;
  readonly schema: StructSchema;
  readonly store: GenericStore;
  readonly table: TableColumns;
  /** The JSON before a tail: of a single object. */
  readonly head: string;
  /** `PodList`; custom resources may have another. */
  readonly listKind: string;
  /** `{"kind":"PodList","apiVersion":"v1","metadata":` */
  readonly listHead: string;
  /** Items of lists carry kind and apiVersion: custom resources. */
  readonly itemsHaveKind: boolean;
  /** Undefined where the served version is the stored one. */
  readonly convert: Conversion | undefined;
  /** Custom resources with several versions: the schema of each, by apiVersion. */
  readonly otherVersions?: ReadonlyMap<string, StructSchema> | undefined;
  /** Built-in kinds that are served in several forms: every form, by apiVersion. */
  readonly siblings?: ReadonlyMap<string, ServedResource> | undefined;
}

export interface Conversion {
  /** Both return a new object, or change and return the one given, which is the caller's own. */
  toStorage(object: MutableObject): MutableObject;
  fromStorage(object: DeepReadonly<MutableObject>): MutableObject;
}

export interface ServedResourceOptions {
  readonly resource: Resource;
  readonly schema: StructSchema;
  readonly store: GenericStore;
  readonly table: TableColumns;
  readonly convert?: Conversion | undefined;
  readonly itemsHaveKind?: boolean;
  readonly listKind?: string;
  readonly otherVersions?: ReadonlyMap<string, StructSchema> | undefined;
  readonly siblings?: ReadonlyMap<string, ServedResource> | undefined;
}

export function serve(options: ServedResourceOptions): ServedResource {
  const apiVersion = apiVersionOf(options.resource);
  const listKind = options.listKind ?? `${options.resource.kind}List`;
  return {
    resource: options.resource,
    apiVersion,
    schema: options.schema,
    store: options.store,
    table: options.table,
    head: headOf(options.resource.kind, apiVersion),
    listKind,
    listHead: `${headOf(listKind, apiVersion)}"metadata":`,
    itemsHaveKind: options.itemsHaveKind ?? false,
    convert: options.convert,
    otherVersions: options.otherVersions,
    siblings: options.siblings,
  };
}

/** The object in the served version; the cached one itself where nothing has to be converted. */
export function inServedVersion(served: ServedResource, object: DeepReadonly<MutableObject>): DeepReadonly<MutableObject> {
  return served.convert === undefined ? object : served.convert.fromStorage(object);
}
