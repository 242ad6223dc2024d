// SPDX-License-Identifier: Apache-2.0
// One priority level at work: its seats, and its queues with fair queuing among flows. A request that finds a seat while nobody
// waits takes it at once, without a queue; what waits is dispatched by virtual finish time, as seats come free.
//
// Virtual time R goes on at the rate at which each busy queue could be served. A queue's `nextR` is where its next request
// would begin; a dispatch moves it on by the request's guessed work, the end of the request corrects the guess.
// @source upstream apiserver pkg/util/flowcontrol/fairqueuing/queueset
import type { Clock } from '#component';
import { DroppedRequests } from './dropped-requests.ts';
import type { FlowStats } from './flow-stats.ts';
import { SeatDemand } from './seat-demand.ts';
import type { SeatLimits } from './seat-limits.ts';
import { dealHand } from './shuffle-sharding.ts';

/** The work of a request is guessed as this long. @source upstream estimatedServiceDuration: 3 ms */
const GUESSED_SECONDS = 0.003;
/** The longest that a request waits, however patient its client is. @source upstream maxWait: 1 min */
const MAX_WAIT_MS = 60_000;

export interface Queuing {
  readonly queues: number;
  readonly handSize: number;
  readonly queueLengthLimit: number;
}

export interface LevelSpec {
  readonly name: string;
  readonly uid: string;
  readonly exempt: boolean;
  /** Undefined: what finds no seat is rejected. */
  readonly queuing: Queuing | undefined;
}

/** What a flow's requests have in common. */
export interface Flow {
  readonly stats: FlowStats;
  readonly distinguisher: string;
  readonly hash: () => bigint;
}

/** A request that takes part in its level's queues. */
export interface Ticket {
  readonly flow: Flow;
  readonly seats: number;
  /** For debugging dumps. */
  readonly subject: unknown;
  readonly arrivedAt: number;
  queue: Queue | undefined;
  arrivedR: number;
  startedAt: number;
  decide: ((decision: Decision) => void) | undefined;
  timer: Disposable | undefined;
}

export type Decision = 'execute' | 'queue-full' | 'concurrency-limit' | 'time-out' | 'cancelled';

interface Queue {
  readonly index: number;
  waiting: Ticket[];
  waitingSeats: number;
  executing: number;
  seatsInUse: number;
  nextR: number;
}

export interface Enter {
  readonly flow: Flow;
  readonly seats: number;
  readonly subject: unknown;
  /** How long it may wait. */
  readonly patienceMs: number;
  readonly signal: () => AbortSignal;
}

