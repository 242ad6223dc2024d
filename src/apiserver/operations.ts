// SPDX-License-Identifier: Apache-2.0
// What runs a server in production and is no part of the API: deadlines, overload, audit, encryption at rest, health, debugging,
// an orderly stop. `ApiServer` takes it as one part; each concern is a folder or filter of its own.

import { flowschemas, prioritylevelconfigurations } from '#api';
import type { FlowSchema, PriorityLevelConfiguration } from '#api/flowcontrol/v1';
import type { Client } from '#client';
import type { Clock, Logger, Metrics } from '#component';
import type { DeepReadonly } from '#machinery';
import { type Audit, type AuditOptions, createAudit } from './audit/mod.ts';
import { AuditSink } from './audit/sink.ts';
import type { Cacher } from './cacher/cacher.ts';
import { answerDebugPath, type DebugPathsOptions } from './debug/debug-paths.ts';
import { Health, healthChecks } from './debug/health.ts';
import { Profiler } from './debug/pprof.ts';
import type { Encryption } from './encryption/encryption.ts';
import type { ChainDeps, Filter } from './filters/chain.ts';
import { LongRunningRequests } from './filters/long-running.ts';
import { type InFlight, withMaxInFlight } from './filters/max-in-flight.ts';
import { withPriorityAndFairness } from './filters/priority-and-fairness.ts';
import { RequestsInFlight } from './filters/requests-in-flight.ts';
import { withRetryAfter } from './filters/retry-after.ts';
import { dumpFairness } from './flow/dump.ts';
import { PriorityAndFairness } from './flow/fairness.ts';
import { FlowController } from './flow/flow-controller.ts';
import { registerFlowMetrics } from './flow/flow-metrics.ts';
import { ResourceSizes } from './flow/resource-sizes.ts';
import type { HttpServer } from './http/server.ts';
import type { ObjectReader } from './registry/strategy.ts';
import type { Handler, RequestContext } from './request/context.ts';
import { VERSION } from './version.ts';

export interface OperationsOptions {
  /** `--request-timeout` */
  readonly requestTimeoutMs: number;
  /** `--min-request-timeout` */
  readonly minRequestTimeoutSeconds: number;
  /** `--goaway-chance` */
  readonly goawayChance: number;
  /** `--shutdown-delay-duration` */
  readonly shutdownDelayMs: number;
  /** `--shutdown-send-retry-after` */
  readonly shutdownSendRetryAfter: boolean;
  /** `--cors-allowed-origins` */
  readonly corsAllowedOrigins?: readonly string[];
  /** `--strict-transport-security-directives` */
  readonly strictTransport?: readonly string[];
  /** `--enable-priority-and-fairness` */
  readonly priorityAndFairness: boolean;
  /** `--profiling` */
  readonly profiling: boolean;
  /** For /flagz: every flag with the value in force. */
  readonly flags: Readonly<Record<string, string>>;
  /** Undefined: nothing is audited. */
  readonly audit?: AuditOptions | undefined;
}

export const DEFAULT_OPERATIONS: OperationsOptions = {
  requestTimeoutMs: 60_000,
  minRequestTimeoutSeconds: 1800,
  goawayChance: 0,
  shutdownDelayMs: 0,
  shutdownSendRetryAfter: false,
  priorityAndFairness: true,
  profiling: true,
  flags: {},
};

export interface OperationsDeps {
  readonly options: OperationsOptions;
  readonly maxInFlight: { readonly reading: number; readonly mutating: number };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly cacher: Cacher;
  readonly encryption: Encryption | undefined;
  readonly reader: ObjectReader;
  readonly client: Client;
  readonly rbac: boolean;
  /** Why the store cannot be used, by what it last said; undefined if it can. */
  readonly storeProblem: () => string | undefined;
  /** All paths of the server, for /statusz. */
  readonly paths: () => readonly string[];
}

/** Once no short request runs any more, what is still open has this long. */
const LAST_MS = 2_000;

export class Operations {
  readonly running = new RequestsInFlight();
  readonly waiting: InFlight = { reading: 0, mutating: 0 };
  readonly longRunning = new LongRunningRequests();
  readonly health: Health;
  readonly #deps: OperationsDeps;
  readonly #fairness: PriorityAndFairness | undefined;
  readonly #flows: FlowController | undefined;
  readonly #audit: Audit | undefined;
  readonly #debug: DebugPathsOptions;
  #state: 'starting' | 'serving' | 'stopping' | 'draining' = 'starting';

