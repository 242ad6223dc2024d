// SPDX-License-Identifier: Apache-2.0
// The network the nodes share: a bridge on this machine that holds the first node's address, and for every further node a network
// namespace joined to it by a veth pair, so that each node has an address, ports and rules of its own.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { addressAt, type ClusterSettings, type NodeSettings } from './layout.ts';
import { namespacePath } from './processes.ts';
import { UserError } from './user-error.ts';

const run = promisify(execFile);

export const NODE_BRIDGE = 'sagong-nodes';
/** @source linux: IFALIASZ less its end */
const MAX_ALIAS = 255;
const SYSCTL_FORWARD = 'net.ipv4.ip_forward=1';

async function ip(...args: string[]): Promise<string> {
  try {
    return (await run('ip', args)).stdout;
  } catch (error) {
    throw new UserError(`ip ${args.join(' ')}: ${((error as { stderr?: string }).stderr ?? String(error)).trim()}`, { cause: error });
  }
}

const exists = (device: string) => existsSync(`/sys/class/net/${device}`);

/**
 * Another cluster's data directory, if one holds this machine's node network: bridges, rules and cgroups have one name per machine.
 * The bridge bears the name of its cluster; one whose cluster's files are gone belongs to nobody.
 */
export function findOtherCluster(dataDir: string): string | undefined {
  if (!exists(NODE_BRIDGE)) return undefined;
  const owner = readFileSync(`/sys/class/net/${NODE_BRIDGE}/ifalias`, 'utf8').trim();
  return owner !== '' && owner !== dataDir && existsSync(join(owner, 'cluster.json')) ? owner : undefined;
}

/** Idempotent. */
export async function ensureNodeNetwork(settings: ClusterSettings, dataDir: string): Promise<void> {
  const bits = settings.nodeNetwork.split('/')[1] ?? '24';
  const [first, ...others] = settings.nodes;
  if (!exists(NODE_BRIDGE)) await ip('link', 'add', NODE_BRIDGE, 'type', 'bridge');
  await ip('link', 'set', NODE_BRIDGE, 'alias', dataDir.slice(0, MAX_ALIAS));
  await ip('address', 'replace', `${first?.ip}/${bits}`, 'dev', NODE_BRIDGE);
  await ip('link', 'set', NODE_BRIDGE, 'up');
  await run('sysctl', ['-q', '-w', SYSCTL_FORWARD]).catch(() => undefined); // The node's own set-up tries again and tells.
  for (const node of others) await ensureNode(node, bits, first?.ip ?? addressAt(settings.nodeNetwork, 1));
}

async function ensureNode(node: NodeSettings, bits: string, gateway: string): Promise<void> {
  const namespace = node.networkNamespace;
  if (namespace === undefined) return;
  if (!existsSync(namespacePath(namespace))) await ip('netns', 'add', namespace);
  const outside = vethOf(node);
  if (!exists(outside)) {
    await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await ip('link', 'set', outside, 'master', NODE_BRIDGE, 'up');
  }
  const inside = (...args: string[]) => ip('-n', namespace, ...args);
  await inside('link', 'set', 'lo', 'up');
  await inside('address', 'replace', `${node.ip}/${bits}`, 'dev', 'eth0');
  await inside('link', 'set', 'eth0', 'up');
  await inside('route', 'replace', 'default', 'via', gateway);
}

/** At most 15 characters, as the kernel wants it. */
function vethOf(node: NodeSettings): string {
  return `sg-${node.ip.split('.').slice(-2).join('-')}`;
}

/** Removes what `ensureNodeNetwork` made, unless it is another cluster's by now. Idempotent. */
export async function removeNodeNetworks(settings: ClusterSettings, dataDir: string): Promise<void> {
  if (findOtherCluster(dataDir) !== undefined) return;
  for (const node of settings.nodes) {
    if (node.networkNamespace === undefined) continue;
    if (exists(vethOf(node))) await ip('link', 'delete', vethOf(node));
    if (existsSync(namespacePath(node.networkNamespace))) await ip('netns', 'delete', node.networkNamespace);
  }
  if (exists(NODE_BRIDGE)) await ip('link', 'delete', NODE_BRIDGE);
}
