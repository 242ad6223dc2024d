// SPDX-License-Identifier: Apache-2.0
// The proxy against the kernel: run by kube-proxy.test.ts in a network namespace of its own. Two "Pods", one client outside.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { endpointslices, nodes, services } from '#api';
import type { Service } from '#api/core/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import { createInformerFactory } from '#client';
import { FakeApi } from '#client/testing';
import { silentLogger, systemClock } from '#component';
import type { KubeObject, Resource } from '#machinery';
import { createKubeProxy } from './mod.ts';
import { node, service, slice } from './testing.ts';

const VIP = '10.96.0.1';
const NODE_IP = '192.0.2.1';
const PODS = [
  ['a', '10.244.0.2'],
  ['b', '10.244.0.3'],
  ['outside', '192.0.2.2'],
] as const;
const folder = mkdtempSync(join(tmpdir(), 'sagong-proxy-'));
const stop = new AbortController();
const api = new FakeApi({ objects: [node('n1', NODE_IP)] });
const informers = createInformerFactory(api, { logger: silentLogger });
const proxy = createKubeProxy({
  informers,
  nodeName: 'n1',
  clusterCidr: '10.244.0.0/16',
  logger: silentLogger,
  clock: systemClock,
  minSyncPeriodMs: 1,
  metricsAddress: undefined,
  healthzAddress: { address: '127.0.0.1', port: 10256 },
});
const servers: ChildProcess[] = [];
let running: Promise<void> | undefined;

function namespaceOf(pod: string): string {
  return join(folder, pod);
}

