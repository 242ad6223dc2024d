// SPDX-License-Identifier: Apache-2.0
// One Pod's scheduling cycle over the plugins: pre-filter, filter, score. Runs without a pause. Of many nodes only as many are tried
// as make a good choice likely (percentageOfNodesToScore, adaptive), going on where the last cycle stopped.
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { countReasons, type Diagnosis } from './diagnosis.ts';
import { CycleState, type NodeView, type Plugin, type Rejection, unresolvable } from './plugin.ts';

const LEAST_FEASIBLE = 100;

export type CycleResult =
  | { readonly type: 'chosen'; readonly node: NodeInfo; readonly state: CycleState }
  | { readonly type: 'rejected'; readonly diagnosis: Diagnosis; readonly state: CycleState; readonly run: FilterRun };

/** Pods of at least this Pod's priority that were promised room on a node. */
export type NominatedOn = (node: string, pod: PodInfo) => readonly PodInfo[];

export interface FrameworkOptions {
  readonly plugins: readonly Plugin[];
  readonly view: NodeView;
  readonly nominatedOn: NominatedOn;
  /** @default Math.random */
  readonly random?: () => number;
}

/** The filters that have something to say about one Pod. */
export class FilterRun {
  readonly pod: PodInfo;
  readonly state: CycleState;
  readonly plugins: readonly Plugin[];

  constructor(pod: PodInfo, state: CycleState, plugins: readonly Plugin[]) {
    this.pod = pod;
    this.state = state;
    this.plugins = plugins;
  }

  /** The first rejection. */
  judge(node: NodeInfo): { rejection: Rejection; plugin: Plugin } | undefined {
    for (const plugin of this.plugins) {
      const rejection = plugin.filter?.(this.state, this.pod, node);
      if (rejection !== undefined) return { rejection, plugin };
    }
    return undefined;
  }

  /** Puts a Pod on a node (a copy), and tells the plugins. */
  addPod(other: PodInfo, node: NodeInfo): void {
    node.add(other);
    for (const plugin of this.plugins) plugin.addPod?.(this.state, this.pod, other, node);
  }

  removePod(other: PodInfo, node: NodeInfo): void {
    node.remove(other.key);
    for (const plugin of this.plugins) plugin.removePod?.(this.state, this.pod, other, node);
  }
}

export class Framework {
  readonly #options: FrameworkOptions;
  readonly #random: () => number;
  /** Where the next cycle begins. */
  #start: number;

  constructor(options: FrameworkOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#start = 0;
  }

  /** Finds the best node for a Pod. Changes nothing. */
  schedule(pod: PodInfo): CycleResult {
    const { plugins, view } = this.#options;
    const state = new CycleState();
    const prepared = this.#preFilter(state, pod);
    const run = new FilterRun(pod, state, prepared.filters);
    const nodeCount = view.nodes.length;
    if (prepared.rejected !== undefined) {
      const { rejection, plugin } = prepared.rejected;
      const byNode = new Map(view.nodes.map(({ name }) => [name, rejection]));
      const diagnosis = {
        nodeCount,
        preFilter: rejection.reasons.join(', '),
        reasons: new Map<string, number>(),
        byNode,
        plugins: new Set([plugin]),
      };
      return { type: 'rejected', diagnosis, state, run };
    }
    const { feasible, rejected } = this.#filter(run, prepared.names);
    const unnamed = unresolvable(`node(s) didn't satisfy plugin(s) [${prepared.naming.sort().join(' ')}]`);
    const [only] = feasible;
    if (only === undefined)
      return {
        type: 'rejected',
        diagnosis: diagnose(
          view.nodes,
          rejected,
          unnamed,
          plugins.filter(({ name }) => prepared.naming.includes(name)),
        ),
        state,
        run,
      };
    const scorers =
      feasible.length === 1 ? [] : plugins.filter((plugin) => plugin.preScore === undefined || plugin.preScore(state, pod, feasible, view));
    const node = feasible.length === 1 ? only : this.#best(state, pod, { feasible, scorers });
    return { type: 'chosen', node, state };
  }

