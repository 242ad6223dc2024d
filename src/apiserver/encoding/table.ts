// SPDX-License-Identifier: Apache-2.0
// Tables: what kubectl prints. One row per object, columns by the resource, the object itself as far as `includeObject` asks.
// @source upstream apiserver pkg/endpoints/handlers/response.go and pkg/registry/rest/table.go
import { badRequest, type DeepReadonly } from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import { inServedVersion } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** @throws {ApiError} 400 on an unknown value. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

export interface TableMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number | undefined;
}

export interface RowOptions {
  readonly include: IncludeObject;
  readonly now: number;
  /** Of the Table and of the metadata in it. @default v1 */
  readonly version?: string | undefined;
}

/** A `meta.k8s.io/v1` Table. `withColumns` is false for all but the first event of a watch. */
export function tableOf(
  served: ServedResource,
  objects: readonly DeepReadonly<MutableObject>[],
  meta: TableMeta,
  options: RowOptions & { readonly withColumns: boolean },
): Readonly<Record<string, unknown>> {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version ?? 'v1'}`,
    metadata: listMeta(meta),
    columnDefinitions: options.withColumns ? served.table.columns : null,
    rows: objects.map((object) => rowOf(served, object, options)),
  };
}

export function listMeta(meta: TableMeta): object {
  return {
    ...(meta.resourceVersion === '' ? {} : { resourceVersion: meta.resourceVersion }),
    ...(meta.continue ? { continue: meta.continue } : {}),
    ...(meta.remainingItemCount === undefined ? {} : { remainingItemCount: meta.remainingItemCount }),
  };
}

/** The row of one object. */
export function rowOf(served: ServedResource, object: DeepReadonly<MutableObject>, { include, now, version }: RowOptions): object {
  const conditions = served.table.conditions?.(object);
  return {
    cells: served.table.cells(object, now),
    ...(conditions === undefined ? {} : { conditions }),
    object: include === 'None' ? null : include === 'Object' ? inServedVersion(served, object) : partialMetadata(served, object, version),
  };
}

/** Only the metadata of an object. */
export function partialMetadata({ table }: ServedResource, { metadata }: DeepReadonly<MutableObject>, version = 'v1'): object {
  const { hiddenAnnotations } = table;
  const shown = hiddenAnnotations === undefined ? metadata : without(metadata, hiddenAnnotations);
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: shown };
}

/** The same in the same order, with fewer annotations. */
function without(metadata: DeepReadonly<MutableObject>['metadata'], hidden: readonly string[]): object {
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([name]) => !hidden.includes(name));
  const kept = annotations.length === 0 ? undefined : Object.fromEntries(annotations);
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, name === 'annotations' ? kept : value]));
}