function sh(command: string): void {
  execFileSync('sh', ['-ec', command], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** What curl says when the other side refuses; a connection that nobody answers ends otherwise. */
const REFUSED = 7;

/** What a client gets from an address, and how curl ends. */
function ask(address: string, from?: string): Promise<{ body: string; exit: unknown }> {
  const curl = ['curl', '-s', '-m', '2', `http://${address}/`];
  const [file, ...args] = from === undefined ? curl : ['nsenter', `--net=${namespaceOf(from)}`, ...curl];
  return new Promise((resolve) =>
    execFile(file ?? '', args, (error, stdout) => resolve({ body: stdout.trim(), exit: error === null ? 0 : error.code })),
  );
}

/** What a client gets from an address, or '' where it gets nothing. */
async function get(address: string, from?: string): Promise<string> {
  return (await ask(address, from)).body;
}

async function answers(address: string, times: number, from?: string): Promise<string[]> {
  const found = new Set<string>();
  for (let turn = 0; turn < times; turn++) found.add(await get(address, from));
  return [...found].sort();
}

const published = new Set<string>();

async function publish(object: Service, endpoints: EndpointSlice): Promise<void> {
  const name = object.metadata.name ?? '';
  if (published.has(name)) {
    await api.delete(services, { namespace: 'default', name });
    await api.delete(endpointslices, { namespace: 'default', name: `${name}-1` });
  }
  published.add(name);
  api.seed(services, object);
  api.seed(endpointslices, endpoints);
  await settled();
}

/** The caches show what the API has, and the rules follow them. */
async function settled(): Promise<void> {
  await caughtUp(services);
  await caughtUp(endpointslices);
  await proxy.synced();
}

async function caughtUp<T extends KubeObject>(resource: Resource<T>): Promise<void> {
  const versions = (all: readonly { readonly metadata: { readonly resourceVersion?: string | undefined } }[]): string =>
    all
      .map(({ metadata }) => metadata.resourceVersion ?? '')
      .sort()
      .join();
  const wanted = versions((await api.list(resource)).items);
  const { lister } = informers.informer(resource);
  while (versions(lister.list()) !== wanted) await new Promise((resolve) => setImmediate(resolve));
}

before(async () => {
  sh('ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward');
  for (const [name, ip] of PODS) {
    const path = namespaceOf(name);
    writeFileSync(path, '');
    const gateway = name === 'outside' ? NODE_IP : '10.244.0.1';
    sh(`unshare --net=${path} ip link set lo up; ip link add v${name} type veth peer name eth0 netns ${path}`);
    sh(`ip addr add ${gateway}/32 dev v${name}; ip link set v${name} up; ip route add ${ip}/32 dev v${name}`);
    sh(`nsenter --net=${path} sh -ec 'ip addr add ${ip}/32 dev eth0; ip link set eth0 up; ip route add ${gateway} dev eth0'`);
    // The client outside reaches cluster addresses only to show that it is masqueraded.
    sh(`nsenter --net=${path} ip route add default via ${gateway} onlink dev eth0`);
    mkdirSync(join(folder, `www-${name}`));
    writeFileSync(join(folder, `www-${name}/index.html`), name);
    const server = spawn('nsenter', [`--net=${path}`, 'busybox', 'httpd', '-f', '-p', '80', '-h', join(folder, `www-${name}`)]);
    servers.push(server);
    for (let up = ''; up === ''; up = await get(ip)) if (server.exitCode !== null) throw new Error(`the server of ${name} ended`);
  }
  sh('ip route add default via 192.0.2.2 dev voutside onlink'); // Without any route a cluster IP is unreachable before it is translated.
  informers.start(stop.signal);
  running = proxy.run(stop.signal);
  await informers.waitForSync(stop.signal);
});

after(async () => {
  stop.abort();
  await running;
  await informers.drained();
  for (const server of servers) server.kill();
  for (const [name] of PODS) sh(`umount -l ${namespaceOf(name)}`);
  rmSync(folder, { recursive: true });
});

const A = { addresses: ['10.244.0.2'], nodeName: 'n1' };
const B = { addresses: ['10.244.0.3'], nodeName: 'n2' };

test('a cluster IP leads to all endpoints, from the node, a Pod and outside', async () => {
  await publish(service('web', { clusterIP: VIP }), slice('web', [A, B]));
  assert.deepEqual(await answers(VIP, 20), ['a', 'b']);
  assert.deepEqual(await answers(VIP, 20, 'a'), ['a', 'b']);
  assert.deepEqual(await answers(VIP, 20, 'outside'), ['a', 'b']);
});

test('a change of endpoints replaces only what differs', async () => {
  await publish(service('web', { clusterIP: VIP }), slice('web', [B]));
  assert.deepEqual(await answers(VIP, 5), ['b']);
  await publish(service('web', { clusterIP: VIP }), slice('web', [A]));
  assert.deepEqual(await answers(VIP, 5, 'a'), ['a'], 'a Pod reaches itself');
});

test('rules that somebody flushed are back without a change in the API', async () => {
  await publish(service('web', { clusterIP: VIP }), slice('web', [A]));
  sh('nft flush ruleset');
  for (let turn = 0; turn < 10; turn++) if ((await get(VIP)) === 'a') break;
  assert.equal(await get(VIP), 'a');
  sh('nft flush table ip kube-proxy');
  for (let turn = 0; turn < 10; turn++) if ((await get(VIP)) === 'a') break;
  assert.equal(await get(VIP), 'a');
});

test('a Service without endpoints refuses, another port of a cluster IP too', async () => {
  await publish(service('web', { clusterIP: VIP }), slice('web', []));
  assert.equal((await ask(VIP)).exit, REFUSED);
  assert.equal((await ask(VIP, 'a')).exit, REFUSED);
  assert.equal((await ask(`${VIP}:81`, 'a')).exit, REFUSED);
});

test('a node port answers outside, on the address of the node', async () => {
  await publish(service('np', { clusterIP: '10.96.0.2', type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] }), slice('np', [A, B]));
  assert.deepEqual(await answers(`${NODE_IP}:30080`, 20, 'outside'), ['a', 'b']);
  assert.equal(await get(`10.244.0.1:30080`, 'a'), '', 'not on other addresses');
});

test('an external policy Local uses only endpoints here for clients outside', async () => {
  const spec = {
    clusterIP: '10.96.0.3',
    type: 'NodePort',
    externalTrafficPolicy: 'Local',
    ports: [{ port: 80, nodePort: 30081 }],
  } as const;
  await publish(service('local', { ...spec, ports: [...spec.ports] }), slice('local', [A, B]));
  assert.deepEqual(await answers(`${NODE_IP}:30081`, 10, 'outside'), ['a']);
  assert.deepEqual(await answers('10.96.0.3', 20, 'a'), ['a', 'b']);
});

test('external and load balancer addresses lead to endpoints, source ranges are kept', async () => {
  const lb = service('lb', {
    clusterIP: '10.96.0.4',
    type: 'LoadBalancer',
    externalIPs: ['198.51.100.1'],
    loadBalancerSourceRanges: ['10.244.0.2/32'],
  });
  await publish({ ...lb, status: { loadBalancer: { ingress: [{ ip: '198.51.100.2' }] } } }, slice('lb', [B]));
  assert.equal(await get('198.51.100.1', 'outside'), 'b');
  assert.equal(await get('198.51.100.2', 'a'), 'b');
  assert.equal(await get('198.51.100.2', 'outside'), '');
});

test('session affinity keeps a client with one endpoint', async () => {
  await publish(service('sticky', { clusterIP: '10.96.0.5', sessionAffinity: 'ClientIP' }), slice('sticky', [A, B]));
  assert.equal((await answers('10.96.0.5', 12, 'outside')).length, 1);
  await publish(service('sticky', { clusterIP: '10.96.0.5' }), slice('sticky', [A, B]));
  assert.deepEqual(await answers('10.96.0.5', 20, 'outside'), ['a', 'b']);
});

test('/healthz tells when the node is going away', async () => {
  assert.equal((await fetch('http://127.0.0.1:10256/healthz')).status, 200);
  const { metadata } = await api.get(nodes, { name: 'n1' });
  await api.patch(nodes, { name: metadata.name ?? '' }, 'merge', {
    spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] },
  });
  while ((await fetch('http://127.0.0.1:10256/healthz')).status === 200) await settled();
  assert.equal((await fetch('http://127.0.0.1:10256/healthz')).status, 503);
  assert.equal((await fetch('http://127.0.0.1:10256/livez')).status, 200);
});

test('rules stay after a stop, and cleanup() removes them', async () => {
  stop.abort();
  await running;
  assert.notEqual(await get('10.96.0.5'), '');
  await proxy.cleanup();
  assert.equal(execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }), '');
});
