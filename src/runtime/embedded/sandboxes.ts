// SPDX-License-Identifier: Apache-2.0
// Sandboxes without a pause container: network, IPC and UTS namespaces are pinned by bind mounts below the state folder, so they
// live as long as the sandbox whatever happens to processes. Only a shared PID namespace needs a process to hold it.
import { copyFile, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { hostname as hostName } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '#component';
import type { PodNetwork, PodNetworkRequest } from '#network';
import { type DnsConfig, RuntimeError, type Sandbox, type SandboxConfig } from '../runtime.ts';
import { CommandError, must, run } from './commands.ts';
import { namesIn, readJson, writeJson } from './files.ts';
import { identify, isAlive, type ProcessId, sendSignal } from './processes.ts';

export interface SandboxRecord {
  readonly id: string;
  readonly config: SandboxConfig;
  readonly createdAt: number;
  readonly ready: boolean;
  readonly ips: readonly string[];
  /** Holds the shared PID namespace, where there is one. */
  readonly pidHolder?: ProcessId | undefined;
}

export interface SandboxPaths {
  readonly folder: string;
  readonly network: string | undefined;
  readonly ipc: string | undefined;
  readonly uts: string;
  readonly hostname: string;
  readonly resolvConf: string;
  readonly shm: string;
}

const NSFS_MAGIC = 0x6e736673;
const SIGKILL = 9;
/** As containerd's `enable_unprivileged_ports` and `enable_unprivileged_icmp`, on since 2.0. */
const UNPRIVILEGED = { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' };
/** Arguments: hostname, shm folder or '', whether the network is its own, then pairs of a file below /proc/sys and its value. */
const SET_UP = `
printf %s "$1" > /proc/sys/kernel/hostname || exit 1
if [ -n "$2" ]; then mount -t tmpfs -o nosuid,nodev,noexec,mode=1777,size=65536k shm "$2" || exit 1; fi
if [ "$3" = own ]; then ip link set lo up || exit 1; fi
shift 3
while [ $# -gt 0 ]; do printf %s "$2" > "/proc/sys/$1" || { echo "cannot set sysctl $1" >&2; exit 1; }; shift 2; done`;

export class Sandboxes {
  readonly #folder: string;
  readonly #network: PodNetwork | undefined;
  readonly #logger: Logger;
  readonly #native: () => Promise<string>;
  readonly #records = new Map<string, SandboxRecord>();

  constructor(folder: string, network: PodNetwork | undefined, logger: Logger, native: () => Promise<string>) {
    this.#folder = folder;
    this.#network = network;
    this.#logger = logger;
    this.#native = native;
  }

  /** Reads back what an earlier process left. Namespaces that are gone (a reboot) make a sandbox not ready. */
  async load(): Promise<void> {
    for (const id of await namesIn(this.#folder)) {
      const record = await readJson<SandboxRecord>(join(this.#folder, id, 'sandbox.json'));
      if (record === undefined) {
        await this.#erase(id);
        continue;
      }
      const pinned = await isPinned(this.paths(record).uts);
      const held = record.pidHolder === undefined || isAlive(record.pidHolder);
      this.#records.set(id, { ...record, ready: record.ready && pinned && held });
    }
  }

  list(): Sandbox[] {
    return [...this.#records.values()].map((record) => this.#describe(record));
  }

  /** @throws {RuntimeError} `NotFound` */
  get(id: string): SandboxRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new RuntimeError('NotFound', `sandbox "${id}" not found`);
    return record;
  }

  find(id: string): SandboxRecord | undefined {
    return this.#records.get(id);
  }

  paths(record: Pick<SandboxRecord, 'id' | 'config'>): SandboxPaths {
    const folder = join(this.#folder, record.id);
    const { network, ipc } = record.config.namespaces;
    return {
      folder,
      network: network === 'pod' ? join(folder, 'ns-net') : undefined,
      ipc: ipc === 'pod' ? join(folder, 'ns-ipc') : undefined,
      uts: join(folder, 'ns-uts'),
      hostname: join(folder, 'hostname'),
      resolvConf: join(folder, 'resolv.conf'),
      shm: join(folder, 'shm'),
    };
  }

  async create(id: string, config: SandboxConfig, createdAt: number, signal: AbortSignal): Promise<Sandbox> {
    let record: SandboxRecord = { id, config, createdAt, ready: false, ips: [] };
    try {
      await this.#pin(record);
      if (config.namespaces.pid === 'pod') record = { ...record, pidHolder: await this.#holdPids() };
      await this.#save(record);
      const ips = await this.#connect(record, signal);
      record = { ...record, ips, ready: true };
      await this.#save(record);
      return this.#describe(record);
    } catch (cause) {
      await this.stop(record).catch(() => {});
      this.#records.delete(id);
      await this.#erase(id);
      if (signal.aborted) throw signal.reason;
      if (cause instanceof RuntimeError) throw cause;
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new RuntimeError('CreatePodSandboxError', `failed to create sandbox "${id}": ${words}`, { cause });
    }
  }

  /** Takes the network down and unpins the namespaces. Idempotent; containers must be gone. */
  async stop(record: SandboxRecord): Promise<void> {
    const request = this.#request(record);
    if (request !== undefined) await this.#network?.tearDown(request);
    if (record.pidHolder !== undefined) sendSignal(record.pidHolder, SIGKILL);
    await this.#unpin(record);
    if (this.#records.has(record.id)) await this.#save({ ...record, ready: false });
  }

  async remove(id: string): Promise<void> {
    this.#records.delete(id);
    await this.#erase(id);
  }

  async #connect(record: SandboxRecord, signal: AbortSignal): Promise<readonly string[]> {
    const request = this.#request(record);
    if (request === undefined) return [];
    if (this.#network === undefined) throw new Error('this runtime has no Pod network');
    try {
      return (await this.#network.setUp(request, signal)).ips;
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      throw new RuntimeError('CreatePodSandboxError', `failed to setup network for sandbox "${record.id}": ${words}`, { cause });
    }
  }

  #request({ id, config }: SandboxRecord): PodNetworkRequest | undefined {
    const networkNamespace = this.paths({ id, config }).network;
    if (networkNamespace === undefined) return undefined;
    const { name: podName, namespace: podNamespace, uid: podUid } = config.metadata;
    return { sandboxId: id, podName, podNamespace, podUid, networkNamespace, portMappings: config.portMappings };
  }

  async #pin(record: SandboxRecord): Promise<void> {
    const { config } = record;
    const paths = this.paths(record);
    await mkdir(paths.shm, { recursive: true });
    const kinds = [
      ['net', paths.network],
      ['ipc', paths.ipc],
      ['uts', paths.uts],
    ] as const;
    const pinned = kinds.flatMap(([kind, path]) => (path === undefined ? [] : [[kind, path] as const]));
    const hostname = config.hostname || hostName();
    await Promise.all([
      ...pinned.map(([, path]) => writeFile(path, '')),
      writeFile(paths.hostname, `${hostname}\n`, { mode: 0o644 }),
      config.dns === undefined
        ? copyFile('/etc/resolv.conf', paths.resolvConf).catch(() => writeFile(paths.resolvConf, ''))
        : writeFile(paths.resolvConf, resolvConf(config.dns), { mode: 0o644 }),
    ]);
    const defaults: Readonly<Record<string, string>> = config.namespaces.network === 'pod' ? UNPRIVILEGED : {};
    const sysctls = Object.entries({ ...defaults, ...config.sysctls }).flatMap(([name, value]) => [sysctlFile(name), value]);
    const script = [
      'sh',
      '-c',
      SET_UP,
      'sh',
      hostname,
      paths.ipc === undefined ? '' : paths.shm,
      paths.network === undefined ? 'host' : 'own',
    ];
    await must('unshare', [...pinned.map(([kind, path]) => `--${kind}=${path}`), ...script, ...sysctls]);
  }

  async #holdPids(): Promise<ProcessId> {
    const pid = Number(await must(await this.#native(), ['pause']));
    const id = identify(pid);
    if (id === undefined) throw new CommandError('the process that holds the shared PID namespace ended at once', 1);
    return id;
  }

  async #unpin(record: SandboxRecord): Promise<void> {
    const { network, ipc, uts, shm } = this.paths(record);
    const mounted = [network, ipc, uts, ipc === undefined ? undefined : shm].filter((path) => path !== undefined);
    await run('umount', ['-l', '-q', ...mounted]);
  }

  async #erase(id: string): Promise<void> {
    const folder = join(this.#folder, id);
    const mounts = ['ns-net', 'ns-ipc', 'ns-uts', 'shm'].map((name) => join(folder, name));
    await run('umount', ['-l', '-q', ...mounts]);
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) =>
      this.#logger.warn({ sandbox: id, error: String(error) }, 'Cannot remove a sandbox folder'),
    );
  }

  async #save(record: SandboxRecord): Promise<void> {
    this.#records.set(record.id, record);
    await writeJson(join(this.#folder, record.id, 'sandbox.json'), record);
  }

  #describe(record: SandboxRecord): Sandbox {
    const { id, config, createdAt, ready, ips } = record;
    return {
      id,
      metadata: config.metadata,
      state: ready ? 'ready' : 'notready',
      createdAt,
      labels: config.labels,
      annotations: config.annotations,
      ips,
      networkNamespace: this.paths(record).network,
    };
  }
}

export function resolvConf(dns: DnsConfig): string {
  const lines = [
    ...(dns.searches.length === 0 ? [] : [`search ${dns.searches.join(' ')}`]),
    ...dns.servers.map((server) => `nameserver ${server}`),
    ...(dns.options.length === 0 ? [] : [`options ${dns.options.join(' ')}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** `net.ipv4.ip_forward` to `net/ipv4/ip_forward`; with `/` first, dots belong to names (sysctl.d(5)). */
export function sysctlFile(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  const file = separator === '/' ? name : name.replace(/[./]/g, (found) => (found === '.' ? '/' : '.'));
  if (file.split('/').includes('..')) throw new RuntimeError('CreatePodSandboxError', `invalid sysctl "${name}"`);
  return file;
}

async function isPinned(path: string): Promise<boolean> {
  return statfs(path).then(
    ({ type }) => type === NSFS_MAGIC,
    () => false,
  );
}
