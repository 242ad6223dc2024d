// SPDX-License-Identifier: Apache-2.0
// What each source of a volume needs, as far as Pods and PersistentVolumes say the same: hostPath, network file systems, disks,
// and the drivers that are gone since 1.26-1.31, whose fields are still checked.
// @source upstream pkg/apis/core/validation/validation.go, validate*VolumeSource
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  type FieldCause,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../machinery/mod.ts';
import { backstepCauses, isSet, problems, relativePathCauses, sortedEntries } from './rules.ts';

type Fields = Readonly<Record<string, unknown>>;
/** @param name Of the volume: some limits count it in. */
export type SourceRule = (source: never, path: FieldPath, name: string) => FieldCause[];

const rule = <T>(check: (source: T, path: FieldPath, name: string) => FieldCause[]) => check as unknown as SourceRule;

/** Fields that may not be empty. */
export function needs(path: FieldPath, source: object, ...names: readonly string[]): FieldCause[] {
  return names.filter((name) => !(source as Fields)[name]).map((name) => required(path.child(name)));
}

const needing = (...names: readonly string[]) => rule<object>((source, path) => needs(path, source, ...names));

const HOST_PATH_TYPES = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

export const hostPathCauses = rule<{ readonly path?: string; readonly type?: string }>((source, path) => {
  if (!source.path) return [required(path.child('path'))];
  const causes = backstepCauses(source.path, path.child('path'));
  if (isSet(source.type) && !HOST_PATH_TYPES.includes(source.type))
    causes.push(notSupported(path.child('type'), source.type, HOST_PATH_TYPES));
  return causes;
});

export const gitRepoCauses = rule<{ readonly repository?: string; readonly directory?: string }>((source, path) => [
  ...needs(path, source, 'repository'),
  ...relativePathCauses(source.directory ?? '', path.child('directory')),
]);

/** A disk of a cloud, whose partition is a byte. */
const diskCauses = (id: string) =>
  rule<{ readonly partition?: number }>((source, path) => {
    const causes = needs(path, source, id);
    const partition = source.partition ?? 0;
    if (partition < 0 || partition > 255)
      causes.push(invalidValue(path.child('partition'), partition, 'must be between 1 and 255, inclusive'));
    return causes;
  });
export const gcePersistentDiskCauses = diskCauses('pdName');
export const awsElasticBlockStoreCauses = diskCauses('volumeID');

export const nfsCauses = rule<{ readonly server?: string; readonly path?: string }>((source, path) => {
  const causes = needs(path, source, 'server', 'path');
  if (!source.path?.startsWith('/')) causes.push(invalidValue(path.child('path'), source.path ?? '', 'must be an absolute path'));
  return causes;
});

interface Iscsi {
  readonly targetPortal?: string;
  readonly iqn?: string;
  readonly lun?: number;
  readonly chapAuthDiscovery?: boolean;
  readonly chapAuthSession?: boolean;
  readonly secretRef?: { readonly name?: string };
  readonly initiatorName?: string;
}
const INITIATORS: readonly (readonly [string, RegExp])[] = [
  ['iqn', /iqn\.\d{4}-\d{2}\.[A-Za-z0-9.-]+:[^,;*&$|\s]+$/],
  ['eui', /^eui.[A-Za-z0-9]{16}$/],
  ['naa', /^naa.[A-Za-z0-9]{32}$/],
];
const PORTAL_LIMIT = 64;
export const PORTAL_RULE = `Total length of <volume name>:<iscsi.targetPortal> must be under ${PORTAL_LIMIT} characters if iscsi.initiatorName is specified.`;

/** Whether name and portal fit together into what the initiator is told. */
export function isPortalTooLong(name: string, { initiatorName, targetPortal }: Iscsi): boolean {
  return isSet(initiatorName) && Buffer.byteLength(`${name}:${targetPortal ?? ''}`) > PORTAL_LIMIT;
}

