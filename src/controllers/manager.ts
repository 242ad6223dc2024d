// SPDX-License-Identifier: Apache-2.0
// The controller manager: builds the controllers in order, starts the shared caches, waits until they are synced, runs all.
// Every controller acts under a service account of its own where the caller can provide clients for them.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { type Client, createInformerFactory, EventRecorder, LeaderElector } from '#client';
import { type Clock, type Logger, systemClock } from '#component';
import type { ControllerContext, ControllerEntry, ManagerSettings, Run, SigningAuthority } from './context.ts';
import { CustomResources } from './custom-resources.ts';
import { CONTROLLERS } from './list.ts';

export interface ControllerManagerOptions {
  readonly client: Client;
  /** A client that acts as `system:serviceaccount:kube-system:NAME`. @default `client` for all */
  readonly clientFor?: (account: string) => Client;
  /** @default systemClock */
  readonly clock?: Clock;
  readonly logger: Logger;
  readonly leaderElect: boolean;
  /** Range of Pod addresses; '' allocates none. */
  readonly clusterCidr: string;
  /** @default 24 */
  readonly nodeCidrMaskSize?: number;
  readonly serviceClusterIpRange: string;
  /** PEM. */
  readonly rootCa: string;
  readonly signing?: SigningAuthority | undefined;
  /** PEM; signs the tokens in Secrets. @default none are made */
  readonly serviceAccountKey?: string | undefined;
  /** As `--controllers`: names, `-name` leaves one out, `*` all that are on by default. @default ['*'] */
  readonly controllers?: readonly string[];
  /** @default 50_000 (upstream 1.36) */
  readonly nodeMonitorGracePeriodMs?: number;
  /** @default 12_500 */
  readonly terminatedPodGcThreshold?: number;
  readonly signal: AbortSignal;
}

/** Runs until the signal aborts and everything has drained; with leader election only while leading. */
export async function runControllerManager(options: ControllerManagerOptions): Promise<void> {
  const { client, clock = systemClock, logger, leaderElect, signal } = options;
  if (!leaderElect) return await lead(options, signal);
  const identity = `${hostname()}_${randomUUID()}`;
  const run = (leading: AbortSignal) => lead(options, leading);
  const elector = new LeaderElector({
    client,
    namespace: 'kube-system',
    name: 'kube-controller-manager',
    identity,
    logger,
    clock,
    lead: run,
  });
  await elector.run(signal);
}

async function lead(options: ControllerManagerOptions, signal: AbortSignal): Promise<void> {
  const { client, clock = systemClock, logger, controllers = ['*'] } = options;
  const informers = createInformerFactory(client, { logger, clock });
  const shared = { informers, settings: settingsOf(options), customResources: new CustomResources({ client, informers, logger, clock }) };
  const runs: Run[] = [];
  for (const entry of CONTROLLERS.filter(({ name }) => isEnabled(name, controllers))) {
    const context = contextOf(entry, options, shared);
    const run = entry.create(context);
    if (run !== undefined) runs.push(run, (until) => context.recorder.run(until));
  }
  informers.start(signal);
  try {
    await informers.waitForSync(signal);
    logger.info({ controllers: runs.length / 2 }, 'Controllers started');
    await Promise.all([shared.customResources.run(signal), ...runs.map((run) => run(signal))]);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    if (signal.aborted) await informers.drained();
  }
}

function settingsOf(options: ControllerManagerOptions): ManagerSettings {
  return {
    clusterCidr: options.clusterCidr,
    nodeCidrMaskSize: options.nodeCidrMaskSize ?? 24,
    serviceClusterIpRange: options.serviceClusterIpRange,
    rootCa: options.rootCa,
    signing: options.signing,
    serviceAccountKey: options.serviceAccountKey ?? '',
    nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriodMs ?? 50_000,
    terminatedPodGcThreshold: options.terminatedPodGcThreshold ?? 12_500,
  };
}

function contextOf(
  { name, account, eventSource = account ?? name }: ControllerEntry,
  { client: shared, clientFor, clock = systemClock, logger }: ControllerManagerOptions,
  caches: Pick<ControllerContext, 'informers' | 'settings' | 'customResources'>,
): ControllerContext {
  const client = account === undefined ? shared : (clientFor?.(account) ?? shared);
  return { ...caches, client, clock, logger, recorder: new EventRecorder({ client, component: eventSource, logger, clock }) };
}

/** Upstream's rule: the last word on a name counts, `*` is for names not mentioned. */
export function isEnabled(name: string, controllers: readonly string[]): boolean {
  if (controllers.includes(name)) return true;
  if (controllers.includes(`-${name}`)) return false;
  return controllers.includes('*');
}
