// SPDX-License-Identifier: Apache-2.0
// Taints, tolerations and node affinity as far as controllers need them: which Pods a taint drives out, which nodes a DaemonSet is for.
// The scheduler has the same rules compiled for speed; components do not import each other.
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, Taint, Toleration } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';

export type ReadNode = DeepReadonly<Node>;
export type ReadTaint = DeepReadonly<Taint>;
export type ReadToleration = DeepReadonly<Toleration>;

export function tolerates({ key = '', operator = 'Equal', value = '', effect }: ReadToleration, taint: ReadTaint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  switch (operator) {
    case 'Exists':
      return true;
    case 'Equal':
      return key !== '' && value === (taint.value ?? '');
    case 'Lt':
      return isWhole(taint.value) && isWhole(value) && Number(taint.value) < Number(value);
    case 'Gt':
      return isWhole(taint.value) && isWhole(value) && Number(taint.value) > Number(value);
    default:
      return false;
  }
}

/** The first taint that keeps Pods away and is not tolerated. */
export function untolerated(
  taints: readonly ReadTaint[],
  tolerations: readonly ReadToleration[],
  effects: readonly string[],
): ReadTaint | undefined {
  return taints.find((taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** `nodeSelector` and required node affinity. */
export function matchesNodeAffinity(
  { nodeSelector = {}, affinity }: DeepReadonly<PodSpec>,
  { metadata: { name, labels = {} } }: ReadNode,
): boolean {
  if (!Object.entries(nodeSelector).every(([key, value]) => labels[key] === value)) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, name, labels));
}

function matchesTerm(
  { matchExpressions = [], matchFields = [] }: DeepReadonly<NodeSelectorTerm>,
  name: string,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = matchFields.every((requirement) => satisfies(requirement, requirement.key === 'metadata.name' ? name : undefined));
  return fields && matchExpressions.every((requirement) => satisfies(requirement, labels[requirement.key]));
}

function satisfies({ operator, values = [] }: DeepReadonly<NodeSelectorRequirement>, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isWhole(value) && Number(value) > Number(values[0]);
    case 'Lt':
      return isWhole(value) && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function isWhole(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value);
}

/** What a NoExecute taint means for a Pod. */
export type Eviction = { readonly type: 'never' } | { readonly type: 'now' } | { readonly type: 'after'; readonly seconds: number };

/** The shortest of the toleration times counts; a taint without toleration drives out at once. */
export function evictionOf({ spec }: DeepReadonly<Pod>, taints: readonly ReadTaint[]): Eviction {
  const noExecute = taints.filter(({ effect }) => effect === 'NoExecute');
  let seconds = Number.POSITIVE_INFINITY;
  for (const taint of noExecute) {
    const used = (spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (used.length === 0) return { type: 'now' };
    for (const { tolerationSeconds } of used)
      if (tolerationSeconds !== undefined) seconds = Math.min(seconds, Math.max(0, tolerationSeconds));
  }
  if (seconds === Number.POSITIVE_INFINITY) return { type: 'never' };
  return seconds === 0 ? { type: 'now' } : { type: 'after', seconds };
}

export function nodeCondition({ status }: ReadNode, type: string) {
  return status?.conditions?.find((condition) => condition.type === type);
}
