// SPDX-License-Identifier: Apache-2.0
// Validation of a Pod's volumes: exactly one source each, and each source's own rules. Sources whose drivers are gone since
// 1.26-1.31 are checked for what they need, no more.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  findQuantity,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { DownwardAPIVolumeFile, KeyToPath, PersistentVolumeClaimSpec, ProjectedVolumeSource, Volume } from '../generated/core/v1.ts';
import { amountCauses } from './pod-resources.ts';
import { backstepCauses, enumCauses, problems, relativePathCauses, selectorCauses } from './rules.ts';

const MODE_RULE = 'must be a number between 0 and 0777 (octal), both inclusive';
const HOST_PATH_TYPES = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];
const DOWNWARD_FIELDS = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
export const RESOURCE_FIELDS = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

function modeCauses(mode: number | undefined, path: FieldPath): FieldCause[] {
  return mode !== undefined && mode !== null && (mode < 0 || mode > 0o777) ? [invalidValue(path, mode, MODE_RULE)] : [];
}

function itemCauses(items: readonly DeepReadonly<KeyToPath>[] | undefined, path: FieldPath): FieldCause[] {
  return (items ?? []).flatMap((item, index) => {
    const at = path.index(index);
    return [
      ...(item.key ? [] : [required(at.child('key'))]),
      ...(item.path ? relativePathCauses(item.path, at.child('path')) : [required(at.child('path'))]),
      ...modeCauses(item.mode, at.child('mode')),
    ];
  });
}

function downwardCauses(file: DeepReadonly<DownwardAPIVolumeFile>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!file.path) causes.push(required(path.child('path')));
  else causes.push(...relativePathCauses(file.path, path.child('path')));
  if (file.fieldRef) {
    if (file.resourceFieldRef)
      causes.push(invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    causes.push(...downwardFieldCauses(file.fieldRef, path.child('fieldRef')));
  } else if (file.resourceFieldRef) {
    const at = path.child('resourceFieldRef');
    if (!file.resourceFieldRef.containerName) causes.push(required(at.child('containerName')));
    const name = file.resourceFieldRef.resource;
    if (!name) causes.push(required(at.child('resource')));
    else if (!RESOURCE_FIELDS.includes(name) && !/^(limits|requests)\.hugepages-/.test(name))
      causes.push(notSupported(at.child('resource'), name, RESOURCE_FIELDS));
  } else {
    causes.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  }
  return [...causes, ...modeCauses(file.mode, path.child('mode'))];
}

function downwardFieldCauses(ref: { readonly apiVersion?: string; readonly fieldPath: string }, path: FieldPath): FieldCause[] {
  if (!ref.fieldPath) return [required(path.child('fieldPath'))];
  const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(ref.fieldPath);
  if (subscript !== null || DOWNWARD_FIELDS.includes(ref.fieldPath)) return [];
  return [notSupported(path.child('fieldPath'), ref.fieldPath, DOWNWARD_FIELDS)];
}

function projectedCauses(projected: DeepReadonly<ProjectedVolumeSource>, path: FieldPath): FieldCause[] {
  const causes = modeCauses(projected.defaultMode, path.child('defaultMode'));
  const paths = new Set<string>();
  const note = (list: readonly { readonly path: string }[] | undefined) => {
    for (const item of list ?? []) {
      if (item.path && paths.has(item.path)) causes.push(invalidValue(path, notedBy, 'conflicting duplicate paths'));
      paths.add(item.path);
    }
  };
  let notedBy = '';
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const at = path.child('sources').index(index);
    let count = 0;
    const isFirst = () => {
      count += 1;
      if (count > 1) causes.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
      return count === 1;
    };
    if (source.secret && isFirst()) {
      notedBy = source.secret.name ?? '';
      if (!source.secret.name) causes.push(required(at.child('secret', 'name')));
      causes.push(...itemCauses(source.secret.items, at.child('secret', 'items')));
      note(source.secret.items);
    }
    if (source.configMap && isFirst()) {
      notedBy = source.configMap.name ?? '';
      if (!source.configMap.name) causes.push(required(at.child('configMap', 'name')));
      causes.push(...itemCauses(source.configMap.items, at.child('configMap', 'items')));
      note(source.configMap.items);
    }
    if (source.downwardAPI && isFirst()) {
      notedBy = 'downwardAPI';
      for (const file of source.downwardAPI.items ?? []) causes.push(...downwardCauses(file, at.child('downwardAPI')));
      note(source.downwardAPI.items);
    }
    if (source.serviceAccountToken && isFirst()) {
      const { expirationSeconds: seconds, path: to } = source.serviceAccountToken;
      const expiry = at.child('serviceAccountToken', 'expirationSeconds');
      if ((seconds ?? 3600) < 600) causes.push(invalidValue(expiry, seconds, 'may not specify a duration less than 10 minutes'));
      else if ((seconds ?? 0) > 2 ** 32) causes.push(invalidValue(expiry, seconds, 'may not specify a duration larger than 2^32 seconds'));
      if (!to) causes.push(required(path.child('path')));
      else causes.push(...relativePathCauses(to, path.child('path')));
      notedBy = 'serviceAccountToken';
      note([{ path: to }]);
    }
    if ((source.clusterTrustBundle || source.podCertificate) && isFirst() && source.clusterTrustBundle) {
      if (!source.clusterTrustBundle.path) causes.push(required(at.child('clusterTrustBundle', 'path')));
    }
  }
  return causes;
}

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

