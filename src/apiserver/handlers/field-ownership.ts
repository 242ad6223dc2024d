// SPDX-License-Identifier: Apache-2.0
// Books writes to their field managers: managedFields after create, update and patch, and the whole of server-side apply.
// Works on stored versions; entries carry the version that was asked for.
import { formatTime } from '#component';
import {
  type ApplyParts,
  apiError,
  applyPatch,
  badRequest,
  compareObjects,
  conflict,
  DecodeError,
  type FieldSet,
  findTypeProblem,
  normalize,
  otherVersionProblem,
  setOfPaths,
  type UpdateParts,
  updateManagedFields,
} from '#machinery';
import { inServedVersion, type ServedResource } from '../registry/generic/served-resource.ts';
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

/** Custom objects may hold what their schema, or that of another version, does not know: then nobody's ownership can be told. */
function isTyped({ schema, apiVersion, otherVersions }: Owned, before: MutableObject | undefined, next: MutableObject): boolean {
  if (findTypeProblem(next, schema, '') !== undefined) return false;
  if (before === undefined) return true;
  if (findTypeProblem(before, schema, '') !== undefined) return false;
  const owners = before.metadata.managedFields ?? [];
  return otherVersions === undefined || otherVersionProblem(otherVersions, owners, apiVersion, next) === undefined;
}

/** Sets `next.metadata.managedFields` to what is owned after the change from `before` to `next`. */
export function bookUpdate(
  served: Owned,
  write: Pick<WriteContext, 'fieldManager' | 'subresource'>,
  before: MutableObject | undefined,
  next: MutableObject,
  resetFields: readonly string[],
  now: number,
): void {
  if (served.schema.coerce !== undefined && !isTyped(served, before, next)) {
    delete next.metadata.managedFields;
    return;
  }
  const inVersion = (object: MutableObject) => (served.convert === undefined ? object : served.convert.fromStorage(object));
  const entries = updateManagedFields({
    live: before === undefined ? undefined : inVersion(before),
    next: inVersion(next),
    schema: served.schema,
    manager: write.fieldManager,
    apiVersion: served.apiVersion,
    subresource: write.subresource,
    time: formatTime(now),
    resetFields: resetSet(resetFields),
    changesIn: changesIn(served, before, () => next),
  });
  if (entries === undefined || entries.length === 0) delete next.metadata.managedFields;
  else next.metadata.managedFields = entries;
}

/** How a change looks in another form of the kind; undefined where there is only one. Objects are in their stored form. */
function changesIn(
  { siblings }: Owned,
  before: MutableObject | undefined,
  storedNext: (next: MutableObject) => MutableObject,
): UpdateParts['changesIn'] {
  if (siblings === undefined) return undefined;
  return (apiVersion, next) => {
    const sibling = siblings.get(apiVersion);
    if (sibling === undefined) return undefined;
    const view = (object: MutableObject) => inServedVersion(sibling, object);
    const empty = normalize({}, sibling.schema);
    return compareObjects(before === undefined ? empty : view(before), view(storedNext(next as MutableObject)), sibling.schema);
  };
}

/** The object that applying a configuration makes of the live one. @throws {ApiError} 400, 409. */
export function bookApply(
  served: ServedResource,
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
    otherVersions: served.otherVersions,
    resetFields: resetSet(resetFields),
    changesIn: changesIn(served, live, (next) => intoStorage(structuredClone(next) as MutableObject)),
  });
  if (live === undefined && wanted.object.metadata.uid) throw uidMismatch(served, write, wanted.object);
  const next = intoStorage(structuredClone(merged) as MutableObject);
  if (write.fieldManager === 'kubectl') keepLastApplied(next, wanted.object);
  // The configuration names no version, or the one it is based on.
  const { resourceVersion } = wanted.object.metadata;
  next.metadata.resourceVersion = live === undefined ? '' : (resourceVersion ?? '');
  return next;
}

/** @throws {ApiError} 409; 500 where the whole is no object of the kind, as upstream has it. */
function applied({ resource, apiVersion }: ServedResource, { metadata }: MutableObject, parts: ApplyParts): MutableObject {
  try {
    return applyPatch(parts) as MutableObject;
  } catch (error) {
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

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** An object that was once applied by the client stays so that either way works: its annotation follows. @source lastappliedupdater.go */
function keepLastApplied({ metadata }: MutableObject, configuration: MutableObject): void {
  if (metadata.annotations?.[LAST_APPLIED] === undefined) return;
  metadata.annotations = { ...metadata.annotations, [LAST_APPLIED]: `${JSON.stringify(sortedKeys(configuration))}\n` };
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

function uidMismatch({ resource }: ServedResource, _write: WriteContext, { metadata }: MutableObject): Error {
  return conflict(
    resource,
    metadata.name,
    `uid mismatch: the provided object specified uid ${metadata.uid}, and no existing object was found`,
  );
}

function checkConfiguration({ resource, apiVersion }: ServedResource, object: MutableObject): void {
  if (object.metadata === undefined || object.metadata === null) Object.assign(object, { metadata: {} });
  if (object.metadata.managedFields !== undefined && object.metadata.managedFields.length > 0)
    throw badRequest('metadata.managedFields must be nil');
  if (object.apiVersion === apiVersion && object.kind === resource.kind) return;
  const textIn = (value: unknown) => (typeof value === 'string' ? value : '');
  const [found, kind] = [textIn(object.apiVersion), textIn(object.kind)];
  throw badRequest(`invalid object type: ${found.includes('/') ? found : `/${found}`}, Kind=${kind}`);
}
