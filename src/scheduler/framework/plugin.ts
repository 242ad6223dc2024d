// SPDX-License-Identifier: Apache-2.0
// What a scheduling plugin may implement (upstream's framework interfaces). A rejection is a value: constant ones cost nothing.
// A cycle for one Pod runs without a pause, so plugins read the live cache and need no copy of it.
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { ClusterEvent } from './events.ts';

/** `unschedulable`: removing Pods from the node may help; `unresolvable`: it cannot. */
export interface Rejection {
  readonly code: 'unschedulable' | 'unresolvable';
  readonly reasons: readonly string[];
}

export function unschedulable(...reasons: readonly string[]): Rejection {
  return Object.freeze({ code: 'unschedulable', reasons });
}

export function unresolvable(...reasons: readonly string[]): Rejection {
  return Object.freeze({ code: 'unresolvable', reasons });
}

/** What plugins remember between the steps of one Pod's cycle, by plugin. */
export class CycleState {
  readonly #data = new Map<string, unknown>();

  read<T>(plugin: string): T | undefined {
    return this.#data.get(plugin) as T | undefined;
  }

  write(plugin: string, value: unknown): void {
    this.#data.set(plugin, value);
  }
}

/** The nodes as a cycle sees them. */
export interface NodeView {
  /** In the order in which they are tried. */
  readonly nodes: readonly NodeInfo[];
  find(name: string): NodeInfo | undefined;
  /** Nodes with a Pod that has (anti-)affinity of any kind. */
  readonly withAffinity: Iterable<NodeInfo>;
  /** Nodes with a Pod that has required anti-affinity. */
  readonly withAntiAffinity: Iterable<NodeInfo>;
}

export type PreFilterResult =
  | { readonly type: 'continue' }
  /** The plugin has nothing to filter for this Pod. */
  | { readonly type: 'skip' }
  /** Only these nodes can fit. */
  | { readonly type: 'nodes'; readonly names: ReadonlySet<string> }
  | { readonly type: 'reject'; readonly rejection: Rejection };

export const CONTINUE: PreFilterResult = Object.freeze({ type: 'continue' });
export const SKIP: PreFilterResult = Object.freeze({ type: 'skip' });

export interface Plugin {
  readonly name: string;
  /** What may make a Pod schedulable that this plugin rejected. */
  readonly requeueOn?: readonly EventInterest[];
  preFilter?(state: CycleState, pod: PodInfo, view: NodeView): PreFilterResult;
  /** Runs once per Pod and node: no throw, no allocation on the way that fits. */
  filter?(state: CycleState, pod: PodInfo, node: NodeInfo): Rejection | undefined;
  /** Keeps the state right while Pods are put on or taken off nodes to try something. */
  addPod?(state: CycleState, pod: PodInfo, added: PodInfo, node: NodeInfo): void;
  removePod?(state: CycleState, pod: PodInfo, removed: PodInfo, node: NodeInfo): void;
  readonly weight?: number;
  /** False: there is nothing to score for this Pod. */
  preScore?(state: CycleState, pod: PodInfo, feasible: readonly NodeInfo[], view: NodeView): boolean;
  score?(state: CycleState, pod: PodInfo, node: NodeInfo): number;
  /** Brings raw scores to 0..100, in place. */
  normalize?(state: CycleState, scores: number[], feasible: readonly NodeInfo[]): void;
}

export interface EventInterest {
  readonly resource: ClusterEvent['resource'];
  readonly actions: readonly ClusterEvent['action'][];
  /** False: this very event cannot help this Pod. @default true */
  readonly helps?: (pod: PodInfo, event: ClusterEvent) => boolean;
}

export const MAX_SCORE = 100;

/** Scales so that the highest becomes 100; reversed, the highest becomes 0. @source upstream DefaultNormalizeScore */
export function scaleToMax(scores: number[], reverse: boolean): void {
  const most = Math.max(0, ...scores);
  for (let index = 0; index < scores.length; index++) {
    const scaled = most === 0 ? 0 : Math.floor((MAX_SCORE * (scores[index] ?? 0)) / most);
    scores[index] = reverse ? MAX_SCORE - scaled : scaled;
  }
}
