// SPDX-License-Identifier: Apache-2.0
// Plans and rules as data, and the whole proxy against the kernel in a network namespace of its own (nftables.lab.ts).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ServiceSpec } from '#api/core/v1';
import type { Endpoint as ApiEndpoint } from '#api/discovery/v1';
import { staleFlows } from './conntrack.ts';
import { deleteTable, type RuleSet, replaceTable, updateTable } from './nftables/rule-set.ts';
import { RuleBuilder } from './nftables/service-rules.ts';
import { planService, planServices, ServicePlanner, type ServicePort } from './service-map.ts';
import { service, slice } from './testing.ts';

const NODE = { name: 'n1', zone: 'z1' };

function plan(spec: Partial<ServiceSpec>, endpoints: readonly Partial<ApiEndpoint>[]): ServicePort {
  const [port] = planService(service('web', { clusterIP: '10.96.0.1', ...spec }), [slice('web', endpoints)], NODE);
  assert.ok(port);
  return port;
}

const at = (ip: string, rest: Partial<ApiEndpoint> = {}): Partial<ApiEndpoint> => ({ addresses: [ip], nodeName: 'n2', ...rest });
const TERMINATING = { ready: false, serving: true, terminating: true };

const CHOICES: readonly { what: string; endpoints: readonly Partial<ApiEndpoint>[]; cluster: string[]; local: string[] }[] = [
  { what: 'ready ones', endpoints: [at('10.0.0.1'), at('10.0.0.2', { conditions: { ready: false } })], cluster: ['10.0.0.1'], local: [] },
  { what: 'no condition as ready', endpoints: [at('10.0.0.1', { conditions: {} })], cluster: ['10.0.0.1'], local: [] },
  {
    what: 'serving and terminating ones where none is ready',
    endpoints: [at('10.0.0.1', { conditions: TERMINATING })],
    cluster: ['10.0.0.1'],
    local: [],
  },
  {
    what: 'ready ones before terminating ones',
    endpoints: [at('10.0.0.1', { conditions: TERMINATING }), at('10.0.0.2')],
    cluster: ['10.0.0.2'],
    local: [],
  },
  {
    what: 'a terminating local one for policy Local though others are ready',
    endpoints: [at('10.0.0.1', { conditions: TERMINATING, nodeName: 'n1' }), at('10.0.0.2')],
    cluster: ['10.0.0.2'],
    local: ['10.0.0.1'],
  },
  {
    what: 'those hinted for the zone',
    endpoints: [at('10.0.0.1', { hints: { forZones: [{ name: 'z1' }] } }), at('10.0.0.2', { hints: { forZones: [{ name: 'z2' }] } })],
    cluster: ['10.0.0.1'],
    local: [],
  },
  {
    what: 'all where one lacks a hint',
    endpoints: [at('10.0.0.1', { hints: { forZones: [{ name: 'z1' }] } }), at('10.0.0.2')],
    cluster: ['10.0.0.1', '10.0.0.2'],
    local: [],
  },
  {
    what: 'those hinted for the node',
    endpoints: [at('10.0.0.1', { hints: { forNodes: [{ name: 'n1' }] } }), at('10.0.0.2', { hints: { forNodes: [{ name: 'n2' }] } })],
    cluster: ['10.0.0.1'],
    local: [],
  },
];
for (const { what, endpoints, cluster, local } of CHOICES)
  test(`planService() uses ${what}`, () => {
    const port = plan({}, endpoints);
    assert.deepEqual(
      port.clusterEndpoints.map(({ ip }) => ip),
      cluster,
    );
    assert.deepEqual(
      port.localEndpoints.map(({ ip }) => ip),
      local,
    );
  });

test('planServices() leaves out headless, external names and what another proxy serves', () => {
  const other = service('other', { clusterIP: '10.96.0.3' });
  other.metadata.labels = { 'service.kubernetes.io/service-proxy-name': 'mesh' };
  const all = [service('none', { clusterIP: 'None' }), service('ext', { type: 'ExternalName', clusterIP: '' }), other];
  assert.deepEqual(
    planServices(all, () => [], NODE),
    [],
  );
});

