// SPDX-License-Identifier: Apache-2.0
// The scheduler's loop: take a Pod, find a node, assume it there, bind it while the next one is being scheduled.
//
// Flow: informers fill the cache and the queue; `#scheduleOne` never waits; binding and everything else that talks to the server runs
// beside it. A Pod that fits nowhere gets an event and a condition, may preempt, and waits for an event that may help.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Pod, PodCondition } from '#api/core/v1';
import type { PodDisruptionBudget } from '#api/policy/v1';
import { persistentvolumeclaims, pods } from '#api/resources';
import type { Client, EventRecorder, Lister } from '#client';
import { type Clock, formatTime, type Logger } from '#component';
import { isConflict, isNotFound } from '#machinery';
import type { SchedulerCache } from './cache/cache.ts';
import type { PodInfo } from './cache/pod-info.ts';
import { fitMessage } from './framework/diagnosis.ts';
import type { CycleResult, Framework } from './framework/framework.ts';
import type { CycleState, NodeView } from './framework/plugin.ts';
import { claimsWaiting } from './plugins/volume-binding.ts';
import type { Nominations } from './preemption/nominations.ts';
import { preempt, type Victims } from './preemption/preemption.ts';
import type { QueuedPod, SchedulingQueue } from './queue/scheduling-queue.ts';

const NAME = 'default-scheduler';
/** After so long the loop lets others run: watches must be read while a thousand Pods wait. */
const TURN_MS = 4;
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';

export interface SchedulerParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly cache: SchedulerCache;
  readonly queue: SchedulingQueue;
  readonly framework: Framework;
  readonly nominations: Nominations;
  readonly budgets: Lister<PodDisruptionBudget>;
}

type Rejected = Extract<CycleResult, { type: 'rejected' }>;

