// SPDX-License-Identifier: Apache-2.0
// Validation of what a container mounts, and which block devices it sees. Each name and path is used once, in either list.
// @source upstream pkg/apis/core/validation/validation.go ValidateVolumeMounts, ValidateVolumeDevices
import {
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { Container, Volume, VolumeMount } from '../generated/core/v1.ts';
import { backstepCauses, enumCauses, isSet, relativePathCauses } from './rules.ts';

type Box = DeepReadonly<Pick<Container, 'volumeMounts' | 'volumeDevices' | 'securityContext'>>;
type Volumes = ReadonlyMap<string, DeepReadonly<Volume>>;

export function mountCauses(container: Box, path: FieldPath, volumes: Volumes): FieldCause[] {
  if (!container.volumeMounts) return [];
  const causes: FieldCause[] = [];
  const seen = new Set<string>();
  for (const [index, mount] of container.volumeMounts.entries()) {
    const at = path.index(index);
    if (!mount.name) causes.push(required(at.child('name')));
    if (!volumes.has(mount.name)) causes.push(notFoundValue(at.child('name'), mount.name));
    if (!mount.mountPath) causes.push(required(at.child('mountPath')));
    if (seen.has(mount.mountPath)) causes.push(invalidValue(at.child('mountPath'), mount.mountPath, 'must be unique'));
    seen.add(mount.mountPath);
    causes.push(...deviceOverlapCauses(mount, container, at), ...subPathCauses(mount, at, path));
    causes.push(...propagationCauses(mount, container, path.child('mountPropagation')));
    causes.push(...recursiveCauses(mount, path.child('recursiveReadOnly')));
  }
  return causes;
}

function deviceOverlapCauses(mount: DeepReadonly<VolumeMount>, { volumeDevices }: Box, at: FieldPath): FieldCause[] {
  if (!volumeDevices?.length) return [];
  const causes: FieldCause[] = [];
  if (volumeDevices.some(({ name }) => name === mount.name))
    causes.push(invalidValue(at.child('name'), mount.name, 'must not already exist in volumeDevices'));
  if (volumeDevices.some(({ devicePath }) => devicePath === mount.mountPath))
    causes.push(invalidValue(at.child('mountPath'), mount.mountPath, 'must not already exist as a path in volumeDevices'));
  return causes;
}

function subPathCauses(mount: DeepReadonly<VolumeMount>, at: FieldPath, path: FieldPath): FieldCause[] {
  const causes = mount.subPath ? relativePathCauses(mount.subPath, path.child('subPath')) : [];
  if (!mount.subPathExpr) return causes;
  if (mount.subPath)
    causes.push(invalidValue(at.child('subPathExpr'), mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
  return [...causes, ...relativePathCauses(mount.subPathExpr, path.child('subPathExpr'))];
}

function propagationCauses({ mountPropagation: mode }: DeepReadonly<VolumeMount>, { securityContext }: Box, path: FieldPath): FieldCause[] {
  if (!isSet(mode)) return [];
  const causes: FieldCause[] = enumCauses(mode, ['Bidirectional', 'HostToContainer', 'None'], path);
  if (mode === 'Bidirectional' && securityContext?.privileged !== true)
    causes.push(forbiddenField(path, 'Bidirectional mount propagation is available only to privileged containers'));
  return causes;
}

function recursiveCauses(mount: DeepReadonly<VolumeMount>, path: FieldPath): FieldCause[] {
  const value = mount.recursiveReadOnly;
  if (!isSet(value) || value === 'Disabled') return [];
  if (value !== 'Enabled' && value !== 'IfPossible') return [notSupported(path, value, ['Disabled', 'Enabled', 'IfPossible'])];
  const causes: FieldCause[] = [];
  if (mount.readOnly !== true) causes.push(forbiddenField(path, 'may only be specified when readOnly is true'));
  if (isSet(mount.mountPropagation) && mount.mountPropagation !== 'None')
    causes.push(forbiddenField(path, 'may only be specified when mountPropagation is None or not specified'));
  return causes;
}

export function deviceCauses(container: Box, path: FieldPath, volumes: Volumes): FieldCause[] {
  if (!container.volumeDevices) return [];
  const causes: FieldCause[] = [];
  const [names, paths] = [new Set<string>(), new Set<string>()];
  for (const [index, { name, devicePath }] of container.volumeDevices.entries()) {
    const at = path.index(index);
    const wrongName = (problem: string) => causes.push(invalidValue(at.child('name'), name, problem));
    const wrongPath = (problem: string) => causes.push(invalidValue(at.child('devicePath'), devicePath, problem));
    const volume = volumes.get(name);
    if (!name) causes.push(required(at.child('name')));
    if (names.has(name)) wrongName('must be unique');
    if (volume !== undefined && !volume.persistentVolumeClaim && !volume.ephemeral)
      wrongName('can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode');
    if (volume === undefined) causes.push(notFoundValue(at.child('name'), name));
    if (!devicePath) causes.push(required(at.child('devicePath')));
    if (paths.has(devicePath)) wrongPath('must be unique');
    if (backstepCauses(devicePath ?? '', at).length > 0) wrongPath(`can not contain backsteps ('..')`);
    else paths.add(devicePath);
    if (container.volumeMounts?.some((mount) => mount.name === name)) wrongName('must not already exist in volumeMounts');
    if (container.volumeMounts?.some(({ mountPath }) => mountPath === devicePath))
      wrongPath('must not already exist as a path in volumeMounts');
    if (name) names.add(name);
  }
  return causes;
}