export class PriorityLevel {
  readonly clock: Clock;
  spec: LevelSpec;
  limits: SeatLimits;
  /** Seats it has now: nominal, less what is lent, plus what is borrowed. */
  limit: number;
  /** Not configured any more; goes when its last request has. */
  quiescing = false;
  readonly demand: SeatDemand;
  readonly dropped = new DroppedRequests();
  readonly totals = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 };
  seatsInUse = 0;
  executing = 0;
  #queues: Queue[] = [];
  #waiting = 0;
  #waitingSeats = 0;
  #enqueued = 0;
  #currentR = 0;
  #syncedAt: number;
  /** Queues with somebody executing or waiting, and the seats all of these want. */
  #activeQueues = 0;
  #wantedSeats = 0;
  #robin = 0;
  readonly #saturated: () => void;

  /** @param saturated Called when a request finds no seat: somebody else may have one to lend. */
  constructor(spec: LevelSpec, limits: SeatLimits, clock: Clock, saturated: () => void) {
    this.clock = clock;
    this.spec = spec;
    this.limits = limits;
    this.limit = limits.nominal;
    this.demand = new SeatDemand(clock.now());
    this.#syncedAt = clock.now();
    this.#saturated = saturated;
    this.#resize();
  }

  /** Takes another configuration; who waits or executes stays. */
  configure(spec: LevelSpec, limits: SeatLimits): void {
    this.spec = spec;
    this.limits = limits;
    this.#resize();
  }

  setLimit(seats: number): void {
    this.limit = seats;
    if (this.#waiting > 0) this.#dispatchAll();
  }

  get waiting(): number {
    return this.#waiting;
  }

  get isIdle(): boolean {
    return this.executing === 0 && this.#waiting === 0;
  }

  get currentR(): number {
    return this.#currentR;
  }

  get queues(): readonly Readonly<Queue>[] {
    return this.#queues;
  }

  /** Whether a request may begin this instant. */
  hasRoom(seats: number): boolean {
    return this.spec.exempt || (this.#waiting === 0 && this.#fits(seats));
  }

  /** Takes seats; only after `hasRoom`. */
  take(seats: number): void {
    this.executing += 1;
    this.seatsInUse += seats;
    this.totals.dispatched += 1;
    this.demand.touch(this.seatsInUse);
  }

  /** Gives back what was taken and left again within one call. */
  leaveAtOnce(seats: number): void {
    this.executing -= 1;
    this.seatsInUse -= seats;
  }

  /** Books a request that has its seats and goes on over time. */
  begin({ flow, seats, subject }: Pick<Enter, 'flow' | 'seats' | 'subject'>): Ticket {
    const now = this.clock.now();
    const ticket = this.#ticket(flow, seats, subject, now);
    ticket.startedAt = now;
    if (this.#queues.length > 0) {
      this.#sync(now);
      const queue = this.#queueFor(flow);
      ticket.queue = queue;
      this.#activate(queue);
      queue.executing += 1;
      queue.seatsInUse += seats;
      this.#wantedSeats += seats;
      queue.nextR += seats * GUESSED_SECONDS;
    }
    this.#noteDemand(now);
    return ticket;
  }

  /** Waits in a queue for seats; `hasRoom` has said no. Resolves with the seats taken, or with why not. */
  enter(enter: Enter): { readonly ticket: Ticket; readonly decision: Promise<Decision> | Decision } {
    const now = this.clock.now();
    const { flow, seats, subject } = enter;
    const ticket = this.#ticket(flow, seats, subject, now);
    this.#saturated();
    if (this.hasRoom(seats)) {
      this.take(seats);
      return { ticket: this.begin(enter), decision: 'execute' };
    }
    if (this.#queues.length === 0) return { ticket, decision: this.#reject(flow, 'concurrency-limit') };
    this.#sync(now);
    const queue = this.#queueFor(flow);
    if (this.seatsInUse >= this.limit && queue.waiting.length >= (this.spec.queuing?.queueLengthLimit ?? 0))
      return { ticket, decision: this.#reject(flow, 'queue-full') };
    const decision = this.#enqueue(ticket, queue, enter);
    this.#dispatchAll();
    return { ticket, decision };
  }

  /** Ends a request that was begun or dispatched. */
  finish(ticket: Ticket): void {
    const now = this.clock.now();
    const { queue, seats } = ticket;
    this.#sync(now);
    this.executing -= 1;
    this.seatsInUse -= seats;
    if (queue !== undefined) {
      queue.executing -= 1;
      queue.seatsInUse -= seats;
      this.#wantedSeats -= seats;
      queue.nextR -= seats * (GUESSED_SECONDS - (now - ticket.startedAt) / 1000);
      this.#bound(queue);
      this.#deactivate(queue);
    }
    this.#noteDemand(now);
    if (this.#waiting > 0) this.#dispatchAll();
  }

  #ticket(flow: Flow, seats: number, subject: unknown, now: number): Ticket {
    return {
      flow,
      seats,
      subject,
      arrivedAt: now,
      queue: undefined,
      arrivedR: this.#currentR,
      startedAt: 0,
      decide: undefined,
      timer: undefined,
    };
  }

  /** A request wider than the level fits once it is alone. */
  #fits(seats: number): boolean {
    return seats > this.limit ? this.seatsInUse === 0 : this.seatsInUse + seats <= this.limit;
  }

  #reject(flow: Flow, reason: 'queue-full' | 'concurrency-limit'): Decision {
    this.totals.rejected += 1;
    flow.stats.reject(reason);
    return reason;
  }

  #enqueue(ticket: Ticket, queue: Queue, { patienceMs, signal }: Enter): Promise<Decision> {
    this.#activate(queue);
    ticket.queue = queue;
    ticket.arrivedR = this.#currentR;
    queue.waiting.push(ticket);
    queue.waitingSeats += ticket.seats;
    this.#wantedSeats += ticket.seats;
    this.#countWaiting(ticket, 1);
    ticket.flow.stats.queueLengths.observe(queue.waiting.length);
    const { promise, resolve } = Promise.withResolvers<Decision>();
    const gone = signal();
    const cancelled = () => this.#giveUp(ticket, 'cancelled');
    gone.addEventListener('abort', cancelled, { once: true });
    ticket.timer = this.clock.after(Math.min(patienceMs, MAX_WAIT_MS), () => this.#giveUp(ticket, 'time-out'));
    ticket.decide = (decision) => {
      gone.removeEventListener('abort', cancelled);
      ticket.timer?.[Symbol.dispose]();
      resolve(decision);
    };
    return promise;
  }

  #giveUp(ticket: Ticket, reason: 'time-out' | 'cancelled'): void {
    const { queue, flow } = ticket;
    const index = queue?.waiting.indexOf(ticket) ?? -1;
    if (queue === undefined || index < 0) return;
    this.#sync(this.clock.now());
    queue.waiting.splice(index, 1);
    this.#leaveQueue(queue, ticket);
    this.#wantedSeats -= ticket.seats;
    this.#bound(queue);
    this.#deactivate(queue);
    this.totals.rejected += 1;
    if (reason === 'time-out') this.totals.timedOut += 1;
    else this.totals.cancelled += 1;
    flow.stats.reject(reason);
    this.#noteDemand(this.clock.now());
    ticket.decide?.(reason);
    this.#dispatchAll(); // A wide request at the head may have kept others from their seats.
  }

  #leaveQueue(queue: Queue, ticket: Ticket): void {
    queue.waitingSeats -= ticket.seats;
    this.#countWaiting(ticket, -1);
  }

  #countWaiting({ seats, flow: { stats } }: Ticket, sign: 1 | -1): void {
    this.#waiting += sign;
    this.#waitingSeats += sign * seats;
    stats.waiting += sign;
    stats.waitingSeats += sign * seats;
    this.#noteDemand(this.clock.now());
  }

  /** Gives seats away as long as the one whose turn it is fits. */
  #dispatchAll(): void {
    while (this.#waiting > 0) {
      const queue = this.#nextQueue();
      const ticket = queue?.waiting[0];
      if (queue === undefined || ticket === undefined || !this.#fits(ticket.seats)) return;
      this.#dispatch(queue, ticket);
    }
  }

  #dispatch(queue: Queue, ticket: Ticket): void {
    const now = this.clock.now();
    this.#sync(now);
    queue.waiting.shift();
    this.#leaveQueue(queue, ticket);
    ticket.startedAt = now;
    queue.executing += 1;
    queue.seatsInUse += ticket.seats;
    queue.nextR += ticket.seats * GUESSED_SECONDS;
    this.#bound(queue);
    this.take(ticket.seats);
    this.#noteDemand(now);
    ticket.decide?.('execute');
  }

  /** The queue whose first request would end first in virtual time; among equals they take turns. */
  #nextQueue(): Queue | undefined {
    let best: Queue | undefined;
    let bestEnd = Number.POSITIVE_INFINITY;
    const count = this.#queues.length;
    for (let step = 1; step <= count; step++) {
      const queue = this.#queues[(this.#robin + step) % count];
      const first = queue?.waiting[0];
      if (queue === undefined || first === undefined) continue;
      const end = queue.nextR + first.seats * GUESSED_SECONDS;
      if (end < bestEnd) {
        best = queue;
        bestEnd = end;
      }
    }
    if (best !== undefined) this.#robin = best.index;
    return best;
  }

  /** The queue of the flow's hand with the least work waiting. */
  #queueFor(flow: Flow): Queue {
    const hand = this.#handOf(flow);
    const offset = this.#enqueued++ % hand.length;
    let best = this.#queues[hand[offset] ?? 0] as Queue;
    for (let step = 1; step < hand.length; step++) {
      const queue = this.#queues[hand[(offset + step) % hand.length] ?? 0] as Queue;
      if (queue.waitingSeats < best.waitingSeats) best = queue;
    }
    return best;
  }

  readonly #hands = new WeakMap<Flow, readonly number[]>();

  #handOf(flow: Flow): readonly number[] {
    const { queues = 1, handSize = 1 } = this.spec.queuing ?? {};
    let hand = this.#hands.get(flow);
    if (hand === undefined || hand.length !== handSize || hand.some((index) => index >= queues)) {
      hand = dealHand(flow.hash(), queues, handSize);
      this.#hands.set(flow, hand);
    }
    return hand;
  }

  #activate(queue: Queue): void {
    if (queue.executing > 0 || queue.waiting.length > 0) return;
    queue.nextR = this.#currentR;
    this.#activeQueues += 1;
  }

  #deactivate(queue: Queue): void {
    if (queue.executing === 0 && queue.waiting.length === 0) this.#activeQueues -= 1;
  }

  /** A queue does not begin before its oldest request came. */
  #bound(queue: Queue): void {
    const oldest = queue.waiting[0];
    if (oldest !== undefined && queue.nextR < oldest.arrivedR) queue.nextR = oldest.arrivedR;
  }

  #sync(now: number): void {
    if (this.#activeQueues > 0) {
      const rate = Math.min(this.#wantedSeats, this.limit) / this.#activeQueues;
      this.#currentR += (rate * (now - this.#syncedAt)) / 1000;
    }
    this.#syncedAt = now;
  }

  #noteDemand(now: number): void {
    this.demand.set(this.seatsInUse + this.#waitingSeats, now);
  }

  /** Queues that vanish by a new configuration stay until they are empty. */
  #resize(): void {
    const wanted = this.spec.queuing?.queues ?? 0;
    while (this.#queues.length < wanted) {
      this.#queues.push({ index: this.#queues.length, waiting: [], waitingSeats: 0, executing: 0, seatsInUse: 0, nextR: 0 });
    }
    while (this.#queues.length > wanted) {
      const last = this.#queues.at(-1);
      if (last === undefined || last.waiting.length > 0 || last.executing > 0) return;
      this.#queues.pop();
    }
  }
}
