// SPDX-License-Identifier: Apache-2.0
// The cgroups above containers: `kubepods`, one per QoS class, one per Pod with the Pod's limits. The runtime makes the
// containers' own below. Both hierarchies, v1 (cpu, memory, pids) and v2. @source upstream pkg/kubelet/cm
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#component';
import type { PodView } from '../pod/pod.ts';
import { cgroupParent, type PodLimits, podLimits } from './resources.ts';

export interface PodCgroups {
  ensure(pod: PodView): Promise<void>;
  /** After its containers are gone. Idempotent. */
  remove(pod: PodView): Promise<void>;
}

export const noCgroups: PodCgroups = { ensure: async () => {}, remove: async () => {} };

const MOUNT = '/sys/fs/cgroup';
const V1_CONTROLLERS = ['cpu', 'memory', 'pids'] as const;

export interface CgroupOptions {
  /** Below the hierarchy's own root: what the runtime takes as its root, `/sagong`. */
  readonly root: string;
  readonly logger: Logger;
  /** @default /sys/fs/cgroup */
  readonly mount?: string;
  readonly podPidsLimit?: number | undefined;
}

export async function systemCgroups(options: CgroupOptions): Promise<PodCgroups> {
  const mount = options.mount ?? MOUNT;
  const unified = await access(join(mount, 'cgroup.controllers')).then(
    () => true,
    () => false,
  );
  return new FileCgroups(mount, unified, options);
}

class FileCgroups implements PodCgroups {
  readonly #mount: string;
  readonly #unified: boolean;
  readonly #options: CgroupOptions;
  #warned = false;

  constructor(mount: string, unified: boolean, options: CgroupOptions) {
    this.#mount = mount;
    this.#unified = unified;
    this.#options = options;
  }

  async ensure(pod: PodView): Promise<void> {
    const limits = podLimits(pod);
    try {
      if (this.#unified) await this.#ensureV2(cgroupParent(pod), limits);
      else for (const controller of V1_CONTROLLERS) await this.#ensureV1(controller, cgroupParent(pod), limits);
    } catch (error) {
      // A host that hides its cgroups still runs containers, without the Pod-level limit.
      if (!this.#warned) this.#options.logger.warn({ err: error }, 'Pod cgroup was not set up, Pod-level limits are not enforced');
      this.#warned = true;
    }
  }

  async remove(pod: PodView): Promise<void> {
    const roots = this.#unified ? [this.#mount] : V1_CONTROLLERS.map((controller) => join(this.#mount, controller));
    for (const root of roots) await rmdir(join(root, this.#options.root, cgroupParent(pod))).catch(() => {});
  }

  async #ensureV2(parent: string, limits: PodLimits): Promise<void> {
    let at = this.#mount;
    for (const part of join(this.#options.root, parent).split('/').filter(Boolean)) {
      await enableControllers(at);
      at = join(at, part);
      await mkdir(at, { recursive: true });
    }
    await write(at, 'cpu.weight', String(weightOf(limits.cpuShares)));
    await write(at, 'cpu.max', limits.cpuQuotaUs === undefined ? 'max 100000' : `${limits.cpuQuotaUs} 100000`);
    await write(at, 'memory.max', String(limits.memoryLimitBytes ?? 'max'));
    if (this.#options.podPidsLimit !== undefined) await write(at, 'pids.max', String(this.#options.podPidsLimit));
  }

  async #ensureV1(controller: (typeof V1_CONTROLLERS)[number], parent: string, limits: PodLimits): Promise<void> {
    const at = join(this.#mount, controller, this.#options.root, parent);
    if ((await access(join(this.#mount, controller)).catch(() => 'absent')) === 'absent') return;
    await mkdir(at, { recursive: true });
    if (controller === 'cpu') {
      await write(at, 'cpu.shares', String(limits.cpuShares));
      if (limits.cpuQuotaUs !== undefined) await write(at, 'cpu.cfs_quota_us', String(limits.cpuQuotaUs));
    } else if (controller === 'memory' && limits.memoryLimitBytes !== undefined) {
      await write(at, 'memory.limit_in_bytes', String(limits.memoryLimitBytes));
    } else if (controller === 'pids' && this.#options.podPidsLimit !== undefined) {
      await write(at, 'pids.max', String(this.#options.podPidsLimit));
    }
  }
}

/** A file that is not there belongs to a controller the host does not have. */
async function write(directory: string, file: string, value: string): Promise<void> {
  await writeFile(join(directory, file), value, { flag: 'r+' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function enableControllers(directory: string): Promise<void> {
  const has = await readFile(join(directory, 'cgroup.subtree_control'), 'utf8');
  const can = await readFile(join(directory, 'cgroup.controllers'), 'utf8');
  const missing = ['cpu', 'memory', 'pids'].filter((name) => can.split(/\s+/).includes(name) && !has.split(/\s+/).includes(name));
  if (missing.length > 0) await writeFile(join(directory, 'cgroup.subtree_control'), missing.map((name) => `+${name}`).join(' '));
}

/** CPU shares (2..262144) as a v2 weight (1..10000). @source KEP-2254 */
export function weightOf(shares: number): number {
  return Math.floor(1 + ((shares - 2) * 9999) / 262142);
}
