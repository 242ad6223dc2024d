// SPDX-License-Identifier: Apache-2.0
// The kubelet put together: sources of Pods, their workers, the Node object, probes, clean-up, server. Start order: the runtime
// tells what runs, the node is registered, sources begin, and only after all have spoken is anything cleaned away.
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Node, Pod, Service } from '#api/core/v1';
import { nodes, pods, secrets, services } from '#api/resources';
import { EventRecorder } from '#client';
import { type Clock, type Logger, systemClock } from '#component';
import { type DeepReadonly, milliOf, unitsOf } from '#machinery';
import type { RegistryAuth } from '#runtime';
import { Backoff } from './backoff.ts';
import { noCgroups } from './container/cgroups.ts';
import type { EnvironmentSources } from './container/environment.ts';
import { EvictionManager } from './eviction/eviction-manager.ts';
import { runContainerGc } from './images/container-gc.ts';
import { ImageGc } from './images/image-gc.ts';
import { ImagePuller } from './images/image-puller.ts';
import { credentialsFor } from './images/pull-secrets.ts';
import { runLogRotation } from './logs/rotation.ts';
import { type Machine, readMachine, readUsage } from './node/machine.ts';
import { runNodeLease } from './node/node-lease.ts';
import { NodeManager } from './node/node-manager.ts';
import type { NodeFacts } from './node/node-status.ts';
import { WatchedObjects } from './objects.ts';
import { DEFAULT_EVICTION, DEFAULT_IMAGE_GC, type KubeletOptions } from './options.ts';
import { Paths } from './paths.ts';
import { isMirror, isStatic, type PodView } from './pod/pod.ts';
import { PodWorkers } from './pod/pod-workers.ts';
import { ProbeManager } from './probes/probe-manager.ts';
import { recorderOf } from './recorder.ts';
import { Selection } from './selection.ts';
import { KubeletServer } from './server/server.ts';
import { MirrorPods } from './sources/mirror-pods.ts';
import { watchStaticPods } from './sources/static-pods.ts';
import { StatusManager } from './status/status-manager.ts';
import { systemMounter } from './volumes/mounter.ts';
import { Tokens } from './volumes/tokens.ts';
import { VolumeManager } from './volumes/volume-manager.ts';

export interface Kubelet {
  /** Resolves when, after `signal`, everything has ended. Containers go on running. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves once the Node has been Ready for the first time. */
  readonly ready: Promise<void>;
  /** Where the server listens; undefined without one or before it does. */
  readonly port: number | undefined;
  /** Takes a renewed serving certificate for new connections. */
  reloadCertificate(): void;
  /** The network has changed: a node that waited for it becomes ready now. */
  networkChanged(): void;
}

const RELIST_MS = 5 * 60_000;
const HOUSEKEEPING_MS = 60_000;
const CRASH_INITIAL_MS = 10_000;
const CRASH_MAX_MS = 300_000;

export function createKubelet(options: KubeletOptions): Kubelet {
  return new NodeAgent(options);
}

class NodeAgent implements Kubelet {
  readonly #options: KubeletOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #events: EventRecorder;
  readonly #paths: Paths;
  readonly #nodeManager: NodeManager;
  readonly #workers: PodWorkers;
  readonly #statuses: StatusManager;
  readonly #probes: ProbeManager;
  readonly #objects: WatchedObjects;
  readonly #mirrors: MirrorPods;
  readonly #volumes: VolumeManager;
  readonly #services: Selection<Service>;
  readonly #eviction: EvictionManager;
  readonly #imageGc: ImageGc;
  readonly #ready = Promise.withResolvers<void>();
  #statics: ReadonlyMap<string, PodView> = new Map();
  #machine: Machine | undefined;
  #server: KubeletServer | undefined;

