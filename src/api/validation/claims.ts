// SPDX-License-Identifier: Apache-2.0
// Validation of PersistentVolumeClaims, their status, and claims inside ephemeral volumes and StatefulSets.
// @source upstream pkg/apis/core/validation/validation.go, ValidatePersistentVolumeClaim*
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  compareQuantity,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  notSupported,
  type ObjectMeta,
  parseQuantity,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../generated/core/v1.ts';
import { differenceText } from './difference.ts';
import { annotationCauses, immutableCauses, labelCauses } from './object-meta.ts';
import { amountCauses, basicAmountCauses, isNativeResource } from './pod-resources.ts';
import { choiceCauses, isSet, problems, selectorCauses, sortedEntries } from './rules.ts';

const SPEC = field('spec');
export const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
type Spec = DeepReadonly<PersistentVolumeClaimSpec>;

/** Access modes of claims and volumes: known ones, and the exclusive one alone. */
export function accessModeCauses(modes: readonly string[], path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) causes.push(notSupported(path, mode, ACCESS_MODES));
  const hasOther = modes.some((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode));
  if (hasOther && modes.includes('ReadWriteOncePod'))
    causes.push(forbiddenField(path, 'may not use ReadWriteOncePod with other access modes'));
  return causes;
}

/** The spec of a claim, also in templates. */
export function claimSpecCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const modes = spec.accessModes ?? [];
  const causes: FieldCause[] = [];
  if (modes.length === 0) causes.push(required(path.child('accessModes'), 'at least 1 access mode is required'));
  causes.push(...selectorCauses(spec.selector, path.child('selector')), ...accessModeCauses(modes, path.child('accessModes')));
  causes.push(...sizeCauses(spec.resources?.requests?.['storage'], path.child('resources').key('storage')));
  if (spec.storageClassName)
    causes.push(...problems(checkDns1123Subdomain(spec.storageClassName), path.child('storageClassName'), spec.storageClassName));
  causes.push(...choiceCauses(spec.volumeMode, ['Block', 'Filesystem'], path.child('volumeMode')));
  causes.push(...dataSourceCauses(spec, path));
  const attributes = spec.volumeAttributesClassName;
  if (attributes) causes.push(...problems(checkDns1123Subdomain(attributes), path.child('volumeAttributesClassName'), attributes));
  return causes;
}

/** How much storage is asked for: something. */
function sizeCauses(size: string | undefined, path: FieldPath): FieldCause[] {
  if (!isSet(size)) return [required(path)];
  const quantity = findQuantity(String(size));
  if (quantity !== undefined && quantity.nanos <= 0n) return [invalidValue(path, formatQuantity(quantity), 'must be greater than zero')];
  return amountCauses('storage', size, path);
}

type DataSource = NonNullable<Spec['dataSourceRef']>;

function referenceCauses(source: Partial<DataSource>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!source.name) causes.push(required(path.child('name')));
  if (!source.kind) causes.push(required(path.child('kind')));
  if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim')
    causes.push(invalidValue(path, source.kind ?? '', "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (source.apiGroup) causes.push(...problems(checkDns1123Subdomain(source.apiGroup), path.child('apiGroup'), source.apiGroup));
  if (source.namespace) causes.push(...problems(checkDns1123Label(source.namespace), path.child('namespace'), source.namespace));
  return causes;
}

function dataSourceCauses({ dataSource, dataSourceRef }: Spec, path: FieldPath): FieldCause[] {
  const at = path.child('dataSource');
  const causes = [
    ...(dataSource ? referenceCauses(dataSource, at) : []),
    ...(dataSourceRef ? referenceCauses(dataSourceRef, path.child('dataSourceRef')) : []),
  ];
  if (!dataSource || !dataSourceRef) return causes;
  // The value that is shown is the other field's path.
  if (dataSourceRef.namespace)
    return [...causes, invalidValue(path, String(at), 'may not be specified when dataSourceRef.namespace is specified')];
  const isSame =
    dataSource.apiGroup === dataSourceRef.apiGroup && dataSource.kind === dataSourceRef.kind && dataSource.name === dataSourceRef.name;
  return isSame ? causes : [...causes, invalidValue(path, String(at), 'must match dataSourceRef')];
}

/** `metadata` of something that an object will be made of: labels and annotations, nothing else. */
export function templateMetaCauses(meta: DeepReadonly<ObjectMeta> | undefined, path: FieldPath): FieldCause[] {
  if (!meta) return [];
  const causes = [...annotationCauses(meta.annotations, path.child('annotations')), ...labelCauses(meta.labels, path.child('labels'))];
  for (const name of META_FIELDS) {
    const value = meta[name];
    const isEmpty = !isSet(value) || value === '' || value === 0 || (Array.isArray(value) && value.length === 0);
    if (!isEmpty) causes.push(forbiddenField(path.child(META_NAMES[name] ?? name), 'cannot be set'));
  }
  return causes;
}

const META_FIELDS = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'ownerReferences',
  'finalizers',
  'managedFields',
] as const satisfies readonly (keyof ObjectMeta)[];
/** Go's field name with its first letter lowered, which is not always the name on the wire. */
const META_NAMES: Readonly<Record<string, string>> = { uid: 'uID' };

export function claimCauses({ spec }: DeepReadonly<PersistentVolumeClaim>): FieldCause[] {
  return claimSpecCauses(spec, SPEC);
}

const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

