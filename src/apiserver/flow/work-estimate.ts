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
/** @source upstream MaximumListSeatsLimit, by size of objects */
const MAX_LIST_SEATS = 100;
/** What an object counts as whose size is not known. @source upstream maxObjectSize: etcd's limit on a request */
const UNKNOWN_BYTES = 1_500_000;
/** Of its level's seats, what one request may take. @source upstream maxSeatsPercent: 15 */
const MAX_PART = 0.15;

/** @param nominalSeats The level's; 0 for exempt levels, which have no bound. */
export function seatsOf({ info, query }: RequestContext, nominalSeats: number, sizeOf: SizeOf): number {
  const isList = info.verb === 'list';
  if (!isList && !(info.verb === 'watch' && query.get('sendInitialEvents') === 'true')) return 1;
  const most = nominalSeats === 0 ? MAX_LIST_SEATS : Math.min(MAX_LIST_SEATS, Math.max(1, Math.ceil(nominalSeats * MAX_PART)));
  const limit = Number(query.get('limit') || 0);
  if (Number.isNaN(limit)) return most; // It will be refused.
  const size = sizeOf(info.group, info.resource);
  if (size === undefined) return 1;
  const { objects } = size;
  const average = size.averageBytes > 0 || objects === 0 ? size.averageBytes : UNKNOWN_BYTES;
  const listed = limit > 0 && limit < objects ? limit : objects;
  const fromCache = !isList || !isFromStore(query, limit);
  const isSelective = Boolean(query.get('labelSelector') || query.get('fieldSelector'));
  const loaded = info.name !== '' ? 1 : fromCache || !isSelective ? listed : Math.max(listed, Math.floor(objects / 2));
  const bytes = fromCache ? Math.min(loaded * average, STREAMED_BYTES) : loaded * average;
  return Math.min(most, Math.max(1, Math.ceil(bytes / BYTES_PER_SEAT)));
}

/** Pages that continue and lists at an exact version are read from the store. @source upstream cacher/delegator ShouldDelegateListMeta */
function isFromStore(query: URLSearchParams, limit: number): boolean {
  const match = query.get('resourceVersionMatch') ?? '';
  if (match !== '') return match !== 'NotOlderThan';
  if (query.get('continue')) return true;
  const version = query.get('resourceVersion') ?? '';
  return limit > 0 && version !== '' && version !== '0';
}
