// SPDX-License-Identifier: Apache-2.0
// ImageLocality: prefers nodes that have the Pod's images already, big ones first, and images that are on many nodes more, so that Pods
// do not gather where an image happens to be.
import type { SchedulerCache } from '../cache/cache.ts';
import { MAX_SCORE, type Plugin } from '../framework/plugin.ts';

const MEGABYTE = 1024 * 1024;
/** @source upstream: below the first an image does not count, above the second nothing is gained */
const LEAST = 23 * MEGABYTE;
const MOST_PER_CONTAINER = 1000 * MEGABYTE;

export function imageLocality(cache: SchedulerCache): Plugin {
  return {
    name: 'ImageLocality',
    weight: 1,
    preScore: (_state, pod) => pod.images.some((image) => cache.nodesWithImage(image) > 0),
    score(_state, pod, node) {
      const all = cache.nodes.length;
      let sum = 0;
      for (const image of pod.images) sum += Math.floor((node.images.get(image) ?? 0) * (cache.nodesWithImage(image) / all));
      const most = MOST_PER_CONTAINER * pod.images.length;
      return Math.floor((MAX_SCORE * (Math.min(Math.max(sum, LEAST), most) - LEAST)) / (most - LEAST));
    },
  };
}
