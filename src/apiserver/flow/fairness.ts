// SPDX-License-Identifier: Apache-2.0
// API priority and fairness as configured now: which level and flow a request belongs to, and how the server's seats are divided.
// The division is made anew every ten seconds while somebody lacks seats, and not at all while nobody does.
// @source upstream apiserver pkg/util/flowcontrol/apf_controller.go, apf_filter.go; KEP-1040
import type { FlowSchema, PriorityLevelConfiguration } from '#api/flowcontrol/v1';
import type { Clock } from '#component';
import type { DeepReadonly } from '#machinery';
import type { MatchedFlow, RequestContext } from '../request/context.ts';
import { flowSchemas, priorityLevels } from './flow-objects.ts';
import { FlowStats } from './flow-stats.ts';
import { FlowMatcher } from './matcher.ts';
import { type Flow, type LevelSpec, PriorityLevel } from './priority-level.ts';
import { divideSeats, seatLimitsOf, sharesOf } from './seat-limits.ts';
import { flowHash } from './shuffle-sharding.ts';
import type { SizeOf } from './work-estimate.ts';

type Schema = DeepReadonly<FlowSchema>;
type Level = DeepReadonly<PriorityLevelConfiguration>;

/** @source upstream borrowingAdjustmentPeriod: 10 s */
const ADJUST_MS = 10_000;
/** Periods without anybody lacking a seat after which dividing rests. */
const QUIET_PERIODS = 30;
/** Flows of a schema that are kept; beyond it they are made anew. */
const MAX_FLOWS = 2_000;

/** A schema in use, bound to its level. */
export class SchemaState implements MatchedFlow {
  readonly schemaUid: string;
  readonly levelUid: string;
  readonly name: string;
  readonly level: PriorityLevel;
  readonly stats: FlowStats;
  readonly #by: 'ByUser' | 'ByNamespace' | undefined;
  readonly #flows = new Map<string, Flow>();

  constructor(schema: Schema, level: PriorityLevel, stats: FlowStats) {
    this.schemaUid = schema.metadata.uid ?? '';
    this.levelUid = level.spec.uid;
    this.name = schema.metadata.name ?? '';
    this.level = level;
    this.stats = stats;
    this.#by = schema.spec.distinguisherMethod?.type as 'ByUser' | 'ByNamespace' | undefined;
  }

  flowOf({ user, info }: RequestContext): Flow {
    const distinguisher = this.#by === 'ByUser' ? (user?.name ?? '') : this.#by === 'ByNamespace' ? info.namespace : '';
    let flow = this.#flows.get(distinguisher);
    if (flow === undefined) {
      flow = { stats: this.stats, distinguisher, hash: () => flowHash(this.name, distinguisher) };
      if (this.#flows.size >= MAX_FLOWS) this.#flows.clear();
      this.#flows.set(distinguisher, flow);
    }
    return flow;
  }
}

export interface FairnessOptions {
  readonly clock: Clock;
  /** `--max-requests-inflight` and `--max-mutating-requests-inflight` together. */
  readonly totalSeats: number;
  readonly sizeOf: SizeOf;
}

export class PriorityAndFairness implements Disposable {
  readonly sizeOf: SizeOf;
  readonly #clock: Clock;
  readonly #totalSeats: number;
  readonly #stats = new Map<string, FlowStats>();
  #levels = new Map<string, PriorityLevel>();
  #matcher: FlowMatcher<SchemaState>;
  #fairFraction = 0;
  #timer: Disposable | undefined;
  #quietPeriods = 0;
  #lacking = false;

  constructor({ clock, totalSeats, sizeOf }: FairnessOptions) {
    this.#clock = clock;
    this.#totalSeats = totalSeats;
    this.sizeOf = sizeOf;
    this.#matcher = this.#configured([], []);
  }

  /** Takes the configuration as it is now. What has a broken or no level does not match; the mandatory objects are always there. */
  configure(schemas: readonly Schema[], levels: readonly Level[]): void {
    this.#matcher = this.#configured(schemas, levels);
  }

  classify({ knownUser, info }: RequestContext): SchemaState {
    return this.#matcher.match(knownUser, info);
  }

  get levels(): Iterable<PriorityLevel> {
    return this.#levels.values();
  }

  get flows(): Iterable<FlowStats> {
    return this.#stats.values();
  }