/** The claim's class moved from the old annotation into its field. */
function isClassUpgrade(next: DeepReadonly<PersistentVolumeClaim>, previous: DeepReadonly<PersistentVolumeClaim>): boolean {
  const [now, before] = [next.metadata.annotations?.[CLASS_ANNOTATION], previous.metadata.annotations?.[CLASS_ANNOTATION]];
  const isMoved = before !== undefined && !isSet(previous.spec.storageClassName) && next.spec.storageClassName === before;
  return isMoved && (now === undefined || now === before);
}

/** A class given to a claim that had none. */
function isClassGiven(next: DeepReadonly<PersistentVolumeClaim>, previous: DeepReadonly<PersistentVolumeClaim>): boolean {
  const before = previous.metadata.annotations?.[CLASS_ANNOTATION];
  const isNew = isSet(next.spec.storageClassName) && !isSet(previous.spec.storageClassName);
  return isNew && (before === undefined || next.spec.storageClassName === before);
}

const ONLY = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

export function claimUpdateCauses(next: DeepReadonly<PersistentVolumeClaim>, previous: DeepReadonly<PersistentVolumeClaim>): FieldCause[] {
  const causes = claimCauses(next);
  const masked: Record<string, unknown> = { ...next.spec };
  if (!previous.spec.volumeName) masked['volumeName'] = previous.spec.volumeName;
  if (isClassUpgrade(next, previous)) delete masked['storageClassName'];
  else {
    const [now, before] = [next.metadata.annotations?.[CLASS_ANNOTATION], previous.metadata.annotations?.[CLASS_ANNOTATION]];
    if (now !== before) causes.push(invalidValue(field('metadata', 'annotations', CLASS_ANNOTATION), now ?? '', 'field is immutable'));
    if (isClassGiven(next, previous)) delete masked['storageClassName'];
  }
  if (next.status?.phase === 'Bound') {
    const requests = next.spec.resources?.requests;
    const storage = previous.spec.resources?.requests?.['storage'];
    if (requests)
      masked['resources'] = { ...next.spec.resources, requests: { ...requests, ...(storage === undefined ? {} : { storage }) } };
    if (isSet(next.spec.volumeAttributesClassName)) masked['volumeAttributesClassName'] = previous.spec.volumeAttributesClassName;
  }
  if (!semanticEqual(masked, previous.spec)) causes.push(forbiddenField(SPEC, `${ONLY}\n${differenceText(masked, previous.spec, 'spec')}`));
  causes.push(...shrinkCauses(next, previous), ...immutableCauses(next.spec.volumeMode, previous.spec.volumeMode, field('volumeMode')));
  return [...causes, ...attributesClassCauses(next.spec, previous.spec)];
}

const amountOf = (text: string | undefined) =>
  text === undefined ? parseQuantity('0') : (findQuantity(String(text)) ?? parseQuantity('0'));

/** A claim may ask for less only while it still asks for more than it has. */
function shrinkCauses(next: DeepReadonly<PersistentVolumeClaim>, previous: DeepReadonly<PersistentVolumeClaim>): FieldCause[] {
  const [now, before] = [next, previous].map(({ spec }) => amountOf(spec.resources?.requests?.['storage']));
  const has = amountOf(previous.status?.capacity?.['storage']);
  if (now === undefined || before === undefined || compareQuantity(now, before) >= 0 || compareQuantity(now, has) > 0) return [];
  return [forbiddenField(SPEC.child('resources', 'requests', 'storage'), 'field can not be less than status.capacity')];
}

function attributesClassCauses(next: Spec, previous: Spec): FieldCause[] {
  const path = SPEC.child('volumeAttributesClassName');
  const [now, before] = [next.volumeAttributesClassName, previous.volumeAttributesClassName];
  if (!isSet(before) || now === before) return [];
  if (!isSet(now)) return [forbiddenField(path, 'update from non-nil value to nil is forbidden')];
  return now === '' ? [forbiddenField(path, 'update from non-nil value to an empty string is forbidden')] : [];
}

const RESIZE_STATES = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
].sort();

function resourceKeyCauses(name: string, path: FieldPath): FieldCause[] {
  const wrong = problems(checkQualifiedName(name), path, name);
  if (wrong.length > 0) return wrong;
  return isNativeResource(name) && name !== 'storage' ? [notSupported(path, name, ['storage'])] : [];
}

export function claimStatusCauses(next: DeepReadonly<PersistentVolumeClaim>): FieldCause[] {
  const { spec, status = {} } = next;
  const causes: FieldCause[] = [];
  if (!next.metadata.resourceVersion) causes.push(required('resourceVersion'));
  if ((spec.accessModes ?? []).length === 0) causes.push(required(field('Spec', 'accessModes')));
  const capacity = field('status', 'capacity');
  for (const [name, value] of sortedEntries(status.capacity)) causes.push(...basicAmountCauses(value, capacity.key(name)));
  const states = field('status', 'allocatedResourceStatus');
  for (const [name, state] of sortedEntries(status.allocatedResourceStatuses)) {
    causes.push(...resourceKeyCauses(name, states));
    if (!RESIZE_STATES.includes(state)) causes.push(notSupported(states, name, RESIZE_STATES));
  }
  const allocated = field('status', 'allocatedResources');
  for (const [name, value] of sortedEntries(status.allocatedResources)) {
    const wrong = resourceKeyCauses(name, allocated);
    const basic = wrong.length > 0 ? wrong : basicAmountCauses(value, allocated.key(name));
    causes.push(...(basic.length > 0 ? basic : amountCauses('storage', value, allocated.key(name))));
  }
  return causes;
}
