// SPDX-License-Identifier: Apache-2.0
// Where a cluster keeps what: every path below its data directory, and the settings that `up` fixed.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from './user-error.ts';

export const DEFAULT_DATA_DIR = '/var/lib/sagong';

export interface ClusterSettings {
  readonly port: number;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  readonly dnsIp: string;
  /** The network of the nodes, `10.123.0.0/24`; node n has the address .n. */
  readonly nodeNetwork: string;
  readonly runtime: 'embedded' | 'simulated';
  /** Flags of kube-apiserver beside the cluster's own. */
  readonly apiServerArgs?: readonly string[] | undefined;
  readonly nodes: readonly NodeSettings[];
}

export interface NodeSettings {
  readonly name: string;
  readonly ip: string;
  /** Name of its network namespace; undefined for the node that is this machine itself. */
  readonly networkNamespace: string | undefined;
}

export interface NodePaths {
  readonly folder: string;
  readonly runtimeState: string;
  readonly kubelet: string;
  readonly staticPods: string;
  readonly podLogs: string;
  readonly cni: { readonly conf: string; readonly cache: string; readonly ipam: string };
}

/** Paths of one cluster. Pure: nothing is made on disk here. */
export class Layout {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get settingsFile(): string {
    return join(this.root, 'cluster.json');
  }

  get adminConf(): string {
    return join(this.root, 'admin.conf');
  }

  get store(): string {
    return join(this.root, 'store', 'store.db');
  }

  get images(): string {
    return join(this.root, 'images');
  }

  pki(name: string): string {
    return join(this.root, 'pki', name);
  }

  /** The log of a process: `control-plane`, `node-1`. */
  log(process: string): string {
    return join(this.root, 'logs', `${process}.log`);
  }

  pidFile(process: string): string {
    return join(this.root, 'run', `${process}.pid`);
  }

  controlSocket(process: string): string {
    return join(this.root, 'run', `${process}.sock`);
  }

  node(name: string): NodePaths {
    const folder = join(this.root, 'nodes', name);
    return {
      folder,
      runtimeState: join(folder, 'runtime'),
      kubelet: join(folder, 'kubelet'),
      staticPods: join(folder, 'manifests'),
      podLogs: join(folder, 'pod-logs'),
      cni: { conf: join(folder, 'cni', 'net.d'), cache: join(folder, 'cni', 'cache'), ipam: join(folder, 'cni', 'ipam') },
    };
  }
}

/** The process a component of a node runs in. */
export const CONTROL_PLANE = 'control-plane';

export function readSettings(layout: Layout): ClusterSettings {
  const found = findSettings(layout);
  if (found === undefined) throw new UserError(`there is no cluster in ${layout.root}: run "sagong up"`);
  return found;
}

export function findSettings(layout: Layout): ClusterSettings | undefined {
  try {
    return JSON.parse(readFileSync(layout.settingsFile, 'utf8')) as ClusterSettings;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EACCES')
      throw new UserError(`${layout.root} belongs to another user: run with sudo, or give "--data-dir" a folder of your own`);
    throw new UserError(`read ${layout.settingsFile}: ${(error as Error).message}`);
  }
}

/** @throws {UserError} If the cluster has no node of that name. */
export function findNode(settings: ClusterSettings, name: string): NodeSettings {
  const found = settings.nodes.find((node) => node.name === name);
  if (found === undefined)
    throw new UserError(`there is no node ${JSON.stringify(name)}: there are ${settings.nodes.map((node) => node.name).join(', ')}`);
  return found;
}

/** The cgroups of a node's Pods, below the hierarchy's root. */
export function cgroupRootOf(node: NodeSettings): string {
  return `/sagong/${node.name}`;
}

export function writeSettings(layout: Layout, settings: ClusterSettings): void {
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  const temporary = `${layout.settingsFile}.new`;
  writeFileSync(temporary, `${JSON.stringify(settings, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, layout.settingsFile);
}

/** The n-th address of an IPv4 network: `addressAt('10.123.0.0/24', 1)` is 10.123.0.1. */
export function addressAt(network: string, index: number): string {
  const [base = '', bits = '32'] = network.split('/');
  const start = base.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
  if (index >= 2 ** (32 - Number(bits))) throw new UserError(`network ${network} has no address number ${index}: take a larger one`);
  const address = start + index;
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.');
}
