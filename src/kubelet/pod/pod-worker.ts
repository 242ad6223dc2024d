// SPDX-License-Identifier: Apache-2.0
// One Pod's life on this node. It looks (runtime, probes), plans (plan.ts), acts, writes the status, and sleeps until something
// wakes it: a change of the Pod, a runtime event, a probe verdict, a timer of its own plan.
//
// States: `active` (keep it running), `terminating` (stop it: deleted, evicted, past its deadline, done), `terminated` (all is
// stopped and cleaned; the object is deleted if that was asked). No way leads back.
// @source upstream pkg/kubelet/pod_workers.go, kubelet.go SyncPod, SyncTerminatingPod, SyncTerminatedPod
import { mkdir, writeFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Sandbox } from '#runtime';
import { abortable } from '../abortable.ts';
import { hostsFile, podHostname } from '../container/dns.ts';
import { hashOf } from '../container/labels.ts';
import { terminationMessage } from '../container/termination-message.ts';
import { StartError } from '../images/image-puller.ts';
import { generateStatus, type Waiting } from '../status/generate.ts';
import { type ReadyVolumes, VolumesError } from '../volumes/volume-manager.ts';
import { ContainerKiller } from './container-killer.ts';
import { fieldPathOf, needsStop, startContainer } from './container-starter.ts';
import type { PodDeps } from './deps.ts';
import { type CrashWait, type Plan, planPod, type StartStep } from './plan.ts';
import { type ContainerSpec, findContainerSpec, isTerminalPhase, type PodView, podText } from './pod.ts';
import { observePod, type PodRuntime } from './pod-runtime.ts';
import { sandboxConfig } from './sandbox.ts';

export type WorkerState = 'active' | 'terminating' | 'terminated';

export interface EndOptions {
  /** Undefined: the Pod's. */
  readonly graceSeconds?: number | undefined;
  /** Makes the phase Failed with this reason: eviction, deadline. */
  readonly failure?: { readonly reason: string; readonly message: string };
}

/** After a step that failed without saying when to try again. */
const RETRY_MS = 10_000;
const VOLUME_RETRY_MS = 500;
const VOLUME_RETRY_MAX_MS = 122_000;

export class PodWorker {
  readonly uid: string;
  readonly #deps: PodDeps;
  readonly #killer: ContainerKiller;
  readonly #ended: (uid: string) => void;
  readonly #waiting = new Map<string, Waiting>();
  #pod: PodView;
  #state: WorkerState = 'active';
  #end: EndOptions = {};
  #deleted = false;
  #dirty = false;
  #running: Promise<void> | undefined;
  #step = new AbortController();
  #timer: Disposable | undefined;
  #volumeRetryMs = VOLUME_RETRY_MS;
  #volumes: ReadyVolumes | undefined;
  #volumesStale = true;
  #stopped = false;
  readonly #left = Promise.withResolvers<never>();

  /** @param ended Called once the Pod is terminated. */
  constructor(pod: PodView, deps: PodDeps, ended: (uid: string) => void) {
    this.uid = pod.metadata.uid;
    this.#pod = pod;
    this.#deps = deps;
    this.#ended = ended;
    this.#killer = new ContainerKiller(deps);
    this.#left.promise.catch(() => {});
  }

  get pod(): PodView {
    return this.#pod;
  }

  get state(): WorkerState {
    return this.#state;
  }

  /** A new desired state. */
  update(pod: PodView): void {
    const before = this.#pod.metadata;
    const graceBefore = before.deletionGracePeriodSeconds;
    this.#pod = pod;
    // The downward API shows labels and annotations; everything else of a volume comes from watched objects.
    const { labels, annotations } = pod.metadata;
    if (!isDeepStrictEqual([labels, annotations], [before.labels, before.annotations])) this.#volumesStale = true;
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (graceBefore !== pod.metadata.deletionGracePeriodSeconds && this.#state === 'terminating')
        this.#hurry(pod.metadata.deletionGracePeriodSeconds);
      this.end({});
    } else if (isTerminalPhase(pod.status?.phase)) this.end({});
    this.wake();
  }

