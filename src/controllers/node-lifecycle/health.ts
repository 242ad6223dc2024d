// SPDX-License-Identifier: Apache-2.0
// Whether a node has been heard of lately: any change of its status or its lease counts, by this process's own clock, so that clocks of
// nodes may be wrong.
import type { NodeCondition } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { nodeCondition, type ReadNode } from '../nodes/node-fit.ts';

interface Heard {
  at: number;
  heartbeat: string;
  renewal: string;
}

export class NodeHealth {
  readonly #heard = new Map<string, Heard>();

  forget(name: string): void {
    this.#heard.delete(name);
  }

  /** @returns When the node was heard of last. */
  observe(node: ReadNode, renewal: string, now: number): number {
    const ready = nodeCondition(node, 'Ready');
    const heartbeat = `${ready?.lastHeartbeatTime}/${ready?.status}/${ready?.lastTransitionTime}`;
    const known = this.#heard.get(node.metadata.name);
    if (known === undefined) {
      this.#heard.set(node.metadata.name, { at: now, heartbeat, renewal });
      return now;
    }
    // A status that was set to Unknown here is no sign of life.
    const isOwnWrite = ready?.status === 'Unknown' && known.heartbeat !== heartbeat;
    if ((known.heartbeat !== heartbeat && !isOwnWrite) || known.renewal !== renewal) known.at = now;
    known.heartbeat = heartbeat;
    known.renewal = renewal;
    return known.at;
  }
}

const CONDITIONS = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;

/** The conditions of a node that fell silent; undefined where they say so already. */
export function silentConditions({ status, metadata }: ReadNode, now: string): DeepReadonly<NodeCondition>[] | undefined {
  const conditions = [...(status?.conditions ?? [])];
  let changed = false;
  for (const type of CONDITIONS) {
    const index = conditions.findIndex((condition) => condition.type === type);
    const known = conditions[index];
    if (known === undefined) {
      conditions.push({
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        lastHeartbeatTime: metadata.creationTimestamp,
        lastTransitionTime: now,
      });
      changed = true;
    } else if (known.status !== 'Unknown') {
      conditions[index] = {
        ...known,
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastTransitionTime: now,
      };
      changed = true;
    }
  }
  return changed ? conditions : undefined;
}
