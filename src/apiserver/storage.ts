// SPDX-License-Identifier: Apache-2.0
// What is stored, and how: the stored form of objects, and the served resources of the built-in kinds bound to their stores.
// Versions of one kind share one store, under the storage version.
import { findResource, findSchema, fromStorage, RESOURCES, storageVersionOf, toStorage } from '#api';
import type { Clock } from '#component';
import { type DeepReadonly, decodeMessage, isProtobuf, type KubeObject, parseApiVersion, type Resource, readEnvelope } from '#machinery';
import type { Store } from '#store';
import type { Cacher } from './cacher/cacher.ts';
import type { ResourceCount } from './metrics/server-metrics.ts';
import { GenericStore } from './registry/generic/generic-store.ts';
import { objectKey, prefixOf } from './registry/generic/keys.ts';
import { type ServedResource, serve } from './registry/generic/served-resource.ts';
import { storageTraitsOf } from './registry/generic/storage-traits.ts';
import type { createStrategies } from './registry/strategies.ts';
import type { MutableObject, ObjectReader } from './registry/strategy.ts';

/** The stored form is JSON; protobuf of an etcd that upstream has written is read as well. */
export function decodeStored(value: Uint8Array): MutableObject {
  if (isProtobuf(value)) return decodeStoredProtobuf(value);
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as MutableObject;
}

function decodeStoredProtobuf(value: Uint8Array): MutableObject {
  const { apiVersion, kind, raw } = readEnvelope(value);
  const schema = findSchema({ ...parseApiVersion(apiVersion), kind });
  if (schema === undefined) throw new Error(`decode a stored ${apiVersion} ${kind}: no such kind`);
  return { ...decodeMessage(raw, schema), apiVersion, kind } as unknown as MutableObject;
}

/** The stored form, in which no version is written down. */
export function encodeStored(object: DeepReadonly<MutableObject>): Uint8Array {
  const { metadata } = object;
  const plain = metadata.resourceVersion === '' ? { ...object, metadata: { ...metadata, resourceVersion: undefined } } : object;
  const text = JSON.stringify(plain);
  // A replacer makes it twice as slow, so it is for the rare empty reference further down only.
  if (!text.includes('"resourceVersion":""')) return Buffer.from(text);
  return Buffer.from(JSON.stringify(plain, (key, value) => (key === 'resourceVersion' && value === '' ? undefined : value)));
}

function storageResourceOf(resource: Resource): Resource {
  const { group, version } = storageVersionOf(resource);
  return findResource(group, version, resource.resource) ?? resource;
}

const isStored = (resource: Resource) => resource.verbs.includes('get') && resource.resource !== 'componentstatuses';

export function storagePrefixes(): string[] {
  return [...new Set(RESOURCES.filter(isStored).map((resource) => prefixOf(storageResourceOf(resource))))];
}

/** What is stored and watched, for metrics. */
export function* resourceCounts(cacher: Cacher): Generator<ResourceCount> {
  const seen = new Set<string>();
  for (const resource of RESOURCES.filter(isStored)) {
    const { group, version, resource: name, namespaced } = storageResourceOf(resource);
    const prefix = prefixOf(storageResourceOf(resource));
    if (seen.has(prefix)) continue;
    seen.add(prefix);
    const cache = cacher.cache(prefix);
    yield { group, version, resource: name, namespaced, objects: cache.size, watchers: cache.watcherCount };
  }
}

export function createReader(cacher: Cacher): ObjectReader {
  const prefixes = new Map<Resource, string>();
  const prefix = (resource: Resource) => {
    let found = prefixes.get(resource);
    if (found === undefined) {
      found = prefixOf(storageResourceOf(resource));
      prefixes.set(resource, found);
    }
    return found;
  };
  return {
    find: <T extends KubeObject>(resource: Resource<T>, { namespace = '', name }: { namespace?: string | undefined; name: string }) =>
      cacher.cache(prefix(resource as Resource)).find(objectKey(namespace, name))?.object as DeepReadonly<T> | undefined,
    list: <T extends KubeObject>(resource: Resource<T>, namespace = '') =>
      cacher
        .cache(prefix(resource as Resource))
        .list(namespace)
        .map((cached) => cached.object as unknown as DeepReadonly<T>),
  };
}

export interface StorageDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly strategyOf: ReturnType<typeof createStrategies>['strategyOf'];
}

/** Every built-in resource with storage, by `group/version/resource`. */
export function serveBuiltIn({ store: backend, clock, cacher, reader, strategyOf }: StorageDeps): Map<string, ServedResource> {
  const stores = new Map<string, GenericStore>();
  const served = new Map<string, ServedResource>();
  for (const resource of RESOURCES.filter(isStored)) {
    const storage = storageResourceOf(resource);
    const prefix = prefixOf(storage);
    let store = stores.get(prefix);
    if (store === undefined) {
      store = new GenericStore({
        strategy: strategyOf(storage),
        store: backend,
        cacher,
        reader,
        clock,
        prefix,
        traits: storageTraitsOf(storage),
        encode: encodeStored,
      });
      stores.set(prefix, store);
    }
    const strategy = strategyOf(resource);
    const convert =
      storage === resource
        ? undefined
        : {
            toStorage: (object: MutableObject) => toStorage(resource, object) as MutableObject,
            fromStorage: (object: DeepReadonly<MutableObject>) => fromStorage(resource, object as unknown as KubeObject) as MutableObject,
          };
    served.set(
      `${resource.group}/${resource.version}/${resource.resource}`,
      serve({ resource, schema: strategy.schema, store, table: strategy.table, convert }),
    );
  }
  return served;
}
