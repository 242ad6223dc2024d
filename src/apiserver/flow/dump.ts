// SPDX-License-Identifier: Apache-2.0
// What priority and fairness is doing, as tables for people: `/debug/api_priority_and_fairness/dump_*`.
// @source upstream apiserver pkg/util/flowcontrol/apf_controller_debug.go
import { apiVersionOf } from '#machinery';
import { type ApiResult, plainText, type RequestContext } from '../request/context.ts';
import type { PriorityAndFairness } from './fairness.ts';
import type { Ticket } from './priority-level.ts';

const ROOT = '/debug/api_priority_and_fairness/';

/** The table for a path, or undefined if it is none of these. */
export function dumpFairness({ info, query }: RequestContext, fairness: PriorityAndFairness): ApiResult | undefined {
  if (!info.path.startsWith(ROOT)) return undefined;
  switch (info.path.slice(ROOT.length)) {
    case 'dump_priority_levels':
      return plainText(200, tableOf(levelRows(fairness)));
    case 'dump_queues':
      return plainText(200, tableOf(queueRows(fairness)));
    case 'dump_requests':
      return plainText(200, tableOf(requestRows(fairness, (query.get('includeRequestDetails') ?? '') !== '')));
    default:
      return undefined;
  }
}

type Row = readonly (string | number | boolean)[];

function* levelRows({ levels }: PriorityAndFairness): Generator<Row> {
  yield [
    'PriorityLevelName',
    'ActiveQueues',
    'IsIdle',
    'IsQuiescing',
    'WaitingRequests',
    'ExecutingRequests',
    'DispatchedRequests',
    'RejectedRequests',
    'TimedoutRequests',
    'CancelledRequests',
  ];
  for (const { spec, queues, isIdle, quiescing, waiting, executing, totals } of levels) {
    const active = queues.filter((queue) => queue.waiting.length > 0).length;
    const { dispatched, rejected, timedOut, cancelled } = totals;
    yield [spec.name, active, isIdle, quiescing, waiting, executing, dispatched, rejected, timedOut, cancelled];
  }
}

function* queueRows({ levels }: PriorityAndFairness): Generator<Row> {
  yield [
    'PriorityLevelName',
    'Index',
    'PendingRequests',
    'ExecutingRequests',
    'SeatsInUse',
    'NextDispatchR',
    'InitialSeatsSum',
    'MaxSeatsSum',
    'TotalWorkSum',
  ];
  for (const { spec, queues } of levels) {
    for (const { index, waiting, executing, seatsInUse, nextR, waitingSeats } of queues) {
      yield [
        spec.name,
        index,
        waiting.length,
        executing,
        seatsInUse,
        seatSeconds(nextR),
        waitingSeats,
        waitingSeats,
        seatSeconds(waitingSeats * 0.003),
      ];
    }
  }
}

const seatSeconds = (value: number) => `${value.toFixed(8)}ss`;

const DETAILS = ['UserName', 'Verb', 'APIPath', 'Namespace', 'Name', 'APIVersion', 'Resource', 'SubResource'];

function* requestRows({ levels }: PriorityAndFairness, detailed: boolean): Generator<Row> {
  const head = [
    'PriorityLevelName',
    'FlowSchemaName',
    'QueueIndex',
    'RequestIndexInQueue',
    'FlowDistingsher',
    'ArriveTime',
    'InitialSeats',
    'FinalSeats',
    'AdditionalLatency',
    'StartTime',
  ];
  yield detailed ? [...head, ...DETAILS] : head;
  for (const { spec, queues } of levels) {
    for (const { index, waiting } of queues) {
      for (const [position, ticket] of waiting.entries()) yield requestRow(spec.name, index, position, ticket, detailed);
    }
  }
}

function requestRow(level: string, queue: number, position: number, ticket: Ticket, detailed: boolean): Row {
  const { flow, arrivedAt, seats, subject } = ticket;
  const row = [level, flow.stats.schema, queue, position, flow.distinguisher, new Date(arrivedAt).toISOString(), seats, 0, '0s', '<none>'];
  if (!detailed) return row;
  const { user, info } = subject as RequestContext;
  return [
    ...row,
    user?.name ?? '',
    info.verb,
    info.path,
    info.namespace,
    info.name,
    apiVersionOf(info as never),
    info.resource,
    info.subresource,
  ];
}

/** Columns end in a comma and stand below each other. */
function tableOf(rows: Iterable<Row>): string {
  const all = [...rows].map((row) => row.map((cell, index) => `${cell}${index < row.length - 1 ? ',' : ''}`));
  const widths: number[] = [];
  for (const row of all) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 8, cell.length + 1);
  return all
    .map((row) => `${row.map((cell, index) => (index < row.length - 1 ? cell.padEnd(widths[index] ?? 0) : cell)).join('')}\n`)
    .join('');
}