  /** Something it reads has changed. */
  wake(): void {
    if (this.#stopped) return;
    this.#dirty = true;
    if (this.#running === undefined) this.#running = this.#loop();
    else if (this.#state === 'active') this.#writeStatus(); // A step may take long: readiness must not wait for it.
  }

  /** A watched object of one of its volumes has changed. */
  refreshVolumes(): void {
    this.#volumesStale = true;
    this.wake();
  }

  /** Stops it for good. Repeated calls can only shorten the grace period. */
  end(options: EndOptions): void {
    if (this.#state === 'terminated') {
      this.wake();
      return;
    }
    if (options.failure !== undefined) this.#end = { ...this.#end, failure: this.#end.failure ?? options.failure };
    if (options.graceSeconds !== undefined) this.#end = { ...this.#end, graceSeconds: options.graceSeconds };
    if (this.#state === 'active') {
      this.#state = 'terminating';
      this.#step.abort(new Error('pod is terminating'));
    } else if (options.graceSeconds !== undefined) this.#hurry(options.graceSeconds);
    this.wake();
  }

  /** The object is gone from the API. What still runs is stopped; then nothing of the Pod stays. */
  forget(last: PodView): void {
    this.#deleted = true;
    const grace = last.metadata.deletionGracePeriodSeconds ?? last.spec.terminationGracePeriodSeconds ?? 30;
    this.end({ graceSeconds: Math.max(1, grace) });
  }

  get isForgotten(): boolean {
    return this.#deleted;
  }

  /** The kubelet stops: containers stay. Resolves when the step under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.[Symbol.dispose]();
    this.#step.abort(new Error('kubelet is stopping'));
    // A container may take its whole grace period to end: the next kubelet takes that up again.
    this.#left.reject(new Error('kubelet is stopping'));
    await this.#running;
  }

  #hurry(graceSeconds: number | undefined): void {
    const runtime = observePod(this.#deps.runtime, this.uid);
    void this.#killer.killAll(this.#pod, runtime, graceSeconds).catch(() => {});
  }

  async #loop(): Promise<void> {
    while (this.#dirty && !this.#stopped) {
      this.#dirty = false;
      this.#timer?.[Symbol.dispose]();
      try {
        const next = await this.#sync();
        if (next !== undefined && !this.#dirty) this.#wakeAt(next);
      } catch (error) {
        if (this.#stopped) break;
        if (this.#step.signal.aborted) continue;
        this.#deps.logger.warn({ err: error, pod: podText(this.#pod) }, 'Pod step failed, will retry');
        this.#wakeAt(this.#deps.clock.now() + RETRY_MS);
      }
    }
    this.#running = undefined;
  }

  #wakeAt(time: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#deps.clock.after(Math.max(0, time - this.#deps.clock.now()), () => this.wake());
  }

  /** @returns When to look again unasked. */
  async #sync(): Promise<number | undefined> {
    switch (this.#state) {
      case 'active':
        this.#step = new AbortController();
        return this.#syncActive(this.#step.signal);
      case 'terminating':
        return this.#syncTerminating();
      case 'terminated':
        this.#finish();
        return undefined;
    }
  }

  async #syncActive(signal: AbortSignal): Promise<number | undefined> {
    const deadline = this.#deadline();
    if (deadline !== undefined && deadline <= this.#deps.clock.now()) {
      this.#deps.recorder.event(this.#pod, 'Normal', 'DeadlineExceeded', DEADLINE_TEXT);
      this.end({ failure: { reason: 'DeadlineExceeded', message: DEADLINE_TEXT } });
      return undefined;
    }
    const runtime = observePod(this.#deps.runtime, this.uid);
    const refreshAt = this.#deps.nextVolumeRefresh(this.uid);
    if (refreshAt !== undefined && refreshAt <= this.#deps.clock.now()) this.#volumesStale = true;
    const plan = this.#plan(runtime);
    this.#noteWaits(plan.waiting);
    this.#writeStatus();
    if (plan.finished) {
      this.end({});
      return undefined;
    }
    const retryAt = await this.#act(plan, runtime, signal);
    this.#writeStatus();
    const nextRefresh = this.#deps.nextVolumeRefresh(this.uid);
    const times = [retryAt, deadline, ...plan.waiting.map((wait) => wait.until)];
    if (nextRefresh !== undefined) times.push(Math.max(nextRefresh, this.#deps.clock.now() + RETRY_MS));
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  #deadline(): number | undefined {
    const { activeDeadlineSeconds } = this.#pod.spec;
    const started = this.#deps.statuses.get(this.uid)?.startTime ?? this.#pod.status?.startTime;
    return activeDeadlineSeconds === undefined || started === undefined ? undefined : Date.parse(started) + activeDeadlineSeconds * 1000;
  }

  #plan(runtime: PodRuntime): Plan {
    const { probes, crashes } = this.#deps;
    const pod = this.#pod;
    return planPod({
      pod,
      runtime,
      liveness: (id) => probes.verdict(this.uid, id, 'liveness') ?? 'unknown',
      startup: (id) => probes.verdict(this.uid, id, 'startup') ?? 'unknown',
      started: (id) => this.#isStarted(id),
      crashWait: (spec, finishedAt) => crashes.waitUntil(crashKey(pod, spec), finishedAt),
    });
  }

  #isStarted(containerId: string): boolean {
    const container = this.#deps.runtime.findContainer(containerId);
    return container?.state === 'running' && this.#deps.probes.started(this.#pod, container);
  }

  #noteWaits(waits: readonly CrashWait[]): void {
    for (const { spec } of waits) {
      if (this.#waiting.get(spec.name)?.reason === 'CrashLoopBackOff') continue;
      const delay = this.#deps.crashes.delayOf(crashKey(this.#pod, spec)) / 1000;
      const text = podText(this.#pod);
      const back = formatSeconds(delay);
      this.#waiting.set(spec.name, {
        reason: 'CrashLoopBackOff',
        message: `back-off ${back} restarting failed container=${spec.name} pod=${text}`,
      });
      const path = fieldPathOf(findContainerSpec(this.#pod, spec.name)?.kind ?? 'main', spec.name);
      this.#deps.recorder.event(this.#pod, 'Warning', 'BackOff', `Back-off restarting failed container ${spec.name} in pod ${text}`, path);
    }
  }

  /** @returns When to retry what failed. */
  async #act(plan: Plan, runtime: PodRuntime, signal: AbortSignal): Promise<number | undefined> {
    await Promise.all(plan.kill.map((step) => this.#killer.kill(this.#pod, step.container, step)));
    signal.throwIfAborted();
    if (plan.stopSandbox) await this.#stopSandboxes(runtime);
    const wantsWork = plan.start.length > 0 || plan.createSandbox !== undefined;
    const volumes = wantsWork || this.#volumesStale ? this.#setUpVolumes() : undefined;
    volumes?.catch(() => {}); // Awaited below; a sandbox that fails first must not leave it unhandled.
    const sandbox = plan.createSandbox === undefined ? plan.sandbox : await this.#createSandbox(plan.createSandbox, signal);
    const ready = volumes && (await abortable(volumes, signal));
    if (ready === 'failed') return this.#volumeRetry();
    if (sandbox === undefined || sandbox === 'failed') return sandbox === 'failed' ? this.#deps.clock.now() + RETRY_MS : undefined;
    this.#deps.probes.sync(this.#pod, observePod(this.#deps.runtime, this.uid), this.#ips(sandbox)[0] ?? '');
    if (plan.createSandbox !== undefined) this.#writeStatus();
    return this.#startAll(plan.start, sandbox, signal);
  }

  #ips(sandbox: Sandbox): readonly string[] {
    return this.#pod.spec.hostNetwork === true ? this.#deps.nodeIps : sandbox.ips;
  }

  async #setUpVolumes(): Promise<ReadyVolumes | 'failed'> {
    if (!this.#volumesStale && this.#volumes !== undefined) return this.#volumes;
    try {
      await mkdir(this.#deps.paths.pod(this.uid), { recursive: true });
      this.#volumesStale = false;
      this.#volumes = await this.#deps.volumes.setUp(this.#pod);
      this.#volumeRetryMs = VOLUME_RETRY_MS;
      return this.#volumes;
    } catch (error) {
      this.#volumesStale = true;
      const failures = error instanceof VolumesError ? error.failures : [{ volume: '', message: (error as Error).message }];
      for (const { volume, message } of failures) {
        this.#deps.recorder.event(this.#pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed for volume "${volume}" : ${message}`);
      }
      // A running Pod keeps the files it has.
      return this.#volumes ?? 'failed';
    }
  }

  #volumeRetry(): number {
    const at = this.#deps.clock.now() + this.#volumeRetryMs;
    this.#volumeRetryMs = Math.min(this.#volumeRetryMs * 2, VOLUME_RETRY_MAX_MS);
    return at;
  }

  async #createSandbox(attempt: number, signal: AbortSignal): Promise<Sandbox | 'failed'> {
    const { recorder, runtime, cgroups } = this.#deps;
    const why = this.#pod.spec.hostNetwork === true ? undefined : this.#deps.networkNotReady();
    if (why !== undefined) {
      recorder.event(this.#pod, 'Warning', 'NetworkNotReady', `network is not ready: ${why}`);
      return 'failed';
    }
    try {
      if (attempt > 0) recorder.event(this.#pod, 'Normal', 'SandboxChanged', 'Pod sandbox changed, it will be killed and re-created.');
      await cgroups.ensure(this.#pod);
      await mkdir(this.#deps.paths.logs(this.#pod), { recursive: true });
      return await runtime.runSandbox(sandboxConfig(this.#pod, attempt, this.#deps), signal);
    } catch (error) {
      signal.throwIfAborted();
      recorder.event(this.#pod, 'Warning', 'FailedCreatePodSandBox', `Failed to create pod sandbox: ${(error as Error).message}`);
      return 'failed';
    }
  }

  async #startAll(steps: readonly StartStep[], sandbox: Sandbox, signal: AbortSignal): Promise<number | undefined> {
    if (steps.length === 0) return undefined;
    const podIps = this.#ips(sandbox);
    const file = await this.#writeHosts(podIps);
    const context = { pod: this.#pod, sandbox, volumes: this.#volumes ?? new Map(), podIps, hostsFile: file };
    let retryAt: number | undefined;
    for (const step of steps) {
      signal.throwIfAborted();
      this.#countRestart(step);
      try {
        await startContainer(step, context, this.#deps, signal);
        this.#waiting.delete(step.spec.name);
        this.#deps.probes.sync(this.#pod, observePod(this.#deps.runtime, this.uid), podIps[0] ?? '');
      } catch (error) {
        if (signal.aborted) throw error;
        if (!(error instanceof StartError)) throw error;
        this.#waiting.set(step.spec.name, { reason: error.reason, message: error.message });
        const at = error.retryAt ?? this.#deps.clock.now() + RETRY_MS;
        retryAt = Math.min(retryAt ?? at, at);
      }
      this.#writeStatus();
    }
    // What starts may allow the next: an init container's sidecar, a main.
    if (steps.some((step) => step.kind === 'sidecar')) this.#dirty = true;
    return retryAt;
  }

  /** Each start after an exit makes the next wait longer. */
  #countRestart(step: StartStep): void {
    if (step.restartCount === 0 || step.kind === 'ephemeral') return;
    const last = observePod(this.#deps.runtime, this.uid).byName.get(step.spec.name)?.[0];
    if (last?.finishedAt !== undefined) this.#deps.crashes.next(crashKey(this.#pod, step.spec as ContainerSpec), last.finishedAt);
  }

  async #writeHosts(podIps: readonly string[]): Promise<string | undefined> {
    const hostname = podHostname(this.#pod, this.#deps.dns().clusterDomain);
    const text = hostsFile(this.#pod, podIps, hostname, this.#deps.hostHostsFile());
    const path = this.#deps.paths.hosts(this.uid);
    await mkdir(this.#deps.paths.pod(this.uid), { recursive: true });
    await writeFile(path, text, { mode: 0o644 });
    return path;
  }

  #killAll(runtime: PodRuntime): Promise<void> {
    return Promise.race([this.#killer.killAll(this.#pod, runtime, this.#end.graceSeconds), this.#left.promise]);
  }

  async #stopSandboxes(runtime: PodRuntime): Promise<void> {
    await this.#killAll(runtime);
    for (const sandbox of runtime.sandboxes) if (sandbox.state === 'ready') await this.#deps.runtime.stopSandbox(sandbox.id);
  }

  async #syncTerminating(): Promise<number | undefined> {
    const { runtime, probes, volumes, cgroups } = this.#deps;
    this.#writeStatus();
    probes.stopHealthChecks(this.uid);
    const seen = observePod(runtime, this.uid);
    await this.#killAll(seen);
    // A stop may race with a container that was being made when the end came.
    const again = observePod(runtime, this.uid);
    if (again.containers.some(needsStop)) await this.#killAll(again);
    probes.release(this.uid);
    this.#writeStatus();
    for (const sandbox of again.sandboxes) await runtime.stopSandbox(sandbox.id);
    this.#writeStatus();
    await volumes.tearDown(this.uid);
    await cgroups.remove(this.#pod);
    this.#state = 'terminated';
    this.#finish();
    return undefined;
  }

  #finish(): void {
    this.#writeStatus();
    if (this.#pod.metadata.deletionTimestamp !== undefined) this.#deps.statuses.finish(this.#pod);
    this.#ended(this.uid);
  }

  #writeStatus(): void {
    const { runtime, probes, statuses, clock, nodeIps } = this.#deps;
    if (this.#deleted) return;
    const find = (id: string) => runtime.findContainer(id);
    const pod = this.#withKnownStatus();
    const status = generateStatus({
      pod,
      runtime: observePod(runtime, this.uid),
      scheme: runtime.info.scheme,
      hostIps: nodeIps,
      now: clock.now(),
      waiting: this.#waiting,
      started: (id) => this.#isStarted(id),
      ready: (id) => {
        const container = find(id);
        return container !== undefined && probes.ready(pod, container);
      },
      terminating: this.#state !== 'active',
      failure: this.#end.failure,
      findImage: (id) => runtime.images.find(id),
      message: terminationMessage,
    });
    statuses.set(this.#pod, status);
  }

  /** The kubelet's own last word on the phase and start is newer than the API's. */
  #withKnownStatus(): PodView {
    const last = this.#deps.statuses.get(this.uid);
    if (last === undefined) return this.#pod;
    const conditions = this.#pod.status?.conditions;
    return { ...this.#pod, status: { ...last, ...(conditions === undefined ? {} : { conditions }) } } as PodView;
  }
}

const DEADLINE_TEXT = 'Pod was active on the node longer than the specified deadline';

function crashKey(pod: PodView, spec: ContainerSpec): string {
  return `${pod.metadata.uid}_${spec.name}_${hashOf(spec)}`;
}

/** `10s`, `1m20s`, `5m0s`, as Go prints durations. */
function formatSeconds(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
