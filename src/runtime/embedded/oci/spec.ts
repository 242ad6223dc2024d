// SPDX-License-Identifier: Apache-2.0
// The OCI runtime configuration of a container, from the image's config and what the kubelet asks. Follows containerd's CRI plugin
// in defaults, masked paths and mounts. Pure: everything looked up on the host comes in.
import type { ImageConfig } from '#registry-client';
import type { ContainerConfig, ContainerResources, Mount, SandboxConfig } from '../../runtime.ts';
import { capabilitySet } from './capabilities.ts';
import type { OciDevice } from './devices.ts';
import { defaultSeccomp } from './seccomp.ts';
import type { ProcessUser } from './users.ts';

export interface SpecInput {
  readonly config: ContainerConfig;
  readonly sandbox: SandboxConfig;
  readonly image: ImageConfig;
  readonly user: ProcessUser;
  readonly rootfs: string;
  readonly cgroupsPath: string;
  /** Pinned ones; absent: the host's. */
  readonly namespaces: { readonly network?: string; readonly ipc?: string; readonly uts?: string; readonly pid?: string | 'new' };
  readonly hostname: string;
  /** Made for the sandbox by the runtime. */
  readonly files: { readonly hostname: string; readonly resolvConf: string; readonly shm: string };
  readonly devices: readonly OciDevice[];
  readonly host: HostLimits;
  /** The content of a `Localhost` profile. */
  readonly seccompProfile: object | undefined;
}

/** What this host can do. */
export interface HostLimits {
  readonly capabilities: readonly string[];
  readonly seccomp: boolean;
  /** Swap is accounted, so a memory limit covers it too. */
  readonly swap: boolean;
  /** A lower `oom_score_adj` than the process's own cannot be set without CAP_SYS_RESOURCE. */
  readonly minOomScoreAdj: number;
}

interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MASKED = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function buildSpec(input: SpecInput): object {
  const { config, image, user } = input;
  const { security } = config;
  const capabilities = capabilitySet(
    { privileged: security.privileged, add: security.addCapabilities, drop: security.dropCapabilities },
    input.host.capabilities,
  );
  const effective = user.uid === 0 ? capabilities : [];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: config.tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: commandLine(config, image),
      env: environment(input),
      cwd: config.workingDir || image.workingDir || '/',
      capabilities: { bounding: capabilities, effective, permitted: effective },
      noNewPrivileges: !security.allowPrivilegeEscalation && !security.privileged,
      oomScoreAdj: clampOomScore(config.resources.oomScoreAdj, input.host),
    },
    root: { path: input.rootfs, readonly: security.readOnlyRootFilesystem },
    ...(input.namespaces.uts === undefined ? {} : { hostname: input.hostname }),
    mounts: mounts(input),
    annotations: { ...config.annotations },
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: namespaces(input),
      devices: input.devices,
      resources: { ...resources(config.resources, input.host), devices: deviceRules(input) },
      maskedPaths: security.privileged || security.procMount === 'Unmasked' ? [] : MASKED,
      readonlyPaths: security.privileged || security.procMount === 'Unmasked' ? [] : READ_ONLY,
      rootfsPropagation: rootPropagation(config.mounts),
      ...seccomp(input, capabilities),
    },
  };
}

/** @throws {Error} If neither the Pod nor the image names a command. */
export function commandLine(config: ContainerConfig, image: ImageConfig): string[] {
  const entrypoint = config.command.length > 0 ? config.command : image.entrypoint;
  const args = config.args.length > 0 ? config.args : config.command.length > 0 ? [] : image.cmd;
  const line = [...entrypoint, ...args];
  if (line.length === 0) throw new Error('no command specified');
  return line;
}

function environment({ config, image, user, hostname }: SpecInput): string[] {
  const variables = new Map<string, string>();
  const set = (text: string): void => void variables.set(text.slice(0, text.indexOf('=') >>> 0), text);
  set(DEFAULT_PATH);
  if (config.tty) set('TERM=xterm');
  set(`HOSTNAME=${hostname}`);
  for (const text of image.env) set(text.includes('=') ? text : `${text}=`);
  for (const { name, value } of config.env) set(`${name}=${value}`);
  if (!variables.has('HOME')) set(`HOME=${user.home || '/'}`);
  return [...variables.values()];
}

