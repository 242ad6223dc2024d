// SPDX-License-Identifier: Apache-2.0
// `sagong down`: ends every process, container and sandbox, and takes back what was made on this machine: mounts, namespaces,
// bridges, routes, nftables tables, cgroups, and (unless it is to be kept) the data directory.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { CONTROL_PLANE, findSettings, type Layout, type NodeSettings } from './layout.ts';
import { removeNodeNetworks } from './node-network.ts';
import { namespacePath, stopProcess } from './processes.ts';
import { removeTree } from './remove-tree.ts';

export async function down(layout: Layout, options: { readonly keepData: boolean }, say: (text: string) => void): Promise<void> {
  const settings = findSettings(layout);
  if (settings === undefined) {
    say(`there is no cluster in ${layout.root}`);
    return;
  }
  await Promise.all(settings.nodes.map((node) => stopProcess(layout, node.name)));
  await stopProcess(layout, CONTROL_PLANE);
  say('processes have ended');
  if (settings.runtime === 'embedded') {
    for (const node of settings.nodes) await cleanNodeInItsNamespace(layout, node);
    await removeNodeNetworks(settings, layout.root);
    say('containers, mounts, networks and rules are gone');
  }
  if (options.keepData) return;
  await removeTree(layout.root);
  say(`${layout.root} is removed`);
}

/** Cleaning happens inside the node's network namespace, by this program again. */
function cleanNodeInItsNamespace(layout: Layout, node: NodeSettings): Promise<void> {
  const path = node.networkNamespace === undefined ? undefined : namespacePath(node.networkNamespace);
  if (path !== undefined && !existsSync(path)) return Promise.resolve();
  const enter = path === undefined ? [] : ['nsenter', `--net=${path}`, '--'];
  const self = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    process.argv[1] ?? '',
    'internal',
    'clean-node',
    '--data-dir',
    layout.root,
    '--node',
    node.name,
  ];
  const [command = '', ...args] = [...enter, ...self];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`cleaning ${node.name} ended with ${code}`))));
  });
}
