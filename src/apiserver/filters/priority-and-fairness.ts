// SPDX-License-Identifier: Apache-2.0
// Seats for requests: each is booked to a flow of a priority level, begins if the level has a seat, else waits in a queue or is
// told to come back. Long-running requests other than watches take none; a watch holds its seats while it begins.
//
// Invariant: a request that finds a seat and is answered within the call makes no promise and meets no queue.
// @source upstream apiserver pkg/server/filters/priority-and-fairness.go
import type { PriorityAndFairness, SchemaState } from '../flow/fairness.ts';
import type { Ticket } from '../flow/priority-level.ts';
import { seatsOf } from '../flow/work-estimate.ts';
import type { ApiResult, Handler, RequestContext } from '../request/context.ts';
import { isLongRunning } from './long-running.ts';
import { type InFlight, kindOf, tooManyRequests } from './max-in-flight.ts';
import { observedFrames } from './observed-frames.ts';

export interface FairnessFilterOptions {
  readonly fairness: PriorityAndFairness;
  /** Kept up to date; for metrics and for stopping. */
  readonly running: InFlight;
  readonly waiting: InFlight;
  /** Told of each request that was turned away. */
  readonly dropped?: (context: RequestContext) => void;
}

export function withPriorityAndFairness(next: Handler, options: FairnessFilterOptions): Handler {
  const { fairness, running } = options;
  return function fair(context) {
    const isWatch = context.info.verb === 'watch';
    if (!isWatch && isLongRunning(context)) return next(context);
    const schema = fairness.classify(context);
    context.flow = schema;
    const { level, stats } = schema;
    const seats = level.spec.exempt ? 1 : seatsOf(context, level.limits.nominal, fairness.sizeOf);
    stats.widths.observe(seats);
    if (!level.hasRoom(seats)) return wait(next, context, schema, seats, options);
    level.take(seats);
    stats.waited.true.observe(0);
    stats.dispatched += 1;
    const kind = kindOf(context);
    if (!isWatch) running[kind] += 1;
    const startedAt = context.markedAt;
    try {
      const result = next(context);
      if (result instanceof Promise || isWatch) {
        const ticket = level.begin({ flow: schema.flowOf(context), seats, subject: context });
        return finishLater(result, { context, schema, seats, ticket, startedAt, options });
      }
      level.leaveAtOnce(seats);
      stats.executed.regular.observe((context.mark() - startedAt) / 1000);
      running[kind] -= 1;
      return result;
    } catch (error) {
      level.leaveAtOnce(seats);
      stats.executed.regular.observe((context.mark() - startedAt) / 1000);
      if (!isWatch) running[kind] -= 1;
      throw error;
    }
  };
}

/** A request that goes on after the call. */
interface Execution {
  readonly context: RequestContext;
  readonly schema: SchemaState;
  readonly seats: number;
  readonly ticket: Ticket;
  readonly startedAt: number;
  readonly options: FairnessFilterOptions;
}

/** Keeps the seats until the answer is there; a watch keeps them until its first events were taken. */
function finishLater(result: ApiResult | Promise<ApiResult>, execution: Execution): ApiResult | Promise<ApiResult> {
  const { context, schema, seats, ticket, startedAt, options } = execution;
  const { stats, level } = schema;
  const isWatch = context.info.verb === 'watch';
  stats.executing += 1;
  stats.executingSeats += seats;
  let finished = false;
  const finish = () => {
    if (finished) return;
    finished = true;
    stats.executing -= 1;
    stats.executingSeats -= seats;
    stats.executed[isWatch ? 'watch' : 'regular'].observe((performance.now() - startedAt) / 1000);
    if (!isWatch) options.running[kindOf(context)] -= 1;
    level.finish(ticket);
  };
  const settled = (answer: ApiResult): ApiResult => {
    if (answer.type === 'watch' && context.query.get('sendInitialEvents') === 'true' && !level.spec.exempt) {
      return observedFrames(answer, { begun: finish, ended: finish });
    }
    finish();
    return answer;
  };
  if (!(result instanceof Promise)) return settled(result);
  return result.then(settled, (error: unknown) => {
    finish();
    throw error;
  });
}

async function wait(
  next: Handler,
  context: RequestContext,
  schema: SchemaState,
  seats: number,
  options: FairnessFilterOptions,
): Promise<ApiResult> {
  const { running, waiting, dropped } = options;
  const { level, stats } = schema;
  const kind = kindOf(context);
  const since = performance.now();
  const { ticket, decision } = level.enter({
    flow: schema.flowOf(context),
    seats,
    subject: context,
    patienceMs: (context.timeoutMs > 0 ? context.timeoutMs : DEFAULT_TIMEOUT_MS) / 4,
    signal: () => context.request.signal,
  });
  waiting[kind] += 1;
  const decided = decision instanceof Promise ? await decision : decision;
  waiting[kind] -= 1;
  const seconds = (performance.now() - since) / 1000;
  if (decided !== 'execute') {
    stats.waited.false.observe(seconds);
    dropped?.(context);
    level.dropped.record(level.clock.now());
    return tooManyRequests(level.dropped.retryAfterSeconds);
  }
  stats.waited.true.observe(seconds);
  stats.dispatched += 1;
  if (context.info.verb !== 'watch') running[kind] += 1;
  const startedAt = performance.now();
  return finishLater(called(next, context), { context, schema, seats, ticket, startedAt, options });
}

/** Watches have no timeout of their own; they wait as long as other requests would. */
const DEFAULT_TIMEOUT_MS = 60_000;

/** A throw as a rejection, so that the seats are given back in one place. */
function called(next: Handler, context: RequestContext): ApiResult | Promise<ApiResult> {
  try {
    return next(context);
  } catch (error) {
    return Promise.reject(error);
  }
}
