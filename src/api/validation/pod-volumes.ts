// SPDX-License-Identifier: Apache-2.0
// Validation of a Pod's volumes: exactly one source each, and each source's own rules; what sources of Pods and of
// PersistentVolumes have in common is in volume-sources.ts. @source upstream pkg/apis/core/validation ValidateVolumes
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
  required,
} from '../../machinery/mod.ts';
import type { DownwardAPIVolumeFile, KeyToPath, PersistentVolumeClaimTemplate, Volume } from '../generated/core/v1.ts';
import { claimSpecCauses, templateMetaCauses } from './claims.ts';
import { downwardCauses, itemCauses, modeCauses, projectedCauses } from './pod-projections.ts';
import { enumCauses, isSet, problems } from './rules.ts';
import * as sources from './volume-sources.ts';

/** What of the Pod its volumes are checked against. */
export interface VolumeScope {
  /** The Pod's name, which claims of ephemeral volumes are named after; undefined in templates. */
  readonly podName: string | undefined;
  /** Whether it is a Pod and not a template, which may leave some things open. */
  readonly isPod: boolean;
}

type Check<T> = (source: T, path: FieldPath, name: string, scope: VolumeScope) => FieldCause[];
type AnyCheck = Check<never>;
const check = <T>(rule: Check<T>): AnyCheck => rule as unknown as AnyCheck;

const emptyDirCauses = check<{ readonly sizeLimit?: string }>(({ sizeLimit }, path) => {
  const size = isSet(sizeLimit) ? findQuantity(String(sizeLimit)) : undefined;
  const isNegative = size !== undefined && size.nanos < 0n;
  return isNegative ? [forbiddenField(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')] : [];
});

interface Files<Item> {
  readonly defaultMode?: number;
  readonly items?: readonly DeepReadonly<Item>[];
}

const keysCauses = (name: string) =>
  check<Files<KeyToPath>>((source, path) => [
    ...sources.needs(path, source, name),
    ...modeCauses(source.defaultMode, path.child('defaultMode')),
    ...itemCauses(source.items, path.child('items')),
  ]);

const downwardApiCauses = check<Files<DownwardAPIVolumeFile>>((source, path) => [
  ...modeCauses(source.defaultMode, path.child('defaultMode')),
  ...(source.items ?? []).flatMap((item) => downwardCauses(item, path)),
]);

const csiCauses = check<{ readonly driver?: string; readonly nodePublishSecretRef?: { readonly name?: string } }>((source, path) => {
  const causes = sources.csiDriverNameCauses(source.driver, path.child('driver'));
  const secret = source.nodePublishSecretRef;
  if (!secret) return causes;
  if (!secret.name) return [...causes, required(path.child('nodePublishSecretRef', 'name'))];
  return [...causes, ...problems(checkDns1123Subdomain(secret.name), path.child('name'), secret.name)];
});

const ephemeralCauses = check<{ readonly volumeClaimTemplate?: DeepReadonly<PersistentVolumeClaimTemplate> }>((source, path) => {
  const at = path.child('volumeClaimTemplate');
  const template = source.volumeClaimTemplate;
  if (!template) return [required(at)];
  return [
    ...templateMetaCauses(template.metadata, at.child('metadata')),
    ...claimSpecCauses(template.spec ?? ({} as never), at.child('spec')),
  ];
});

const imageCauses = check<{ readonly reference?: string; readonly pullPolicy?: string }>((source, path, _name, { isPod }) => [
  ...(isPod ? sources.needs(path, source, 'reference') : []),
  ...enumCauses(source.pullPolicy, ['Always', 'IfNotPresent', 'Never'], path.child('pullPolicy'), true),
]);

interface Entry extends Omit<sources.SourceEntry, 'causes'> {
  readonly causes: AnyCheck;
}

/** In upstream's order. */
const SOURCES: readonly Entry[] = [
  { name: 'emptyDir', causes: emptyDirCauses },
  { name: 'hostPath', causes: sources.hostPathCauses },
  { name: 'gitRepo', causes: sources.gitRepoCauses },
  { name: 'gcePersistentDisk', causes: sources.gcePersistentDiskCauses, spelled: 'persistentDisk' },
  { name: 'awsElasticBlockStore', causes: sources.awsElasticBlockStoreCauses },
  { name: 'secret', causes: keysCauses('secretName') },
  { name: 'nfs', causes: sources.nfsCauses },
  { name: 'iscsi', causes: sources.iscsiCauses },
  { name: 'glusterfs', causes: sources.glusterfsCauses },
  { name: 'flocker', causes: sources.flockerCauses },
  {
    name: 'persistentVolumeClaim',
    causes: check<{ readonly claimName?: string }>((source, path) => sources.needs(path, source, 'claimName')),
  },
  { name: 'rbd', causes: sources.rbdCauses },
  { name: 'cinder', causes: sources.cinderCauses },
  { name: 'cephfs', causes: sources.cephfsCauses, spelledTwice: 'cephFS' },
  { name: 'quobyte', causes: sources.quobyteCauses },
  { name: 'downwardAPI', causes: downwardApiCauses, spelledTwice: 'downwarAPI' },
  { name: 'fc', causes: sources.fcCauses },
  { name: 'flexVolume', causes: sources.flexVolumeCauses },
  { name: 'configMap', causes: keysCauses('name') },
  { name: 'azureFile', causes: sources.azureFileCauses },
  { name: 'vsphereVolume', causes: sources.vsphereVolumeCauses },
  { name: 'photonPersistentDisk', causes: sources.photonPersistentDiskCauses },
  { name: 'portworxVolume', causes: sources.portworxVolumeCauses },
  { name: 'azureDisk', causes: sources.azureDiskCauses },
  { name: 'storageos', causes: sources.storageOsCauses },
  { name: 'projected', causes: projectedCauses as AnyCheck },
  { name: 'scaleIO', causes: sources.scaleIoCauses },
  { name: 'csi', causes: csiCauses },
  { name: 'ephemeral', causes: ephemeralCauses },
  { name: 'image', causes: imageCauses },
];

export function volumeCauses(volumes: readonly DeepReadonly<Volume>[] | undefined, path: FieldPath, scope: VolumeScope): FieldCause[] {
  if (!volumes) return [];
  const causes: FieldCause[] = [];
  const seen = new Set<string>();
  const made = createdClaims(volumes, scope.podName);
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index);
    const own = sourceCauses(volume, at, scope);
    if (!volume.name) own.push(required(at.child('name')));
    else own.push(...problems(checkDns1123Label(volume.name), at.child('name'), volume.name));
    if (seen.has(volume.name)) own.push(duplicateValue(at.child('name'), volume.name));
    if (own.length === 0) seen.add(volume.name);
    causes.push(...own);
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && made?.has(claim)) {
      const why = 'must not reference a PVC that gets created for an ephemeral volume';
      causes.push(invalidValue(at.child('persistentVolumeClaim', 'claimName'), claim, why));
    }
  }
  return causes;
}