test('planService() makes one port per family', () => {
  const dual = service('web', { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1', 'fd00::1'] });
  const ports = planService(dual, [slice('web', [at('10.0.0.1')]), slice('web', [at('fd00:1::1')])], NODE);
  assert.deepEqual(
    ports.map(({ family, clusterEndpoints }) => `${family} ${clusterEndpoints[0]?.ip}`),
    ['ip 10.0.0.1', 'ip6 fd00:1::1'],
  );
});

const builder = new RuleBuilder({ family: 'ip', clusterCidr: '10.0.0.0/8' });
const serviceRules = (ports: readonly ServicePort[]): RuleSet => builder.build(ports, ['192.0.2.1']);

function verdict(rules: RuleSet, map: string, key: string): string | undefined {
  return rules.sets.get(map)?.elements?.get(key);
}

test('serviceRules() drops for a local policy with endpoints elsewhere and rejects without any', () => {
  const elsewhere = serviceRules([plan({ internalTrafficPolicy: 'Local' }, [at('10.0.0.1')])]);
  assert.equal(verdict(elsewhere, 'no-endpoint-services', '10.96.0.1 . tcp . 80'), 'drop');
  const nowhere = serviceRules([plan({}, [])]);
  assert.equal(verdict(nowhere, 'no-endpoint-services', '10.96.0.1 . tcp . 80'), 'goto reject-chain');
});

test('updateTable() is empty for equal rules, and small for one changed endpoint', () => {
  const many = Array.from({ length: 50 }, (_, index) => service(`s${index}`, { clusterIP: `10.96.1.${index}` }));
  const planned = many.flatMap((each) => planService(each, [slice(each.metadata.name ?? '', [at('10.0.0.1')])], NODE));
  const before = serviceRules(planned);
  assert.equal(updateTable(before, serviceRules(planned)), '');
  const [first, ...rest] = planned;
  assert.ok(first);
  const changed = { ...first, clusterEndpoints: [{ ip: '10.0.0.9', port: 80, local: false }] };
  const commands = updateTable(before, serviceRules([changed, ...rest]))
    .trim()
    .split('\n');
  assert.deepEqual(
    commands.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['add chain', 'flush chain', 'add rule', 'add rule', 'add rule', 'flush chain', 'delete chain'],
  );
});

test('ServicePlanner keeps the ports of what has not changed', () => {
  const planner = new ServicePlanner();
  const [a, b] = [service('a', { clusterIP: '10.96.0.1' }), service('b', { clusterIP: '10.96.0.2' })];
  const slices = new Map([
    ['a', [slice('a', [at('10.0.0.1')])]],
    ['b', [slice('b', [at('10.0.0.2')])]],
  ]);
  const plan = (): ServicePort[] => planner.plan([a, b], (_namespace, name) => slices.get(name) ?? [], NODE);
  const before = plan();
  slices.set('b', [slice('b', [at('10.0.0.3')])]);
  const after = plan();
  assert.equal(after[0], before[0]);
  assert.notEqual(after[1], before[1]);
  assert.equal(after[1]?.clusterEndpoints[0]?.ip, '10.0.0.3');
});

test('staleFlows() names UDP endpoints that are gone, and Services that get their first', () => {
  const udp = (ips: readonly string[]): ServicePort => ({
    ...plan({}, []),
    protocol: 'udp',
    clusterEndpoints: ips.map((ip) => ({ ip, port: 53, local: false })),
  });
  assert.deepEqual(staleFlows([udp(['10.0.0.1', '10.0.0.2'])], [udp(['10.0.0.2'])]), [
    ['--orig-dst', '10.96.0.1', '--orig-port-dst', '80', '--dst-nat', '10.0.0.1', '-p', 'udp'],
  ]);
  assert.deepEqual(staleFlows([udp([])], [udp(['10.0.0.1'])]), [['--orig-dst', '10.96.0.1', '--orig-port-dst', '80', '-p', 'udp']]);
  assert.deepEqual(staleFlows([udp(['10.0.0.1'])], [udp(['10.0.0.1'])]), []);
});

test('replaceTable() takes one transaction, and several for a large table with hooks in the last', () => {
  const ports = Array.from({ length: 1500 }, (_, index) => ({
    ...plan({}, [at('10.0.0.1')]),
    name: `s${index}`,
    clusterIp: `10.96.${index >> 8}.${index & 255}`,
  }));
  assert.equal(replaceTable(serviceRules(ports.slice(0, 10))).length, 1);
  const transactions = replaceTable(serviceRules(ports));
  const withHooks = transactions.map((text) => text.includes(' hook '));
  assert.ok(transactions.length > 2);
  assert.equal(withHooks.indexOf(true), transactions.length - 1);
});

test('deleteTable() does not fail where there is no table', () => {
  assert.equal(deleteTable({ family: 'ip', table: 't' }), 'add table ip t\ndelete table ip t\n');
});

const missing = ['nft', 'unshare', 'busybox', 'curl'].find((name) => spawnSync('which', [name]).status !== 0);
const skip = process.getuid?.() !== 0 ? 'not root' : missing === undefined ? undefined : `${missing} is not installed`;
test(`the proxy really connects${skip === undefined ? '' : ` (skipped: ${skip})`}`, { skip: skip !== undefined }, () => {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const lab = join(import.meta.dirname, 'nftables.lab.ts');
  const { status, stdout, stderr } = spawnSync('unshare', ['--net', process.execPath, '--test', lab], { env, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});
