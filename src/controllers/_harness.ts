// SPDX-License-Identifier: Apache-2.0
// For tests: a controller manager on an API in memory with a clock that a test advances, and Pods that a pretended kubelet runs.
import type { Pod } from '#api/core/v1';
import { namespaces, pods } from '#api/resources';
import { FakeApi } from '#client/testing';
import { FakeClock, formatTime, silentLogger } from '#component';
import type { DeepReadonly } from '#machinery';
import { runControllerManager } from './manager.ts';

export class Lab implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly api = new FakeApi({ clock: this.clock });
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #addresses = 0;

  constructor(
    controllers: readonly string[],
    options: { readonly rootCa?: string; readonly clusterCidr?: string; readonly serviceAccountKey?: string } = {},
  ) {
    this.api.seed(namespaces, { metadata: { name: 'default' }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } });
    this.#running = runControllerManager({
      client: this.api,
      clock: this.clock,
      logger: silentLogger,
      leaderElect: false,
      clusterCidr: options.clusterCidr ?? '',
      serviceClusterIpRange: '10.96.0.0/16',
      rootCa: options.rootCa ?? '',
      serviceAccountKey: options.serviceAccountKey,
      controllers,
      signal: this.#stop.signal,
    });
  }

  /** Lets everything happen that happens without time passing, or within `ms`. */
  async settle(ms = 1000): Promise<void> {
    await this.clock.advance(ms);
    await this.clock.advance(0);
  }

  /** As `settle`, for what waits for other threads, as signing does: turn by turn until it holds. @throws {Error} If it never does. */
  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; !holds(); turn++) {
      if (turn === 20_000) throw new Error(`never happened: ${holds}`);
      await this.clock.advance(0);
    }
  }

  /** What a kubelet would do: bound or not, Pods run and are ready; those that are going are gone. */
  async runPods(phase: 'Running' | 'Succeeded' | 'Failed' = 'Running'): Promise<void> {
    for (const pod of this.api.peekAll(pods)) {
      if (pod.metadata.deletionTimestamp !== undefined) await this.api.delete(pods, pod.metadata, { gracePeriodSeconds: 0 });
      else if (pod.status.phase === 'Pending') await this.#setPhase(pod, phase);
    }
    await this.settle();
  }

  async #setPhase(pod: DeepReadonly<Pod>, phase: 'Running' | 'Succeeded' | 'Failed'): Promise<void> {
    this.#addresses += 1;
    const now = formatTime(this.clock.now());
    const status = phase === 'Running' ? 'True' : 'False';
    const podIP = `10.244.0.${this.#addresses}`;
    const conditions = [{ type: 'Ready', status, lastTransitionTime: now }];
    await this.api.patch(
      pods,
      pod.metadata,
      'merge',
      { status: { phase, podIP, podIPs: [{ ip: podIP }], conditions } },
      { subresource: 'status' },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.settle(0);
    await this.#running;
  }
}
