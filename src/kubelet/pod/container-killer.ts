// SPDX-License-Identifier: Apache-2.0
// Stops containers: preStop hook and stop signal within one grace period, mains first, sidecars after them in reverse order.
// A later call with a shorter grace period shortens a stop that is under way.
// @source upstream pkg/kubelet/kuberuntime/kuberuntime_container.go killContainer, kuberuntime_termination_order.go
import type { Container } from '#runtime';
import { factsOf } from '../container/labels.ts';
import { runHook } from '../container/lifecycle-hook.ts';
import { fieldPathOf, needsStop } from './container-starter.ts';
import type { PodDeps } from './deps.ts';
import { type ContainerKind, type ContainerSpec, findContainerSpec, gracePeriodOf, type PodView } from './pod.ts';
import type { PodRuntime } from './pod-runtime.ts';

/** What the signal gets at least after a preStop hook has used the grace period up. */
const MIN_GRACE_SECONDS = 2;

export interface KillOptions {
  readonly message: string;
  /** Undefined: the Pod's. */
  readonly graceSeconds?: number | undefined;
}

interface Stop {
  deadline: number;
  hook: AbortController;
  done: Promise<void>;
}

export class ContainerKiller {
  readonly #deps: PodDeps;
  readonly #stops = new Map<string, Stop>();

  constructor(deps: PodDeps) {
    this.#deps = deps;
  }

  /** Stops all that lives of a Pod. @param graceSeconds Undefined: the Pod's. */
  async killAll(pod: PodView, runtime: PodRuntime, graceSeconds: number | undefined): Promise<void> {
    const alive = runtime.containers.filter(needsStop);
    const isSide = (container: Container) => kindOf(pod, container) === 'sidecar';
    const deadline = this.#deps.clock.now() + 1000 * (graceSeconds ?? gracePeriodOf(pod));
    const left = () => Math.max(0, Math.ceil((deadline - this.#deps.clock.now()) / 1000));
    const stop = (container: Container, seconds: number) =>
      this.kill(pod, container, { message: `Stopping container ${container.metadata.name}`, graceSeconds: seconds });
    await Promise.all(alive.filter((container) => !isSide(container)).map((container) => stop(container, left())));
    const order = (pod.spec.initContainers ?? []).map((spec) => spec.name).reverse();
    const sidecars = alive.filter(isSide).sort((a, b) => order.indexOf(a.metadata.name) - order.indexOf(b.metadata.name));
    for (const container of sidecars) await stop(container, left());
  }

  /** Resolves when it is gone. */
  async kill(pod: PodView, container: Container, options: KillOptions): Promise<void> {
    const { clock, recorder } = this.#deps;
    const graceSeconds = Math.max(0, options.graceSeconds ?? factsOf(container).graceSeconds ?? gracePeriodOf(pod));
    const deadline = clock.now() + graceSeconds * 1000;
    const running = this.#stops.get(container.id);
    if (running !== undefined) return this.#shorten(container, running, deadline);
    recorder.event(pod, 'Normal', 'Killing', options.message, fieldPathOf(kindOf(pod, container), container.metadata.name));
    const stop: Stop = { deadline, hook: new AbortController(), done: Promise.resolve() };
    this.#stops.set(container.id, stop);
    stop.done = this.#run(pod, container, stop, graceSeconds).finally(() => this.#stops.delete(container.id));
    return stop.done;
  }

  async #shorten(container: Container, stop: Stop, deadline: number): Promise<void> {
    if (deadline < stop.deadline) {
      stop.deadline = deadline;
      stop.hook.abort(new Error('grace period shortened'));
      await this.#deps.runtime.stopContainer(container.id, Math.max(0, deadline - this.#deps.clock.now()));
    }
    await stop.done;
  }

  async #run(pod: PodView, container: Container, stop: Stop, graceSeconds: number): Promise<void> {
    const { clock, runtime } = this.#deps;
    if (graceSeconds > 0 && container.state === 'running') await this.#preStop(pod, container, stop);
    const leftMs = stop.deadline - clock.now();
    const usedUp = graceSeconds > 0 && leftMs < MIN_GRACE_SECONDS * 1000 && !stop.hook.signal.aborted;
    await runtime.stopContainer(container.id, usedUp ? Math.min(graceSeconds, MIN_GRACE_SECONDS) * 1000 : Math.max(0, leftMs));
  }

  async #preStop(pod: PodView, container: Container, stop: Stop): Promise<void> {
    const { clock, runtime, recorder } = this.#deps;
    const found = findContainerSpec(pod, container.metadata.name);
    const handler = found?.spec.lifecycle?.preStop;
    if (found === undefined || handler === undefined) return;
    const podIp = runtime.listSandboxes().find((sandbox) => sandbox.id === container.sandboxId)?.ips[0] ?? '';
    const timeoutMs = Math.max(1, stop.deadline - clock.now());
    const over = new AbortController();
    const timer = clock.after(timeoutMs, () => over.abort(new Error('grace period is over')));
    const signal = AbortSignal.any([stop.hook.signal, over.signal]);
    const context = { runtime, clock, containerId: container.id, spec: found.spec as ContainerSpec, podIp };
    try {
      await Promise.race([runHook(handler, context, { timeoutMs, signal }), rejectOnAbort(signal)]);
    } catch {
      if (!signal.aborted) {
        recorder.event(pod, 'Warning', 'FailedPreStopHook', 'PreStopHook failed', fieldPathOf(found.kind, container.metadata.name));
      }
    } finally {
      timer[Symbol.dispose]();
    }
  }
}

function kindOf(pod: PodView, container: Container): ContainerKind {
  return findContainerSpec(pod, container.metadata.name)?.kind ?? 'main';
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}
