// SPDX-License-Identifier: Apache-2.0
// kube-proxy: keeps the node's nftables rules equal to Services and EndpointSlices. Changes are gathered, planned at once and applied
// as one transaction per family, by difference. The whole table is written at start, after a failure, and when another process has
// removed part of it. Rules stay when it stops.

import type { Node, Service } from '#api/core/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import { endpointslices, nodes, services } from '#api/resources';
import type { Informer, InformerFactory } from '#client';
import { type Clock, type Logger, Metrics } from '#component';
import type { DeepReadonly, KubeObject } from '#machinery';
import { forgetFlows, staleFlows } from './conntrack.ts';
import { Nft, type NftResult } from './nftables/nft.ts';
import { deleteTable, type RuleSet, redeclares, replaceTable, updateTable } from './nftables/rule-set.ts';
import { RuleBuilder, TABLE } from './nftables/service-rules.ts';
import { close, HEALTH_TIMEOUT_MS, type Health, healthListener, listen, metricsListener, ServiceHealthServers } from './servers.ts';
import { type Family, familyOf, SERVICE_NAME_LABEL, ServicePlanner, type ServicePort } from './service-map.ts';

export interface KubeProxyOptions {
  readonly informers: InformerFactory;
  readonly nodeName: string;
  /** Pods of the cluster, one per family; traffic from elsewhere to cluster IPs is masqueraded. */
  readonly clusterCidr: readonly string[] | string | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics?: Metrics;
  /** Addresses node ports answer on. @default the node's internal ones */
  readonly nodePortAddresses?: readonly string[];
  /** Least time between two syncs; the first change after a pause is applied at once. @default 100 */
  readonly minSyncPeriodMs?: number;
  /** Undefined: not served. @default 127.0.0.1:10249 and 0.0.0.0:10256 */
  readonly metricsAddress?: { readonly address: string; readonly port: number } | undefined;
  readonly healthzAddress?: { readonly address: string; readonly port: number } | undefined;
}

const FAMILIES: readonly Family[] = ['ip', 'ip6'];
const BY_SERVICE = 'proxy.service';
const RETRY_MS = 5000;
const TO_BE_DELETED = 'ToBeDeletedByClusterAutoscaler';
const BUCKETS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384];

export function createKubeProxy(options: KubeProxyOptions): KubeProxy {
  return new KubeProxy(options);
}

export class KubeProxy {
  readonly metrics: Metrics;
  readonly #options: KubeProxyOptions;
  readonly #nft: Nft;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #nodes: Informer<Node>;
  readonly #planner = new ServicePlanner();
  readonly #builders: Readonly<Record<Family, RuleBuilder>>;
  readonly #measures: ReturnType<typeof measuresOf>;
  #applied = new Map<Family, RuleSet>();
  #plan: readonly ServicePort[] = [];
  #wake: () => void = () => {};
  #dirtySince: number | undefined;
  #lastSync: number;
  #syncs = 0;
  readonly #waiting = new Set<{ readonly after: number; readonly resolve: () => void }>();