  #preFilter(state: CycleState, pod: PodInfo) {
    const { plugins, view } = this.#options;
    const filters: Plugin[] = [];
    let names: ReadonlySet<string> | undefined;
    const naming: string[] = [];
    for (const plugin of plugins) {
      const result = plugin.preFilter?.(state, pod, view);
      if (result?.type === 'reject') return { filters, names, naming, rejected: { rejection: result.rejection, plugin } };
      if (result?.type === 'nodes') {
        names = names?.intersection(result.names) ?? result.names;
        naming.push(plugin.name);
      }
      if (result?.type !== 'skip' && plugin.filter !== undefined) filters.push(plugin);
    }
    return { filters, names, naming, rejected: undefined };
  }

  #filter(run: FilterRun, names: ReadonlySet<string> | undefined) {
    const { view, nominatedOn } = this.#options;
    const nominated = run.pod.pod.status?.nominatedNodeName;
    const first = nominated ? view.find(nominated) : undefined;
    // The node that was cleared for it by preemption comes before all others.
    if (first !== undefined && judgeWithNominated(run, first, nominatedOn) === undefined) return { feasible: [first], rejected: new Map() };
    const nodes = names === undefined ? view.nodes : view.nodes.filter(({ name }) => names.has(name));
    const wanted = names === undefined ? feasibleWanted(nodes.length) : nodes.length;
    const feasible: NodeInfo[] = [];
    const rejected = new Map<string, { rejection: Rejection; plugin: Plugin }>();
    const start = names === undefined ? this.#start % Math.max(1, nodes.length) : 0;
    let tried = 0;
    for (; tried < nodes.length && feasible.length < wanted; tried++) {
      const node = nodes[(start + tried) % nodes.length];
      if (node === undefined) continue;
      const verdict = judgeWithNominated(run, node, nominatedOn);
      if (verdict === undefined) feasible.push(node);
      else rejected.set(node.name, verdict);
    }
    if (names === undefined) this.#start = start + tried;
    return { feasible, rejected };
  }

  #best(state: CycleState, pod: PodInfo, { feasible, scorers }: { feasible: readonly NodeInfo[]; scorers: readonly Plugin[] }): NodeInfo {
    const totals = new Float64Array(feasible.length);
    for (const plugin of scorers) {
      const { score, normalize, weight = 1 } = plugin;
      if (score === undefined) continue;
      const scores = feasible.map((node) => score(state, pod, node));
      normalize?.(state, scores, feasible);
      for (let index = 0; index < scores.length; index++) totals[index] = (totals[index] ?? 0) + (scores[index] ?? 0) * weight;
    }
    return feasible[this.#pick(totals)] as NodeInfo;
  }

  /** One of the highest, each as likely as the others. */
  #pick(totals: Float64Array): number {
    let best = 0;
    let ties = 1;
    for (let index = 1; index < totals.length; index++) {
      const [total = 0, most = 0] = [totals[index], totals[best]];
      if (total > most) [best, ties] = [index, 1];
      else if (total === most) {
        ties += 1;
        if (this.#random() * ties < 1) best = index;
      }
    }
    return best;
  }
}

/** A node must take the Pod with the nominated ones on it, and without: they might not come. */
function judgeWithNominated(run: FilterRun, node: NodeInfo, nominatedOn: NominatedOn) {
  const nominated = nominatedOn(node.name, run.pod);
  if (nominated.length > 0) {
    const crowded = node.clone();
    for (const other of nominated) run.addPod(other, crowded);
    const verdict = run.judge(crowded);
    for (const other of nominated) run.removePod(other, crowded);
    if (verdict !== undefined) return verdict;
  }
  return run.judge(node);
}

/** @source upstream numFeasibleNodesToFind with percentageOfNodesToScore 0 */
export function feasibleWanted(nodes: number): number {
  if (nodes < LEAST_FEASIBLE) return nodes;
  const percentage = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(LEAST_FEASIBLE, Math.floor((nodes * percentage) / 100));
}

function diagnose(
  nodes: readonly NodeInfo[],
  rejected: ReadonlyMap<string, { rejection: Rejection; plugin: Plugin }>,
  unnamed: Rejection,
  naming: readonly Plugin[],
): Diagnosis {
  // Nodes that a pre-filter left out were not looked at.
  const byNode = new Map(nodes.map(({ name }) => [name, rejected.get(name)?.rejection ?? unnamed]));
  const plugins = new Set([...naming, ...[...rejected.values()].map(({ plugin }) => plugin)]);
  return { nodeCount: nodes.length, preFilter: '', reasons: countReasons(byNode.values()), byNode, plugins };
}