function initiatorCauses(text: string, path: FieldPath, why: string): FieldCause[] {
  const known = INITIATORS.find(([prefix]) => text.startsWith(prefix));
  if (known === undefined) return [invalidValue(path, text, why)];
  return known[1].test(text) ? [] : [invalidValue(path, text, 'must be valid format')];
}

/** @param why What is said of a name of no known kind. */
function iscsiFields(source: Iscsi, path: FieldPath, why: string, between: readonly FieldCause[] = []): FieldCause[] {
  const causes = [...needs(path, source, 'targetPortal'), ...between];
  if (!source.iqn) causes.push(required(path.child('iqn')));
  else causes.push(...initiatorCauses(source.iqn, path.child('iqn'), why));
  const lun = source.lun ?? 0;
  if (lun < 0 || lun > 255) causes.push(invalidValue(path.child('lun'), lun, 'must be between 0 and 255, inclusive'));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef) causes.push(required(path.child('secretRef')));
  return causes;
}

const anyInitiator = 'must be valid format starting with iqn, eui, or naa';

export const iscsiCauses = rule<Iscsi>((source, path) => {
  const causes = iscsiFields(source, path, anyInitiator);
  if (isSet(source.initiatorName)) causes.push(...initiatorCauses(source.initiatorName, path.child('initiatorname'), anyInitiator));
  return causes;
});

const iscsiPersistentCauses = rule<Iscsi>((source, path, name) => {
  const long = isPortalTooLong(name, source) ? [invalidValue(path.child('targetportal'), source.targetPortal ?? '', PORTAL_RULE)] : [];
  const causes = iscsiFields(source, path, 'must be valid format', long);
  if (source.secretRef) causes.push(...needs(path.child('secretRef'), source.secretRef, 'name'));
  if (isSet(source.initiatorName))
    causes.push(...initiatorCauses(source.initiatorName, path.child('initiatorname'), 'must be valid format'));
  return causes;
});

export const glusterfsCauses = needing('endpoints', 'path');

const glusterfsPersistentCauses = rule<{ readonly endpointsNamespace?: string }>((source, path) => {
  const causes = needs(path, source, 'endpoints', 'path');
  const namespace = source.endpointsNamespace;
  if (!isSet(namespace)) return causes;
  const at = path.child('endpointsNamespace');
  const why = 'if the endpointnamespace is set, it must be a valid namespace name';
  return [...causes, ...(namespace === '' ? [invalidValue(at, '', why)] : problems(checkDns1123Label(namespace), at, namespace))];
});

