// SPDX-License-Identifier: Apache-2.0
// Validation of PersistentVolumes, and of their specs inside VolumeAttachments ("inline" ones, which have less).
// @source upstream pkg/apis/core/validation/validation.go ValidatePersistentVolumeSpec, ValidatePersistentVolumeUpdate
import { posix } from 'node:path';
import {
  checkDns1123Subdomain,
  type DeepReadonly,
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
} from '../../machinery/mod.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../generated/core/v1.ts';
import { accessModeCauses } from './claims.ts';
import { differenceText, internalForm } from './difference.ts';
import { immutableCauses } from './object-meta.ts';
import { nodeSelectorCauses } from './pod-affinity.ts';
import { basicAmountCauses } from './pod-resources.ts';
import { choiceCauses, enumCauses, isSet, problems, sortedEntries } from './rules.ts';
import { PERSISTENT_SOURCES } from './volume-sources.ts';

type Spec = DeepReadonly<PersistentVolumeSpec>;
const SPEC = field('spec');
const INLINE = 'in the context of inline volumes';
const NOT_INLINE = `may not be specified ${INLINE}`;

function capacityCauses(capacity: Spec['capacity'], path: FieldPath): FieldCause[] {
  const entries = sortedEntries(capacity);
  const causes: FieldCause[] = entries.length === 0 ? [required(path)] : [];
  if (capacity?.['storage'] === undefined || entries.length > 1) causes.push(notSupported(path, capacity ?? null, ['storage']));
  for (const [name, value] of entries) {
    const quantity = findQuantity(String(value));
    causes.push(...basicAmountCauses(value, path.key(name)));
    if (quantity !== undefined && quantity.nanos <= 0n)
      causes.push(invalidValue(path.key(name), formatQuantity(quantity), 'must be greater than zero'));
  }
  return causes;
}

function nodeAffinityCauses({ nodeAffinity }: Spec, path: FieldPath): FieldCause[] {
  if (!nodeAffinity) return [];
  if (!nodeAffinity.required) return [required(path.child('required'), 'must specify required node constraints')];
  return nodeSelectorCauses(nodeAffinity.required, path.child('required'));
}

function sourceCauses(spec: Spec, path: FieldPath, name: string): FieldCause[] {
  const causes: FieldCause[] = [];
  let count = 0;
  for (const entry of PERSISTENT_SOURCES) {
    const source = (spec as unknown as Readonly<Record<string, unknown>>)[entry.name];
    if (!isSet(source)) continue;
    count += 1;
    // Upstream forgets to count flexVolume in.
    if (count > 1 && entry.name !== 'flexVolume')
      causes.push(forbiddenField(path.child(entry.spelledTwice ?? entry.name), 'may not specify more than 1 volume type'));
    else causes.push(...entry.causes(source as never, path.child(entry.spelled ?? entry.name), name));
    if (count === 1 && entry.name === 'local' && !spec.nodeAffinity)
      causes.push(required(path.child('nodeAffinity'), 'Local volume requires node affinity'));
  }
  return count === 0 ? [...causes, required(path, 'must specify a volume type')] : causes;
}

const isRoot = (text: string) => posix.resolve('/', text) === '/' && text.startsWith('/');

function hostPathRecycleCauses({ hostPath, persistentVolumeReclaimPolicy: policy }: Spec, path: FieldPath): FieldCause[] {
  if (policy !== 'Recycle' || !hostPath || !isRoot(hostPath.path ?? '')) return [];
  return [forbiddenField(path.child('persistentVolumeReclaimPolicy'), `may not be 'recycle' for a hostPath mount of '/'`)];
}

function attributesClassCauses({ volumeAttributesClassName: name, csi }: Spec, path: FieldPath): FieldCause[] {
  if (!isSet(name)) return [];
  const at = path.child('volumeAttributesClassName');
  const causes = name === '' ? [required(at, 'an empty string is disallowed')] : problems(checkDns1123Subdomain(name), at, name);
  return csi ? causes : [...causes, required(path.child('csi'), 'has to be specified when using volumeAttributesClassName')];
}

