// SPDX-License-Identifier: Apache-2.0
// The agent process of one node: kubelet (with the container runtime inside), kube-proxy, cluster DNS, and the node's part of the
// Pod network. It runs in its node's network namespace, so that everything it does to the network concerns that node alone.
import { mkdirSync, readFileSync } from 'node:fs';
import { nodes } from '#api/resources';
import { type Client, createClient, createInformerFactory, HttpsTransport, type InformerFactory } from '#client';
import { createLogger, giveBackMemoryWhenQuiet, type Logger, systemClock } from '#component';
import { createClusterDns, createDnsInterface, resolversOf } from '#dns';
import { createKubelet, NO_EVICTION, plainMounter, systemCgroups } from '#kubelet';
import { type CniNetwork, createCniNetwork, prepareNodeNetwork, runNodeRoutes, writeDefaultConfList } from '#network';
import { createKubeProxy } from '#proxy';
import type { Runtime } from '#runtime';
import { NODE_CLIENT, NODE_SERVING, readPair } from './certificates.ts';
import { ComponentSet, type ComponentSpec } from './component-set.ts';
import { serveControl } from './control-socket.ts';
import { addressAt, type ClusterSettings, cgroupRootOf, findNode, type Layout, type NodeSettings, readSettings } from './layout.ts';
import { report } from './processes.ts';

const CNI_BINARIES = ['/opt/cni/bin', '/usr/lib/cni'];
const KUBELET_PORT = 10250;

export interface AgentContext {
  readonly layout: Layout;
  readonly settings: ClusterSettings;
  readonly node: NodeSettings;
  readonly log: (component: string) => Logger;
}

/** Runs until `signal`; Pods go on without it. Tells its parent when the node is Ready. */
export async function runAgent(layout: Layout, nodeName: string, signal: AbortSignal): Promise<void> {
  const settings = readSettings(layout);
  const node = findNode(settings, nodeName);
  const context: AgentContext = { layout, settings, node, log: (component) => createLogger({ component }).child({ node: nodeName }) };
  const components = new ComponentSet([kubeletSpec(context), ...networkSpecs(context)], context.log('agent'));
  mkdirSync(layout.node(nodeName).folder, { recursive: true, mode: 0o700 });
  await using _control = await serveControl(layout.controlSocket(nodeName), components);
  components.startAll();
  void giveBackMemoryWhenQuiet(systemClock, signal);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await components.stopAll();
}

function clientOf({ layout, settings }: AgentContext, pair: string, userAgent: string): { client: Client; transport: HttpsTransport } {
  const { certificate, key } = readPair(layout, pair);
  const transport = new HttpsTransport({
    server: `https://${settings.nodes[0]?.ip}:${settings.port}`,
    ca: readPair(layout, 'ca').certificate,
    cert: certificate,
    key,
    userAgent,
  });
  return { client: createClient(transport), transport };
}

/** The node's Pod network, made by the default plugins once the node has its range; a real network add-on may replace it. */
export function networkOf({ layout, node }: Pick<AgentContext, 'layout' | 'node'>, signal: AbortSignal): Promise<CniNetwork> {
  const { cni } = layout.node(node.name);
  for (const folder of [cni.conf, cni.cache, cni.ipam]) mkdirSync(folder, { recursive: true });
  return createCniNetwork({ confDir: cni.conf, binDirs: CNI_BINARIES, cacheDir: cni.cache }, signal);
}

export async function runtimeOf({ layout, settings, node, log }: AgentContext, network: CniNetwork): Promise<Runtime> {
  if (settings.runtime === 'simulated')
    return (await import('#runtime/simulated')).createSimulatedRuntime({
      clock: systemClock,
      ips: simulatedAddresses(settings, node),
      name: node.name,
    });
  const { createEmbeddedRuntime } = await import('#runtime/embedded');
  return createEmbeddedRuntime({
    root: layout.images,
    stateDir: layout.node(node.name).runtimeState,
    network,
    logger: log('runtime'),
    clock: systemClock,
    cgroupRoot: cgroupRootOf(node),
  });
}

/** Addresses that look like those of real Pods: a /24 of the Pod network per node. */
function simulatedAddresses(settings: ClusterSettings, node: NodeSettings): () => string {
  const base = settings.nodes.findIndex(({ name }) => name === node.name) * 256;
  let next = 1;
  return () => addressAt(settings.podCidr, base + (next++ % 254) + 1);
}

