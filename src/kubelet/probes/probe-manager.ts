// SPDX-License-Identifier: Apache-2.0
// Runs the probes of running containers and holds their verdicts. One worker per (container instance, probe); a verdict that
// changes wakes the Pod's worker. Liveness and readiness wait for the startup probe.
// @source upstream pkg/kubelet/prober/{prober_manager,worker}.go
import type { Probe } from '#api/core/v1';
import type { Clock, Logger } from '#component';
import type { DeepReadonly } from '#machinery';
import type { Container, Runtime } from '#runtime';
import type { Verdict } from '../pod/plan.ts';
import { allContainers, type ContainerSpec, isSidecar, type PodView } from '../pod/pod.ts';
import { latest, type PodRuntime } from '../pod/pod-runtime.ts';
import type { EventRecorder } from '../recorder.ts';
import { type ProbeOutcome, type ProbeTarget, probeOnce } from './prober.ts';

export type ProbeKind = 'liveness' | 'readiness' | 'startup';

const KINDS: readonly ProbeKind[] = ['startup', 'readiness', 'liveness'];
const FIELD = { liveness: 'livenessProbe', readiness: 'readinessProbe', startup: 'startupProbe' } as const;
const LABEL = { liveness: 'Liveness', readiness: 'Readiness', startup: 'Startup' } as const;

interface Deps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  /** A verdict of this Pod has changed. */
  changed(podUid: string): void;
  /** @default probeOnce */
  readonly probe?: (probe: DeepReadonly<Probe>, target: ProbeTarget) => Promise<ProbeOutcome>;
  /** Between 0 and 1; spreads first probes after a restart. @default Math.random */
  readonly random?: () => number;
}

interface Worker {
  readonly containerId: string;
  readonly kind: ProbeKind;
  readonly stop: AbortController;
  verdict: Verdict;
}

interface Subject {
  readonly pod: PodView;
  readonly spec: ContainerSpec;
  readonly container: Container;
  readonly podIp: string;
}

