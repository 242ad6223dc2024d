// SPDX-License-Identifier: Apache-2.0
// All Pods of the node and their workers: takes what the sources say, asks admission once per Pod, hands runtime events and
// probe verdicts to the right worker, and clears away what belongs to no Pod any more.
// @source upstream pkg/kubelet/kubelet.go HandlePod*, kubelet_pods.go HandlePodCleanups
import { rm } from 'node:fs/promises';
import { formatTime } from '#component';
import type { RuntimeEvent } from '#runtime';
import { admitPod, type Refusal } from '../admission/admit.ts';
import { POD_NAME, POD_NAMESPACE, uidOf } from '../container/labels.ts';
import type { NodeView } from '../node/node-status.ts';
import { mergeConditions } from '../status/conditions.ts';
import { needsStop } from './container-starter.ts';
import type { PodDeps } from './deps.ts';
import { computeQos, isTerminalPhase, type PodView } from './pod.ts';
import { observePod } from './pod-runtime.ts';
import { type EndOptions, PodWorker } from './pod-worker.ts';

export interface PodWorkersDeps extends PodDeps {
  node(): NodeView | undefined;
  /** A Pod is wholly gone: whatever was kept for it can go. */
  released(uid: string): void;
  /** Refuses Pods while the node is short of something. */
  underPressure(pod: PodView): { reason: string; message: string } | undefined;
}

export class PodWorkers {
  readonly #deps: PodWorkersDeps;
  readonly #workers = new Map<string, PodWorker>();
  /** Pods that were refused: their object stays as Failed until somebody deletes it. */
  readonly #refused = new Map<string, PodView>();
  readonly #pending = new Set<Promise<void>>();

  constructor(deps: PodWorkersDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#workers.size;
  }

  pods(): PodView[] {
    return [...this.#workers.values()].filter((worker) => !worker.isForgotten).map((worker) => worker.pod);
  }

  find(uid: string): PodWorker | undefined {
    return this.#workers.get(uid);
  }

  /** Those that hold resources: not yet at their end. */
  active(): PodView[] {
    const running = [...this.#workers.values()].filter((worker) => worker.state !== 'terminated');
    return running.map((worker) => worker.pod);
  }

  /** A Pod as its source has it now. */
  set(pod: PodView): void {
    const uid = pod.metadata.uid;
    const worker = this.#workers.get(uid);
    if (worker !== undefined) worker.update(pod);
    else if (this.#refused.has(uid)) this.#setRefused(pod);
    else this.#begin(pod);
  }

  #begin(pod: PodView): void {
    const uid = pod.metadata.uid;
    const refusal = this.#isFresh(pod) ? this.#judge(pod) : undefined;
    if (refusal !== undefined) {
      this.#refuse(pod, refusal);
      return;
    }
    const worker = new PodWorker(pod, this.#deps, () => this.#ended(uid));
    this.#workers.set(uid, worker);
    worker.update(pod);
  }

  #judge(pod: PodView): Refusal | undefined {
    const node = this.#deps.node();
    return this.#deps.underPressure(pod) ?? (node === undefined ? undefined : admitPod(pod, this.active(), node));
  }

  /** Only a Pod that this node has not begun is judged: a restart must not refuse what runs. */
  #isFresh(pod: PodView): boolean {
    if (pod.metadata.deletionTimestamp !== undefined || isTerminalPhase(pod.status?.phase)) return false;
    return observePod(this.#deps.runtime, pod.metadata.uid).sandboxes.length === 0;
  }

  #refuse(pod: PodView, { reason, message }: { reason: string; message: string }): void {
    const { recorder, statuses, clock } = this.#deps;
    const text = `Pod was rejected: ${message}`;
    recorder.event(pod, 'Warning', reason, message);
    const now = formatTime(clock.now());
    const conditions = mergeConditions([], pod.status?.conditions, now);
    statuses.set(pod, { phase: 'Failed', reason, message: text, startTime: now, qosClass: computeQos(pod), conditions });
    this.#refused.set(pod.metadata.uid, pod);
  }

  #setRefused(pod: PodView): void {
    this.#refused.set(pod.metadata.uid, pod);
    if (pod.metadata.deletionTimestamp !== undefined) this.#deps.statuses.finish(pod);
  }