function kubeletSpec(context: AgentContext): ComponentSpec {
  const { layout, settings, node, log } = context;
  return {
    name: 'kubelet',
    async run(signal) {
      const paths = layout.node(node.name);
      for (const folder of [paths.kubelet, paths.staticPods, paths.podLogs]) mkdirSync(folder, { recursive: true });
      const { client, transport } = clientOf(context, `${node.name}-${NODE_CLIENT}`, 'kubelet');
      using _transport = transport;
      const network = await networkOf(context, signal);
      await using runtime = await runtimeOf(context, network);
      const serving = readPair(layout, `${node.name}-${NODE_SERVING}`);
      const simulated = settings.runtime === 'simulated';
      const kubelet = createKubelet({
        client,
        nodeName: node.name,
        nodeIps: [node.ip],
        runtime,
        network: simulated ? { notReadyReason: () => undefined } : network,
        rootDir: paths.kubelet,
        podLogsDir: paths.podLogs,
        staticPodPath: paths.staticPods,
        clusterDns: [settings.dnsIp],
        clusterDomain: settings.clusterDomain,
        logger: log('kubelet'),
        server: {
          address: '0.0.0.0',
          // Simulated nodes share this machine's addresses.
          port: simulated ? 0 : KUBELET_PORT,
          certificate: () => ({ cert: serving.certificate, key: serving.key }),
          clientCa: readPair(layout, 'ca').certificate,
        },
        ...(simulated
          ? { mounter: plainMounter, eviction: NO_EVICTION }
          : { cgroups: await systemCgroups({ root: cgroupRootOf(node), logger: log('kubelet') }) }),
      });
      void kubelet.ready.then(() => report({ type: 'ready', text: `node ${node.name} is Ready` }));
      network.onChange(() => kubelet.networkChanged());
      try {
        await kubelet.run(signal);
      } catch (error) {
        report({ type: 'failed', text: `kubelet of ${node.name}: ${error instanceof Error ? error.message : String(error)}` });
        throw error;
      }
    },
  };
}

/** kube-proxy, DNS and Pod routes read the same few resources: each component has its own informers only while it runs. */
function networkSpecs(context: AgentContext): ComponentSpec[] {
  const { settings, node, log } = context;
  if (settings.runtime === 'simulated') return [];
  const withInformers = (name: string, run: (informers: InformerFactory, signal: AbortSignal) => Promise<void>): ComponentSpec => ({
    name,
    async run(signal) {
      const { client, transport } = clientOf(context, 'kube-proxy', name);
      using _transport = transport;
      const informers = createInformerFactory(client, { logger: log(name) });
      await run(informers, signal);
      await informers.drained();
    },
  });
  return [
    withInformers('pod-network', async (informers, signal) => {
      const routes = runNodeRoutes({ informers, nodeName: node.name, logger: log('pod-network'), signal });
      informers.informer(nodes).addHandler({
        add: (found) => void prepare(context, found),
        update: (before, found) => void (before.spec.podCIDR === found.spec.podCIDR ? undefined : prepare(context, found)),
      });
      informers.start(signal);
      await routes;
    }),
    withInformers('kube-proxy', async (informers, signal) => {
      const proxy = createKubeProxy({
        informers,
        nodeName: node.name,
        clusterCidr: settings.podCidr,
        logger: log('kube-proxy'),
        clock: systemClock,
      });
      informers.start(signal);
      await proxy.run(signal);
    }),
    withInformers('dns', async (informers, signal) => {
      await createDnsInterface([settings.dnsIp]);
      const listen = [{ address: settings.dnsIp, port: 53 }];
      const dns = createClusterDns({
        informers,
        clusterDomain: settings.clusterDomain,
        upstreamResolvers: resolversOf(readResolvConf()),
        listen,
        logger: log('dns'),
      });
      informers.start(signal);
      await dns.run(signal);
    }),
  ];
}

function readResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return ''; // No resolvers: only names of the cluster are known.
  }
}

/** Once the node has its range of Pod addresses, the default network is written down. */
async function prepare(
  { layout, settings, node, log }: AgentContext,
  found: { readonly metadata: { readonly name: string }; readonly spec: { readonly podCIDR?: string } },
): Promise<void> {
  const range = found.spec.podCIDR;
  if (found.metadata.name !== node.name || !range) return;
  const { cni } = layout.node(node.name);
  try {
    await prepareNodeNetwork({ clusterCidrs: [settings.podCidr], podCidrs: [range], logger: log('pod-network') });
    await writeDefaultConfList(cni.conf, { podCidrs: [range], ipamDir: cni.ipam });
  } catch (error) {
    log('pod-network').error({ error: String(error) }, 'Cannot prepare the Pod network');
  }
}
