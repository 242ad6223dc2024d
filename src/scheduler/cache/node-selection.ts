// SPDX-License-Identifier: Apache-2.0
// Node selectors, taints and tolerations (upstream's component-helpers scheduling). Compiled once per Pod.
import type { NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';

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

function isWhole(value: string | undefined): value is string {
  return value !== undefined && /^-?\d+$/.test(value);
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

export function tolerates(
  { key = '', operator = 'Equal', value = '', effect }: DeepReadonly<Toleration>,
  taint: DeepReadonly<Taint>,
): boolean {
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

export function isTolerated(tolerations: readonly DeepReadonly<Toleration>[], taint: DeepReadonly<Taint>): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}