  /** The source has it no more. */
  remove(pod: PodView): void {
    const uid = pod.metadata.uid;
    if (this.#refused.delete(uid)) this.#deps.statuses.release(uid);
    const worker = this.#workers.get(uid);
    if (worker === undefined) return;
    if (worker.state === 'terminated') this.#track(this.#release(worker.pod));
    worker.forget(pod);
  }

  #ended(uid: string): void {
    this.#deps.released(uid); // An ended Pod reads no objects and needs no tokens any more.
    const worker = this.#workers.get(uid);
    if (worker?.isForgotten === true) this.#track(this.#release(worker.pod));
  }

  #track(task: Promise<void>): void {
    this.#pending.add(task);
    void task
      .catch((error: unknown) => this.#deps.logger.warn({ err: error }, 'Pod was not cleaned up'))
      .finally(() => this.#pending.delete(task));
  }

  /** Nothing runs and no object stands for it: containers, sandboxes, files and logs go. */
  async #release(pod: PodView): Promise<void> {
    const uid = pod.metadata.uid;
    if (!this.#workers.delete(uid)) return;
    const { statuses, crashes, probes } = this.#deps;
    statuses.release(uid);
    crashes.resetAll(`${uid}_`);
    probes.release(uid);
    this.#deps.released(uid);
    await this.#removeAll(uid);
    await rm(this.#deps.paths.logs(pod), { recursive: true, force: true });
  }

  async #removeAll(uid: string): Promise<void> {
    const { runtime, volumes, paths } = this.#deps;
    const seen = observePod(runtime, uid);
    for (const container of seen.containers) await runtime.removeContainer(container.id);
    for (const sandbox of seen.sandboxes) {
      await runtime.stopSandbox(sandbox.id);
      await runtime.removeSandbox(sandbox.id);
    }
    await volumes.tearDown(uid);
    await rm(paths.pod(uid), { recursive: true, force: true });
  }

  runtimeEvent(event: RuntimeEvent): void {
    this.#workers.get(event.podUid)?.wake();
  }

  wake(uid: string): void {
    this.#workers.get(uid)?.wake();
  }

  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  refreshVolumes(uid: string): void {
    this.#workers.get(uid)?.refreshVolumes();
  }

  end(uid: string, options: EndOptions): void {
    this.#workers.get(uid)?.end(options);
  }

  /** Ends what runs though no source knows it, and removes directories that are nobody's. Only when all sources have spoken. */
  async cleanUp(): Promise<void> {
    const { runtime, volumes, logger, paths } = this.#deps;
    const orphans = new Map<string, { name: string; namespace: string }>();
    for (const of of [...runtime.listSandboxes(), ...runtime.listContainers()]) {
      const uid = uidOf(of);
      if (uid === '' || this.#workers.has(uid)) continue;
      orphans.set(uid, { name: of.labels[POD_NAME] ?? '', namespace: of.labels[POD_NAMESPACE] ?? '' });
    }
    for (const [uid, { name, namespace }] of orphans) {
      logger.info({ pod: `${namespace}/${name}`, uid }, 'Removing what is left of a Pod that is gone');
      const alive = observePod(runtime, uid).containers.filter(needsStop);
      await Promise.all(alive.map((container) => runtime.stopContainer(container.id, 1000)));
      await this.#removeAll(uid);
      await rm(paths.logs({ metadata: { name, namespace, uid } } as PodView), { recursive: true, force: true });
    }
    for (const uid of await volumes.known()) {
      if (this.#workers.has(uid) || this.#refused.has(uid)) continue;
      await volumes.tearDown(uid);
      await rm(paths.pod(uid), { recursive: true, force: true });
    }
  }

  /** Containers stay; steps under way end. */
  async stop(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
    await Promise.all(this.#pending);
  }
}
