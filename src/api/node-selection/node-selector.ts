// SPDX-License-Identifier: Apache-2.0
// Node selectors: which nodes the terms of an affinity are for. Compiled once, asked often.
// @source upstream component-helpers scheduling/corev1/nodeaffinity
import type { DeepReadonly } from '../../machinery/mod.ts';
import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../generated/core/v1.ts';
import { isWhole } from './whole-number.ts';

type Labels = Readonly<Record<string, string>>;
export type NodeMatcher = (name: string, labels: Labels) => boolean;

function compileRequirement({ operator, values = [] }: DeepReadonly<NodeSelectorRequirement>): (value: string | undefined) => boolean {
  const among = new Set(values);
  switch (operator) {
    case 'In':
      return (value) => value !== undefined && among.has(value);
    case 'NotIn':
      return (value) => value === undefined || !among.has(value);
    case 'Exists':
      return (value) => value !== undefined;
    case 'DoesNotExist':
      return (value) => value === undefined;
    case 'Gt':
      return (value) => isWhole(value) && Number(value) > Number(values[0]);
    case 'Lt':
      return (value) => isWhole(value) && Number(value) < Number(values[0]);
    default:
      return () => false;
  }
}

/** A term without requirements matches nothing. */
export function compileTerm({ matchExpressions = [], matchFields = [] }: DeepReadonly<NodeSelectorTerm>): NodeMatcher {
  if (matchExpressions.length === 0 && matchFields.length === 0) return () => false;
  const labels = matchExpressions.map((requirement) => ({ key: requirement.key, fits: compileRequirement(requirement) }));
  const fields = matchFields.map((requirement) => ({ key: requirement.key, fits: compileRequirement(requirement) }));
  return (name, found) =>
    labels.every(({ key, fits }) => fits(found[key])) && fields.every(({ key, fits }) => fits(key === 'metadata.name' ? name : undefined));
}

/** Any of the terms; none at all matches nothing. */
export function compileTerms(terms: readonly DeepReadonly<NodeSelectorTerm>[]): NodeMatcher {
  const compiled = terms.map(compileTerm);
  return (name, labels) => compiled.some((term) => term(name, labels));
}

/** What a Pod asks of its node: `nodeSelector` and required node affinity. Undefined: any will do. */
export function requiredNodes({ nodeSelector = {}, affinity }: DeepReadonly<PodSpec>): NodeMatcher | undefined {
  const wanted = Object.entries(nodeSelector);
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (wanted.length === 0 && terms === undefined) return undefined;
  const affine = terms === undefined ? () => true : compileTerms(terms);
  return (name, labels) => wanted.every(([key, value]) => labels[key] === value) && affine(name, labels);
}
