// SPDX-License-Identifier: Apache-2.0
// What is stored, and how: the stored form of objects, and the served resources of the built-in kinds bound to their stores.
// Versions of one kind share one store, under the storage version.
import { findResource, findSchema, fromStorage, RESOURCES, storageVersionOf, toStorage } from '#api';
import type { Clock } from '#component';
import { type DeepReadonly, decodeMessage, isProtobuf, type KubeObject, parseApiVersion, type Resource, readEnvelope } from '#machinery';
import type { Store } from '#store';
import type { Cacher } from './cacher/cacher.ts';
import type { ObjectText } from './cacher/object-text.ts';
import { UnreadableValueError } from './cacher/unreadable-value.ts';
import type { CustomResources } from './crd/custom-resources.ts';
import type { ResourceCount } from './metrics/server-metrics.ts';
import { GenericStore } from './registry/generic/generic-store.ts';
import { objectKey, prefixOf } from './registry/generic/keys.ts';
import { type ServedResource, serve } from './registry/generic/served-resource.ts';
import { storageTraitsOf } from './registry/generic/storage-traits.ts';
import type { createStrategies } from './registry/strategies.ts';
import type { MutableObject, ObjectReader } from './registry/strategy.ts';

/** What lies between an object and its bytes in the store. Keys are whole: `/registry/secrets/default/a`. */
export interface StoredForm {
  /** @param text Of `object`, where it is at hand. */
  encode(object: DeepReadonly<MutableObject>, key: string, text?: ObjectText): Uint8Array;
  /** @throws If the bytes cannot be read. */
  decode(value: Uint8Array, key: string): MutableObject;
  /** Whether an object's bytes should be written anew though it has not changed: they are by an old key. */
  isStale(object: DeepReadonly<MutableObject>): boolean;
}

/** The stored form is JSON; protobuf of an etcd that upstream has written is read as well. */
export function decodeStored(value: Uint8Array, key: string): MutableObject {
  if (value[0] === LETTER_K) return decodeMarked(value, key);
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as MutableObject;
}

const LETTER_K = 'k'.charCodeAt(0);

function decodeMarked(value: Uint8Array, key: string): MutableObject {
  if (isProtobuf(value)) return decodeStoredProtobuf(value);
  throw new UnreadableValueError(key, 'identity transformer tried to read encrypted data');
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
  return Buffer.from(JSON.stringify(plain));
}

/** Nothing is encrypted. */
export const PLAIN_FORM: StoredForm = {
  encode: (object, _key, text) => (text === undefined ? encodeStored(object) : Buffer.from(text.stored)),
  decode: decodeStored,
  isStale: () => false,
};

function storageResourceOf(resource: Resource): Resource {
  const { group, version } = storageVersionOf(resource);
  return findResource(group, version, resource.resource) ?? resource;
}

const isStored = (resource: Resource) => resource.verbs.includes('get') && resource.resource !== 'componentstatuses';

export function storagePrefixes(): string[] {
  return [...new Set(RESOURCES.filter(isStored).map((resource) => prefixOf(storageResourceOf(resource))))];
}

/** What is stored and watched, for metrics. */
export function* resourceCounts(cacher: Cacher, custom: CustomResources): Generator<ResourceCount> {
  const seen = new Set<string>();
  for (const resource of RESOURCES.filter(isStored)) {
    const { group, version, resource: name, namespaced } = storageResourceOf(resource);
    const prefix = prefixOf(storageResourceOf(resource));
    if (seen.has(prefix)) continue;
    seen.add(prefix);
    const cache = cacher.cache(prefix);
    yield { group, version, resource: name, namespaced, objects: cache.size, watchers: cache.watcherCount };
  }
  for (const { prefix, resource, storageVersion: version } of custom.definitions()) {
    const cache = cacher.findCache(prefix);
    if (cache === undefined) continue;
    const { group, resource: name, namespaced } = resource;
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
  readonly form: StoredForm;
  readonly reader: ObjectReader;
  readonly strategyOf: ReturnType<typeof createStrategies>['strategyOf'];
}

/** Every built-in resource with storage, by `group/version/resource`. */
export function serveBuiltIn({ store: backend, clock, cacher, form, reader, strategyOf }: StorageDeps): Map<string, ServedResource> {
  const stores = new Map<string, GenericStore>();
  const served = new Map<string, ServedResource>();
  const forms = Map.groupBy(RESOURCES.filter(isStored), (resource) => prefixOf(storageResourceOf(resource)));
  const siblingsOf = new Map(
    [...forms].flatMap(([prefix, { length }]) => (length > 1 ? [[prefix, new Map<string, ServedResource>()]] : [])),
  );
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
        form,
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
    const siblings = siblingsOf.get(prefix);
    const one = serve({ resource, schema: strategy.schema, store, table: strategy.table, convert, siblings });
    siblings?.set(one.apiVersion, one);
    served.set(`${resource.group}/${resource.version}/${resource.resource}`, one);
  }
  return served;
}
