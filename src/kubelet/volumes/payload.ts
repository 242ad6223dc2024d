// SPDX-License-Identifier: Apache-2.0
// The files of configMap, secret, downwardAPI and projected volumes, collected from their sources.
// @source upstream pkg/volume/{configmap,secret,downwardapi,projected}. clusterTrustBundle and podCertificate are refused.
import type { ConfigMap, DownwardAPIVolumeSource, Secret, Volume, VolumeProjection } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { type Allocatable, fieldValue, type PodAddresses, resourceValue } from '../container/field-ref.ts';
import type { PodView } from '../pod/pod.ts';
import type { PayloadFile } from './atomic-writer.ts';

/** Thrown when a volume cannot be set up; the text goes to the `FailedMount` event. */
export class MountError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MountError';
  }
}

export interface PayloadSources {
  configMap(podUid: string, namespace: string, name: string): Promise<DeepReadonly<ConfigMap> | undefined>;
  secret(podUid: string, namespace: string, name: string): Promise<DeepReadonly<Secret> | undefined>;
  /** A service account token for the Pod. */
  token(pod: PodView, audience: string | undefined, expirationSeconds: number): Promise<string>;
  addresses(pod: PodView): PodAddresses;
  readonly allocatable: Allocatable;
}

export type PayloadVolume = DeepReadonly<Pick<Volume, 'configMap' | 'secret' | 'downwardAPI' | 'projected'>>;

type Items = readonly { readonly key: string; readonly path: string; readonly mode?: number }[] | undefined;

interface Context {
  readonly pod: PodView;
  readonly sources: PayloadSources;
  readonly mode: number;
  readonly files: Map<string, PayloadFile>;
}

/** @throws {MountError} With upstream's text. */
export async function collectPayload(pod: PodView, volume: PayloadVolume, sources: PayloadSources): Promise<Map<string, PayloadFile>> {
  const files = new Map<string, PayloadFile>();
  const source = volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected;
  const context: Context = { pod, sources, mode: source?.defaultMode ?? 0o644, files };
  if (volume.configMap !== undefined) await addConfigMap(context, volume.configMap);
  if (volume.secret !== undefined) await addSecret(context, { ...volume.secret, name: volume.secret.secretName });
  if (volume.downwardAPI !== undefined) addDownward(context, volume.downwardAPI.items);
  for (const projection of volume.projected?.sources ?? []) await addProjection(context, projection);
  return files;
}

async function addProjection(context: Context, projection: DeepReadonly<VolumeProjection>): Promise<void> {
  if (projection.configMap !== undefined) return addConfigMap(context, projection.configMap);
  if (projection.secret !== undefined) return addSecret(context, projection.secret);
  if (projection.downwardAPI !== undefined) return addDownward(context, projection.downwardAPI.items);
  if (projection.serviceAccountToken !== undefined) return addToken(context, projection.serviceAccountToken);
  if (projection.clusterTrustBundle !== undefined) throw new MountError('ClusterTrustBundle projection is not supported by this kubelet');
  throw new MountError('podCertificate projection is not supported by this kubelet');
}

interface ObjectSource {
  readonly name?: string | undefined;
  readonly items?: Items;
  readonly optional?: boolean;
}

async function addConfigMap(context: Context, { name = '', items, optional = false }: ObjectSource): Promise<void> {
  const namespace = context.pod.metadata.namespace ?? '';
  const object = await context.sources.configMap(context.pod.metadata.uid, namespace, name);
  if (object === undefined && !optional) throw new MountError(`configmap "${name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries(object?.data ?? {})) data.set(key, Buffer.from(value));
  for (const [key, value] of Object.entries(object?.binaryData ?? {})) data.set(key, Buffer.from(value, 'base64'));
  addData(context, data, { items, optional, what: 'configmap' });
}

async function addSecret(context: Context, { name = '', items, optional = false }: ObjectSource): Promise<void> {
  const namespace = context.pod.metadata.namespace ?? '';
  const object = await context.sources.secret(context.pod.metadata.uid, namespace, name);
  if (object === undefined && !optional) throw new MountError(`secret "${name}" not found`);
  const data = new Map(Object.entries(object?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
  addData(context, data, { items, optional, what: 'secret' });
}

function addData(
  { files, mode }: Context,
  data: ReadonlyMap<string, Buffer>,
  { items, optional, what }: { items: Items; optional: boolean; what: 'configmap' | 'secret' },
): void {
  if (items === undefined || items.length === 0) {
    for (const [key, value] of data) files.set(key, { data: value, mode });
    return;
  }
  for (const item of items) {
    const value = data.get(item.key);
    if (value !== undefined) files.set(item.path, { data: value, mode: item.mode ?? mode });
    else if (!optional)
      throw new MountError(
        what === 'secret' ? `references non-existent secret key: ${item.key}` : `configmap references non-existent config key: ${item.key}`,
      );
  }
}

function addDownward({ pod, sources, files, mode }: Context, items: DeepReadonly<DownwardAPIVolumeSource>['items']): void {
  for (const item of items ?? []) {
    try {
      const text =
        item.fieldRef !== undefined
          ? fieldValue(pod, item.fieldRef.fieldPath, sources.addresses(pod))
          : item.resourceFieldRef !== undefined
            ? resourceValue(pod, item.resourceFieldRef, { self: undefined, allocatable: sources.allocatable })
            : '';
      files.set(item.path, { data: Buffer.from(text), mode: item.mode ?? mode });
    } catch (error) {
      throw new MountError((error as Error).message, { cause: error });
    }
  }
}

async function addToken(
  { pod, sources, files, mode }: Context,
  { audience, expirationSeconds = 3600, path }: { audience?: string; expirationSeconds?: number; path: string },
): Promise<void> {
  const token = await sources.token(pod, audience, expirationSeconds).catch((error: unknown) => {
    throw new MountError(`failed to fetch token: ${(error as Error).message}`, { cause: error });
  });
  // One user for all containers: the file is theirs alone. Else, without fsGroup, any of the users must be able to read it.
  const uid = soleUser(pod);
  const shared = pod.spec.securityContext?.fsGroup !== undefined ? 0o640 : undefined;
  files.set(path, { data: Buffer.from(token), mode: shared ?? (uid === undefined ? mode : 0o600), uid });
}

function soleUser(pod: PodView): number | undefined {
  const shared = pod.spec.securityContext?.runAsUser;
  const users = new Set(
    [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((spec) => spec.securityContext?.runAsUser ?? shared),
  );
  return users.size === 1 ? [...users][0] : undefined;
}
