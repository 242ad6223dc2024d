// SPDX-License-Identifier: Apache-2.0
// Validation of storage.k8s.io: classes of storage and of attributes, drivers, what nodes have of them, capacities, attachments.
// @source upstream pkg/apis/storage/validation/validation.go
import {
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
  tooLong,
} from '../../machinery/mod.ts';
import type { TopologySelectorTerm } from '../generated/core/v1.ts';
import type {
  CSIDriver,
  CSINode,
  CSINodeDriver,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
  VolumeError,
} from '../generated/storage/v1.ts';
import { immutableCauses } from './object-meta.ts';
import { inlineVolumeCauses } from './persistent-volumes.ts';
import { expiryCauses } from './pod-projections.ts';
import { choiceCauses, enumCauses, isSet, NON_NEGATIVE, nonNegative, problems, selectorCauses, sortedEntries } from './rules.ts';
import { csiDriverNameCauses } from './volume-sources.ts';

const SPEC = field('spec');
const LARGEST_MAP = 256 * 1024;
const MOST_PARAMETERS = 512;
type Texts = Readonly<Record<string, string>> | undefined;

const sizeOf = (map: Texts) =>
  Object.entries(map ?? {}).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);

function parameterCauses(parameters: Texts, path: FieldPath, mayBeEmpty: boolean): FieldCause[] {
  const keys = Object.keys(parameters ?? {});
  if (keys.length > MOST_PARAMETERS) return [tooLong(path, MOST_PARAMETERS)];
  const causes: FieldCause[] = keys.includes('') ? [invalidValue(path, '', 'field can not be empty.')] : [];
  if (sizeOf(parameters) > LARGEST_MAP) causes.push(tooLong(path, LARGEST_MAP));
  if (!mayBeEmpty && keys.length === 0) causes.push(required(path, 'must contain at least one key/value pair'));
  return causes;
}

function provisionerCauses(name: string | undefined, path: FieldPath): FieldCause[] {
  if (!name) return [required(path)];
  return problems(checkQualifiedName(name.toLowerCase()), path, name.toLowerCase());
}

export function storageClassCauses(object: DeepReadonly<StorageClass>): FieldCause[] {
  return [
    ...provisionerCauses(object.provisioner, field('provisioner')),
    ...parameterCauses(object.parameters, field('parameters'), true),
    ...enumCauses(object.reclaimPolicy, ['Delete', 'Retain'], field('reclaimPolicy')),
    ...(isSet(object.volumeBindingMode) ? [] : [required('volumeBindingMode')]),
    ...choiceCauses(object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], field('volumeBindingMode')),
    ...topologyCauses(object.allowedTopologies, field('allowedTopologies')),
  ];
}

type Term = DeepReadonly<TopologySelectorTerm>;

function topologyCauses(terms: readonly Term[] | undefined, path: FieldPath): FieldCause[] {
  const seen: unknown[] = [];
  return (terms ?? []).flatMap((term, index) => {
    const at = path.index(index).child('matchLabelExpressions');
    const causes = termCauses(term, at);
    const meaning = Object.fromEntries((term.matchLabelExpressions ?? []).map(({ key, values }) => [key, [...(values ?? [])].sort()]));
    // An empty term is a duplicate of nothing at all, which upstream has at the start of its list.
    if (Object.keys(meaning).length === 0 || seen.some((it) => semanticEqual(it, meaning))) causes.push(duplicateValue(at, ''));
    seen.push(meaning);
    return causes;
  });
}

function termCauses(term: Term, path: FieldPath): FieldCause[] {
  const keys = new Set<string>();
  return (term.matchLabelExpressions ?? []).flatMap(({ key, values }, index) => {
    const at = path.index(index);
    const causes: FieldCause[] = [];
    if ((values ?? []).length === 0) causes.push(required(at.child('values')));
    const seen = new Set<string>();
    for (const [position, value] of (values ?? []).entries()) {
      const here = at.child('values').index(position);
      if (seen.has(value)) causes.push(duplicateValue(here, value));
      seen.add(value);
      causes.push(...problems(checkLabelValue(value), here, value));
    }
    causes.push(...problems(checkQualifiedName(key), at.child('key'), key));
    if (keys.has(key)) causes.push(duplicateValue(at.child('key'), key));
    keys.add(key);
    return causes;
  });
}