  constructor(deps: OperationsDeps) {
    this.#deps = deps;
    const { options, clock, cacher, metrics, maxInFlight, rbac } = deps;
    const totalSeats = maxInFlight.reading + maxInFlight.mutating;
    if (options.priorityAndFairness && totalSeats > 0) {
      const sizes = new ResourceSizes(cacher);
      this.#fairness = new PriorityAndFairness({ clock, totalSeats, sizeOf: (group, resource) => sizes.of(group, resource) });
      this.#flows = createFlowController(deps, this.#fairness);
      registerFlowMetrics(metrics, this.#fairness);
    }
    this.#audit = options.audit === undefined ? undefined : createAudit(options.audit, deps);
    if (this.#audit === undefined) new AuditSink({ backends: [], logger: deps.logger }).register(metrics); // Zeros.
    deps.encryption?.register(metrics);
    this.health = new Health(
      healthChecks({
        started: () => this.#state !== 'starting',
        stopping: () => this.#state === 'stopping' || this.#state === 'draining',
        store: deps.storeProblem,
        cacheSynced: () => this.#state !== 'starting',
        rbac,
        fairness: this.#fairness !== undefined,
        extra: deps.encryption === undefined ? [] : [{ name: 'encryption-config', check: () => deps.encryption?.problem }],
      }),
    );
    const fairness = this.#fairness;
    this.#debug = {
      health: this.health,
      zPages: {
        component: 'kube-apiserver',
        startedAt: clock.now(),
        now: () => clock.now(),
        version: VERSION,
        paths: deps.paths,
        flags: options.flags,
      },
      profiler: options.profiling ? new Profiler(clock) : undefined,
      fairness: fairness === undefined ? undefined : (context) => dumpFairness(context, fairness),
    };
  }

  /** What the chain of filters needs of this. */
  get filters(): Pick<
    ChainDeps,
    'requestTimeoutMs' | 'overload' | 'longRunning' | 'audit' | 'retryAfter' | 'corsAllowedOrigins' | 'strictTransport'
  > {
    const { options } = this.#deps;
    return {
      requestTimeoutMs: options.requestTimeoutMs,
      overload: this.#overload(),
      longRunning: this.longRunning,
      corsAllowedOrigins: options.corsAllowedOrigins ?? [],
      strictTransport: options.strictTransport ?? [],
      audit: this.#audit,
      retryAfter: options.shutdownSendRetryAfter ? (next) => withRetryAfter(next, () => this.#state === 'draining') : undefined,
    };
  }

  #overload(): Filter {
    const { running, waiting } = this;
    const fairness = this.#fairness;
    const dropped = (context: RequestContext) => running.drop(context);
    if (fairness === undefined) return (next) => withMaxInFlight(next, { limits: this.#deps.maxInFlight, running, dropped });
    return (next) => withPriorityAndFairness(next, { fairness, running, waiting, dropped });
  }

  /** Puts the paths of health and debugging before those of the API. */
  paths(api: Handler): Handler {
    return (context) => (context.info.isResource ? undefined : answerDebugPath(context, this.#debug)) ?? api(context);
  }

  /** The server is up: everything that has to be there is. */
  started(): void {
    this.#state = 'serving';
  }

  /** Follows what is configured by objects until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#flows?.run(signal);
    this.#fairness?.[Symbol.dispose]();
  }

  /** Reads the objects that bound requests, before the first request from outside. */
  prepare(): void {
    this.#flows?.refresh();
  }

  /**
   * Stops serving: unready at once, all as before for `--shutdown-delay-duration`, then no new connections, GOAWAY, watches ended,
   * and short requests finish within the request timeout.
   */
  async drain(http: HttpServer): Promise<void> {
    const { clock, options } = this.#deps;
    this.#state = 'stopping';
    if (options.shutdownDelayMs > 0) await clock.sleep(options.shutdownDelayMs);
    this.#state = 'draining';
    const deadline = new AbortController();
    using _limit = clock.after(options.requestTimeoutMs, () => deadline.abort());
    if (options.shutdownSendRetryAfter) await Promise.race([this.running.whenIdle(), aborted(deadline.signal)]);
    const drained = http.drain(deadline.signal);
    this.longRunning.endWatches();
    void this.running.whenIdle().then(() => {
      const last = clock.after(LAST_MS, () => deadline.abort());
      void drained.then(() => last[Symbol.dispose]());
    });
    await drained;
    await this.#audit?.shutdown();
    this.#deps.encryption?.[Symbol.dispose]();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function createFlowController({ cacher, reader, client, clock, logger }: OperationsDeps, fairness: PriorityAndFairness): FlowController {
  return new FlowController({
    fairness,
    read: () => ({
      schemas: reader.list(flowschemas) as readonly DeepReadonly<FlowSchema>[],
      levels: reader.list(prioritylevelconfigurations) as readonly DeepReadonly<PriorityLevelConfiguration>[],
    }),
    generation: () => cacher.cache('flowschemas/').generation + cacher.cache('prioritylevelconfigurations/').generation,
    onProgress: (run) => cacher.onProgress(run),
    client,
    clock,
    logger,
  });
}
