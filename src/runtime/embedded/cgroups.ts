// SPDX-License-Identifier: Apache-2.0
// Reads container cgroups, v1 controllers or the unified hierarchy.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface CgroupUsage {
  readonly cpuUsageNanos: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
  readonly pids: number;
}

const MOUNT = '/sys/fs/cgroup';

export class Cgroups {
  readonly #unified: boolean;

  constructor(unified: boolean) {
    this.#unified = unified;
  }

  /** Undefined if the cgroup is gone. */
  async usage(path: string): Promise<CgroupUsage | undefined> {
    const [cpu, memory, stat, pids] = this.#unified
      ? await Promise.all([
          this.#read('', path, 'cpu.stat'),
          this.#read('', path, 'memory.current'),
          this.#read('', path, 'memory.stat'),
          this.#read('', path, 'pids.current'),
        ])
      : await Promise.all([
          this.#read('cpuacct', path, 'cpuacct.usage'),
          this.#read('memory', path, 'memory.usage_in_bytes'),
          this.#read('memory', path, 'memory.stat'),
          this.#read('pids', path, 'pids.current'),
        ]);
    if (memory === undefined) return undefined;
    const usage = Number(memory);
    const inactive = Number(new RegExp(`^${this.#unified ? '' : 'total_'}inactive_file (\\d+)`, 'm').exec(stat ?? '')?.[1] ?? 0);
    const cpuUsageNanos = this.#unified ? Number(/^usage_usec (\d+)/m.exec(cpu ?? '')?.[1] ?? 0) * 1000 : Number(cpu ?? 0);
    return { cpuUsageNanos, memoryUsageBytes: usage, memoryWorkingSetBytes: Math.max(0, usage - inactive), pids: Number(pids ?? 0) };
  }

  /** Whether the kernel killed something in it for memory. */
  async oomKilled(path: string): Promise<boolean> {
    const text = this.#unified ? await this.#read('', path, 'memory.events') : await this.#read('memory', path, 'memory.oom_control');
    return Number(/^oom_kill (\d+)/m.exec(text ?? '')?.[1] ?? 0) > 0;
  }

  async processes(path: string): Promise<number[]> {
    const text = await this.#read(this.#unified ? '' : 'pids', path, 'cgroup.procs');
    return (text ?? '')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0);
  }

  #read(controller: string, path: string, file: string): Promise<string | undefined> {
    return readFile(join(MOUNT, controller, path, file), 'utf8').catch(() => undefined);
  }
}
