// SPDX-License-Identifier: Apache-2.0
// `sagong status`: the processes, what runs in them, how much memory they take, and the nodes as the API sees them.

import { nodes } from '#api/resources';
import { type Client, createClient, HttpsTransport, loadKubeconfig } from '#client';
import { askControl } from './control-socket.ts';
import { CONTROL_PLANE, type Layout, readSettings } from './layout.ts';
import { findProcess, residentBytes } from './processes.ts';

/** A client of the cluster's administrator; dispose the transport. */
export function adminClient(layout: Layout): { client: Client; transport: HttpsTransport } {
  const transport = new HttpsTransport(loadKubeconfig(layout.adminConf));
  return { client: createClient(transport), transport };
}

export async function status(layout: Layout, say: (text: string) => void): Promise<void> {
  const settings = readSettings(layout);
  say(row('PROCESS', 'PID', 'MEMORY', 'COMPONENTS'));
  for (const name of [CONTROL_PLANE, ...settings.nodes.map((node) => node.name)]) {
    const pid = findProcess(layout, name);
    if (pid === undefined) {
      say(row(name, '-', '-', 'does not run: "sagong start" starts it'));
      continue;
    }
    const { components = {} } = await askControl(layout.controlSocket(name), { op: 'status' });
    const shown = Object.entries(components).map(([component, state]) => (state === 'running' ? component : `${component} (${state})`));
    say(row(name, String(pid), `${Math.round(residentBytes(pid) / 1024 / 1024)} MiB`, shown.join(', ')));
  }
  if (findProcess(layout, CONTROL_PLANE) === undefined) return;
  await nodeStatus(layout, say).catch((error: unknown) => {
    say(`\nthe API does not answer: ${error instanceof Error ? error.message : String(error)}`);
  });
}

async function nodeStatus(layout: Layout, say: (text: string) => void): Promise<void> {
  const { client, transport } = adminClient(layout);
  using _transport = transport;
  const { items } = await client.list(nodes, { signal: AbortSignal.timeout(5_000) });
  say('');
  say(row('NODE', 'READY', 'ADDRESS', 'REASON'));
  for (const { metadata, status: state } of items) {
    const ready = state.conditions?.find(({ type }) => type === 'Ready');
    const address = state.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '-';
    say(row(metadata.name, ready?.status ?? 'Unknown', address, ready?.reason ?? '-'));
  }
}

function row(...cells: readonly string[]): string {
  const [first = '', second = '', third = '', rest = ''] = cells;
  return `${first.padEnd(16)}${second.padEnd(10)}${third.padEnd(14)}${rest}`.trimEnd();
}
