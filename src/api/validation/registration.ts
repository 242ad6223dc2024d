// SPDX-License-Identifier: Apache-2.0
// Validation of storage drivers, attachments and claims.
import {
  checkDns1123Subdomain,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  field,
  findQuantity,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment, VolumeAttributesClass } from '../generated/storage/v1.ts';
import { immutableCauses } from './object-meta.ts';
import { enumCauses, problems, selectorCauses } from './rules.ts';

const SPEC = field('spec');

export function specImmutableCauses(next: { readonly spec: unknown }, previous: { readonly spec: unknown }): FieldCause[] {
  return immutableCauses(next.spec, previous.spec, SPEC);
}

export function csiDriverCauses({ spec }: DeepReadonly<CSIDriver>): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const name of ['attachRequired', 'podInfoOnMount', 'storageCapacity'] as const)
    if (spec[name] === undefined) causes.push(required(SPEC.child(name)));
  causes.push(...enumCauses(spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType'], SPEC.child('fsGroupPolicy')));
  const audiences = new Set<string>();
  for (const [index, request] of (spec.tokenRequests ?? []).entries()) {
    const at = SPEC.child('tokenRequests').index(index);
    if (audiences.has(request.audience)) causes.push(duplicateValue(at.child('audience'), request.audience));
    audiences.add(request.audience);
    if (request.expirationSeconds !== undefined && request.expirationSeconds < 600) {
      causes.push(
        invalidValue(at.child('expirationSeconds'), request.expirationSeconds, 'may not specify a duration less than 10 minutes'),
      );
    }
  }
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (mode !== 'Persistent' && mode !== 'Ephemeral')
      causes.push(notSupported(SPEC.child('volumeLifecycleModes'), mode, ['Persistent', 'Ephemeral']));
  }
  return causes;
}

export function csiNodeCauses({ spec }: DeepReadonly<CSINode>): FieldCause[] {
  const names = new Set<string>();
  return (spec.drivers ?? []).flatMap((driver, index) => {
    const at = SPEC.child('drivers').index(index);
    const causes: FieldCause[] = [];
    if (!driver.name) causes.push(required(at.child('name')));
    if (!driver.nodeID) causes.push(required(at.child('nodeID')));
    if (names.has(driver.name)) causes.push(duplicateValue(at.child('name'), driver.name));
    names.add(driver.name);
    return causes;
  });
}

export function storageCapacityCauses(object: DeepReadonly<CSIStorageCapacity>): FieldCause[] {
  const causes = problems(checkDns1123Subdomain(object.storageClassName ?? ''), field('storageClassName'), object.storageClassName ?? '');
  for (const name of ['capacity', 'maximumVolumeSize'] as const) {
    const value = object[name];
    if (value !== undefined && (findQuantity(String(value))?.nanos ?? 0n) < 0n)
      causes.push(invalidValue(name, value, 'must be greater than or equal to 0'));
  }
  return [...causes, ...selectorCauses(object.nodeTopology, field('nodeTopology'))];
}

export function storageCapacityUpdateCauses(
  next: DeepReadonly<CSIStorageCapacity>,
  previous: DeepReadonly<CSIStorageCapacity>,
): FieldCause[] {
  return [
    ...storageCapacityCauses(next),
    ...immutableCauses(next.nodeTopology, previous.nodeTopology, field('nodeTopology')),
    ...immutableCauses(next.storageClassName, previous.storageClassName, field('storageClassName')),
  ];
}

export function volumeAttachmentCauses({ spec }: DeepReadonly<VolumeAttachment>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!spec.attacher) causes.push(required(SPEC.child('attacher')));
  const source = SPEC.child('source');
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = spec.source ?? {};
  if (name === undefined && inline === undefined)
    causes.push(required(source, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'));
  else if (name !== undefined && inline !== undefined)
    causes.push(forbiddenField(source, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'));
  else if (name === '') causes.push(required(source.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'));
  return [...causes, ...problems(checkDns1123Subdomain(spec.nodeName ?? ''), SPEC.child('nodeName'), spec.nodeName ?? '')];
}

export function attributesClassCauses({ driverName, parameters }: DeepReadonly<VolumeAttributesClass>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!driverName) causes.push(required('driverName'));
  const keys = Object.keys(parameters ?? {});
  if (keys.length === 0) causes.push(required('parameters', 'must contain at least one key/value pair'));
  if (keys.includes('')) causes.push(invalidValue('parameters', '', 'field can not be empty.'));
  return causes;
}
