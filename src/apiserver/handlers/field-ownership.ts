// SPDX-License-Identifier: Apache-2.0
// Books writes to their field managers: managedFields after create, update and patch, and the whole of server-side apply.
// Works on stored versions; entries carry the version that was asked for.
import { formatTime } from '#component';
import {
  type ApplyParts,
  apiError,
  applyPatch,
  badRequest,
  conflict,
  DecodeError,
  deepCopy,
  type FieldSet,
  findTypeProblem,
  LAST_APPLIED,
  LAST_APPLIER,
  type StructSchema,
  setOfPaths,
  type ToVersion,
  updateManagedFields,
  type Versioned,
} from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { MutableObject } from '../registry/strategy.ts';

/** Strategies say `status` or `spec.nodeName`; sets are made once per list. */
const sets = new WeakMap<readonly string[], FieldSet>();

function resetSet(paths: readonly string[]): FieldSet {
  let found = sets.get(paths);
  if (found === undefined) {
    found = setOfPaths(paths.map((path) => path.split('.').map((name) => `f:${name}`)));
    sets.set(paths, found);
  }
  return found;
}

type Owned = Pick<ServedResource, 'schema' | 'apiVersion'> & Partial<Pick<ServedResource, 'convert' | 'otherVersions' | 'siblings'>>;

/** Sets `next.metadata.managedFields` to what is owned after the change from `before` to `next`. */
export function bookUpdate(
  served: Owned,
  write: Pick<WriteContext, 'fieldManager' | 'subresource'>,
  before: MutableObject | undefined,
  next: MutableObject,
  resetFields: readonly string[],
  now: number,
): void {
  const inVersion = (object: MutableObject) => (served.convert === undefined ? object : served.convert.fromStorage(object));
  const parts = {
    live: before === undefined ? undefined : inVersion(before),
    next: inVersion(next),
    schema: served.schema,
    manager: write.fieldManager,
    apiVersion: served.apiVersion,
    subresource: write.subresource,
    time: formatTime(now),
    resetFields: resetSet(resetFields),
    toVersion: toVersion(served),
  };
  const entries = served.schema.coerce === undefined ? updateManagedFields(parts) : customEntries(parts);
  if (entries === undefined || entries.length === 0) delete next.metadata.managedFields;
  else next.metadata.managedFields = entries;
}

/** Custom objects may hold what their schema, or that of another version, does not know: then nobody's ownership can be told. */
function customEntries(parts: Parameters<typeof updateManagedFields>[0]): ReturnType<typeof updateManagedFields> {
  if ([parts.next, parts.live].some((object) => problemOf(object, parts.schema) !== undefined)) return undefined;
  try {
    return updateManagedFields(parts);
  } catch (error) {
    if (error instanceof VersionError) return undefined;
    throw error;
  }
}

function problemOf(object: unknown, schema: StructSchema): string | undefined {
  return findTypeProblem(object, schema, '', { allowDuplicates: true });
}

/** Thrown when an object cannot be seen in a version that somebody owns fields in. */
class VersionError extends Error {
  override readonly name = 'VersionError';
}

/** How objects of the kind look in its other versions. */
function toVersion({ schema, apiVersion, otherVersions, siblings }: Owned): ToVersion | undefined {
  if (schema.coerce !== undefined) {
    return (of, wanted) => inCustomVersion(of, wanted, wanted === apiVersion ? schema : otherVersions?.get(wanted));
  }
  return siblings === undefined ? undefined : (of, wanted) => inSibling(of, siblings.get(of.apiVersion), siblings.get(wanted));
}

/** The converter of custom objects knows no other versions than those of the definition. @throws {VersionError} */
function inCustomVersion(of: Versioned, apiVersion: string, schema: StructSchema | undefined): Versioned {
  if (schema === undefined) throw new VersionError(`request to convert CR to an invalid group/version: ${apiVersion}`);
  const object = { ...of.object, apiVersion };
  const problem = problemOf(object, schema);
  if (problem !== undefined) throw new VersionError(`failed to convert new object: ${problem}`);
  return { object, apiVersion, schema };
}

function inSibling(of: Versioned, from: ServedResource | undefined, to: ServedResource | undefined): Versioned | undefined {
  if (from === undefined || to === undefined) return undefined;
  const own = deepCopy(of.object) as MutableObject;
  const stored = from.convert === undefined ? own : from.convert.toStorage(own);
  const object = to.convert === undefined ? stored : to.convert.fromStorage(stored);
  return { object, apiVersion: to.apiVersion, schema: to.schema };
}

