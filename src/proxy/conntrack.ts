// SPDX-License-Identifier: Apache-2.0
// Connection tracking remembers UDP flows to endpoints that are gone, and to Services from before they had endpoints. Finds which to
// forget between two plans, and forgets them with `conntrack -D`. TCP connections end by themselves.
import { execFile } from 'node:child_process';
import type { ServicePort } from './service-map.ts';

/** Arguments of one `conntrack -D`. Pure. */
export function staleFlows(before: readonly ServicePort[], after: readonly ServicePort[]): string[][] {
  const old = new Map(before.filter(isUdp).map((port) => [keyOf(port), port]));
  const now = new Map(after.filter(isUdp).map((port) => [keyOf(port), port]));
  const stale: string[][] = [];
  for (const [key, port] of old) {
    const next = now.get(key);
    const kept = new Set(next?.clusterEndpoints.map((endpoint) => `${endpoint.ip}:${endpoint.port}`));
    for (const endpoint of port.clusterEndpoints)
      if (!kept.has(`${endpoint.ip}:${endpoint.port}`))
        for (const match of destinations(port)) stale.push([...match, '--dst-nat', endpoint.ip, '-p', 'udp']);
  }
  for (const [key, port] of now)
    if (port.clusterEndpoints.length > 0 && (old.get(key)?.clusterEndpoints.length ?? 0) === 0)
      for (const match of destinations(port)) stale.push([...match, '-p', 'udp']);
  return stale;
}

/** One after the other; nothing to delete is no failure. */
export async function forgetFlows(flows: readonly (readonly string[])[]): Promise<void> {
  for (const flow of flows)
    await new Promise<void>((resolve) => {
      execFile('conntrack', ['-D', ...flow], () => resolve());
    });
}

function destinations(port: ServicePort): string[][] {
  const family = port.family === 'ip6' ? ['-f', 'ipv6'] : [];
  const addresses = [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps];
  const byAddress = addresses.map((ip) => [...family, '--orig-dst', ip, '--orig-port-dst', String(port.port)]);
  return port.nodePort > 0 ? [...byAddress, [...family, '--orig-port-dst', String(port.nodePort)]] : byAddress;
}

function isUdp(port: ServicePort): boolean {
  return port.protocol === 'udp';
}

function keyOf(port: ServicePort): string {
  return `${port.family} ${port.clusterIp} ${port.port}`;
}
