// SPDX-License-Identifier: Apache-2.0
// How many seats a request takes: one, but lists (and watches that begin with a list) by how much they load. Seats that upstream
// holds a little longer for writes with many watchers are not held here: a write has told its watchers before it is answered.
// @source upstream apiserver pkg/util/flowcontrol/request/width.go, list_work_estimator.go
import type { RequestContext } from '../request/context.ts';

/** What is known of a stored resource. */
export interface ResourceSize {
  readonly objects: number;
  readonly averageBytes: number;
}

/** Undefined: nothing is stored of it here. */
export type SizeOf = (group: string, resource: string) => ResourceSize | undefined;

const BYTES_PER_SEAT = 100_000;
/** A list from the cache is streamed: more than this is never in memory for it. */
const STREAMED_BYTES = 1_000_000;
const MAX_LIST_SEATS = 10;
/** Of its level's seats, what one request may take. @source upstream maxSeatsPercent: 15 */
const MAX_PART = 0.15;

/** @param nominalSeats The level's; 0 for exempt levels, which have no bound. */
export function seatsOf({ info, query }: RequestContext, nominalSeats: number, sizeOf: SizeOf): number {
  const isList = info.verb === 'list';
  if (!isList && !(info.verb === 'watch' && query.get('sendInitialEvents') === 'true')) return 1;
  const most = nominalSeats === 0 ? MAX_LIST_SEATS : Math.min(MAX_LIST_SEATS, Math.max(1, Math.ceil(nominalSeats * MAX_PART)));
  const size = sizeOf(info.group, info.resource);
  if (size === undefined) return 1;
  const limit = Number(query.get('limit') ?? 0);
  const listed = limit > 0 && limit < size.objects ? limit : size.objects;
  const fromCache = !isList || !isFromStore(query);
  const isSelective = query.has('labelSelector') || query.has('fieldSelector');
  const loaded = info.name !== '' ? 1 : fromCache || !isSelective ? listed : Math.max(listed, size.objects / 2);
  const bytes = fromCache ? Math.min(loaded * size.averageBytes, STREAMED_BYTES) : loaded * size.averageBytes;
  return Math.min(most, Math.max(1, Math.ceil(bytes / BYTES_PER_SEAT)));
}

/** Pages that continue and lists at an exact version are read from the store. */
function isFromStore(query: URLSearchParams): boolean {
  return (query.get('continue') ?? '') !== '' || query.get('resourceVersionMatch') === 'Exact';
}