/** The `linux.resources` part, also for updates. */
export function resources(wanted: ContainerResources, { swap }: Pick<HostLimits, 'swap'>): object {
  const { cpuShares, cpuQuotaUs, cpuPeriodUs, memoryLimitBytes, pidsLimit } = wanted;
  return {
    cpu: { shares: Math.max(2, cpuShares), period: cpuPeriodUs, quota: cpuQuotaUs ?? -1 },
    memory: memoryLimitBytes === undefined ? {} : { limit: memoryLimitBytes, ...(swap ? { swap: memoryLimitBytes } : {}) },
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
  };
}

export function clampOomScore(wanted: number, host: HostLimits): number {
  return Math.min(1000, Math.max(wanted, host.minOomScoreAdj));
}

function namespaces({ namespaces: { network, ipc, uts, pid } }: SpecInput): object[] {
  const joined = Object.entries({ network, ipc, uts }).flatMap(([type, path]) => (path === undefined ? [] : [{ type, path }]));
  const processes = pid === undefined ? [] : [pid === 'new' ? { type: 'pid' } : { type: 'pid', path: pid }];
  return [{ type: 'mount' }, ...processes, ...joined];
}

function mounts({ config, files, namespaces: { ipc } }: SpecInput): OciMount[] {
  const { privileged } = config.security;
  const rw = privileged ? 'rw' : 'ro';
  const shared = ipc === undefined ? '/dev/shm' : files.shm;
  const base: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', rw] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'noexec', 'nodev', 'relatime', rw] },
    bind('/dev/shm', shared, ['rw']),
    bind('/etc/hostname', files.hostname, [config.security.readOnlyRootFilesystem ? 'ro' : 'rw']),
    bind('/etc/resolv.conf', files.resolvConf, [config.security.readOnlyRootFilesystem ? 'ro' : 'rw']),
  ];
  const asked = [...config.mounts].sort((a, b) => depth(a.containerPath) - depth(b.containerPath)).map(ociMount);
  const replaced = new Set(asked.map((mount) => mount.destination));
  return [...base.filter((mount) => !replaced.has(mount.destination)), ...asked];
}

function ociMount(mount: Mount): OciMount {
  const propagation = { private: 'rprivate', hostToContainer: 'rslave', bidirectional: 'rshared' }[mount.propagation];
  return bind(mount.containerPath.replace(/(.)\/+$/, '$1'), mount.hostPath, [propagation, mount.readOnly ? 'ro' : 'rw']);
}

function bind(destination: string, source: string, options: readonly string[]): OciMount {
  return { destination, type: 'bind', source, options: ['rbind', ...options] };
}

/** A bind mount is only as shared as the root of the mount namespace it is in. */
function rootPropagation(asked: readonly Mount[]): string {
  if (asked.some((mount) => mount.propagation === 'bidirectional')) return 'shared';
  return asked.some((mount) => mount.propagation === 'hostToContainer') ? 'slave' : 'private';
}

function deviceRules({ config, devices }: SpecInput): object[] {
  if (config.security.privileged) return [{ allow: true, access: 'rwm' }];
  const permissions = new Map(config.devices.map((device) => [device.containerPath, device.permissions]));
  return [
    { allow: false, access: 'rwm' },
    ...devices.map(({ path, type, major, minor }) => ({ allow: true, type, major, minor, access: permissions.get(path) || 'rwm' })),
  ];
}

function seccomp({ config, host, seccompProfile }: SpecInput, capabilities: readonly string[]): object {
  const { privileged, seccomp: wanted } = config.security;
  if (privileged || wanted.type === 'Unconfined') return {};
  if (!host.seccomp) throw new Error('seccomp is not supported by the kernel or the OCI runtime');
  return { seccomp: wanted.type === 'Localhost' ? seccompProfile : defaultSeccomp(capabilities) };
}

function depth(path: string): number {
  return path.split('/').filter((part) => part !== '').length;
}