  /** Registers with the informers; their owner starts them. */
  constructor(options: KubeProxyOptions) {
    this.#options = options;
    this.metrics = options.metrics ?? new Metrics();
    this.#measures = measuresOf(this.metrics);
    this.#nft = new Nft(options.clock);
    this.#builders = {
      ip: new RuleBuilder({ family: 'ip', clusterCidr: this.#clusterCidr('ip') }),
      ip6: new RuleBuilder({ family: 'ip6', clusterCidr: this.#clusterCidr('ip6') }),
    };
    this.#services = options.informers.informer(services);
    this.#slices = options.informers.informer(endpointslices);
    this.#nodes = options.informers.informer(nodes, { fieldSelector: `metadata.name=${options.nodeName}` });
    this.#slices.addIndex(BY_SERVICE, (slice) => {
      const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
      return name === undefined ? [] : [`${slice.metadata.namespace ?? ''}/${name}`];
    });
    this.#lastSync = options.clock.now();
  }

  /** Until `signal`; then all is as it was, rules included. */
  async run(signal: AbortSignal): Promise<void> {
    const { informers, logger } = this.#options;
    const stack = new AsyncDisposableStack();
    await using _cleanup = stack;
    stack.use(this.#follow(this.#services, this.#measures.serviceChanges));
    stack.use(this.#follow(this.#slices, this.#measures.endpointChanges));
    stack.use(this.#follow(this.#nodes, undefined));
    await this.#serve(stack);
    const checks = new ServiceHealthServers(() => this.health().healthy, logger);
    stack.defer(() => checks.closeAll());
    try {
      await informers.waitForSync(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const watching = this.#nft.watchTable(TABLE, () => this.#heal(), signal);
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    await this.#loop(checks, signal);
    await watching;
  }

  /** Removes all rules, as `kube-proxy --cleanup`. */
  async cleanup(): Promise<void> {
    await removeProxyRules();
    this.#applied = new Map();
  }

  health(): Health {
    const nowMs = this.#options.clock.now();
    const late = this.#dirtySince !== undefined && nowMs - this.#dirtySince > HEALTH_TIMEOUT_MS;
    return { healthy: !late, nodeEligible: this.#nodeEligible(), lastUpdatedMs: late ? this.#lastSync : nowMs, nowMs };
  }

  /** Resolves when a sync that began after this call is done: for tests and readiness. */
  synced(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add({ after: this.#syncs, resolve });
      this.#change();
    });
  }

  #follow<T extends KubeObject>(informer: Informer<T>, counter: { inc(): void } | undefined): Disposable {
    const change = (): void => {
      counter?.inc();
      this.#change();
    };
    return informer.addHandler({ add: change, update: change, delete: change });
  }

  #change(): void {
    this.#dirtySince ??= this.#options.clock.now();
    this.#wake();
  }

  /** Forgets what was applied, so that the next sync writes all of it. */
  #heal(): void {
    this.#options.logger.warn({}, 'The rules were changed by another process: writing them anew');
    this.#applied = new Map();
    this.#change();
  }

  async #loop(checks: ServiceHealthServers, signal: AbortSignal): Promise<void> {
    const { clock, minSyncPeriodMs = 100 } = this.#options;
    this.#dirtySince ??= clock.now();
    while (!signal.aborted) {
      const began = this.#syncs++;
      const since: number | undefined = this.#dirtySince;
      this.#dirtySince = undefined;
      const ok = await this.#sync(checks);
      if (!ok) this.#dirtySince = since ?? clock.now();
      for (const waiter of this.#waiting) {
        if (!ok || waiter.after > began) continue;
        this.#waiting.delete(waiter);
        waiter.resolve();
      }
      await clock.sleep(ok ? minSyncPeriodMs : RETRY_MS, signal).catch(() => {});
      if (this.#dirtySince === undefined && !signal.aborted)
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }

  /** One plan, one transaction per family that differs. False if one failed. */
  async #sync(checks: ServiceHealthServers): Promise<boolean> {
    const { clock, logger, nodeName } = this.#options;
    const start = clock.now();
    const node = this.#nodes.lister.find(nodeName);
    const zone = node?.metadata.labels?.['topology.kubernetes.io/zone'];
    const slicesOf = (namespace: string, name: string): readonly DeepReadonly<EndpointSlice>[] =>
      this.#slices.lister.byIndex(BY_SERVICE, `${namespace}/${name}`);
    const plan = this.#planner.plan(this.#services.lister.list(), slicesOf, { name: nodeName, zone });
    let ok = true;
    for (const family of FAMILIES) ok = (await this.#applyFamily(family, plan, node)) && ok;
    if (!ok) return false;
    const stale = staleFlows(this.#plan, plan);
    this.#plan = plan;
    await checks.sync(plan);
    if (stale.length > 0)
      await forgetFlows(stale).catch((error: unknown) => logger.warn({ error: String(error) }, 'Cannot forget UDP flows'));
    this.#lastSync = clock.now();
    this.#measures.duration.observe((this.#lastSync - start) / 1000);
    this.#measures.lastSync.set(this.#lastSync / 1000);
    this.#measures.noLocal.set({ traffic_policy: 'internal' }, plan.filter((port) => port.internalLocal && noLocal(port)).length);
    this.#measures.noLocal.set({ traffic_policy: 'external' }, plan.filter((port) => port.externalLocal && noLocal(port)).length);
    return true;
  }

  async #applyFamily(family: Family, plan: readonly ServicePort[], node: DeepReadonly<Node> | undefined): Promise<boolean> {
    const { logger } = this.#options;
    const applied = this.#applied;
    const before = applied.get(family);
    const wanted = this.#builders[family].build(plan, this.#nodePortIps(family, node));
    const whole = before === undefined || redeclares(before, wanted);
    const { ok, error } = await this.#write(whole ? replaceTable(wanted) : [updateTable(before, wanted)]);
    if (ok)
      applied.set(family, wanted); // The map of before: if the rules were flushed meanwhile, a fresh one is in place.
    else applied.delete(family);
    if (!ok) logger.error({ family, error }, 'Cannot write the rules');
    if (!ok) this.#measures.failures.inc();
    return ok;
  }

  async #write(transactions: readonly string[]): Promise<NftResult> {
    for (const commands of transactions) {
      if (commands === '') continue;
      const result = await this.#nft.apply(commands).catch((cause: unknown) => ({ ok: false, error: String(cause) }));
      if (!result.ok) return result;
    }
    return { ok: true, error: '' };
  }

  #clusterCidr(family: Family): string | undefined {
    const { clusterCidr } = this.#options;
    const all = clusterCidr === undefined ? [] : typeof clusterCidr === 'string' ? clusterCidr.split(',') : clusterCidr;
    return all.find((cidr) => cidr.includes(':') === (family === 'ip6'));
  }

  #nodePortIps(family: Family, node: DeepReadonly<Node> | undefined): string[] {
    const internal = (node?.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
    return [...new Set(this.#options.nodePortAddresses ?? internal)].filter((ip) => familyOf(ip) === family);
  }

  #nodeEligible(): boolean {
    const node = this.#nodes.lister.find(this.#options.nodeName);
    if (node === undefined) return true;
    return node.metadata.deletionTimestamp === undefined && !(node.spec?.taints ?? []).some(({ key }) => key === TO_BE_DELETED);
  }

  async #serve(stack: AsyncDisposableStack): Promise<void> {
    const { logger } = this.#options;
    const metrics = 'metricsAddress' in this.#options ? this.#options.metricsAddress : { address: '127.0.0.1', port: 10249 };
    const healthz = 'healthzAddress' in this.#options ? this.#options.healthzAddress : { address: '0.0.0.0', port: 10256 };
    const wanted = [
      [metrics, metricsListener(() => this.metrics.text())],
      [healthz, healthListener(() => this.health())],
    ] as const;
    for (const [at, listener] of wanted) {
      if (at === undefined) continue;
      const server = await listen(listener, at.address, at.port).catch((error: unknown) => {
        logger.error({ ...at, error: String(error) }, 'Cannot serve');
        return undefined;
      });
      if (server !== undefined) stack.defer(() => close(server));
    }
  }
}

/** `kube-proxy --cleanup`, without a proxy. */
export async function removeProxyRules(nft = new Nft()): Promise<void> {
  for (const family of FAMILIES) {
    const { ok, error } = await nft.apply(deleteTable({ family, table: TABLE }));
    if (!ok) throw new Error(`remove the rules of kube-proxy: ${error}`);
  }
}

function measuresOf(metrics: Metrics) {
  return {
    duration: metrics.histogram('kubeproxy_sync_proxy_rules_duration_seconds', 'SyncProxyRules latency in seconds', BUCKETS),
    lastSync: metrics.gauge('kubeproxy_sync_proxy_rules_last_timestamp_seconds', 'The last time proxy rules were successfully synced'),
    failures: metrics.counter('kubeproxy_sync_proxy_rules_nftables_sync_failures_total', 'Cumulative proxy nftables sync failures'),
    serviceChanges: metrics.counter('kubeproxy_sync_proxy_rules_service_changes_total', 'Cumulative proxy rules Service changes'),
    endpointChanges: metrics.counter('kubeproxy_sync_proxy_rules_endpoint_changes_total', 'Cumulative proxy rules Endpoint changes'),
    noLocal: metrics.gauge(
      'kubeproxy_sync_proxy_rules_no_local_endpoints_total',
      'Number of services with a Local traffic policy and no endpoints',
      ['traffic_policy'],
    ),
  };
}

function noLocal(port: ServicePort): boolean {
  return port.hasAnyEndpoints && port.localEndpoints.length === 0;
}