export class ProbeManager {
  readonly #deps: Deps;
  /** By Pod UID, then by `container name/kind`. */
  readonly #workers = new Map<string, Map<string, Worker>>();
  readonly #restarted: number;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#restarted = deps.clock.now();
  }

  /** Brings the workers in line with what runs. @param podIp The address that network probes go to. */
  sync(pod: PodView, runtime: PodRuntime, podIp: string): void {
    const workers = this.#workers.get(pod.metadata.uid) ?? new Map<string, Worker>();
    this.#workers.set(pod.metadata.uid, workers);
    for (const spec of allContainers(pod)) {
      const container = latest(runtime, spec.name);
      const runs = container?.state === 'running';
      for (const kind of KINDS) {
        const key = `${spec.name}/${kind}`;
        const worker = workers.get(key);
        const probe = spec[FIELD[kind]];
        if (worker !== undefined && (!runs || worker.containerId !== container.id)) {
          worker.stop.abort();
          workers.delete(key);
        }
        if (runs && probe !== undefined && !workers.has(key)) {
          workers.set(key, this.#start({ pod, spec, container, podIp }, kind, probe));
        }
      }
    }
  }

  /** The verdict on an instance; `unknown` before the first. */
  verdict(podUid: string, containerId: string, kind: ProbeKind): Verdict | undefined {
    return this.#find(podUid, containerId, kind)?.verdict;
  }

  /** Whether an instance that runs is past its startup probe. */
  started(pod: PodView, container: Container): boolean {
    const spec = allContainers(pod).find((candidate) => candidate.name === container.metadata.name);
    if (spec?.startupProbe === undefined) return true;
    return this.verdict(pod.metadata.uid, container.id, 'startup') === 'success';
  }

  ready(pod: PodView, container: Container): boolean {
    const spec = allContainers(pod).find((candidate) => candidate.name === container.metadata.name);
    if (spec?.readinessProbe === undefined) return true;
    return this.verdict(pod.metadata.uid, container.id, 'readiness') === 'success';
  }

  /** While a Pod ends only readiness matters any more: it must not be killed twice. */
  stopHealthChecks(podUid: string): void {
    for (const [key, worker] of this.#workers.get(podUid) ?? []) {
      if (worker.kind === 'readiness') continue;
      worker.stop.abort();
      this.#workers.get(podUid)?.delete(key);
    }
  }

  release(podUid: string): void {
    for (const worker of this.#workers.get(podUid)?.values() ?? []) worker.stop.abort();
    this.#workers.delete(podUid);
  }

  stop(): void {
    for (const uid of [...this.#workers.keys()]) this.release(uid);
  }

  #find(podUid: string, containerId: string, kind: ProbeKind): Worker | undefined {
    for (const worker of this.#workers.get(podUid)?.values() ?? []) {
      if (worker.containerId === containerId && worker.kind === kind) return worker;
    }
    return undefined;
  }

  #start(subject: Subject, kind: ProbeKind, probe: DeepReadonly<Probe>): Worker {
    const known = subject.pod.status?.containerStatuses?.find((status) => status.name === subject.spec.name);
    // A container found running and ready after a restart stays ready until a probe says otherwise.
    const adopted = known?.containerID?.endsWith(subject.container.id) === true && (subject.container.startedAt ?? 0) < this.#restarted;
    const held = adopted && ((kind === 'readiness' && known.ready) || (kind === 'startup' && known.started === true));
    const verdict: Verdict = held || kind === 'liveness' ? 'success' : kind === 'readiness' ? 'failure' : 'unknown';
    const worker: Worker = { containerId: subject.container.id, kind, stop: new AbortController(), verdict };
    void this.#run(worker, subject, probe, adopted).catch(() => {});
    return worker;
  }

  async #run(worker: Worker, subject: Subject, probe: DeepReadonly<Probe>, adopted: boolean): Promise<void> {
    const { clock, random = Math.random } = this.#deps;
    const signal = worker.stop.signal;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const begun = subject.container.startedAt ?? clock.now();
    const firstAt = begun + (probe.initialDelaySeconds ?? 0) * 1000;
    // After a restart of the kubelet all probes would fire at once.
    const spread = adopted ? random() * periodMs : 0;
    const waitMs = Math.max(0, firstAt - clock.now()) + spread;
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    const streak = { result: '' as 'success' | 'failure' | '', length: 0 };
    while (!signal.aborted) {
      if (this.#isDue(worker, subject)) await this.#once(worker, subject, probe, streak);
      if (worker.kind === 'startup' && worker.verdict === 'success') return;
      if (worker.kind !== 'readiness' && worker.verdict === 'failure') return; // The container is about to be killed.
      await clock.sleep(periodMs, signal);
    }
  }

  #isDue(worker: Worker, { pod, spec, container }: Subject): boolean {
    return worker.kind === 'startup' || spec.startupProbe === undefined || this.started(pod, container);
  }

  async #once(worker: Worker, subject: Subject, probe: DeepReadonly<Probe>, streak: { result: string; length: number }): Promise<void> {
    const { probe: run = probeOnce, runtime } = this.#deps;
    const { spec, container, podIp } = subject;
    const { result, output } = await run(probe, { runtime, containerId: container.id, spec, podIp });
    if (worker.stop.signal.aborted) return;
    this.#report(worker, subject, result, output);
    if (result === 'unknown') return;
    const verdict = result === 'failure' ? 'failure' : 'success';
    if (streak.result === verdict) streak.length += 1;
    else Object.assign(streak, { result: verdict, length: 1 });
    const needed = verdict === 'failure' ? (probe.failureThreshold ?? 3) : (probe.successThreshold ?? 1);
    if (streak.length < needed || worker.verdict === verdict) return;
    worker.verdict = verdict;
    this.#deps.changed(subject.pod.metadata.uid);
    if (worker.kind === 'startup' && verdict === 'success') this.#wakeOthers(subject);
  }

  /** The others waited for the startup probe: they begin at once, not a period later. */
  #wakeOthers(subject: Subject): void {
    const workers = this.#workers.get(subject.pod.metadata.uid);
    for (const kind of ['readiness', 'liveness'] as const) {
      const key = `${subject.spec.name}/${kind}`;
      const probe = subject.spec[FIELD[kind]];
      const worker = workers?.get(key);
      if (workers === undefined || worker === undefined || probe === undefined) continue;
      worker.stop.abort();
      workers.set(key, this.#start(subject, kind, probe));
    }
  }

  #report(worker: Worker, { pod, spec }: Subject, result: ProbeOutcome['result'], output: string): void {
    const { recorder } = this.#deps;
    const fieldPath = isSidecar(spec) ? `spec.initContainers{${spec.name}}` : `spec.containers{${spec.name}}`;
    const label = LABEL[worker.kind];
    if (result === 'failure') recorder.event(pod, 'Warning', 'Unhealthy', `${label} probe failed: ${output}`, fieldPath);
    if (result === 'unknown') recorder.event(pod, 'Warning', 'Unhealthy', `${label} probe errored: ${output}`, fieldPath);
    if (result === 'warning') recorder.event(pod, 'Warning', 'ProbeWarning', `${label} probe warning: ${output}`, fieldPath);
  }
}
