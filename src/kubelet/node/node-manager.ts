// SPDX-License-Identifier: Apache-2.0
// The kubelet's Node object: registers or adopts it, keeps its status true, says so in events. The status is looked at every ten
// seconds and when something is reported, written when it differs or five minutes have passed, and at once when the node becomes
// ready. @source upstream pkg/kubelet/kubelet_node_status.go
import { isDeepStrictEqual } from 'node:util';
import type { Node, NodeStatus } from '#api/core/v1';
import { nodes } from '#api/resources';
import type { Client } from '#client';
import type { Clock, Logger } from '#component';
import { type DeepReadonly, type Draft, isAlreadyExists, isNotFound } from '#machinery';
import type { KubeletOptions } from '../options.ts';
import type { EventRecorder } from '../recorder.ts';
import { defaultLabels, type NodeFacts, type NodeView, nodeStatus, withoutHeartbeats } from './node-status.ts';

interface Deps {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly options: KubeletOptions;
  facts(): Promise<NodeFacts>;
}

const RETRY_MS = 1000;
const RETRY_MAX_MS = 7000;

export class NodeManager {
  readonly #deps: Deps;
  #node: NodeView | undefined;
  #writtenAt = 0;
  #wake: (() => void) | undefined;
  #asked = false;
  #started = false;
  #lastSent: NodeStatus | undefined;
  readonly #registered = Promise.withResolvers<void>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The Node as last seen; undefined before registration. */
  get node(): NodeView | undefined {
    return this.#node;
  }

  /** Resolves once the Node is in the API, and when the run ends before that. */
  get registered(): Promise<void> {
    return this.#registered.promise;
  }

  /** What an event about the node refers to: its name stands for its UID, as upstream has it. */
  get subject() {
    const { nodeName } = this.#deps.options;
    return { kind: 'Node', apiVersion: 'v1', name: nodeName, uid: nodeName } as const;
  }

  /** The object as the watch saw it. */
  observe(node: NodeView): void {
    this.#node = node;
  }