  get fairFraction(): number {
    return this.#fairFraction;
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #configured(given: readonly Schema[], levels: readonly Level[]): FlowMatcher<SchemaState> {
    const all = withMandatory(levels, MANDATORY_LEVELS);
    const lingering = [...this.#levels.values()].filter(
      (old) => !all.some(({ metadata }) => metadata.name === old.spec.name) && !old.isIdle,
    );
    const shareSum = all.reduce((sum, { spec }) => sum + sharesOf(spec), 0);
    const next = new Map<string, PriorityLevel>();
    for (const level of all) next.set(level.metadata.name ?? '', this.#levelFor(level, shareSum));
    for (const old of lingering) {
      old.quiescing = true;
      next.set(old.spec.name, old);
    }
    this.#levels = next;
    this.#divide();
    const usable = withMandatory(given, MANDATORY_SCHEMAS).filter(
      ({ spec }) => next.get(spec.priorityLevelConfiguration.name)?.quiescing === false,
    );
    const states = usable.map((schema) => [schema, this.#stateFor(schema)] as const);
    const last = states.find(([{ metadata }]) => metadata.name === 'catch-all')?.[1];
    if (last === undefined) throw new Error('configure priority and fairness: no schema "catch-all"');
    return new FlowMatcher(states as never, last);
  }

  #levelFor({ metadata, spec }: Level, shareSum: number): PriorityLevel {
    const name = metadata.name ?? '';
    const queuing = spec.limited?.limitResponse?.type === 'Queue' ? spec.limited.limitResponse.queuing : undefined;
    const wanted: LevelSpec = {
      name,
      uid: metadata.uid ?? '',
      exempt: spec.type === 'Exempt',
      queuing:
        queuing === undefined || queuing === null
          ? undefined
          : { queues: queuing.queues ?? 64, handSize: queuing.handSize ?? 8, queueLengthLimit: queuing.queueLengthLimit ?? 50 },
    };
    const limits = seatLimitsOf(spec, this.#totalSeats, shareSum);
    const known = this.#levels.get(name);
    if (known === undefined) return new PriorityLevel(wanted, limits, this.#clock, () => this.#someoneLacksSeats());
    known.quiescing = false;
    known.configure(wanted, limits);
    return known;
  }

  #stateFor(schema: Schema): SchemaState {
    const level = this.#levels.get(schema.spec.priorityLevelConfiguration.name) as PriorityLevel;
    const key = `${schema.metadata.name}\0${level.spec.name}`;
    let stats = this.#stats.get(key);
    if (stats === undefined) {
      stats = new FlowStats(schema.metadata.name ?? '', level.spec.name);
      this.#stats.set(key, stats);
    }
    return new SchemaState(schema, level, stats);
  }

  /** The first that lacks a seat does not wait for the next period: what others do not use is lent at once. */
  #someoneLacksSeats(): void {
    this.#lacking = true;
    if (this.#timer !== undefined) return;
    this.#divide();
    this.#schedule();
  }

  #schedule(): void {
    this.#timer = this.#clock.after(ADJUST_MS, () => {
      this.#quietPeriods = this.#lacking ? 0 : this.#quietPeriods + 1;
      this.#lacking = false;
      this.#divide();
      for (const [name, level] of this.#levels) if (level.quiescing && level.isIdle) this.#levels.delete(name);
      if (this.#quietPeriods < QUIET_PERIODS) this.#schedule();
      else this.#timer = undefined;
    });
  }

  #divide(): void {
    const now = this.#clock.now();
    const levels = [...this.#levels.values()];
    const wishes = levels.map(({ demand, limits, spec }) => {
      const { highest } = demand.endPeriod(now);
      return { ...limits, exempt: spec.exempt, highest, smoothed: demand.smoothed };
    });
    const { seats, fairFraction } = divideSeats(wishes);
    this.#fairFraction = fairFraction;
    for (const [index, level] of levels.entries()) level.setLimit(seats[index] ?? level.limit);
  }
}

const MANDATORY = new Set(['exempt', 'catch-all']);
const MANDATORY_LEVELS = priorityLevels().filter(({ metadata }) => MANDATORY.has(metadata?.name ?? '')) as readonly Level[];
const MANDATORY_SCHEMAS = flowSchemas().filter(({ metadata }) => MANDATORY.has(metadata?.name ?? '')) as readonly Schema[];

function withMandatory<T extends { readonly metadata: { readonly name?: string } }>(
  given: readonly T[],
  mandatory: readonly T[],
): readonly T[] {
  const names = new Set(given.map(({ metadata }) => metadata.name));
  return [...given, ...mandatory.filter(({ metadata }) => !names.has(metadata.name))];
}
