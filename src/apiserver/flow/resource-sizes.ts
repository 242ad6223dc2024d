// SPDX-License-Identifier: Apache-2.0
// How many objects of a resource there are and how large one is on average, for judging lists. The average comes from a few of
// them, and is taken anew only when their number has changed much.
import { RESOURCES } from '#api';
import type { Cacher } from '../cacher/cacher.ts';
import { prefixOf } from '../registry/generic/keys.ts';
import type { ResourceSize } from './work-estimate.ts';

const SAMPLES = 8;

interface Known {
  readonly prefix: string;
  sampledAt: number;
  averageBytes: number;
}

export class ResourceSizes {
  readonly #cacher: Cacher;
  readonly #known = new Map<string, Known>();

  constructor(cacher: Cacher) {
    this.#cacher = cacher;
    for (const resource of RESOURCES.filter(({ verbs }) => verbs.includes('list') && verbs.includes('get'))) {
      this.#known.set(`${resource.group}/${resource.resource}`, { prefix: prefixOf(resource), sampledAt: -1, averageBytes: 0 });
    }
  }

  /** Undefined for what is not stored here: what other servers serve is judged as the smallest. */
  of(group: string, resource: string): ResourceSize | undefined {
    const known = this.#known.get(`${group}/${resource}`) ?? this.#learn(group, resource);
    const objects = known === undefined ? undefined : this.#cacher.findCache(known.prefix)?.size;
    if (known === undefined || objects === undefined) return undefined;
    if (objects > known.sampledAt * 2 || objects < known.sampledAt / 2) this.#sample(known, objects);
    return { objects, averageBytes: known.averageBytes };
  }

  /** A custom resource is known once it is asked for, as long as there is one. */
  #learn(group: string, resource: string): Known | undefined {
    const prefix = `${group}/${resource}/`;
    if (this.#cacher.findCache(prefix) === undefined) return undefined;
    const known = { prefix, sampledAt: -1, averageBytes: 0 };
    this.#known.set(`${group}/${resource}`, known);
    return known;
  }

  #sample(known: Known, objects: number): void {
    known.sampledAt = objects;
    if (objects === 0) return;
    const all = this.#cacher.cache(known.prefix).list('');
    const step = Math.max(1, Math.floor(all.length / SAMPLES));
    let bytes = 0;
    let count = 0;
    for (let index = 0; index < all.length; index += step) {
      bytes += all[index]?.tail.length ?? 0;
      count += 1;
    }
    known.averageBytes = bytes / count;
  }
}
