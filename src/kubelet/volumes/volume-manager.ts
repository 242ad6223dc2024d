// SPDX-License-Identifier: Apache-2.0
// Sets up, refreshes and tears down the volumes of Pods: emptyDir, hostPath, configMap, secret, downwardAPI and projected.
// Everything that needs a CSI driver or a network file system is refused with a FailedMount text.
// @source upstream pkg/kubelet/volumemanager, pkg/volume
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import type { Volume } from '#api/core/v1';
import type { Logger } from '#component';
import { type DeepReadonly, unitsOf } from '#machinery';
import { podLimit } from '../container/resources.ts';
import type { Paths } from '../paths.ts';
import type { PodView } from '../pod/pod.ts';
import { writePayload } from './atomic-writer.ts';
import { checkHostPath } from './host-path.ts';
import type { Mounter } from './mounter.ts';
import { setOwnership } from './ownership.ts';
import { collectPayload, MountError, type PayloadSources } from './payload.ts';

export interface ReadyVolume {
  readonly name: string;
  readonly hostPath: string;
  /** The volume itself allows no writing: secrets, config maps, tokens. */
  readonly readOnly: boolean;
}

/** Thrown when volumes of a Pod cannot be set up; one entry per volume that failed. */
export class VolumesError extends Error {
  readonly failures: readonly { readonly volume: string; readonly message: string }[];

  constructor(failures: readonly { volume: string; message: string }[]) {
    super(failures.map((failure) => `MountVolume.SetUp failed for volume "${failure.volume}" : ${failure.message}`).join('; '));
    this.name = 'VolumesError';
    this.failures = failures;
  }
}

interface Deps {
  readonly paths: Paths;
  readonly mounter: Mounter;
  readonly sources: PayloadSources;
  readonly logger: Logger;
}

type VolumeView = DeepReadonly<Volume>;
export type ReadyVolumes = ReadonlyMap<string, ReadyVolume>;

export class VolumeManager {
  readonly #deps: Deps;
  readonly #ready = new Map<string, ReadyVolumes>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Idempotent: what is there stays, files of live sources are brought up to date. @throws {VolumesError} */
  async setUp(pod: PodView): Promise<ReadyVolumes> {
    const ready = new Map<string, ReadyVolume>();
    const failures: { volume: string; message: string }[] = [];
    for (const volume of pod.spec.volumes ?? []) {
      try {
        ready.set(volume.name, await this.#setUpOne(pod, volume));
      } catch (error) {
        failures.push({ volume: volume.name, message: (error as Error).message });
      }
    }
    if (failures.length > 0) throw new VolumesError(failures);
    this.#ready.set(pod.metadata.uid, ready);
    return ready;
  }

  isReady(uid: string): boolean {
    return this.#ready.has(uid);
  }

  /** Unmounts and removes everything of a Pod. Idempotent. */
  async tearDown(uid: string): Promise<void> {
    this.#ready.delete(uid);
    const directory = this.#deps.paths.volumes(uid);
    for (const point of await this.#deps.mounter.mountsBelow(this.#deps.paths.pod(uid))) await this.#deps.mounter.unmount(point);
    await rm(directory, { recursive: true, force: true });
    await rm(this.#deps.paths.subPaths(uid), { recursive: true, force: true });
  }

  /** The UIDs that have a directory: a restart compares them with what should be. */
  async known(): Promise<string[]> {
    return readdir(this.#deps.paths.pods).catch(() => []);
  }

  async #setUpOne(pod: PodView, volume: VolumeView): Promise<ReadyVolume> {
    if (volume.emptyDir !== undefined) return this.#emptyDir(pod, volume, volume.emptyDir);
    if (volume.hostPath !== undefined) {
      await checkHostPath(volume.hostPath);
      return { name: volume.name, hostPath: volume.hostPath.path, readOnly: false };
    }
    if (volume.configMap !== undefined) return this.#payload(pod, volume, { plugin: 'configmap', memory: false });
    if (volume.secret !== undefined) return this.#payload(pod, volume, { plugin: 'secret', memory: true });
    if (volume.downwardAPI !== undefined) return this.#payload(pod, volume, { plugin: 'downward-api', memory: true });
    if (volume.projected !== undefined) return this.#payload(pod, volume, { plugin: 'projected', memory: true });
    const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
    throw new MountError(`volume type "${kind}" is not supported by this kubelet`);
  }

  async #emptyDir(pod: PodView, volume: VolumeView, source: NonNullable<VolumeView['emptyDir']>): Promise<ReadyVolume> {
    const hostPath = this.#deps.paths.volume(pod.metadata.uid, 'empty-dir', volume.name);
    const medium = source.medium ?? '';
    if (medium !== '' && medium !== 'Memory') throw new MountError(`emptyDir medium "${medium}" is not supported by this kubelet`);
    const fresh = (await mkdir(hostPath, { recursive: true })) !== undefined;
    if (medium === 'Memory') await this.#deps.mounter.mountTmpfs(hostPath, memorySize(pod, source.sizeLimit));
    if (fresh) await chmod(hostPath, 0o777);
    const gid = pod.spec.securityContext?.fsGroup;
    if (fresh && gid !== undefined) await setOwnership(hostPath, gid, { readOnly: false, policy: 'Always' });
    return { name: volume.name, hostPath, readOnly: false };
  }

  async #payload(pod: PodView, volume: VolumeView, { plugin, memory }: { plugin: string; memory: boolean }): Promise<ReadyVolume> {
    const hostPath = this.#deps.paths.volume(pod.metadata.uid, plugin, volume.name);
    const files = await collectPayload(pod, volume, this.#deps.sources);
    const fresh = (await mkdir(hostPath, { recursive: true })) !== undefined;
    if (memory) await this.#deps.mounter.mountTmpfs(hostPath, []);
    if (fresh) await chmod(hostPath, 0o777);
    const gid = pod.spec.securityContext?.fsGroup;
    const changed = await writePayload(hostPath, files, { gid });
    if (changed && gid !== undefined) await setOwnership(hostPath, gid, { readOnly: true, policy: 'Always' });
    return { name: volume.name, hostPath, readOnly: true };
  }
}

/** A memory volume is no larger than its limit and the Pod's memory limit. */
function memorySize(pod: PodView, sizeLimit: string | undefined): string[] {
  const own = sizeLimit === undefined ? 0 : unitsOf(sizeLimit);
  const limit = Number((podLimit(pod, 'memory') ?? 0n) / 1_000_000_000n);
  const sizes = [own, limit].filter((size) => size > 0);
  return sizes.length === 0 ? [] : [`size=${Math.min(...sizes)}`];
}
