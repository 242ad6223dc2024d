// SPDX-License-Identifier: Apache-2.0
// Validation of `metadata` on create and update (apimachinery's validation/objectmeta.go and core's finalizer names).
import {
  checkDns1123Label,
  checkLabelValue,
  checkPathSegmentName,
  checkQualifiedName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  type ObjectMeta,
  quote,
  required,
  semanticEqual,
  tooLong,
} from '../../machinery/mod.ts';
import { internalForm } from './difference.ts';
import { managedFieldsCauses } from './managed-fields.ts';
import type { NameRule } from './names.ts';

type Meta = DeepReadonly<ObjectMeta>;
const ANNOTATIONS_LIMIT = 256 * 1024;
const STANDARD_FINALIZERS = new Set(['kubernetes', 'orphan', 'foregroundDeletion']);
export const IMMUTABLE = 'field is immutable';

export interface MetaRules {
  readonly namespaced: boolean;
  readonly nameRule: NameRule;
  readonly path?: FieldPath;
  /** Finalizers without a domain must be standard ones. @default true */
  readonly standardFinalizers?: boolean;
}

/** All of `metadata`, in upstream's order. */
export function validateObjectMeta(
  meta: Meta,
  { namespaced, nameRule, path = field('metadata'), standardFinalizers = true }: MetaRules,
): FieldCause[] {
  const causes: FieldCause[] = [];
  if (meta.generateName) {
    for (const problem of nameRule(meta.generateName, true))
      causes.push(invalidValue(path.child('generateName'), meta.generateName, problem));
  }
  if (!meta.name) causes.push(required(path.child('name'), 'name or generateName is required'));
  else for (const problem of nameRule(meta.name, false)) causes.push(invalidValue(path.child('name'), meta.name, problem));
  if (namespaced) {
    if (!meta.namespace) causes.push(required(path.child('namespace')));
    else
      for (const problem of checkDns1123Label(meta.namespace)) causes.push(invalidValue(path.child('namespace'), meta.namespace, problem));
  } else if (meta.namespace) {
    causes.push(forbiddenField(path.child('namespace'), 'not allowed on this type'));
  }
  causes.push(...accessorCauses(meta, path, true));
  if (standardFinalizers && meta.finalizers !== undefined) causes.push(...kubeFinalizerCauses(meta, path.child('finalizers')));
  return causes;
}

/** @param isNew Whether generation and finalizers are looked at, too: a change of them has rules of its own. */
function accessorCauses(meta: Meta, path: FieldPath, isNew: boolean): FieldCause[] {
  const causes: FieldCause[] = [];
  if (isNew && (meta.generation ?? 0) < 0)
    causes.push(invalidValue(path.child('generation'), meta.generation, 'must be greater than or equal to 0'));
  if (meta.labels !== undefined) causes.push(...labelCauses(meta.labels, path.child('labels')));
  if (meta.annotations !== undefined) causes.push(...annotationCauses(meta.annotations, path.child('annotations')));
  if (meta.ownerReferences !== undefined) causes.push(...ownerCauses(meta, path.child('ownerReferences')));
  if (isNew && meta.finalizers !== undefined) causes.push(...finalizerCauses(meta.finalizers, path.child('finalizers')));
  if (meta.managedFields !== undefined) causes.push(...managedFieldsCauses(meta.managedFields, path.child('managedFields')));
  return causes;
}

export function labelCauses(labels: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [key, value] of sortedEntries(labels)) {
    for (const problem of checkQualifiedName(key)) causes.push(invalidValue(path, key, problem));
    for (const problem of checkLabelValue(value)) causes.push(invalidValue(path, value, problem));
  }
  return causes;
}

