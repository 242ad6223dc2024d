// SPDX-License-Identifier: Apache-2.0
// node-lifecycle-controller: notices nodes that fall silent, sets their conditions to Unknown, keeps the taints that follow from
// conditions, and marks Pods on silent nodes as not ready. Driving Pods out is the taint-eviction-controller's.
//
// Flow: each node has one timer for the moment its silence becomes too long; news of the node or its lease move that moment, and are
// looked at when the timer fires. Nothing is polled.
import { leases, nodes, pods } from '#api/resources';
import { DONE, requeueAfter } from '#client';
import { formatTime } from '#component';
import { isConflict, isNotFound, timeMs } from '#machinery';
import { type ControllerContext, type ControllerEntry, KeyQueue } from '../context.ts';
import { nodeCondition, type ReadNode } from '../nodes/node-fit.ts';
import { conditionOf } from '../pods/conditions.ts';
import { PodIndex } from '../pods/pod-index.ts';
import { NodeHealth, silentConditions } from './health.ts';
import { needsEviction, plannedTaints } from './taints.ts';
import { EvictionPace, evictionInterval, zoneOf } from './zones.ts';

const LEASE_NAMESPACE = 'kube-node-lease';
/** @source upstream node-startup-grace-period: a new node may take longer to speak */
const STARTUP_GRACE_MS = 60_000;

export const nodeLifecycle: ControllerEntry = {
  name: 'node-lifecycle-controller',
  account: 'node-controller',
  create(context) {
    const { informers, recorder } = context;
    const all = informers.informer(nodes);
    const nodeLeases = informers.informer(leases, { namespace: LEASE_NAMESPACE });
    const podIndex = new PodIndex(informers);
    const work = new KeyQueue(context, 'node-lifecycle-controller');
    const lifecycle = new Lifecycle(context, {
      podIndex,
      list: () => all.lister.list(),
      renewalOf: (name) => nodeLeases.lister.find(`${LEASE_NAMESPACE}/${name}`)?.spec?.renewTime ?? '',
    });
    all.addHandler({
      add(node) {
        recorder.event(
          referenceTo(node),
          'Normal',
          'RegisteredNode',
          `Node ${node.metadata.name} event: Registered Node ${node.metadata.name} in Controller`,
        );
        work.add(node);
      },
      update(before, after) {
        lifecycle.hear(after);
        // A heartbeat that changes nothing only moves the deadline.
        if (before.spec !== after.spec || before.status?.conditions !== after.status?.conditions) work.add(after);
      },
      delete(node) {
        lifecycle.forget(node.metadata.name);
        recorder.event(
          referenceTo(node),
          'Normal',
          'RemovingNode',
          `Node ${node.metadata.name} event: Removing Node ${node.metadata.name} from Controller`,
        );
      },
    });
    const onRenewal = ({ metadata: { name } }: { metadata: { name: string } }) => {
      const node = all.lister.find(name);
      if (node === undefined) return;
      lifecycle.hear(node);
      if (nodeCondition(node, 'Ready')?.status === 'Unknown') work.addKey(name);
    };
    nodeLeases.addHandler({ add: onRenewal, update: (_, after) => onRenewal(after) });
    return work.run({
      async reconcile(name) {
        const node = all.lister.find(name);
        if (node === undefined) return DONE;
        try {
          return requeueAfter(await lifecycle.check(node));
        } catch (error) {
          if (isNotFound(error)) return DONE;
          if (isConflict(error)) return requeueAfter(20);
          throw error;
        }
      },
    });
  },
};

/** Events about nodes bear the name as uid, as kubelets write them. */
function referenceTo({ metadata: { name } }: ReadNode) {
  return { kind: 'Node', apiVersion: 'v1', name, uid: name };
}

interface Sources {
  readonly podIndex: PodIndex;
  readonly list: () => readonly ReadNode[];
  readonly renewalOf: (name: string) => string;
}

class Lifecycle {
  readonly #context: ControllerContext;
  readonly #sources: Sources;
  readonly #health = new NodeHealth();
  readonly #pace = new EvictionPace();

  constructor(context: ControllerContext, sources: Sources) {
    this.#context = context;
    this.#sources = sources;
  }

  hear(node: ReadNode): number {
    return this.#health.observe(node, this.#sources.renewalOf(node.metadata.name), this.#context.clock.now());
  }

  forget(name: string): void {
    this.#health.forget(name);
  }

  /** @returns Milliseconds until the node must be looked at again. */
  async check(node: ReadNode): Promise<number> {
    const { clock, settings } = this.#context;
    const heardAt = this.hear(node);
    const ready = nodeCondition(node, 'Ready');
    const graceMs = ready === undefined ? STARTUP_GRACE_MS : settings.nodeMonitorGracePeriodMs;
    const deadline = ready === undefined ? Math.max(heardAt, timeMs(node.metadata.creationTimestamp) || 0) + graceMs : heardAt + graceMs;
    const current = clock.now() >= deadline ? await this.#silence(node) : node;
    if (nodeCondition(current, 'Ready')?.status !== 'True' && nodeCondition(current, 'Ready') !== undefined) await this.#markPods(current);
    const waitMs = await this.#taint(current);
    const untilDeadline = deadline - clock.now();
    return Math.max(1, Math.min(waitMs, untilDeadline > 0 ? untilDeadline : graceMs));
  }

  async #silence(node: ReadNode): Promise<ReadNode> {
    const { client, clock, recorder } = this.#context;
    const conditions = silentConditions(node, formatTime(clock.now()));
    if (conditions === undefined) return node;
    const wasReady = nodeCondition(node, 'Ready')?.status === 'True';
    const updated = await client.update(nodes, { ...node, status: { ...node.status, conditions } }, { subresource: 'status' });
    const { name } = node.metadata;
    if (wasReady) recorder.event(referenceTo(node), 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
    return updated;
  }

  /** @returns Milliseconds until a NoExecute taint that had to wait may be set. */
  async #taint(node: ReadNode): Promise<number> {
    const { client, clock } = this.#context;
    let waitMs = Number.POSITIVE_INFINITY;
    let evicts = false;
    if (needsEviction(node)) {
      const zone = zoneOf(node);
      const intervalMs = evictionInterval(
        zone,
        this.#sources.list().map((other) => (other.metadata.name === node.metadata.name ? node : other)),
      );
      const pause = intervalMs === undefined ? Number.POSITIVE_INFINITY : this.#pace.reserve(zone, intervalMs, clock.now());
      evicts = pause === 0;
      if (!evicts) waitMs = pause;
    }
    const taints = plannedTaints(node, { evicts, now: formatTime(clock.now()) });
    if (taints !== undefined) await client.update(nodes, { ...node, spec: { ...node.spec, taints } });
    return waitMs;
  }

  /** What runs on a node that is not ready is not ready either: Services must not send anything there. */
  async #markPods(node: ReadNode): Promise<void> {
    const { client, clock, recorder } = this.#context;
    for (const pod of this.#sources.podIndex.onNode(node.metadata.name)) {
      const ready = conditionOf(pod, 'Ready');
      if (ready?.status !== 'True') continue;
      const { namespace, name, uid } = pod.metadata;
      recorder.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
      const condition = { ...ready, status: 'False', lastTransitionTime: formatTime(clock.now()) };
      await client
        .patch(
          pods,
          { namespace, name },
          'strategic',
          { metadata: { uid }, status: { conditions: [condition] } },
          { subresource: 'status' },
        )
        .catch((error: unknown) => {
          if (!isNotFound(error) && !isConflict(error)) throw error;
        });
    }
  }
}
