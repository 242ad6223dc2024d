// SPDX-License-Identifier: Apache-2.0
// What a node's network namespace needs for Pods: forwarding, bridged packets through netfilter (so that answers to a Service come
// back through its translation), and masquerading of what leaves the cluster. Idempotent. Runs in the caller's namespace.
import { readFile, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import type { Logger } from '#component';
import { mustRun, runProgram } from './commands.ts';
import { removePortmapRules } from './portmap-rules.ts';

export interface NodeNetworkOptions {
  /** All Pods of the cluster. */
  readonly clusterCidrs: readonly string[];
  /** Pods of this node. */
  readonly podCidrs: readonly string[];
  readonly logger: Logger;
}

const TABLE = 'sagong-masquerade';
const SYSCTLS = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
  ['net/bridge/bridge-nf-call-iptables', '1'],
  ['net/bridge/bridge-nf-call-ip6tables', '1'],
] as const;

export async function prepareNodeNetwork({ clusterCidrs, podCidrs, logger }: NodeNetworkOptions): Promise<void> {
  if ((await readFile('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').catch(() => undefined)) === undefined)
    await runProgram('modprobe', ['br_netfilter']).catch(() => {});
  for (const [name, value] of SYSCTLS)
    await writeSysctl(name, value).catch((error: unknown) => logger.warn({ sysctl: name, error: String(error) }, 'Cannot set a sysctl'));
  await mustRun('nft', ['-f', '-'], masqueradeRules(clusterCidrs, podCidrs));
}

/** Removes what `prepareNodeNetwork` added, except the sysctls. */
export async function removeNodeNetwork(bridge = 'sagong0'): Promise<void> {
  for (const family of ['ip', 'ip6']) await runProgram('nft', ['delete', 'table', family, TABLE]);
  await runProgram('ip', ['link', 'delete', bridge]);
  await removePortmapRules();
}

export function masqueradeRules(clusterCidrs: readonly string[], podCidrs: readonly string[]): string {
  const families = [
    ['ip', '224.0.0.0/4', clusterCidrs.filter((cidr) => !isV6(cidr)), podCidrs.filter((cidr) => !isV6(cidr))],
    ['ip6', 'ff00::/8', clusterCidrs.filter(isV6), podCidrs.filter(isV6)],
  ] as const;
  return families
    .filter(([, , , own]) => own.length > 0)
    .map(([family, multicast, cluster, own]) => {
      const outside = `${family} daddr != { ${[...new Set([...cluster, ...own, multicast])].join(', ')} }`;
      return (
        `add table ${family} ${TABLE}\ndelete table ${family} ${TABLE}\ntable ${family} ${TABLE} {\n` +
        `  chain postrouting {\n    type nat hook postrouting priority srcnat + 10; policy accept;\n` +
        `    ${family} saddr { ${own.join(', ')} } ${outside} masquerade\n  }\n}\n`
      );
    })
    .join('');
}

function isV6(cidr: string): boolean {
  return isIPv6(cidr.split('/')[0] ?? '');
}

/** Only where it differs: /proc/sys may be read-only and right. */
async function writeSysctl(name: string, value: string): Promise<void> {
  const path = `/proc/sys/${name}`;
  if ((await readFile(path, 'utf8')).trim() !== value) await writeFile(path, value);
}