  constructor(options: KubeletOptions) {
    const { client, runtime, nodeName } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger;
    const clock = this.#clock;
    const logger = this.#logger;
    this.#events = new EventRecorder({ client, component: 'kubelet', host: nodeName, logger, clock });
    const recorder = recorderOf(this.#events);
    this.#paths = new Paths(options.rootDir, options.podLogsDir);
    this.#objects = new WatchedObjects({ client, clock, logger, changed: (uid) => this.#workers.refreshVolumes(uid) });
    this.#mirrors = new MirrorPods(client, logger);
    this.#statuses = new StatusManager({ client, clock, logger, mirrorOf: (pod) => this.#mirrors.of(pod) });
    this.#probes = new ProbeManager({ runtime, clock, logger, recorder, changed: (uid) => this.#workers.wake(uid) });
    this.#services = new Selection<Service>({ client, clock, logger, resource: services, changed: () => {} });
    const tokens = new Tokens(client, clock);
    this.#volumes = new VolumeManager({
      paths: this.#paths,
      mounter: options.mounter ?? systemMounter,
      logger,
      sources: {
        configMap: (uid, namespace, name) => this.#objects.configMap(uid, namespace, name),
        secret: (uid, namespace, name) => this.#objects.secret(uid, namespace, name),
        token: (pod, audience, seconds) => tokens.get(pod, audience, seconds),
        addresses: (pod) => ({ podIps: this.#podIps(pod), hostIps: options.nodeIps }),
        allocatable: this.#allocatable(),
      },
    });
    this.#imageGc = new ImageGc({
      runtime,
      clock,
      logger,
      recorder,
      policy: options.imageGc ?? DEFAULT_IMAGE_GC,
      node: () => this.#nodeManager.subject,
    });
    this.#eviction = new EvictionManager({
      clock,
      logger,
      recorder,
      thresholds: options.eviction ?? DEFAULT_EVICTION,
      usage: () => readUsage(options.rootDir),
      imagesUsage: () => runtime.images.usage(),
      stats: () => runtime.stats(),
      containers: () => runtime.listContainers(),
      pods: () => this.#workers.active(),
      reclaimImages: () => this.#imageGc.removeUnused(),
      evict: (uid, failure, graceSeconds) => this.#workers.end(uid, { failure, graceSeconds }),
      changed: () => this.#nodeManager.refresh(),
    });
    this.#workers = new PodWorkers({
      runtime,
      clock,
      logger,
      recorder,
      paths: this.#paths,
      volumes: this.#volumes,
      images: new ImagePuller({ runtime, backoff: new Backoff(clock, CRASH_INITIAL_MS, CRASH_MAX_MS), recorder, clock }),
      statuses: this.#statuses,
      probes: this.#probes,
      cgroups: options.cgroups ?? noCgroups,
      crashes: new Backoff(clock, CRASH_INITIAL_MS, CRASH_MAX_MS),
      nodeIps: options.nodeIps,
      get memoryCapacity() {
        return machineMemory();
      },
      podPidsLimit: options.podPidsLimit,
      dns: () => ({
        clusterDns: options.clusterDns ?? [],
        clusterDomain: options.clusterDomain ?? 'cluster.local',
        hostResolvConf: readText(options.resolvConf ?? '/etc/resolv.conf'),
      }),
      hostHostsFile: () => readText('/etc/hosts'),
      sourcesFor: (pod) => this.#sourcesFor(pod),
      credentials: (pod, image) => this.#credentials(pod, image),
      networkNotReady: () => options.network.notReadyReason(),
      nextVolumeRefresh: (uid) => tokens.nextRefresh(uid),
      node: () => this.#nodeManager.node,
      released: (uid) => {
        this.#objects.release(uid);
        tokens.release(uid);
      },
      underPressure: (pod) => this.#eviction.refusal(pod),
    });
    const machineMemory = () => this.#machine?.memoryBytes ?? 1;
    this.#nodeManager = new NodeManager({ client, clock, logger, recorder, options, facts: () => this.#facts() });
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get port(): number | undefined {
    return this.#server?.port;
  }

  reloadCertificate(): void {
    this.#server?.reload();
  }

  networkChanged(): void {
    this.#nodeManager.refresh();
    this.#workers.wakeAll();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { runtime, server } = this.#options;
    this.#machine = this.#options.machine ?? (await readMachine());
    await mkdir(this.#paths.pods, { recursive: true });
    await mkdir(this.#paths.podLogs, { recursive: true });
    await runtime.start(signal);
    // Parts that must outlive the workers: their last events and statuses are still to be written.
    const late = new AbortController();
    const events = this.#events.run(late.signal);
    if (server !== undefined) this.#server = await this.#listen(server);
    const tasks = [
      this.#nodeManager.run(signal),
      runNodeLease(
        {
          ...this.#options,
          clock: this.#clock,
          logger: this.#logger,
          durationSeconds: this.#options.leaseDurationSeconds ?? 40,
          node: () => this.#nodeManager.node,
        },
        signal,
      ),
      this.#followRuntime(signal),
      this.#services.run(signal),
      this.#runSources(signal),
      this.#housekeep(signal),
      this.#eviction.run(signal),
      this.#imageGc.run(signal),
      runLogRotation(
        {
          runtime,
          clock: this.#clock,
          logger: this.#logger,
          maxBytes: this.#options.containerLogMaxBytes ?? 10 * 1024 * 1024,
          maxFiles: this.#options.containerLogMaxFiles ?? 5,
        },
        signal,
      ),
    ];
    await Promise.all(tasks);
    await this.#server?.[Symbol.asyncDispose]();
    this.#probes.stop();
    await this.#workers.stop();
    await this.#statuses.drain();
    await this.#objects.stop();
    late.abort();
    await events;
  }

  async #listen(server: NonNullable<KubeletOptions['server']>): Promise<KubeletServer> {
    const made = new KubeletServer({
      ...server,
      client: this.#options.client,
      nodeName: this.#options.nodeName,
      runtime: this.#options.runtime,
      metrics: this.#options.metrics,
      clock: this.#clock,
      logger: this.#logger,
      paths: this.#paths,
      pods: () => this.#podsWithStatus(),
      machine: () => this.#machine,
      usage: () => readUsage(this.#options.rootDir),
    });
    await made.listen();
    return made;
  }

  /** With the kubelet's own word on each, which the API may not have yet. */
  #podsWithStatus(): PodView[] {
    return this.#workers.pods().map((pod) => {
      const status = this.#statuses.get(pod.metadata.uid);
      return status === undefined ? pod : { ...pod, status };
    });
  }

  /** The runtime says what happens; a rare look at everything catches what it did not say. */
  async #followRuntime(signal: AbortSignal): Promise<void> {
    for await (const event of this.#options.runtime.events(signal)) this.#workers.runtimeEvent(event);
  }

  async #housekeep(signal: AbortSignal): Promise<void> {
    let last = this.#clock.now();
    while (!signal.aborted) {
      await this.#clock.sleep(HOUSEKEEPING_MS, signal).catch(() => {});
      if (signal.aborted) return;
      await runContainerGc(this.#options.runtime, this.#workers, this.#clock).catch((error: unknown) =>
        this.#logger.warn({ err: error }, 'Container clean-up failed'),
      );
      if (this.#clock.now() - last < RELIST_MS) continue;
      last = this.#clock.now();
      this.#workers.wakeAll();
    }
  }

  async #runSources(signal: AbortSignal): Promise<void> {
    const { client, nodeName, staticPodPath } = this.#options;
    const common = { client, clock: this.#clock, logger: this.#logger };
    const own = new Selection<Node>({
      ...common,
      resource: nodes,
      where: { fieldSelector: `metadata.name=${nodeName}` },
      changed: (node) => this.#nodeChanged(node),
    });
    const fromApi = new Selection<Pod>({
      ...common,
      resource: pods,
      where: { fieldSelector: `spec.nodeName=${nodeName}` },
      changed: (pod, before) => this.#podChanged(pod, before),
    });
    const first = Promise.withResolvers<void>();
    const statics =
      staticPodPath === undefined
        ? first.resolve()
        : watchStaticPods(
            { folder: staticPodPath, nodeName, ...common, changed: (all) => this.#staticsChanged(all, first.resolve) },
            signal,
          );
    // Environment variables show services: a Pod must not start before they are known, nor be judged before the node is.
    const running = [own.run(signal)];
    await Promise.all([own.synced, this.#services.synced, this.#nodeManager.registered]);
    running.push(fromApi.run(signal));
    await Promise.all([fromApi.synced, first.promise]);
    if (!signal.aborted) {
      this.#syncMirrors();
      await this.#workers.cleanUp().catch((error: unknown) => this.#logger.warn({ err: error }, 'Clean-up at start failed'));
    }
    await Promise.all([...running, statics]);
  }

  #nodeChanged(node: DeepReadonly<Node> | undefined): void {
    if (node === undefined) return;
    this.#nodeManager.observe(node);
    if (node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True')) this.#ready.resolve();
  }

  #podChanged(pod: PodView | undefined, before: PodView | undefined): void {
    const subject = pod ?? before;
    if (subject === undefined) return;
    if (isMirror(subject)) this.#mirrorChanged(subject, pod === undefined);
    else if (pod === undefined) this.#workers.remove(subject);
    else {
      if (before !== undefined && before.metadata.uid !== pod.metadata.uid) this.#workers.remove(before);
      this.#workers.set(pod);
      this.#statuses.observe(pod.metadata.uid, pod);
    }
  }

  #mirrorChanged(mirror: PodView, gone: boolean): void {
    this.#mirrors.observe(mirror, gone);
    const pod = [...this.#statics.values()].find(
      (one) => one.metadata.name === mirror.metadata.name && one.metadata.namespace === mirror.metadata.namespace,
    );
    if (pod === undefined) return;
    if (gone || mirror.metadata.deletionTimestamp !== undefined) void this.#mirrors.ensure(pod, this.#nodeManager.node);
    else this.#statuses.observe(pod.metadata.uid, mirror);
  }

  #staticsChanged(all: ReadonlyMap<string, PodView>, first: () => void): void {
    for (const [uid, pod] of this.#statics) if (!all.has(uid)) this.#workers.remove(pod);
    this.#statics = all;
    for (const pod of all.values()) this.#workers.set(pod);
    first();
    this.#syncMirrors();
  }

  #syncMirrors(): void {
    for (const pod of this.#statics.values()) void this.#mirrors.ensure(pod, this.#nodeManager.node);
    for (const mirror of this.#mirrors.orphans(this.#statics)) void this.#mirrors.remove(mirror);
  }

  #podIps(pod: PodView): readonly string[] {
    if (pod.spec.hostNetwork === true) return this.#options.nodeIps;
    const known = this.#statuses.get(pod.metadata.uid)?.podIPs ?? pod.status?.podIPs ?? [];
    return known.map((entry) => entry.ip);
  }

  #allocatable(): Record<string, string> {
    const read = (name: string) => this.#nodeManager.node?.status?.allocatable?.[name] ?? '0';
    return {
      get cpu() {
        return String(milliOf(read('cpu')) / 1000);
      },
      get memory() {
        return String(unitsOf(read('memory')));
      },
      get 'ephemeral-storage'() {
        return read('ephemeral-storage');
      },
    };
  }

  #sourcesFor(pod: PodView): EnvironmentSources {
    const uid = pod.metadata.uid;
    return {
      configMap: (namespace, name) => this.#objects.configMap(uid, namespace, name),
      secret: (namespace, name) => this.#objects.secret(uid, namespace, name),
      services: (namespace) => [...this.#services.objects.values()].filter((service) => service.metadata.namespace === namespace),
      allocatable: this.#allocatable(),
    };
  }

  async #credentials(pod: PodView, image: string): Promise<readonly RegistryAuth[]> {
    const names = (pod.spec.imagePullSecrets ?? []).map((reference) => reference.name ?? '').filter((name) => name !== '');
    if (names.length === 0 || isStatic(pod)) return [];
    const namespace = pod.metadata.namespace ?? '';
    const found = await Promise.all(names.map((name) => this.#options.client.get(secrets, { namespace, name }).catch(() => undefined)));
    return credentialsFor(
      image,
      found.filter((secret) => secret !== undefined),
    );
  }

  async #facts(): Promise<NodeFacts> {
    const { options, machine } = { options: this.#options, machine: this.#machine ?? (await readMachine()) };
    const usage = await readUsage(options.rootDir);
    const thresholds = options.eviction ?? DEFAULT_EVICTION;
    const network = options.network.notReadyReason();
    return {
      machine,
      nodeIps: options.nodeIps,
      hostname: options.hostname ?? options.nodeName,
      maxPods: options.maxPods ?? 110,
      reserved: options.reserved ?? { cpu: '0', memory: '0' },
      ephemeralBytes: usage.diskCapacityBytes,
      evictionMemoryBytes: thresholds.memoryAvailableBytes,
      nodefsThreshold: thresholds.nodefsAvailable,
      runtime: options.runtime.info,
      version: options.version ?? 'v1.36.0',
      port: this.#server?.port ?? options.server?.port ?? 10250,
      images: options.runtime.images.list(),
      pressure: this.#eviction.pressure,
      problems:
        network === undefined
          ? []
          : [`container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${network}`],
      now: this.#clock.now(),
    };
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
