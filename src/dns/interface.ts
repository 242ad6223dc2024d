// SPDX-License-Identifier: Apache-2.0
// The address of the `kube-dns` Service on every node: a dummy interface that carries it, so that a local server can bind it and
// no packet leaves the node (as NodeLocal DNSCache does). kube-proxy must leave the Service alone: the Service carries the label
// `service.kubernetes.io/service-proxy-name: sagong-dns`. Runs in the caller's network namespace; idempotent.
import { execFile } from 'node:child_process';
import { isIPv6 } from 'node:net';

export const DNS_INTERFACE = 'sagong-dns';
/** For the Service: value of `service.kubernetes.io/service-proxy-name`. */
export const DNS_PROXY_NAME = 'sagong-dns';

/** Makes the interface with these addresses. @throws {Error} In the words of `ip`. */
export async function createDnsInterface(addresses: readonly string[], name = DNS_INTERFACE): Promise<void> {
  await addLink(name, 'dummy').catch(() => addLink(name, 'bridge')); // Some kernels lack dummies; a bridge without ports does as well.
  for (const address of addresses)
    await ip(
      isIPv6(address)
        ? ['-6', 'addr', 'replace', `${address}/128`, 'dev', name, 'nodad']
        : ['addr', 'replace', `${address}/32`, 'dev', name],
    );
  await ip(['link', 'set', name, 'up']);
}

export async function removeDnsInterface(name = DNS_INTERFACE): Promise<void> {
  await ip(['link', 'delete', name]).catch((error: unknown) => {
    if (!String(error).includes('Cannot find device')) throw error;
  });
}

async function addLink(name: string, type: string): Promise<void> {
  await ip(['link', 'add', name, 'type', type]).catch((error: unknown) => {
    if (!String(error).includes('File exists')) throw error;
  });
}

function ip(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('ip', [...args], (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`run "ip ${args.join(' ')}": ${stderr.trim() || error.message}`, { cause: error }));
    });
  });
}
