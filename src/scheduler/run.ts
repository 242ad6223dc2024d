// SPDX-License-Identifier: Apache-2.0
// Puts a scheduler together: caches, queue, plugins, loop; with leader election only while it leads.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import {
  namespaces,
  persistentvolumeclaims,
  persistentvolumes,
  poddisruptionbudgets,
  replicasets,
  replicationcontrollers,
  services,
  statefulsets,
  storageclasses,
} from '#api/resources';
import { type Client, createInformerFactory, EventRecorder, LeaderElector } from '#client';
import { type Clock, type Logger, systemClock } from '#component';
import { SchedulerCache } from './cache/cache.ts';
import { feed } from './feed.ts';
import { Framework } from './framework/framework.ts';
import { defaultPlugins } from './plugins/list.ts';
import { Nominations } from './preemption/nominations.ts';
import { SchedulingQueue } from './queue/scheduling-queue.ts';
import { Scheduler } from './scheduler.ts';

export interface SchedulerOptions {
  readonly client: Client;
  /** @default systemClock */
  readonly clock?: Clock;
  readonly logger: Logger;
  readonly leaderElect: boolean;
  /** Breaks ties between equally good nodes. @default Math.random */
  readonly random?: () => number;
  readonly signal: AbortSignal;
}

const NAME = 'default-scheduler';

/** Runs until the signal aborts and every bind under way has ended. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  const { client, clock = systemClock, logger, leaderElect, signal } = options;
  if (!leaderElect) return await lead(options, signal);
  const identity = `${hostname()}_${randomUUID()}`;
  const elector = new LeaderElector({
    client,
    namespace: 'kube-system',
    name: 'kube-scheduler',
    identity,
    logger,
    clock,
    lead: (leading) => lead(options, leading),
  });
  await elector.run(signal);
}

async function lead({ client, clock = systemClock, logger, random }: SchedulerOptions, signal: AbortSignal): Promise<void> {
  const informers = createInformerFactory(client, { logger, clock });
  const recorder = new EventRecorder({ client, component: NAME, logger, clock });
  const cache = new SchedulerCache();
  const queue = new SchedulingQueue(clock);
  const nominations = new Nominations();
  const plugins = defaultPlugins({
    cache,
    namespaces: informers.informer(namespaces).lister,
    claims: informers.informer(persistentvolumeclaims).lister,
    volumes: informers.informer(persistentvolumes).lister,
    classes: informers.informer(storageclasses).lister,
    services: informers.informer(services).lister,
    replicaSets: informers.informer(replicasets).lister,
    statefulSets: informers.informer(statefulsets).lister,
    replicationControllers: informers.informer(replicationcontrollers).lister,
  });
  const budgets = informers.informer(poddisruptionbudgets).lister;
  feed({ informers, cache, queue, nominations, schedulerName: NAME });
  const framework = new Framework({
    plugins,
    view: cache,
    nominatedOn: (node, pod) => nominations.on(node, pod),
    ...(random === undefined ? {} : { random }),
  });
  const scheduler = new Scheduler({ client, clock, logger, recorder, cache, queue, framework, nominations, budgets });
  informers.start(signal);
  try {
    await informers.waitForSync(signal);
    logger.info({ nodes: cache.nodes.length }, 'Scheduler started');
    await Promise.all([scheduler.run(signal), recorder.run(signal)]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    if (signal.aborted) await informers.drained();
  }
}
