// SPDX-License-Identifier: Apache-2.0
// DefaultPreemption: finds a node on which a Pod would fit if Pods of lower priority went, and the fewest, least important of them.
// Disruption budgets are violated only where no node does without. Pure: nothing is deleted here.
import type { PodDisruptionBudget } from '#api/policy/v1';
import { type DeepReadonly, selectorOf, timeMs } from '#machinery';
import type { NodeInfo } from '../cache/node-info.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import { countReasons, type Diagnosis, fitMessage } from '../framework/diagnosis.ts';
import type { FilterRun } from '../framework/framework.ts';
import { type NodeView, type Rejection, unresolvable, unschedulable } from '../framework/plugin.ts';

const NO_VICTIMS = unschedulable('No preemption victims found for incoming pod');
const NOT_HELPFUL = unresolvable('Preemption is not helpful for scheduling');

export interface Victims {
  readonly node: string;
  readonly pods: readonly PodInfo[];
  readonly violations: number;
}

export type PreemptionResult =
  | { readonly type: 'victims'; readonly victims: Victims }
  /** `message` follows the reasons of the failure; `waits`: an earlier preemption is still under way, its promise stands. */
  | { readonly type: 'none'; readonly message: string; readonly waits: boolean };

export interface PreemptionInput {
  readonly run: FilterRun;
  readonly diagnosis: Diagnosis;
  readonly view: NodeView;
  readonly budgets: readonly DeepReadonly<PodDisruptionBudget>[];
}

export function preempt({ run, diagnosis, view, budgets }: PreemptionInput): PreemptionResult {
  const { pod } = run;
  const refused = eligibility(pod, view, diagnosis);
  if (refused !== undefined) return { ...none(refused), waits: true };
  if (diagnosis.preFilter !== '')
    return none(
      statusMessage(
        diagnosis,
        [...diagnosis.byNode.values()].map(() => NOT_HELPFUL),
      ),
    );
  const found: Victims[] = [];
  const failures: Rejection[] = [];
  for (const node of view.nodes) {
    if (diagnosis.byNode.get(node.name)?.code !== 'unschedulable') {
      failures.push(NOT_HELPFUL);
      continue;
    }
    const victims = victimsOn(run, node, budgets);
    if ('code' in victims) failures.push(victims);
    else found.push(victims);
  }
  const best = choose(found);
  return best === undefined ? none(statusMessage(diagnosis, failures)) : { type: 'victims', victims: best };
}

function none(message: string) {
  return { type: 'none' as const, message: `preemption: ${message}`, waits: false };
}

function statusMessage({ nodeCount }: Diagnosis, failures: readonly Rejection[]): string {
  return fitMessage({ nodeCount, preFilter: '', reasons: countReasons(failures) }, '');
}

/** Why this Pod may not preempt now. */
function eligibility({ pod, priority }: PodInfo, view: NodeView, { byNode }: Diagnosis): string | undefined {
  if (pod.spec.preemptionPolicy === 'Never') return 'not eligible due to preemptionPolicy=Never.';
  const nominated = pod.status?.nominatedNodeName;
  if (!nominated || byNode.get(nominated)?.code === 'unresolvable') return undefined;
  const waits = [...(view.find(nominated)?.pods.values() ?? [])].some((other) => other.priority < priority && isGoingForPreemption(other));
  return waits ? 'not eligible due to a terminating pod on the nominated node.' : undefined;
}

function isGoingForPreemption({ pod }: PodInfo): boolean {
  if (pod.metadata.deletionTimestamp === undefined) return false;
  return (pod.status?.conditions ?? []).some(
    ({ type, status, reason }) => type === 'DisruptionTarget' && status === 'True' && reason === 'PreemptionByScheduler',
  );
}

/** Takes everything less important off a copy of the node, then puts back what may stay. */
function victimsOn(run: FilterRun, node: NodeInfo, budgets: readonly DeepReadonly<PodDisruptionBudget>[]): Victims | Rejection {
  const copy = node.clone();
  const lower = [...node.pods.values()].filter(({ priority }) => priority < run.pod.priority);
  if (lower.length === 0) return NO_VICTIMS;
  for (const pod of lower) run.removePod(pod, copy);
  const verdict = run.judge(copy);
  const { violating, others } = splitByBudget(lower.sort(byImportance), budgets);
  const victims: PodInfo[] = [];
  let violations = 0;
  if (verdict === undefined) {
    const staysAway = (pod: PodInfo) => {
      run.addPod(pod, copy);
      if (run.judge(copy) === undefined) return false;
      run.removePod(pod, copy);
      victims.push(pod);
      return true;
    };
    for (const pod of violating) if (staysAway(pod)) violations += 1;
    for (const pod of others) staysAway(pod);
  }
  // The plugins' counts must be as before for the next node.
  for (const pod of verdict === undefined ? victims : lower) run.addPod(pod, copy);
  if (verdict !== undefined) return verdict.rejection;
  return victims.length === 0 ? NO_VICTIMS : { node: node.name, pods: victims.sort(byImportance), violations };
}

/** Higher priority first, then the one that has run longer. */
function byImportance(a: PodInfo, b: PodInfo): number {
  return b.priority - a.priority || startOf(a) - startOf(b);
}

function startOf({ pod }: PodInfo): number {
  const ms = timeMs(pod.status?.startTime);
  return Number.isNaN(ms) ? Number.MAX_SAFE_INTEGER : ms;
}

function splitByBudget(
  pods: readonly PodInfo[],
  budgets: readonly DeepReadonly<PodDisruptionBudget>[],
): { violating: PodInfo[]; others: PodInfo[] } {
  const left = budgets.map((budget) => ({
    budget,
    selector: selectorOf(budget.spec.selector as Parameters<typeof selectorOf>[0]),
    allowed: budget.status?.disruptionsAllowed ?? 0,
  }));
  const violating: PodInfo[] = [];
  const others: PodInfo[] = [];
  for (const pod of pods) {
    let violates = false;
    for (const entry of left) {
      if (entry.budget.metadata.namespace !== pod.namespace || entry.selector.isEmpty || !entry.selector.matches(pod.labels)) continue;
      if (entry.budget.status?.disruptedPods?.[pod.pod.metadata.name] !== undefined) continue;
      entry.allowed -= 1;
      if (entry.allowed < 0) violates = true;
    }
    (violates ? violating : others).push(pod);
  }
  return { violating, others };
}

/** @source upstream pickOneNodeForPreemption: the criteria in this order */
function choose(candidates: readonly Victims[]): Victims | undefined {
  const criteria: readonly ((victims: Victims) => number)[] = [
    ({ violations }) => violations,
    ({ pods }) => pods[0]?.priority ?? 0,
    ({ pods }) => pods.reduce((sum, { priority }) => sum + priority + 2 ** 31, 0),
    ({ pods }) => pods.length,
    // Of the most important victims, the one that started last.
    ({ pods }) => -Math.min(...pods.filter(({ priority }) => priority === pods[0]?.priority).map(startOf)),
  ];
  let left = candidates;
  for (const criterion of criteria) {
    if (left.length <= 1) break;
    const least = Math.min(...left.map(criterion));
    left = left.filter((candidate) => criterion(candidate) === least);
  }
  return left[0];
}