export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #pending = new Set<Promise<void>>();

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  /** Schedules until the signal aborts; resolves when nothing is under way any more. */
  async run(signal: AbortSignal): Promise<void> {
    const { queue } = this.#parts;
    while (!signal.aborted) {
      const until = performance.now() + TURN_MS;
      let queued = queue.poll();
      while (queued !== undefined) {
        this.#scheduleOne(queued);
        if (signal.aborted || performance.now() > until) break;
        queued = queue.poll();
      }
      if (queued === undefined) await queue.wait(signal);
      else await nextTurn();
    }
    queue.close();
    await Promise.all(this.#pending);
  }

  #scheduleOne(queued: QueuedPod): void {
    const { cache, queue, framework } = this.#parts;
    const { info } = queued;
    if (info.pod.metadata.deletionTimestamp !== undefined || cache.isAssumed(info.key)) {
      queue.done(info.key);
      return;
    }
    try {
      if (cache.nodes.length === 0) {
        queue.reject(queued, []);
        this.#reportFailure(info, 'no nodes available to schedule pods', undefined);
        return;
      }
      const result = framework.schedule(info);
      if (result.type === 'rejected') this.#onRejected(queued, result);
      else this.#onChosen(queued, result.node.name, result.state);
    } catch (error) {
      this.#parts.logger.error({ err: error, pod: info.key }, 'Scheduling failed');
      queue.fail(queued);
      this.#reportFailure(info, messageOf(error), undefined, 'SchedulerError');
    }
  }

  #onChosen(queued: QueuedPod, node: string, state: CycleState): void {
    const { cache } = this.#parts;
    const waiting = claimsWaiting(state);
    if (waiting.length > 0) {
      this.#chooseForClaims(queued, node, waiting);
      return;
    }
    cache.assume(queued.info, node);
    this.#start(this.#bind(queued, node));
  }

  /** Tells the provisioner where the volumes are wanted; the Pod comes back when they are bound. */
  #chooseForClaims(queued: QueuedPod, node: string, claims: ReturnType<typeof claimsWaiting>): void {
    const { client, queue, logger } = this.#parts;
    queue.reject(queued, []);
    const annotate = async () => {
      for (const { metadata } of claims) {
        if (metadata.annotations?.[SELECTED_NODE] === node) continue;
        const ref = { namespace: metadata.namespace, name: metadata.name };
        await client.patch(persistentvolumeclaims, ref, 'merge', { metadata: { annotations: { [SELECTED_NODE]: node } } });
      }
    };
    this.#start(annotate().catch((error: unknown) => logger.warn({ err: error, pod: queued.info.key }, 'Claim could not be annotated')));
  }

  async #bind(queued: QueuedPod, node: string): Promise<void> {
    const { client, cache, queue, recorder, nominations } = this.#parts;
    const { info } = queued;
    const { namespace, name, uid } = info.pod.metadata;
    try {
      const body = { metadata: { namespace, name, uid }, target: { kind: 'Node', name: node } };
      await client.createSubresource(pods, { namespace, name }, 'binding', body);
    } catch (error) {
      cache.forget(info.key);
      if (isNotFound(error)) return queue.delete(info.key);
      queue.fail(queued);
      // Others may fit now in its place.
      queue.onEvent({ resource: 'Pod', action: 'delete', pod: info });
      return this.#reportFailure(info, `binding rejected: ${messageOf(error)}`, undefined, 'SchedulerError');
    }
    queue.done(info.key);
    nominations.delete(info.key);
    recorder.event(info.pod, 'Normal', 'Scheduled', `Successfully assigned ${info.key} to ${node}`, { action: 'Binding' });
  }

  #onRejected(queued: QueuedPod, { diagnosis, run }: Rejected): void {
    const { cache, queue, budgets, nominations } = this.#parts;
    const { info } = queued;
    const view: NodeView = cache;
    const result = preempt({ run, diagnosis, view, budgets: budgets.list() });
    queue.reject(queued, [...diagnosis.plugins]);
    const message = fitMessage(diagnosis, result.type === 'none' ? result.message : '');
    if (result.type === 'none') {
      if (!result.waits && nominations.delete(info.key)) this.#reportFailure(info, message, '');
      else this.#reportFailure(info, message, undefined);
      return;
    }
    nominations.set(info, result.victims.node);
    this.#start(this.#evict(info, result.victims));
    this.#reportFailure(info, message, result.victims.node);
  }

  async #evict({ pod, uid }: PodInfo, { node, pods: victims }: Victims): Promise<void> {
    const { client, clock, recorder, logger } = this.#parts;
    await Promise.all(
      victims.map(async ({ pod: victim }) => {
        const { namespace, name, uid: victimUid } = victim.metadata;
        const condition = {
          type: 'DisruptionTarget',
          status: 'True',
          reason: 'PreemptionByScheduler',
          message: `${pod.spec.schedulerName ?? NAME}: preempting to accommodate a higher priority pod`,
          lastTransitionTime: formatTime(clock.now()),
        };
        try {
          await client.patch(
            pods,
            { namespace, name },
            'strategic',
            { metadata: { uid: victimUid }, status: { conditions: [condition] } },
            { subresource: 'status' },
          );
          await client.delete(pods, { namespace, name }, { preconditions: { uid: victimUid } });
          recorder.event(victim, 'Normal', 'Preempted', `Preempted by pod ${uid} on node ${node}`, { action: 'Preempting', related: pod });
        } catch (error) {
          if (!isNotFound(error) && !isConflict(error)) logger.warn({ err: error, pod: name }, 'Preemption of a Pod failed');
        }
      }),
    );
  }

  /** @param nominated The node that was cleared for the Pod, '' to take that back, undefined to leave it. */
  #reportFailure(info: PodInfo, message: string, nominated: string | undefined, reason = 'Unschedulable'): void {
    const { recorder } = this.#parts;
    recorder.event(info.pod, 'Warning', 'FailedScheduling', message, { action: 'Scheduling' });
    this.#start(this.#writeCondition(info.pod, { reason, message, nominated }));
  }

  async #writeCondition(
    pod: PodInfo['pod'],
    { reason, message, nominated }: { reason: string; message: string; nominated: string | undefined },
  ): Promise<void> {
    const { client, clock, logger } = this.#parts;
    const known = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    const isSame = known?.status === 'False' && known.reason === reason && known.message === message;
    if (isSame && (nominated === undefined || nominated === (pod.status?.nominatedNodeName ?? ''))) return;
    const now = formatTime(clock.now());
    const condition: PodCondition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastTransitionTime: known?.status === 'False' ? (known.lastTransitionTime ?? now) : now,
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    };
    const { namespace, name } = pod.metadata;
    const status: Partial<Record<keyof Pod['status'], unknown>> = { conditions: [condition] };
    if (nominated !== undefined) status.nominatedNodeName = nominated === '' ? null : nominated;
    try {
      await client.patch(
        pods,
        { namespace, name },
        'strategic',
        { metadata: { uid: pod.metadata.uid }, status },
        { subresource: 'status' },
      );
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) logger.warn({ err: error, pod: name }, 'Condition of a Pod could not be written');
    }
  }

  #start(work: Promise<void>): void {
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
