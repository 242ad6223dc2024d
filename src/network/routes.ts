// SPDX-License-Identifier: Apache-2.0
// Routes to the Pods of other nodes: one per Pod CIDR through the node's internal address, kept as Nodes come and go. For nodes that
// share a link, as the cloud route controllers and kindnet do; no tunnels. Routes carry a protocol number, so that those an earlier
// process left are known. They stay when this ends.
import { isIPv6 } from 'node:net';
import type { Node } from '#api/core/v1';
import { nodes } from '#api/resources';
import type { InformerFactory } from '#client';
import { type Clock, type Logger, systemClock } from '#component';
import type { DeepReadonly } from '#machinery';
import { mustRun, runProgram } from './commands.ts';

export interface NodeRoutesOptions {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

const PROTOCOL = '97';
const RETRY_MS = 5000;

/** Runs until `signal`. The informer factory must be started by its owner after this was called. */
export async function runNodeRoutes(options: NodeRoutesOptions): Promise<void> {
  const { informers, nodeName, signal, logger, clock = systemClock } = options;
  const informer = informers.informer(nodes);
  let wake: () => void = () => {};
  let dirty = true;
  const change = (): void => {
    dirty = true;
    wake();
  };
  using _handler = informer.addHandler({ add: change, update: change, delete: change });
  signal.addEventListener('abort', change, { once: true });
  await informers.waitForSync(signal).catch(() => {});
  while (!signal.aborted) {
    dirty = false;
    const failures = await applyRoutes(desiredRoutes(informer.lister.list(), nodeName));
    for (const failure of failures) logger.warn({ error: failure }, 'Cannot set a node route');
    using _retry = failures.length > 0 ? clock.after(RETRY_MS, change) : undefined;
    if (!dirty && !signal.aborted)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}

/** Pod CIDR to the address of its node; nodes without either are left out. */
export function desiredRoutes(all: readonly DeepReadonly<Node>[], nodeName: string): Map<string, string> {
  const routes = new Map<string, string>();
  for (const node of all) {
    if (node.metadata.name === nodeName) continue;
    const addresses = (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
    const cidrs = node.spec?.podCIDRs ?? (node.spec?.podCIDR === undefined ? [] : [node.spec.podCIDR]);
    for (const cidr of cidrs) {
      const via = addresses.find((address) => isIPv6(address) === cidr.includes(':'));
      if (via !== undefined) routes.set(cidr, via);
    }
  }
  return routes;
}

/** Replaces what differs and removes what is no longer wanted. Returns what failed. */
async function applyRoutes(wanted: ReadonlyMap<string, string>): Promise<string[]> {
  const failures: string[] = [];
  for (const family of ['-4', '-6']) {
    const present = await presentRoutes(family);
    for (const [cidr] of present) if (!wanted.has(cidr)) await runProgram('ip', [family, 'route', 'del', cidr, 'proto', PROTOCOL]);
    for (const [cidr, via] of wanted) {
      if (cidr.includes(':') !== (family === '-6') || present.get(cidr) === via) continue;
      const { code, stderr } = await runProgram('ip', [family, 'route', 'replace', cidr, 'via', via, 'proto', PROTOCOL]);
      if (code !== 0) failures.push(`${cidr} via ${via}: ${stderr.trim()}`);
    }
  }
  return failures;
}

async function presentRoutes(family: string): Promise<Map<string, string>> {
  const text = await mustRun('ip', ['-j', family, 'route', 'show', 'proto', PROTOCOL]).catch(() => '[]');
  const routes = JSON.parse(text.trim() || '[]') as { dst?: string; gateway?: string }[];
  return new Map(routes.map((route) => [route.dst ?? '', route.gateway ?? '']));
}