function specCauses(spec: Spec, name: string): FieldCause[] {
  const modes = SPEC.child('accessModes');
  const policy = SPEC.child('persistentVolumeReclaimPolicy');
  const causes = [
    ...((spec.accessModes ?? []).length === 0 ? [required(modes)] : []),
    ...accessModeCauses(spec.accessModes ?? [], modes),
    ...capacityCauses(spec.capacity, SPEC.child('capacity')),
    ...enumCauses(spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain'], policy),
    ...nodeAffinityCauses(spec, SPEC.child('nodeAffinity')),
    ...sourceCauses(spec, SPEC, name),
    ...hostPathRecycleCauses(spec, SPEC),
  ];
  if (spec.storageClassName)
    causes.push(...problems(checkDns1123Subdomain(spec.storageClassName), SPEC.child('storageClassName'), spec.storageClassName));
  causes.push(...choiceCauses(spec.volumeMode, ['Block', 'Filesystem'], SPEC.child('volumeMode')));
  return [...causes, ...attributesClassCauses(spec, SPEC)];
}

/** The spec of a volume that has no object of its own. */
export function inlineVolumeCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const refuse = (name: string, why = NOT_INLINE) => causes.push(forbiddenField(path.child(name), why));
  if (spec.claimRef) refuse('claimRef');
  if (Object.keys(spec.capacity ?? {}).length > 0) refuse('capacity');
  if (!spec.csi) causes.push(required(path.child('csi'), `has to be specified ${INLINE}`));
  if ((spec.accessModes ?? []).length === 0) causes.push(required(path.child('accessModes')));
  causes.push(...accessModeCauses(spec.accessModes ?? [], path.child('accessModes')));
  const policy = spec.persistentVolumeReclaimPolicy;
  if (policy && policy !== 'Retain') refuse('persistentVolumeReclaimPolicy', `may only be Retain ${INLINE}`);
  if (spec.nodeAffinity) refuse('nodeAffinity');
  causes.push(...sourceCauses(spec, path, ''), ...hostPathRecycleCauses(spec, path));
  if (spec.storageClassName) refuse('storageClassName');
  if (isSet(spec.volumeMode) && spec.volumeMode !== 'Filesystem')
    refuse('volumeMode', `may not specify volumeMode other than Filesystem ${INLINE}`);
  return [...causes, ...attributesClassCauses(spec, path)];
}

export function volumeObjectCauses({ metadata, spec }: DeepReadonly<PersistentVolume>): FieldCause[] {
  return specCauses(spec, metadata.name ?? '');
}

type Affinity = Spec['nodeAffinity'];
const AFFINITY_RULE = 'field is immutable, except for updating from beta label to GA';
/** Labels that have another name since they are stable. */
const STABLE_LABELS: Readonly<Record<string, string>> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
};

/** Whether nothing but the names of labels changed, from old to stable ones. */
function isSameAffinity(next: Affinity, previous: Affinity): boolean {
  const now = next?.required?.nodeSelectorTerms;
  const renamed = (previous?.required?.nodeSelectorTerms ?? []).map((term, index) => ({
    ...term,
    matchExpressions: term.matchExpressions?.map((it, position) => {
      const stable = STABLE_LABELS[it.key];
      return stable !== undefined && now?.[index]?.matchExpressions?.[position]?.key === stable ? { ...it, key: stable } : it;
    }),
  }));
  return isSet(next) && semanticEqual({ required: { nodeSelectorTerms: renamed } }, next);
}

const SOURCE_NAMES = new Set(PERSISTENT_SOURCES.map(({ name }) => name));
const sourcesOf = (spec: Spec) => Object.fromEntries(Object.entries(spec).filter(([name]) => SOURCE_NAMES.has(name)));

export function volumeObjectUpdateCauses(next: DeepReadonly<PersistentVolume>, previous: DeepReadonly<PersistentVolume>): FieldCause[] {
  const causes = volumeObjectCauses(next);
  const [now, before]: Record<string, unknown>[] = [sourcesOf(next.spec), sourcesOf(previous.spec)];
  // A driver that had no secret to grow the volume with may get one.
  if (now && previous.spec.csi && !previous.spec.csi.controllerExpandSecretRef && next.spec.csi?.controllerExpandSecretRef)
    now['csi'] = { ...next.spec.csi, controllerExpandSecretRef: undefined };
  if (!semanticEqual(now, before)) {
    const text = differenceText(now, before, 'spec');
    causes.push(forbiddenField('spec.persistentvolumesource', `spec.persistentvolumesource is immutable after creation\n${text}`));
  }
  causes.push(...immutableCauses(next.spec.volumeMode, previous.spec.volumeMode, field('volumeMode')));
  if (previous.spec.nodeAffinity && !isSameAffinity(next.spec.nodeAffinity, previous.spec.nodeAffinity))
    causes.push(invalidValue(field('nodeAffinity'), internalForm(next.spec.nodeAffinity), AFFINITY_RULE));
  if (isSet(previous.spec.volumeAttributesClassName) && !isSet(next.spec.volumeAttributesClassName))
    causes.push(forbiddenField(SPEC.child('volumeAttributesClassName'), 'update from non-nil value to nil is forbidden'));
  return causes;
}