export function storageClassUpdateCauses(next: DeepReadonly<StorageClass>, previous: DeepReadonly<StorageClass>): FieldCause[] {
  return (['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const).flatMap((name) =>
    immutableCauses(next[name], previous[name], field(name)),
  );
}

export function csiDriverCauses({ spec }: DeepReadonly<CSIDriver>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!isSet(spec.attachRequired)) causes.push(required(SPEC.child('attachedRequired')));
  for (const name of ['podInfoOnMount', 'storageCapacity'] as const) if (!isSet(spec[name])) causes.push(required(SPEC.child(name)));
  causes.push(...choiceCauses(spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType'], SPEC.child('fsGroupPolicy')));
  causes.push(...tokenRequestCauses(spec.tokenRequests, SPEC.child('tokenRequests')));
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (mode !== 'Persistent' && mode !== 'Ephemeral')
      causes.push(notSupported(SPEC.child('volumeLifecycleModes'), mode, ['Persistent', 'Ephemeral']));
  }
  if (!isSet(spec.seLinuxMount)) causes.push(required(SPEC.child('seLinuxMount')));
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (isSet(period) && period < 10)
    causes.push(invalidValue(SPEC.child('nodeAllocatableUpdatePeriodSeconds'), period, 'must be greater than or equal to 10 seconds'));
  return causes;
}

function tokenRequestCauses(requests: DeepReadonly<CSIDriver>['spec']['tokenRequests'], path: FieldPath): FieldCause[] {
  const audiences = new Set<string>();
  return (requests ?? []).flatMap(({ audience, expirationSeconds }, index) => {
    const at = path.index(index);
    if (audiences.has(audience)) return [duplicateValue(at.child('audience'), audience)];
    audiences.add(audience);
    return isSet(expirationSeconds) ? expiryCauses(expirationSeconds, at.child('expirationSeconds')) : [];
  });
}

export function csiDriverUpdateCauses(next: DeepReadonly<CSIDriver>, previous: DeepReadonly<CSIDriver>): FieldCause[] {
  return [
    ...csiDriverCauses(next),
    ...immutableCauses(next.spec.attachRequired, previous.spec.attachRequired, SPEC.child('attachedRequired')),
    ...immutableCauses(next.spec.volumeLifecycleModes, previous.spec.volumeLifecycleModes, SPEC.child('volumeLifecycleModes')),
  ];
}

const LONGEST_NODE_ID = 256;

export function csiNodeCauses({ spec }: DeepReadonly<CSINode>): FieldCause[] {
  const names = new Set<string>();
  return (spec.drivers ?? []).flatMap((driver, index) => {
    const at = SPEC.child('drivers').index(index);
    const causes = [...csiDriverNameCauses(driver.name, at.child('name')), ...nodeIdCauses(driver, at.child('nodeID'))];
    causes.push(...nonNegative(driver.allocatable?.count, at.child('allocatable', 'count')));
    if (names.has(driver.name)) causes.push(duplicateValue(at.child('name'), driver.name));
    names.add(driver.name);
    const keys = new Set<string>();
    for (const key of driver.topologyKeys ?? []) {
      if (!key) causes.push(required(at, key));
      if (keys.has(key)) causes.push(duplicateValue(at, key));
      keys.add(key);
      causes.push(...problems(checkQualifiedName(key), at, key));
    }
    return causes;
  });
}

function nodeIdCauses({ nodeID = '' }: DeepReadonly<CSINodeDriver>, path: FieldPath): FieldCause[] {
  if (nodeID === '') return [required(path)];
  return Buffer.byteLength(nodeID) > LONGEST_NODE_ID ? [invalidValue(path, nodeID, `must be ${LONGEST_NODE_ID} characters or less`)] : [];
}

export function csiNodeUpdateCauses(next: DeepReadonly<CSINode>, previous: DeepReadonly<CSINode>): FieldCause[] {
  const causes = csiNodeCauses(next);
  const path = SPEC.child('drivers');
  for (const old of previous.spec.drivers ?? []) {
    for (const now of next.spec.drivers ?? []) {
      if (now.name !== old.name) continue;
      const [{ allocatable: _now, ...own }, { allocatable: _old, ...had }] = [now, old];
      if (!semanticEqual(own, had)) causes.push(...immutableCauses({ ...own, allocatable: null }, had, path));
    }
  }
  return causes;
}

export function storageCapacityCauses(object: DeepReadonly<CSIStorageCapacity>): FieldCause[] {
  const { storageClassName = '', capacity } = object;
  const causes = [
    ...selectorCauses(object.nodeTopology, field('nodeTopology')),
    ...problems(checkDns1123Subdomain(storageClassName), field('storageClassName'), storageClassName),
  ];
  const quantity = isSet(capacity) ? findQuantity(String(capacity)) : undefined;
  if (quantity !== undefined && quantity.nanos < 0n) causes.push(invalidValue('capacity', formatQuantity(quantity), NON_NEGATIVE));
  return causes;
}

export function storageCapacityUpdateCauses(
  next: DeepReadonly<CSIStorageCapacity>,
  previous: DeepReadonly<CSIStorageCapacity>,
): FieldCause[] {
  return [
    ...immutableCauses(next.nodeTopology, previous.nodeTopology, field('nodeTopology')),
    ...immutableCauses(next.storageClassName, previous.storageClassName, field('storageClassName')),
  ];
}

export function volumeAttachmentCauses(object: DeepReadonly<VolumeAttachment>): FieldCause[] {
  const { spec, status } = object;
  const causes: FieldCause[] = spec.attacher ? [] : [required(SPEC.child('attacher'))];
  causes.push(...attachmentSourceCauses(spec.source ?? {}, SPEC.child('source')));
  causes.push(...problems(checkDns1123Subdomain(spec.nodeName ?? ''), SPEC.child('nodeName'), spec.nodeName ?? ''));
  const at = field('status');
  if (sizeOf(status?.attachmentMetadata) > LARGEST_MAP) causes.push(tooLong(at.child('attachmentMetadata'), LARGEST_MAP));
  causes.push(...volumeErrorCauses(status?.attachError, at.child('attachError')));
  return [...causes, ...volumeErrorCauses(status?.detachError, at.child('detachError'))];
}

/** What new attachments have to obey besides. */
export function newAttachmentCauses(object: DeepReadonly<VolumeAttachment>): FieldCause[] {
  const { attacher, source } = object.spec;
  const causes = volumeAttachmentCauses(object);
  if (attacher) causes.push(...csiDriverNameCauses(attacher, SPEC.child('attacher')));
  const name = source?.persistentVolumeName;
  if (isSet(name)) causes.push(...problems(checkDns1123Subdomain(name), SPEC.child('source', 'persistentVolumeName'), name));
  return causes;
}

function attachmentSourceCauses(source: DeepReadonly<VolumeAttachment>['spec']['source'], path: FieldPath): FieldCause[] {
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = source;
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (isSet(name) && isSet(inline)) return [forbiddenField(path, one)];
  if (isSet(inline)) return inlineVolumeCauses(inline, path.child('inlineVolumeSpec'));
  if (!isSet(name)) return [required(path, one)];
  return name === '' ? [required(path.child('persistentVolumeName'), 'must specify non empty persistentVolumeName')] : [];
}

const LONGEST_ERROR = 1024;

function volumeErrorCauses(error: DeepReadonly<VolumeError> | undefined, path: FieldPath): FieldCause[] {
  if (!error) return [];
  const causes: FieldCause[] = [];
  // The length that is told is not the one that is meant.
  if (Buffer.byteLength(error.message ?? '') > LONGEST_ERROR) causes.push(tooLong(path.child('message'), LARGEST_MAP));
  if (isSet(error.errorCode) && error.errorCode < 0)
    causes.push(invalidValue(path.child('errorCode'), error.errorCode, 'must be between 0 and 2147483647, inclusive'));
  return causes;
}

export function volumeAttachmentUpdateCauses(next: DeepReadonly<VolumeAttachment>, previous: DeepReadonly<VolumeAttachment>): FieldCause[] {
  return [...volumeAttachmentCauses(next), ...immutableCauses(next.spec, previous.spec, SPEC)];
}

export function attributesClassCauses({ driverName, parameters }: DeepReadonly<VolumeAttributesClass>): FieldCause[] {
  return [...provisionerCauses(driverName, field('driverName')), ...parameterCauses(parameters, field('parameters'), false)];
}

export function attributesClassUpdateCauses(
  next: DeepReadonly<VolumeAttributesClass>,
  previous: DeepReadonly<VolumeAttributesClass>,
): FieldCause[] {
  const causes: FieldCause[] = [];
  if (next.driverName !== previous.driverName) causes.push(forbiddenField('driverName', 'updates to driverName are forbidden.'));
  if (!semanticEqual(sortedEntries(next.parameters), sortedEntries(previous.parameters)))
    causes.push(forbiddenField('parameters', 'updates to parameters are forbidden.'));
  return [...causes, ...attributesClassCauses(next)];
}
