// SPDX-License-Identifier: Apache-2.0
// Leader election over a Lease, so that of several copies of a component one works (client-go's tools/leaderelection).
//
// Flow: try every 2 s; a lease whose record has not changed for its duration, by this process's own clock, may be taken; the leader
// renews every 2 s and stops leading when it could not for 10 s, before others may take over at 15 s.
// Guarantees: `lead` runs in one process at a time as far as clocks advance at about the same rate. When its signal aborts it must
// stop acting; the lease is given back once it has returned.

import type { Lease, LeaseSpec } from '#api/coordination/v1';
import { leases } from '#api/resources';
import { type Clock, formatMicroTime, type Logger, systemClock } from '#component';
import { type DeepReadonly, deepEqual, isNotFound } from '#machinery';
import type { Client } from './client.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process: host name and a random part. */
  readonly identity: string;
  readonly logger: Logger;
  /** Runs while this process leads; its signal aborts when it no longer does. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly onNewLeader?: (identity: string) => void;
  /** @default systemClock */
  readonly clock?: Clock;
  /** @default 15_000 */
  readonly leaseDurationMs?: number;
  /** @default 10_000 */
  readonly renewDeadlineMs?: number;
  /** @default 2000 */
  readonly retryPeriodMs?: number;
  /** @default Math.random */
  readonly random?: () => number;
}

/** Why `lead` was told to stop although the process was not. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
}

const JITTER = 1.2;

export class LeaderElector {
  readonly #options: LeaderElectionOptions;
  readonly #clock: Clock;
  readonly #durationMs: number;
  readonly #deadlineMs: number;
  readonly #periodMs: number;
  #observed: DeepReadonly<Lease> | undefined;
  #observedAt: number;
  #reported: string;

  constructor(options: LeaderElectionOptions) {
    const { clock = systemClock, leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2000 } = options;
    if (leaseDurationMs <= renewDeadlineMs) throw new RangeError('leaseDuration must be greater than renewDeadline');
    if (renewDeadlineMs <= JITTER * retryPeriodMs) throw new RangeError('renewDeadline must be greater than retryPeriod*JitterFactor');
    this.#options = options;
    this.#clock = clock;
    this.#durationMs = leaseDurationMs;
    this.#deadlineMs = renewDeadlineMs;
    this.#periodMs = retryPeriodMs;
    this.#observed = undefined;
    this.#observedAt = 0;
    this.#reported = '';
  }

  get isLeader(): boolean {
    return this.#observed?.spec?.holderIdentity === this.#options.identity;
  }

  /** Waits to lead, leads, and returns after `lead` has. @throws {LeadershipLostError} If leadership was lost; upstream's components exit then. */
  async run(signal: AbortSignal): Promise<void> {
    if (!(await this.#acquire(signal))) return;
    const { logger, identity, lead } = this.#options;
    logger.info({ identity }, 'Became leader');
    const controller = new AbortController();
    const leading = lead(controller.signal);
    const stopRenewing = new AbortController();
    const renewing = this.#renew(AbortSignal.any([signal, stopRenewing.signal])).then((lost) => {
      controller.abort(lost ? new LeadershipLostError('leader election lost') : signal.reason);
      return lost;
    });
    try {
      await leading;
    } finally {
      stopRenewing.abort();
      const lost = await renewing;
      if (!lost) await this.#release();
      if (lost && !signal.aborted) logger.error({ identity }, 'Leader election lost');
    }
    if (controller.signal.reason instanceof LeadershipLostError) throw controller.signal.reason;
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { random = Math.random } = this.#options;
    while (!signal.aborted) {
      if (await this.#try(signal)) return true;
      await this.#clock.sleep(this.#periodMs * (1 + JITTER * random()), signal).catch(() => undefined);
    }
    return false;
  }

  /** @returns Whether leadership was lost; false when told to stop. */
  async #renew(signal: AbortSignal): Promise<boolean> {
    let deadline = this.#clock.now() + this.#deadlineMs;
    for (;;) {
      await this.#clock.sleep(this.#periodMs, signal).catch(() => undefined);
      if (signal.aborted) return false;
      const renewed = await this.#tryWithin(deadline - this.#clock.now(), signal);
      if (signal.aborted) return false;
      if (renewed) deadline = this.#clock.now() + this.#deadlineMs;
      else if (this.#clock.now() >= deadline || this.#observed?.spec?.holderIdentity !== this.#options.identity) return true;
    }
  }

  /** A request that hangs must not outlive the deadline. */
  async #tryWithin(limitMs: number, signal: AbortSignal): Promise<boolean> {
    const cut = new AbortController();
    using _timer = this.#clock.after(limitMs, () => cut.abort(new Error('the renew deadline has passed')));
    return await this.#try(AbortSignal.any([signal, cut.signal]));
  }

  async #try(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#tryAcquireOrRenew(signal);
    } catch (error) {
      if (!signal.aborted) this.#options.logger.warn({ err: error, lease: this.#options.name }, 'Lease could not be taken or renewed');
      return false;
    }
  }

  async #tryAcquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    // While leading, the last answer is enough: a conflict shows if anybody else wrote.
    const current = this.isLeader ? this.#observed : await client.get(leases, { namespace, name }, { signal }).catch(missing);
    if (current === undefined) {
      this.#observe(await client.create(leases, { metadata: { namespace, name }, spec: this.#record(undefined) }, { signal }));
      return true;
    }
    this.#observe(current);
    const holder = current.spec?.holderIdentity ?? '';
    const heldMs = (current.spec?.leaseDurationSeconds ?? 0) * 1000;
    if (holder !== '' && holder !== identity && this.#observedAt + heldMs > this.#clock.now()) return false;
    try {
      this.#observe(await client.update(leases, { ...current, spec: this.#record(current.spec) }, { signal }));
      return true;
    } catch (error) {
      const fresh = await client.get(leases, { namespace, name }, { signal }).catch(missing);
      if (fresh !== undefined) this.#observe(fresh);
      throw error;
    }
  }

  #record(old: DeepReadonly<LeaseSpec> | undefined): LeaseSpec {
    const now = formatMicroTime(this.#clock.now());
    const { identity } = this.#options;
    const kept = old?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: this.#durationMs / 1000,
      acquireTime: kept ? (old?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: old === undefined ? 0 : (old.leaseTransitions ?? 0) + (kept ? 0 : 1),
    };
  }

  #observe(lease: DeepReadonly<Lease>): void {
    if (!deepEqual(lease.spec, this.#observed?.spec)) this.#observedAt = this.#clock.now();
    this.#observed = lease;
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder === this.#reported) return;
    this.#reported = holder;
    if (holder !== '') this.#options.onNewLeader?.(holder);
  }

  /** Lets the next one take over at once. */
  async #release(): Promise<void> {
    const { client, logger } = this.#options;
    if (this.#observed === undefined || !this.isLeader) return;
    const now = formatMicroTime(this.#clock.now());
    const leaseTransitions = this.#observed.spec?.leaseTransitions ?? 0;
    const spec: LeaseSpec = { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now, leaseTransitions };
    try {
      this.#observed = await client.update(leases, { ...this.#observed, spec });
    } catch (error) {
      logger.warn({ err: error }, 'Lease could not be released');
    }
  }
}

function missing(error: unknown): undefined {
  if (isNotFound(error)) return undefined;
  throw error;
}
