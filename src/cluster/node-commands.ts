// SPDX-License-Identifier: Apache-2.0
// `sagong kubelet` and `sagong kube-proxy`: node components alone, in the foreground, with upstream's flags, against any API server.
import { mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { connectComponent, createInformerFactory } from '#client';
import { FlagError, type FlagSpecs, type Flags, readCommand, systemClock } from '#component';
import { createKubelet, systemCgroups } from '#kubelet';
import { createCniNetwork } from '#network';
import { createKubeProxy, removeProxyRules } from '#proxy';
import { outsideAddress } from './certificates.ts';

const KUBELET: FlagSpecs = {
  kubeconfig: { type: 'string', help: 'How to reach the API server.' },
  'hostname-override': { type: 'string', help: 'Name of the node; the host name unless given.' },
  'node-ip': { type: 'strings', help: 'Addresses of the node.' },
  'root-dir': { type: 'string', default: '/var/lib/kubelet', help: 'Files of Pods, containers and images.' },
  'pod-manifest-path': { type: 'string', help: 'Folder of static Pods.' },
  'cluster-dns': { type: 'strings', help: 'Addresses of cluster DNS.' },
  'cluster-domain': { type: 'string', default: 'cluster.local', help: 'Domain of the cluster.' },
  'tls-cert-file': { type: 'string', help: 'Serving certificate, PEM.' },
  'tls-private-key-file': { type: 'string', help: 'Its key, PEM.' },
  'client-ca-file': { type: 'string', help: 'Authority of client certificates, PEM.' },
  address: { type: 'string', default: '0.0.0.0', help: 'Address to listen on.' },
  port: { type: 'int', default: '10250', help: 'Port to listen on.' },
  'max-pods': { type: 'int', default: '110', help: 'Pods the node takes.' },
  'cni-conf-dir': { type: 'string', default: '/etc/cni/net.d', help: 'Network configuration.' },
  'cni-bin-dir': { type: 'strings', default: '/opt/cni/bin,/usr/lib/cni', help: 'Network plugins.' },
  'cgroup-root': { type: 'string', default: '/sagong/kubelet', help: 'Cgroup of all Pods.' },
};

const PROXY: FlagSpecs = {
  kubeconfig: { type: 'string', help: 'How to reach the API server.' },
  'hostname-override': { type: 'string', help: 'Name of the node; the host name unless given.' },
  'cluster-cidr': { type: 'string', help: 'Addresses of Pods.' },
  'proxy-mode': { type: 'string', default: 'nftables', help: 'Only nftables.' },
  cleanup: { type: 'bool', default: 'false', help: 'Remove all rules and exit.' },
};

const nodeNameOf = (flags: Flags) => (flags.string('hostname-override') || hostname()).toLowerCase();

export async function runKubeletCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const command = readCommand('kubelet', args, KUBELET);
  if (command === undefined) return;
  const { flags, logger } = command;
  using connection = connectComponent('kubelet', flags);
  const { client } = connection;
  const root = flags.string('root-dir');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const network = await createCniNetwork(
    { confDir: flags.string('cni-conf-dir'), binDirs: flags.strings('cni-bin-dir'), cacheDir: join(root, 'cni-cache') },
    signal,
  );
  const cgroupRoot = flags.string('cgroup-root');
  const { createEmbeddedRuntime } = await import('#runtime/embedded');
  await using runtime = createEmbeddedRuntime({
    root: join(root, 'images'),
    stateDir: join(root, 'runtime'),
    network,
    logger,
    clock: systemClock,
    cgroupRoot,
  });
  const given = flags.strings('node-ip');
  const read = (flag: string) => readFileSync(flags.string(flag), 'utf8');
  const serving = flags.has('tls-cert-file') ? { cert: read('tls-cert-file'), key: read('tls-private-key-file') } : undefined;
  const kubelet = createKubelet({
    client,
    nodeName: nodeNameOf(flags),
    nodeIps: given.length > 0 ? given : [outsideAddress('127.0.0.1')],
    runtime,
    network,
    rootDir: join(root, 'kubelet'),
    staticPodPath: flags.string('pod-manifest-path') || undefined,
    clusterDns: flags.strings('cluster-dns'),
    clusterDomain: flags.string('cluster-domain'),
    maxPods: flags.int('max-pods'),
    logger,
    cgroups: await systemCgroups({ root: cgroupRoot, logger }),
    server:
      serving === undefined
        ? undefined
        : {
            address: flags.string('address'),
            port: flags.int('port'),
            certificate: () => serving,
            ...(flags.has('client-ca-file') ? { clientCa: read('client-ca-file') } : {}),
          },
  });
  network.onChange(() => kubelet.networkChanged());
  await kubelet.run(signal);
}

export async function runKubeProxyCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const command = readCommand('kube-proxy', args, PROXY);
  if (command === undefined) return;
  const { flags, logger } = command;
  if (flags.bool('cleanup')) return removeProxyRules();
  if (flags.string('proxy-mode') !== 'nftables')
    throw new FlagError(`--proxy-mode=${flags.string('proxy-mode')} is not implemented: take nftables`);
  using connection = connectComponent('kube-proxy', flags);
  const { client } = connection;
  const informers = createInformerFactory(client, { logger });
  const proxy = createKubeProxy({
    informers,
    nodeName: nodeNameOf(flags),
    clusterCidr: flags.strings('cluster-cidr'),
    logger,
    clock: systemClock,
  });
  informers.start(signal);
  await proxy.run(signal);
  await informers.drained();
}
