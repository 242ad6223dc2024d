// SPDX-License-Identifier: Apache-2.0
// ttl-controller: tells kubelets by an annotation of their Node how long they may keep Secrets and ConfigMaps without asking again: the
// longer, the more nodes there are. Steps overlap, so that a cluster at the edge of one does not change back and forth.
// @source upstream pkg/controller/ttl/ttl_controller.go
import { nodes } from '#api/resources';
import { DONE } from '#client';
import { isNotFound } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

const NAME = 'ttl-controller';
const TTL = 'node.alpha.kubernetes.io/ttl';
const STEPS = [
  { least: 0, most: 100, seconds: 0 },
  { least: 90, most: 500, seconds: 15 },
  { least: 450, most: 1000, seconds: 30 },
  { least: 900, most: 2000, seconds: 60 },
  { least: 1800, most: 10_000, seconds: 300 },
  { least: 9000, most: Number.POSITIVE_INFINITY, seconds: 600 },
] as const;

/** The step for so many nodes, next to the one there was. */
export function nextStep(step: number, count: number): number {
  const { least, most } = STEPS[step] ?? STEPS[0];
  if (count > most && step < STEPS.length - 1) return step + 1;
  return count < least && step > 0 ? step - 1 : step;
}

export const ttl: ControllerEntry = {
  name: NAME,
  account: 'ttl-controller',
  create(context) {
    const { client, informers } = context;
    const all = informers.informer(nodes);
    const work = new KeyQueue(context, NAME);
    let count = 0;
    let step = 0;
    const counted = (change: 1 | -1) => {
      count += change;
      step = nextStep(step, count);
    };
    all.addHandler({
      add(node) {
        counted(1);
        work.add(node);
      },
      update: (_, node) => work.add(node),
      delete: () => counted(-1),
    });
    return work.run({
      async reconcile(name) {
        const wanted = String(STEPS[step]?.seconds ?? 0);
        const node = all.lister.find(name);
        if (node === undefined || node.metadata.annotations?.[TTL] === wanted) return DONE;
        await client.patch(nodes, { name }, 'strategic', { metadata: { annotations: { [TTL]: wanted } } }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
        return DONE;
      },
    });
  },
};