  /** Something that the status shows may have changed. */
  refresh(): void {
    this.#asked = true;
    this.#wake?.();
  }

  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#keep(signal);
    } finally {
      this.#registered.resolve();
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { clock, options, recorder, logger } = this.#deps;
    let retryMs = RETRY_MS;
    while (!signal.aborted) {
      try {
        if (this.#node === undefined) await this.#register(signal);
        if (!this.#started) recorder.event(this.subject, 'Normal', 'Starting', 'Starting kubelet.');
        this.#started = true;
        this.#registered.resolve();
        this.#asked = false;
        await this.#sync(signal);
        retryMs = RETRY_MS;
        if (!this.#asked) await this.#pause(options.nodeStatusUpdateFrequencyMs ?? 10_000, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isNotFound(error)) this.#node = undefined;
        logger.warn({ err: error }, 'Node status was not written, will retry');
        await clock.sleep(retryMs, signal).catch(() => {});
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
    }
  }

  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#deps.clock.after(delayMs, resolve);
    this.#wake = resolve;
    signal.addEventListener('abort', () => resolve(), { once: true });
    return promise.finally(() => {
      this.#wake = undefined;
      timer[Symbol.dispose]();
    });
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { client, options } = this.#deps;
    const facts = await this.#deps.facts();
    const labels = { ...defaultLabels(facts.hostname, facts.machine.architecture), ...options.nodeLabels };
    const status = nodeStatus(facts, undefined);
    const fresh: Draft<Node> = {
      metadata: { name: options.nodeName, labels, annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' } },
      spec: {
        ...(options.taints === undefined || options.taints.length === 0 ? {} : { taints: [...options.taints] }),
        ...(options.providerId === undefined ? {} : { providerID: options.providerId }),
      },
      status,
    };
    try {
      this.#node = await client.create(nodes, fresh, { signal });
      this.#lastSent = status;
      this.#writtenAt = facts.now;
      this.#announce(undefined, status);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      this.#node = await this.#adopt(labels, signal);
    }
  }

  /** A node of this name is there, of an earlier run: its labels are brought up to date, the rest is the status's matter. */
  async #adopt(labels: Record<string, string>, signal: AbortSignal): Promise<NodeView> {
    const { client, options } = this.#deps;
    const node = await client.get(nodes, { name: options.nodeName }, { signal });
    const missing = Object.entries(labels).filter(([key, value]) => node.metadata.labels?.[key] !== value);
    if (missing.length === 0) return node;
    return client.patch(nodes, { name: options.nodeName }, 'strategic', { metadata: { labels: Object.fromEntries(missing) } }, { signal });
  }

  async #sync(signal: AbortSignal): Promise<void> {
    const { client, clock, options } = this.#deps;
    const node = this.#node;
    if (node === undefined) return;
    const known = this.#lastSent ?? node.status;
    const status = nodeStatus(await this.#deps.facts(), known, node.status);
    const same = isDeepStrictEqual(withoutHeartbeats(status), withoutHeartbeats(pick(node.status ?? {}, status)));
    if (same && clock.now() - this.#writtenAt < (options.nodeStatusReportFrequencyMs ?? 300_000)) return;
    const patch = differing(status, node.status);
    this.#node = await client.patch(nodes, { name: options.nodeName }, 'strategic', { status: patch }, { subresource: 'status', signal });
    this.#writtenAt = clock.now();
    this.#announce(this.#lastSent ?? (node.status as NodeStatus | undefined), status);
    this.#lastSent = status;
  }

  /** Events for conditions that turned, with upstream's reasons. */
  #announce(before: NodeStatus | undefined, after: NodeStatus): void {
    const { recorder, options } = this.#deps;
    for (const condition of after.conditions ?? []) {
      const last = before?.conditions?.find((candidate) => candidate.type === condition.type);
      if (last?.status === condition.status) continue;
      const reason = REASONS[`${condition.type}=${condition.status}`];
      if (reason !== undefined && !(condition.type === 'Ready' && condition.status === 'False' && last === undefined)) {
        recorder.event(this.subject, 'Normal', reason, `Node ${options.nodeName} status is now: ${reason}`);
      }
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  'MemoryPressure=True': 'NodeHasInsufficientMemory',
  'MemoryPressure=False': 'NodeHasSufficientMemory',
  'DiskPressure=True': 'NodeHasDiskPressure',
  'DiskPressure=False': 'NodeHasNoDiskPressure',
  'PIDPressure=True': 'NodeHasInsufficientPID',
  'PIDPressure=False': 'NodeHasSufficientPID',
  'Ready=True': 'NodeReady',
  'Ready=False': 'NodeNotReady',
};

/** Only the fields the kubelet writes, of conditions only its own: others add theirs. */
function pick(known: DeepReadonly<NodeStatus> | object, ours: NodeStatus): DeepReadonly<NodeStatus> {
  const read = known as Record<string, unknown>;
  const kept = Object.fromEntries(Object.keys(ours).map((key) => [key, read[key]]));
  const types = new Set((ours.conditions ?? []).map((condition) => condition.type));
  const conditions = ((read['conditions'] as NodeStatus['conditions']) ?? []).filter((condition) => types.has(condition.type));
  return { ...kept, conditions } as unknown as NodeStatus;
}

function differing(status: NodeStatus, known: DeepReadonly<NodeStatus> | undefined): Record<string, unknown> {
  const read = (known ?? {}) as Record<string, unknown>;
  const changed = Object.entries(status).filter(([key, value]) => key === 'conditions' || !isDeepStrictEqual(value, read[key]));
  return Object.fromEntries(changed.map(([key, value]) => [key, patchOf(key, value, read[key])]));
}

/** Addresses are merged by type: a changed set replaces the old one. What can be allocated no more is taken out by name. */
function patchOf(key: string, value: unknown, known: unknown): unknown {
  if (known === undefined) return value;
  if (key === 'addresses') return [...(value as object[]), { $patch: 'replace' }];
  if (key !== 'allocatable') return value;
  return { ...Object.fromEntries(Object.keys(known as object).map((name) => [name, null])), ...(value as object) };
}