export const flockerCauses = rule<{ readonly datasetName?: string; readonly datasetUUID?: string }>((source, path) => {
  const { datasetName = '', datasetUUID = '' } = source;
  const causes: FieldCause[] = [];
  if (!datasetName && !datasetUUID) causes.push(required(path, 'one of datasetName and datasetUUID is required'));
  if (datasetName && datasetUUID)
    causes.push(invalidValue(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
  if (datasetName.includes('/')) causes.push(invalidValue(path.child('datasetName'), datasetName, "must not contain '/'"));
  return causes;
});

export const rbdCauses = rule<{ readonly monitors?: readonly string[]; readonly image?: string }>((source, path) => [
  ...((source.monitors ?? []).length === 0 ? [required(path.child('monitors'))] : []),
  ...needs(path, source, 'image'),
]);

interface SecretRef {
  readonly secretRef?: { readonly name?: string; readonly namespace?: string };
}
/** @param names Of the reference's fields that must be there. */
const referring = (id: string, ...names: readonly string[]) =>
  rule<SecretRef>((source, path) => [
    ...needs(path, source, id),
    ...(source.secretRef ? needs(path.child('secretRef'), source.secretRef, ...names) : []),
  ]);
export const cinderCauses = referring('volumeID', 'name');

export const cephfsCauses = rule<{ readonly monitors?: readonly string[] }>((source, path) =>
  (source.monitors ?? []).length === 0 ? [required(path.child('monitors'))] : [],
);

const REGISTRY_RULE = 'must be a host:port pair or multiple pairs separated by commas';
const HOST_PORT = /^(?:\[[^[\]]*\]|[^:[\]]*):[^:[\]]*$/;

export const quobyteCauses = rule<{ readonly registry?: string; readonly tenant?: string; readonly volume?: string }>((source, path) => {
  const causes: FieldCause[] = [];
  if (!source.registry) causes.push(required(path.child('registry'), REGISTRY_RULE));
  else if ((source.tenant ?? '').length >= 65)
    causes.push(required(path.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters'));
  else {
    for (const pair of source.registry.split(','))
      if (!HOST_PORT.test(pair)) causes.push(invalidValue(path.child('registry'), source.registry, REGISTRY_RULE));
  }
  return [...causes, ...needs(path, source, 'volume')];
});

interface FibreChannel {
  readonly targetWWNs?: readonly string[];
  readonly wwids?: readonly string[];
  readonly lun?: number;
}
export const fcCauses = rule<FibreChannel>((source, path) => {
  const { targetWWNs: names = [], wwids: ids = [], lun } = source;
  const causes: FieldCause[] = [];
  const at = path.child('targetWWNs');
  if (names.length + ids.length === 0) causes.push(required(at, 'must specify either targetWWNs or wwids, but not both'));
  if (names.length > 0 && ids.length > 0) causes.push(invalidValue(at, names, 'targetWWNs and wwids can not be specified simultaneously'));
  if (names.length === 0) return causes;
  if (!isSet(lun)) causes.push(required(path.child('lun'), 'lun is required if targetWWNs is specified'));
  else if (lun < 0 || lun > 255) causes.push(invalidValue(path.child('lun'), lun, 'must be between 0 and 255, inclusive'));
  return causes;
});

export const flexVolumeCauses = rule<{ readonly driver?: string; readonly options?: Readonly<Record<string, string>> }>((source, path) => {
  const causes = needs(path, source, 'driver');
  for (const [key] of sortedEntries(source.options)) {
    const slash = key.indexOf('/');
    const domain = `.${(slash < 0 ? key : key.slice(0, slash)).toLowerCase()}`;
    if (domain.endsWith('.kubernetes.io') || domain.endsWith('.k8s.io'))
      causes.push(invalidValue(path.child('options').key(key), key, 'kubernetes.io and k8s.io namespaces are reserved'));
  }
  return causes;
});

export const azureFileCauses = needing('secretName', 'shareName');

const azureFilePersistentCauses = rule<{ readonly secretNamespace?: string }>((source, path) => [
  ...needs(path, source, 'secretName', 'shareName'),
  ...(source.secretNamespace === '' ? [required(path.child('secretNamespace'))] : []),
]);

interface AzureDisk {
  readonly cachingMode?: string;
  readonly kind?: string;
  readonly diskURI?: string;
}
const MANAGED_URI = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const BLOB_URI = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';

export const azureDiskCauses = rule<AzureDisk>((source, path) => {
  const { cachingMode, kind, diskURI = '' } = source;
  const causes = needs(path, source, 'diskName', 'diskURI');
  const check = (name: string, value: string | undefined, known: readonly string[]) => {
    if (isSet(value) && !known.includes(value)) causes.push(notSupported(path.child(name), value, known));
  };
  check('cachingMode', cachingMode, ['None', 'ReadOnly', 'ReadWrite']);
  check('kind', kind, ['Dedicated', 'Managed', 'Shared']);
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions/'))
    causes.push(notSupported(path.child('diskURI'), diskURI, [MANAGED_URI]));
  if (isSet(kind) && kind !== 'Managed' && !diskURI.startsWith('https://'))
    causes.push(notSupported(path.child('diskURI'), diskURI, [BLOB_URI]));
  return causes;
});

export const vsphereVolumeCauses = needing('volumePath');
export const photonPersistentDiskCauses = needing('pdID');
export const portworxVolumeCauses = needing('volumeID');
export const scaleIoCauses = needing('gateway', 'system', 'volumeName');

interface StorageOs extends SecretRef {
  readonly volumeName?: string;
  readonly volumeNamespace?: string;
}
const storageOs = (...names: readonly string[]) =>
  rule<StorageOs>((source, path) => {
    const { volumeName, volumeNamespace, secretRef } = source;
    const causes = volumeName
      ? problems(checkDns1123Label(volumeName), path.child('volumeName'), volumeName)
      : [required(path.child('volumeName'))];
    if (volumeNamespace) causes.push(...problems(checkDns1123Label(volumeNamespace), path.child('volumeNamespace'), volumeNamespace));
    return [...causes, ...(secretRef ? needs(path.child('secretRef'), secretRef, ...names) : [])];
  });
export const storageOsCauses = storageOs('name');

/** The name of a CSI driver, also of DRA drivers. */
export function csiDriverNameCauses(name: string | undefined, path: FieldPath): FieldCause[] {
  const text = name ?? '';
  if (text === '') return [required(path)];
  const causes: FieldCause[] = [];
  if (Buffer.byteLength(text) > 63) causes.push(tooLong(path, 63));
  return [...causes, ...problems(checkDns1123Subdomain(text.toLowerCase()), path, text)];
}

function secretReferenceCauses(reference: { readonly name?: string; readonly namespace?: string }, path: FieldPath): FieldCause[] {
  const { name, namespace } = reference;
  return [
    ...(name ? problems(checkDns1123Subdomain(name), path.child('name'), name) : [required(path.child('name'))]),
    ...(namespace ? problems(checkDns1123Label(namespace), path.child('namespace'), namespace) : [required(path.child('namespace'))]),
  ];
}

const CSI_SECRETS = ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const;

const csiPersistentCauses = rule<
  { readonly driver?: string } & { readonly [name in (typeof CSI_SECRETS)[number]]?: { readonly name?: string } }
>((source, path) => {
  const causes = [...csiDriverNameCauses(source.driver, path.child('driver')), ...needs(path, source, 'volumeHandle')];
  for (const name of CSI_SECRETS) {
    const reference = source[name];
    if (reference) causes.push(...secretReferenceCauses(reference, path.child(name)));
  }
  return causes;
});

const localCauses = rule<{ readonly path?: string }>((source, path) =>
  source.path ? backstepCauses(source.path, path.child('path')) : [required(path.child('path'))],
);

export interface SourceEntry {
  readonly name: string;
  readonly causes: SourceRule;
  /** How upstream spells it in its complaints, where that is not the field's name. */
  readonly spelled?: string;
  /** The same for one source too many. */
  readonly spelledTwice?: string;
}

/** Sources of PersistentVolumes, in upstream's order. */
export const PERSISTENT_SOURCES: readonly SourceEntry[] = [
  { name: 'hostPath', causes: hostPathCauses },
  { name: 'gcePersistentDisk', causes: gcePersistentDiskCauses, spelled: 'persistentDisk' },
  { name: 'awsElasticBlockStore', causes: awsElasticBlockStoreCauses },
  { name: 'glusterfs', causes: glusterfsPersistentCauses },
  { name: 'flocker', causes: flockerCauses },
  { name: 'nfs', causes: nfsCauses },
  { name: 'rbd', causes: rbdCauses },
  { name: 'quobyte', causes: quobyteCauses },
  { name: 'cephfs', causes: cephfsCauses, spelledTwice: 'cephFS' },
  { name: 'iscsi', causes: iscsiPersistentCauses },
  { name: 'cinder', causes: referring('volumeID', 'name', 'namespace') },
  { name: 'fc', causes: fcCauses },
  { name: 'flexVolume', causes: flexVolumeCauses },
  { name: 'azureFile', causes: azureFilePersistentCauses },
  { name: 'vsphereVolume', causes: vsphereVolumeCauses },
  { name: 'photonPersistentDisk', causes: photonPersistentDiskCauses },
  { name: 'portworxVolume', causes: portworxVolumeCauses },
  { name: 'azureDisk', causes: azureDiskCauses },
  { name: 'scaleIO', causes: scaleIoCauses },
  { name: 'local', causes: localCauses },
  { name: 'storageos', causes: storageOs('name', 'namespace') },
  { name: 'csi', causes: csiPersistentCauses },
];
