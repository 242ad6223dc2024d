// SPDX-License-Identifier: Apache-2.0
// The default Pod network: a bridge per node with addresses from the node's Pod CIDRs and host ports, by the reference plugins.
// Masquerading is not the bridge plugin's (it would hide Pods from Pods of other nodes): see ../node-network.ts.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { ConfList } from './conflist.ts';

export interface DefaultNetwork {
  /** Of the Node, one per IP family. */
  readonly podCidrs: readonly string[];
  /** @default sagong0 */
  readonly bridge?: string;
  /** Where host-local keeps its addresses; one per node of a machine. */
  readonly ipamDir: string;
  readonly mtu?: number;
}

/** The file name sorts after those of real network add-ons. */
export const DEFAULT_CONFLIST_FILE = '99-sagong.conflist';

export function defaultConfList({ podCidrs, bridge = 'sagong0', ipamDir, mtu }: DefaultNetwork): ConfList {
  const routes = podCidrs.map((cidr) => ({ dst: isIPv6(cidr.split('/')[0] ?? '') ? '::/0' : '0.0.0.0/0' }));
  return {
    cniVersion: '1.0.0',
    name: 'sagong',
    plugins: [
      {
        type: 'bridge',
        bridge,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ...(mtu === undefined ? {} : { mtu }),
        ipam: { type: 'host-local', dataDir: ipamDir, ranges: podCidrs.map((subnet) => [{ subnet }]), routes },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  };
}

/** Writes it into the configuration folder; the network sees it there. */
export async function writeDefaultConfList(confDir: string, network: DefaultNetwork): Promise<void> {
  await mkdir(confDir, { recursive: true });
  const file = join(confDir, DEFAULT_CONFLIST_FILE);
  const text = `${JSON.stringify(defaultConfList(network), undefined, 2)}\n`;
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return;
  await writeFile(`${file}.draft`, text, { mode: 0o644 });
  await rename(`${file}.draft`, file);
}
