// SPDX-License-Identifier: Apache-2.0
// The capabilities of a container: containerd's default set, plus and minus what the Pod asks. Pure.

export const DEFAULT_CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
] as const;

/** In the order of their bit numbers. */
const NAMES =
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN ' +
  'NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME ' +
  'SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON ' +
  'BPF CHECKPOINT_RESTORE';
export const ALL_CAPABILITIES: readonly string[] = NAMES.split(' ').map((name) => `CAP_${name}`);

export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

/** `ALL` first, then single names; a drop wins over the default, an add over a dropped `ALL`. `available` is the host's bounding set. */
export function capabilitySet(request: CapabilityRequest, available: readonly string[]): string[] {
  if (request.privileged) return [...available];
  const add = request.add.map(fullName);
  const drop = request.drop.map(fullName);
  const wanted = new Set<string>(add.includes('CAP_ALL') ? available : drop.includes('CAP_ALL') ? [] : DEFAULT_CAPABILITIES);
  for (const name of drop) if (!add.includes(name)) wanted.delete(name);
  for (const name of add) wanted.add(name);
  return available.filter((name) => wanted.has(name));
}

/** The names of a mask as `/proc/<pid>/status` writes it: `CapBnd: 000001fffeffffff`. */
export function capabilitiesOfMask(hex: string): string[] {
  const mask = BigInt(`0x${hex}`);
  return ALL_CAPABILITIES.filter((_, bit) => (mask >> BigInt(bit)) & 1n);
}

function fullName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}
