// SPDX-License-Identifier: Apache-2.0
// `sagong up`: from nothing to Ready nodes. Repeating it on a running cluster changes nothing but adds the nodes that are missing.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { ensureCertificates } from './certificates.ts';
import { addressAt, type ClusterSettings, CONTROL_PLANE, findSettings, type Layout, type NodeSettings, writeSettings } from './layout.ts';
import { ensureNodeNetwork } from './node-network.ts';
import { preflight } from './preflight.ts';
import { findProcess, namespacePath, startProcess } from './processes.ts';
import { UserError } from './user-error.ts';

export interface UpOptions {
  readonly nodes: number;
  readonly port: number;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly nodeNetwork: string;
  readonly runtime: 'embedded' | 'simulated';
  /** `name=value` flags of kube-apiserver. */
  readonly kubeApiserverArg?: readonly string[] | undefined;
}

/** Index of the DNS Service's address in the Service range. @source kubeadm: the tenth */
const DNS_INDEX = 10;

export async function up(layout: Layout, options: UpOptions, say: (text: string) => void): Promise<void> {
  const before = findSettings(layout);
  const args = await apiServerArgsOf(options);
  const wanted = before === undefined ? newSettings(options) : withNodes(before, Math.max(options.nodes, before.nodes.length));
  const settings = args === undefined ? wanted : { ...wanted, apiServerArgs: args };
  const agentRuns = findProcess(layout, settings.nodes[0]?.name ?? '') !== undefined;
  const isRunning = findProcess(layout, CONTROL_PLANE) !== undefined;
  if (!isRunning) await preflight(settings, layout.root, agentRuns);
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  writeSettings(layout, settings);
  if (settings.runtime === 'embedded') await ensureNodeNetwork(settings, layout.root);
  await ensureCertificates(layout, settings);
  await startMissing(layout, settings, say);
  if (isRunning && args !== undefined) say('flags of kube-apiserver are kept; "sagong restart kube-apiserver" makes it use them');
}

/** What the cluster decides itself. */
const OWN_FLAGS = new Set(['data-dir', 'secure-port', 'bind-address', 'service-cluster-ip-range']);

/** @returns undefined if none were given. @throws {UserError} For flags that kube-apiserver does not take, or that are the cluster's. */
async function apiServerArgsOf({ kubeApiserverArg: given }: UpOptions): Promise<readonly string[] | undefined> {
  if (given === undefined || given.length === 0) return undefined;
  const args = given.map((text) => {
    const [, name = '', value = ''] = /^(?:--)?([^=]+)=?(.*)$/s.exec(text) ?? [];
    if (OWN_FLAGS.has(name)) throw new UserError(`kube-apiserver's --${name} is the cluster's to set`);
    // The server runs elsewhere: a file is named from here.
    const isFile = /-(file|config|path)$/.test(name) && value !== '-' && value !== '';
    return `--${name}=${isFile ? resolve(value) : value}`;
  });
  const { checkApiServerArgs } = await import('#apiserver');
  try {
    checkApiServerArgs(args);
  } catch (error) {
    throw new UserError(error instanceof Error ? error.message : String(error));
  }
  return args;
}

/** Starts every process of the cluster that does not run. */
export async function startMissing(layout: Layout, settings: ClusterSettings, say: (text: string) => void): Promise<void> {
  await startControlPlane(layout, say);
  await Promise.all(settings.nodes.map((node) => startNode(layout, node, say)));
}

export async function startControlPlane(layout: Layout, say: (text: string) => void): Promise<void> {
  if (findProcess(layout, CONTROL_PLANE) !== undefined) return;
  await startProcess(layout, { name: CONTROL_PLANE, args: ['internal', 'control-plane', '--data-dir', layout.root] }, say);
  say('API server, controller manager and scheduler run');
}

/** A node's agent makes little garbage: a small young generation saves 9 MB of resident memory, at no cost that shows. */
const AGENT_FLAGS = ['--max-semi-space-size=1'];

export async function startNode(layout: Layout, node: NodeSettings, say: (text: string) => void): Promise<void> {
  if (findProcess(layout, node.name) !== undefined) return;
  const networkNamespace = node.networkNamespace === undefined ? undefined : namespacePath(node.networkNamespace);
  const args = ['internal', 'agent', '--data-dir', layout.root, '--node', node.name];
  await startProcess(layout, { name: node.name, args, nodeFlags: AGENT_FLAGS, networkNamespace }, say);
  say(`node ${node.name} is Ready`);
}

function newSettings(options: UpOptions): ClusterSettings {
  checkCidr('--pod-cidr', options.podCidr);
  checkCidr('--service-cidr', options.serviceCidr);
  checkCidr('--node-network', options.nodeNetwork);
  if (!(options.port > 0 && options.port < 65536)) throw new UserError(`port ${options.port} does not exist: take one between 1 and 65535`);
  const base: ClusterSettings = {
    port: options.port,
    podCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
    clusterDomain: 'cluster.local',
    dnsIp: addressAt(options.serviceCidr, DNS_INDEX),
    nodeNetwork: options.nodeNetwork,
    runtime: options.runtime,
    nodes: [],
  };
  return withNodes(base, options.nodes);
}

function withNodes(settings: ClusterSettings, count: number): ClusterSettings {
  if (!(count >= 1)) throw new UserError(`a cluster has at least one node, not ${count}`);
  const nodes = Array.from({ length: count }, (_, index): NodeSettings => {
    const name = `node-${index + 1}`;
    const ip = settings.runtime === 'simulated' ? '127.0.0.1' : addressAt(settings.nodeNetwork, index + 1);
    return (
      settings.nodes[index] ?? {
        name,
        ip,
        networkNamespace: index === 0 || settings.runtime === 'simulated' ? undefined : `sagong-${name}`,
      }
    );
  });
  return { ...settings, nodes };
}

function checkCidr(flag: string, text: string): void {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  const numbers = match?.slice(1).map(Number) ?? [];
  const [bits = 99] = numbers.slice(4);
  if (match === null || numbers.slice(0, 4).some((octet) => octet > 255) || bits > 30) {
    throw new UserError(`${flag} ${JSON.stringify(text)} is no network: write it as 10.244.0.0/16`);
  }
}