/** The claims that will be made for ephemeral volumes of a Pod. */
function createdClaims(volumes: readonly DeepReadonly<Volume>[], podName: string | undefined): ReadonlySet<string> | undefined {
  if (!podName || !volumes.some(({ ephemeral }) => isSet(ephemeral))) return undefined;
  return new Set(volumes.filter(({ ephemeral }) => isSet(ephemeral)).map(({ name }) => `${podName}-${name}`));
}

function sourceCauses(volume: DeepReadonly<Volume>, path: FieldPath, scope: VolumeScope): FieldCause[] {
  const causes: FieldCause[] = [];
  let count = 0;
  for (const { name, causes: rule, spelled, spelledTwice } of SOURCES) {
    const source = (volume as unknown as Record<string, unknown>)[name];
    if (!isSet(source)) continue;
    count += 1;
    if (count > 1) causes.push(forbiddenField(path.child(spelledTwice ?? name), 'may not specify more than 1 volume type'));
    else causes.push(...rule(source as never, path.child(spelled ?? name), volume.name, scope));
    if (count === 1 || name === 'iscsi') causes.push(...nameCauses(volume, name, path, scope));
  }
  if (count === 0) causes.push(required(path, 'must specify a volume type'));
  return causes;
}

/** What a source asks of the volume's name. */
function nameCauses(volume: DeepReadonly<Volume>, source: string, path: FieldPath, { podName }: VolumeScope): FieldCause[] {
  const at = path.child('name');
  if (source === 'iscsi' && volume.iscsi && sources.isPortalTooLong(volume.name, volume.iscsi))
    return [invalidValue(at, volume.name, sources.PORTAL_RULE)];
  if (source !== 'ephemeral' || !podName || !volume.name) return [];
  const claim = `${podName}-${volume.name}`;
  return checkDns1123Subdomain(claim).map((problem) => invalidValue(at, volume.name, `PVC name ${JSON.stringify(claim)}: ${problem}`));
}

/** The volumes that mounts may name: upstream leaves out those with a fault. */
export function soundVolumes(
  volumes: readonly DeepReadonly<Volume>[] | undefined,
  faults: readonly FieldCause[],
  path: FieldPath,
): ReadonlyMap<string, DeepReadonly<Volume>> {
  const sound = new Map<string, DeepReadonly<Volume>>();
  for (const [index, volume] of (volumes ?? []).entries()) {
    const prefix = faults.length > 0 ? `${path.index(index)}` : undefined;
    const isFaulty = prefix !== undefined && faults.some(({ field: at }) => at === prefix || at.startsWith(`${prefix}.`));
    if (!isFaulty) sound.set(volume.name, volume);
  }
  return sound;
}
