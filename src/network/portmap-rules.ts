// SPDX-License-Identifier: Apache-2.0
// The portmap plugin keeps its chains in the iptables `nat` table when the last host port has gone. This takes them back, and the
// table too if nothing else is in it. Chains that still lead to a container belong to another network of this machine and stay.
import { runProgram } from './commands.ts';

const CHAINS = ['CNI-HOSTPORT-DNAT', 'CNI-HOSTPORT-SETMARK', 'CNI-HOSTPORT-MASQ'];
const FAMILIES = [
  { table: 'ip', program: 'iptables' },
  { table: 'ip6', program: 'ip6tables' },
] as const;

/** Idempotent; nothing happens where there is no such table. */
export async function removePortmapRules(): Promise<void> {
  for (const { table, program } of FAMILIES) {
    if ((await runProgram('nft', ['list', 'table', table, 'nat'])).code !== 0) continue;
    const nat = (...args: string[]) => runProgram(program, ['-w', '-t', 'nat', ...args]);
    for (const args of portmapDeletions((await nat('-S')).stdout)) await nat(...args);
    const { code, stdout } = await nat('-S');
    if (code === 0 && isEmptyTable(stdout)) await runProgram('nft', ['delete', 'table', table, 'nat']);
  }
}

/** Arguments of the iptables calls that remove the plugin's chains, from what `iptables -S` prints; none if they are in use. */
export function portmapDeletions(rules: string): string[][] {
  const lines = rules.split('\n');
  const present = CHAINS.filter((chain) => lines.includes(`-N ${chain}`));
  if (lines.some((line) => line.startsWith('-A CNI-HOSTPORT-DNAT '))) return [];
  const jumps = lines.filter((line) => /^-A (?!CNI-)/.test(line) && present.some((chain) => line.endsWith(`-j ${chain}`)));
  return [
    ...jumps.map((line) => ['-D', ...wordsOf(line).slice(1)]),
    ...present.map((chain) => ['-F', chain]),
    ...present.map((chain) => ['-X', chain]),
  ];
}

/** Only the policies of the built-in chains. */
export function isEmptyTable(rules: string): boolean {
  return rules
    .trim()
    .split('\n')
    .every((line) => /^-P \S+ ACCEPT$/.test(line));
}

/** Words of a rule; iptables quotes comments. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
}