/** The spec of a claim, also in templates. */
export function claimSpecCauses(spec: DeepReadonly<PersistentVolumeClaimSpec>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) causes.push(required(path.child('accessModes'), 'at least 1 access mode is required'));
  causes.push(...selectorCauses(spec.selector, path.child('selector')));
  for (const mode of modes) if (!ACCESS_MODES.includes(mode)) causes.push(notSupported(path.child('accessModes'), mode, ACCESS_MODES));
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    causes.push(forbiddenField(path.child('accessModes'), 'may not use ReadWriteOncePod with other access modes'));
  }
  const size = spec.resources?.requests?.['storage'];
  const at = path.child('resources').key('storage');
  if (size === undefined) causes.push(required(at));
  else if ((findQuantity(String(size))?.nanos ?? 0n) <= 0n) {
    causes.push(
      ...amountCauses('storage', size, at),
      ...(findQuantity(String(size))?.nanos === 0n ? [invalidValue(at, size, 'must be greater than zero')] : []),
    );
  }
  if (spec.storageClassName)
    causes.push(...problems(checkDns1123Subdomain(spec.storageClassName), path.child('storageClassName'), spec.storageClassName));
  causes.push(...enumCauses(spec.volumeMode, ['Block', 'Filesystem'], path.child('volumeMode')));
  if (spec.dataSource) {
    const source = path.child('dataSource');
    if (!spec.dataSource.name) causes.push(required(source.child('name')));
    if (!spec.dataSource.kind) causes.push(required(source.child('kind')));
    if (!spec.dataSource.apiGroup && spec.dataSource.kind !== 'PersistentVolumeClaim') {
      causes.push(invalidValue(source, spec.dataSource.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
    }
  }
  return causes;
}

type SourceRule = (source: never, path: FieldPath) => FieldCause[];

function needs<T>(path: FieldPath, source: T, ...names: readonly (keyof T & string)[]): FieldCause[] {
  return names.filter((name) => !source[name]).map((name) => required(path.child(name)));
}

function hostPathCauses(source: NonNullable<DeepReadonly<Volume>['hostPath']>, path: FieldPath): FieldCause[] {
  if (!source.path) return [required(path.child('path'))];
  const causes = backstepCauses(source.path, path.child('path'));
  const type = source.type ?? '';
  if (!HOST_PATH_TYPES.includes(type)) causes.push(notSupported(path.child('type'), type, HOST_PATH_TYPES));
  return causes;
}

function nfsCauses(source: NonNullable<DeepReadonly<Volume>['nfs']>, path: FieldPath): FieldCause[] {
  const causes = needs(path, source, 'server', 'path');
  if (source.path && !source.path.startsWith('/')) causes.push(invalidValue(path.child('path'), source.path, 'must be an absolute path'));
  return causes;
}

function emptyDirCauses(source: NonNullable<DeepReadonly<Volume>['emptyDir']>, path: FieldPath): FieldCause[] {
  const size = source.sizeLimit === undefined ? undefined : findQuantity(String(source.sizeLimit));
  return size !== undefined && size.nanos < 0n
    ? [forbiddenField(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')]
    : [];
}

function csiCauses(source: NonNullable<DeepReadonly<Volume>['csi']>, path: FieldPath): FieldCause[] {
  const causes = csiDriverNameCauses(source.driver, path.child('driver'));
  if (source.nodePublishSecretRef && !source.nodePublishSecretRef.name) causes.push(required(path.child('nodePublishSecretRef', 'name')));
  return causes;
}

/** The name of a CSI driver. */
export function csiDriverNameCauses(name: string | undefined, path: FieldPath): FieldCause[] {
  if (!name) return [required(path)];
  const causes: FieldCause[] = [];
  if (name.length > 63)
    causes.push({ reason: 'FieldValueTooLong', field: String(path), message: 'Too long: may not be more than 63 bytes' });
  return [...causes, ...problems(checkDns1123Subdomain(name.toLowerCase()), path, name)];
}

/** What each source needs; `null` where nothing can be wrong. */
const SOURCES: Readonly<Record<string, SourceRule>> = {
  emptyDir: emptyDirCauses,
  hostPath: hostPathCauses,
  gitRepo: ((source: { repository: string; directory?: string }, path) => [
    ...needs(path, source, 'repository'),
    ...(source.directory ? relativePathCauses(source.directory, path.child('directory')) : []),
  ]) as SourceRule,
  gcePersistentDisk: ((source: { pdName: string }, path) => needs(path, source, 'pdName')) as SourceRule,
  awsElasticBlockStore: ((source: { volumeID: string }, path) => needs(path, source, 'volumeID')) as SourceRule,
  secret: ((source: { secretName?: string; defaultMode?: number; items?: KeyToPath[] }, path) => [
    ...needs(path, source, 'secretName'),
    ...modeCauses(source.defaultMode, path.child('defaultMode')),
    ...itemCauses(source.items, path.child('items')),
  ]) as SourceRule,
  nfs: nfsCauses,
  iscsi: ((source: { targetPortal: string; iqn: string }, path) => needs(path, source, 'targetPortal', 'iqn')) as SourceRule,
  glusterfs: ((source: { endpoints: string; path: string }, path) => needs(path, source, 'endpoints', 'path')) as SourceRule,
  flocker: (() => []) as SourceRule,
  persistentVolumeClaim: ((source: { claimName: string }, path) => needs(path, source, 'claimName')) as SourceRule,
  rbd: ((source: { monitors?: string[]; image: string }, path) => [
    ...((source.monitors ?? []).length === 0 ? [required(path.child('monitors'))] : []),
    ...needs(path, source, 'image'),
  ]) as SourceRule,
  cinder: ((source: { volumeID: string }, path) => needs(path, source, 'volumeID')) as SourceRule,
  cephfs: ((source: { monitors?: string[] }, path) =>
    (source.monitors ?? []).length === 0 ? [required(path.child('monitors'))] : []) as SourceRule,
  quobyte: ((source: { registry: string; volume: string }, path) => needs(path, source, 'registry', 'volume')) as SourceRule,
  downwardAPI: ((source: { defaultMode?: number; items?: DownwardAPIVolumeFile[] }, path) => [
    ...modeCauses(source.defaultMode, path.child('defaultMode')),
    ...(source.items ?? []).flatMap((item) => downwardCauses(item, path)),
  ]) as SourceRule,
  fc: (() => []) as SourceRule,
  flexVolume: ((source: { driver: string }, path) => needs(path, source, 'driver')) as SourceRule,
  azureFile: ((source: { secretName: string; shareName: string }, path) => needs(path, source, 'secretName', 'shareName')) as SourceRule,
  configMap: ((source: { name: string; defaultMode?: number; items?: KeyToPath[] }, path) => [
    ...needs(path, source, 'name'),
    ...modeCauses(source.defaultMode, path.child('defaultMode')),
    ...itemCauses(source.items, path.child('items')),
  ]) as SourceRule,
  vsphereVolume: ((source: { volumePath: string }, path) => needs(path, source, 'volumePath')) as SourceRule,
  azureDisk: ((source: { diskName: string; diskURI: string }, path) => needs(path, source, 'diskName', 'diskURI')) as SourceRule,
  photonPersistentDisk: ((source: { pdID: string }, path) => needs(path, source, 'pdID')) as SourceRule,
  portworxVolume: ((source: { volumeID: string }, path) => needs(path, source, 'volumeID')) as SourceRule,
  projected: projectedCauses,
  scaleIO: ((source: { gateway: string; system: string; volumeName: string }, path) =>
    needs(path, source, 'gateway', 'system', 'volumeName')) as SourceRule,
  storageos: ((source: { volumeName?: string }, path) => needs(path, source, 'volumeName')) as SourceRule,
  csi: csiCauses,
  ephemeral: ((source: { volumeClaimTemplate?: { spec?: PersistentVolumeClaimSpec } }, path) => {
    const at = path.child('volumeClaimTemplate');
    return source.volumeClaimTemplate
      ? claimSpecCauses(source.volumeClaimTemplate.spec ?? ({} as PersistentVolumeClaimSpec), at.child('spec'))
      : [required(at)];
  }) as SourceRule,
  image: ((source: { reference?: string; pullPolicy?: string }, path) => [
    ...needs(path, source, 'reference'),
    ...enumCauses(source.pullPolicy, ['Always', 'IfNotPresent', 'Never'], path.child('pullPolicy')),
  ]) as SourceRule,
};

export function volumeCauses(volumes: readonly DeepReadonly<Volume>[] | undefined, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const seen = new Set<string>();
  for (const [index, volume] of (volumes ?? []).entries()) {
    const at = path.index(index);
    const own = sourceCauses(volume, at);
    if (!volume.name) own.push(required(at.child('name')));
    else own.push(...problems(checkDns1123Label(volume.name), at.child('name'), volume.name));
    if (seen.has(volume.name)) own.push(duplicateValue(at.child('name'), volume.name));
    if (own.length === 0) seen.add(volume.name);
    causes.push(...own);
  }
  return causes;
}

function sourceCauses(volume: DeepReadonly<Volume>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  let count = 0;
  for (const [name, rule] of Object.entries(SOURCES)) {
    const source = (volume as Record<string, unknown>)[name];
    if (source === undefined || source === null) continue;
    count += 1;
    if (count > 1) causes.push(forbiddenField(path.child(name), 'may not specify more than 1 volume type'));
    else causes.push(...rule(source as never, path.child(name)));
  }
  if (count === 0) causes.push(required(path, 'must specify a volume type'));
  return causes;
}
