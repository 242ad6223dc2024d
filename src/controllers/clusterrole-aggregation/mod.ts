// SPDX-License-Identifier: Apache-2.0
// clusterrole-aggregation-controller: a ClusterRole with an aggregationRule has the rules of all roles its selectors take, each once,
// in the order of the roles' names. That is how admin, edit and view grow.
import type { ClusterRole, PolicyRule } from '#api/rbac/v1';
import { clusterroles } from '#api/resources';
import { DONE } from '#client';
import { type DeepReadonly, selectorOf, semanticEqual } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

type ReadRole = DeepReadonly<ClusterRole>;

/** The rules an aggregated role must have. */
export function aggregateRules(role: ReadRole, all: readonly ReadRole[]): DeepReadonly<PolicyRule>[] {
  const byName = [...all].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules: DeepReadonly<PolicyRule>[] = [];
  for (const labelSelector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const selector = selectorOf(labelSelector as Parameters<typeof selectorOf>[0]);
    for (const other of byName) {
      if (other.metadata.name === role.metadata.name || !selector.matches(other.metadata.labels)) continue;
      for (const rule of other.rules ?? []) if (!rules.some((known) => semanticEqual(known, rule))) rules.push(rule);
    }
  }
  return rules;
}

export const clusterRoleAggregation: ControllerEntry = {
  name: 'clusterrole-aggregation-controller',
  account: 'clusterrole-aggregation-controller',
  create(context) {
    const { client, informers } = context;
    const all = informers.informer(clusterroles);
    const work = new KeyQueue(context, 'clusterrole-aggregation-controller');
    // Any role may be part of any aggregated one.
    const addAll = () => {
      for (const role of all.lister.list()) if (role.aggregationRule !== undefined) work.add(role);
    };
    all.addHandler({ add: addAll, update: addAll, delete: addAll });
    return work.run({
      async reconcile(name) {
        const role = all.lister.find(name);
        if (role?.aggregationRule === undefined) return DONE;
        const rules = aggregateRules(role, all.lister.list());
        if (!semanticEqual(rules, role.rules ?? [])) await client.update(clusterroles, { ...role, rules });
        return DONE;
      },
    });
  },
};