type Applied = Owned & Pick<ServedResource, 'resource'>;

/** The object that applying a configuration makes of the live one. @throws {ApiError} 400, 409. */
export function bookApply(
  served: Applied,
  write: WriteContext,
  live: MutableObject | undefined,
  wanted: { readonly object: MutableObject; readonly force: boolean },
  resetFields: readonly string[],
  now: number,
  intoStorage: (object: MutableObject) => MutableObject,
): MutableObject {
  checkConfiguration(served, wanted.object);
  const base = live === undefined || served.convert === undefined ? live : served.convert.fromStorage(live);
  const merged = applied(served, wanted.object, {
    live: base,
    patch: wanted.object,
    schema: served.schema,
    manager: write.fieldManager,
    apiVersion: served.apiVersion,
    subresource: write.subresource,
    time: formatTime(now),
    force: wanted.force,
    resetFields: resetSet(resetFields),
    toVersion: toVersion(served),
  });
  if (live === undefined && wanted.object.metadata.uid) throw uidMismatch(served, write, wanted.object);
  const next = intoStorage(structuredClone(merged) as MutableObject);
  if (write.fieldManager === LAST_APPLIER) keepLastApplied(next, wanted.object);
  // The configuration names no version, or the one it is based on.
  const { resourceVersion } = wanted.object.metadata;
  next.metadata.resourceVersion = live === undefined ? '' : (resourceVersion ?? '');
  return next;
}

/** @throws {ApiError} 409; 500 where the whole is no object of the kind, as upstream has it. */
function applied({ resource, apiVersion }: Applied, { metadata }: MutableObject, parts: ApplyParts): MutableObject {
  try {
    return applyPatch(parts) as MutableObject;
  } catch (error) {
    if (error instanceof VersionError) throw apiError(500, '', error.message);
    if (!(error instanceof DecodeError)) throw error;
    const kind = `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${resource.kind}`;
    const object = `${metadata.namespace ?? ''}/${metadata.name ?? ''}; ${kind}`;
    throw apiError(
      500,
      '',
      `failed to convert new object (${object}) to proper version: unable to convert unstructured object to ${kind}: ${error.message}`,
    );
  }
}

/** Of all annotations, keys and values. @source apimachinery api/validation TotalAnnotationSizeLimitB */
const MOST_ANNOTATION_BYTES = 256 * 1024;

/** An object that was once applied by the client stays so that either way works: its annotation follows. @source lastappliedupdater.go */
function keepLastApplied({ metadata }: MutableObject, configuration: MutableObject): void {
  if (!metadata.annotations?.[LAST_APPLIED]) return;
  const { [LAST_APPLIED]: _, ...others } = configuration.metadata.annotations ?? {};
  const annotations = configuration.metadata.annotations ? others : undefined;
  const bare = { ...configuration, metadata: { ...configuration.metadata, annotations } };
  const next = { ...metadata.annotations, [LAST_APPLIED]: `${JSON.stringify(sortedKeys(bare))}\n` };
  const size = Object.entries(next).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (size > MOST_ANNOTATION_BYTES) Reflect.deleteProperty(next, LAST_APPLIED);
  metadata.annotations = next;
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sortedKeys(inner)]),
  );
}

function uidMismatch({ resource }: Applied, _write: WriteContext, { metadata }: MutableObject): Error {
  return conflict(
    resource,
    metadata.name,
    `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`,
  );
}

function checkConfiguration({ resource, apiVersion }: Applied, object: MutableObject): void {
  if (object.metadata === undefined || object.metadata === null) Object.assign(object, { metadata: {} });
  if (object.apiVersion !== apiVersion || object.kind !== resource.kind) {
    const textIn = (value: unknown) => (typeof value === 'string' ? value : '');
    const [found, kind] = [textIn(object.apiVersion), textIn(object.kind)];
    throw badRequest(`invalid object type: ${found.includes('/') ? found : `/${found}`}, Kind=${kind}`);
  }
  if (isEntryList(object.metadata.managedFields)) throw badRequest('metadata.managedFields must be nil');
}

/** An empty list is one, too; what are no entries is left to the check of types. */
function isEntryList(value: unknown): boolean {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'object' && entry !== null && !Array.isArray(entry));
}
