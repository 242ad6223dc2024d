// SPDX-License-Identifier: Apache-2.0
// The ranges that Services get addresses of: those of the ServiceCIDRs there are, as of now. One that is not ready, or is on its way
// out, gives no new addresses; without a condition it counts as ready, since there may be no controller manager that writes one.
// @source upstream registry/core/service/ipallocator/cidrallocator.go
import { servicecidrs } from '#api';
import type { ServiceCIDR } from '#api/networking/v1';
import type { DeepReadonly } from '#machinery';
import type { ObjectReader } from '../strategy.ts';
import { ServiceRange } from './service-range.ts';

export interface RangeState {
  readonly range: ServiceRange;
  /** Of one of the ServiceCIDRs that name it, if there are several. */
  readonly ready: boolean;
}

export class ServiceCidrs {
  readonly #reader: ObjectReader;
  /** By the list they are read of: objects of the cache never change. */
  readonly #read = new WeakMap<object, readonly ServiceRange[]>();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  /** Every range once. */
  ranges(): RangeState[] {
    const found = new Map<string, RangeState>();
    for (const cidr of this.#reader.list(servicecidrs)) {
      const isUsable = isReady(cidr);
      for (const range of this.#rangesOf(cidr)) {
        const ready = isUsable || found.get(range.cidr)?.ready === true;
        found.set(range.cidr, { range, ready });
      }
    }
    return [...found.values()];
  }

  /** Those of a family. */
  ofFamily(family: string): RangeState[] {
    return this.ranges().filter(({ range }) => range.family === family);
  }

  #rangesOf({ spec }: DeepReadonly<ServiceCIDR>): readonly ServiceRange[] {
    const cidrs = spec?.cidrs;
    if (cidrs === undefined) return [];
    let ranges = this.#read.get(cidrs);
    if (ranges === undefined) {
      ranges = cidrs.map((cidr) => new ServiceRange(cidr));
      this.#read.set(cidrs, ranges);
    }
    return ranges;
  }
}

function isReady({ metadata, status }: DeepReadonly<ServiceCIDR>): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  return condition === undefined || condition.status === 'True';
}
