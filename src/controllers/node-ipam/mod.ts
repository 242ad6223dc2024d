// SPDX-License-Identifier: Apache-2.0
// node-ipam-controller, range allocator: gives every node a block of the cluster's Pod range (`spec.podCIDR`), and takes it back
// when the node goes. What nodes already have is occupied before anything is given. Cloud allocators are not implemented.

import { nodes } from '#api/resources';
import { DONE } from '#client';
import { type ControllerEntry, KeyQueue } from '../context.ts';
import { CidrSet } from './cidr-set.ts';

export const nodeIpam: ControllerEntry = {
  name: 'node-ipam-controller',
  account: 'node-controller',
  eventSource: 'cidrAllocator',
  create(context) {
    const { client, informers, recorder, settings } = context;
    const ranges = settings.clusterCidr.split(',').filter((range) => range !== '');
    if (ranges.length === 0) return undefined;
    const sets = ranges.map((range) => new CidrSet(range, range.includes(':') ? 64 : settings.nodeCidrMaskSize));
    const all = informers.informer(nodes);
    const work = new KeyQueue(context, 'node-ipam-controller');
    const occupy = (blocks: readonly string[] = []) => blocks.forEach((block, index) => void sets[index]?.occupy(block));
    all.addHandler({
      add(node) {
        occupy(node.spec.podCIDRs);
        if (node.spec.podCIDR === undefined) work.add(node);
      },
      update: (_, after) => (after.spec.podCIDR === undefined ? work.add(after) : occupy(after.spec.podCIDRs)),
      delete: (node) => (node.spec.podCIDRs ?? []).forEach((block, index) => void sets[index]?.release(block)),
    });

    async function reconcile(name: string) {
      const node = all.lister.find(name);
      if (node === undefined || node.metadata.deletionTimestamp !== undefined || node.spec.podCIDR !== undefined) return DONE;
      const blocks = sets.map((set) => set.allocate());
      const podCIDRs = blocks.filter((block) => block !== undefined);
      try {
        if (podCIDRs.length < blocks.length) {
          recorder.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
          throw new Error(`allocate a Pod range for node "${name}": ${settings.clusterCidr} has no free block`);
        }
        await client.patch(nodes, { name }, 'strategic', { spec: { podCIDR: podCIDRs[0], podCIDRs } });
      } catch (error) {
        for (const [index, block] of blocks.entries()) if (block !== undefined) sets[index]?.release(block);
        throw error;
      }
      return DONE;
    }

    // One worker: a block must not be given twice.
    return work.run({ workers: 1, reconcile });
  },
};