function sortedEntries<T>(map: Readonly<Record<string, T>> | undefined): [string, T][] {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function annotationCauses(annotations: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  let size = 0;
  for (const [key, value] of sortedEntries(annotations)) {
    for (const problem of checkQualifiedName(key.toLowerCase())) causes.push(invalidValue(path, key, problem));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > ANNOTATIONS_LIMIT) causes.push(tooLong(path, ANNOTATIONS_LIMIT));
  return causes;
}

function ownerCauses(meta: Meta, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  let controller: string | undefined;
  for (const owner of meta.ownerReferences ?? []) {
    const at = path;
    const version = owner.apiVersion ?? '';
    const parts = version.split('/');
    if (parts.length > 2 || parts.at(-1) === '') causes.push(invalidValue(at.child('apiVersion'), version, 'version must not be empty'));
    if (!owner.kind) causes.push(invalidValue(at.child('kind'), owner.kind ?? '', 'must not be empty'));
    if (!owner.name) causes.push(invalidValue(at.child('name'), owner.name ?? '', 'must not be empty'));
    if (!owner.uid) causes.push(invalidValue(at.child('uid'), owner.uid ?? '', 'must not be empty'));
    if (owner.apiVersion === 'v1' && owner.kind === 'Event') {
      causes.push(invalidValue(at, owner, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (owner.controller !== true) continue;
    const name = `${owner.kind}/${owner.name}`;
    if (controller !== undefined) {
      const detail = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`;
      causes.push(invalidValue(path, meta.ownerReferences, detail));
    }
    controller ??= name;
  }
  return causes;
}

function finalizerCauses(finalizers: readonly string[], path: FieldPath): FieldCause[] {
  const causes = finalizers.flatMap((name) => checkQualifiedName(name).map((problem) => invalidValue(path, name, problem)));
  const both = finalizers.includes('orphan') && finalizers.includes('foregroundDeletion');
  if (both) {
    causes.push(invalidValue(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set'));
  }
  return causes;
}

/** Names without a domain are Kubernetes' own; most kinds take no others. */
function standardFinalizerCauses(finalizers: readonly string[], path: FieldPath): FieldCause[] {
  return finalizers.flatMap((name, index) => (isStandardFinalizer(name) ? [] : [invalidValue(path.index(index), name, ODD_FINALIZER)]));
}

/** {@link standardFinalizerCauses} of an object. */
export function kubeFinalizerCauses({ finalizers }: Meta, path: FieldPath = field('metadata', 'finalizers')): FieldCause[] {
  return finalizers === undefined ? [] : standardFinalizerCauses(finalizers, path);
}

export const isStandardFinalizer = (name: string): boolean => name.includes('/') || STANDARD_FINALIZERS.has(name);
export const ODD_FINALIZER = 'name is neither a standard finalizer name nor is it fully qualified';

/** What an update may not do to `metadata`. */
export function validateObjectMetaUpdate(next: Meta, previous: Meta, path: FieldPath = field('metadata')): FieldCause[] {
  const causes: FieldCause[] = [];
  if (previous.deletionTimestamp) {
    const added = (next.finalizers ?? []).filter((name) => !previous.finalizers?.includes(name));
    if (added.length > 0) {
      const list = `[]string{${[...new Set(added)].sort().map(quote).join(', ')}}`;
      causes.push(
        forbiddenField(
          path.child('finalizers'),
          `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`,
        ),
      );
    }
  }
  if (!next.resourceVersion && previous.resourceVersion) {
    causes.push(invalidValue(path.child('resourceVersion'), next.resourceVersion ?? '', 'must be specified for an update'));
  }
  if ((next.generation ?? 0) < (previous.generation ?? 0)) {
    causes.push(invalidValue(path.child('generation'), next.generation ?? 0, 'must not be decremented'));
  }
  for (const name of ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const) {
    causes.push(...immutableCauses(next[name], previous[name], path.child(name)));
  }
  return [...causes, ...accessorCauses(next, path, false)];
}

const SEGMENT = { nameRule: (name: string) => checkPathSegmentName(name), standardFinalizers: false } as const;

/** What every kind's `metadata` has to obey, whatever the kind says itself. @source upstream rest/create.go BeforeCreate */
export function commonMetaCauses(meta: Meta, namespaced: boolean): FieldCause[] {
  return validateObjectMeta(meta, { ...SEGMENT, namespaced });
}

/** The same of a change: as a new object's, and as a change. @source upstream rest/update.go validateCommonFields */
export function commonMetaUpdateCauses(next: Meta, previous: Meta): FieldCause[] {
  return [...commonMetaCauses(next, next.namespace !== undefined), ...validateObjectMetaUpdate(next, previous)];
}

/** Values that are maps, or of types that upstream shows as they are on the wire. */
const EXTERNAL = /(?:[sS]elector|nodeTopology|[lL]abels|annotations|ata|parameters|metadata\.[a-zA-Z]+)$/;

/** One cause if the values differ. */
export function immutableCauses(next: unknown, previous: unknown, path: FieldPath): FieldCause[] {
  return semanticEqual(next, previous) ? [] : [invalidValue(path, EXTERNAL.test(String(path)) ? next : internalForm(next), IMMUTABLE)];
}
