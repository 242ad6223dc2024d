// SPDX-License-Identifier: Apache-2.0
// The conditions of a Namespace that is being deleted, with upstream's types, reasons and messages. Pure.
import type { NamespaceCondition } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';

/** What one pass over the contents met. */
export interface Outcome {
  readonly discoveryFailures: readonly string[];
  readonly contentFailures: string[];
  readonly deleteFailures: string[];
  /** How many objects of which resource are left. */
  readonly remaining: Map<string, number>;
  /** How many of them have which finalizer. */
  readonly finalizers: Map<string, number>;
}

interface Verdict {
  readonly type: string;
  readonly bad: { readonly reason: string; readonly message: string } | undefined;
  readonly good: { readonly reason: string; readonly message: string };
}

function verdictsOf({ discoveryFailures, contentFailures, deleteFailures, remaining, finalizers }: Outcome): Verdict[] {
  const counted = (map: ReadonlyMap<string, number>, one: (name: string, count: number) => string) =>
    [...map]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => one(name, count))
      .join(', ');
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      bad:
        discoveryFailures.length === 0
          ? undefined
          : {
              reason: 'DiscoveryFailed',
              message: `Discovery failed for some groups, ${discoveryFailures.length} failing: ${discoveryFailures.join('; ')}`,
            },
      good: { reason: 'ResourcesDiscovered', message: 'All resources successfully discovered' },
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      bad: undefined,
      good: { reason: 'ParsedGroupVersions', message: 'All legacy kube types successfully parsed' },
    },
    {
      type: 'NamespaceDeletionContentFailure',
      bad:
        deleteFailures.length + contentFailures.length === 0
          ? undefined
          : {
              reason: 'ContentDeletionFailed',
              message: `Failed to delete all resource types, ${deleteFailures.length + contentFailures.length} remaining: ${[...deleteFailures, ...contentFailures].join(', ')}`,
            },
      good: { reason: 'ContentDeleted', message: 'All content successfully deleted, may be waiting on finalization' },
    },
    {
      type: 'NamespaceContentRemaining',
      bad:
        remaining.size === 0
          ? undefined
          : {
              reason: 'SomeResourcesRemain',
              message: `Some resources are remaining: ${counted(remaining, (name, count) => `${name} has ${count} resource instances`)}`,
            },
      good: { reason: 'ContentRemoved', message: 'All content successfully removed' },
    },
    {
      type: 'NamespaceFinalizersRemaining',
      bad:
        finalizers.size === 0
          ? undefined
          : {
              reason: 'SomeFinalizersRemain',
              message: `Some content in the namespace has finalizers remaining: ${counted(finalizers, (name, count) => `${name} in ${count} resource instances`)}`,
            },
      good: { reason: 'ContentHasNoFinalizers', message: 'All content-preserving finalizers finished' },
    },
  ];
}

/** The conditions after a pass; times move only where a status does. */
export function conditionsOf(
  before: readonly DeepReadonly<NamespaceCondition>[],
  outcome: Outcome,
  now: string,
): { conditions: NamespaceCondition[]; changed: boolean } {
  let changed = false;
  const conditions = new Map<string, NamespaceCondition>(before.map((condition) => [condition.type, { ...condition }]));
  for (const { type, bad, good } of verdictsOf(outcome)) {
    const status = bad === undefined ? 'False' : 'True';
    const { reason, message } = bad ?? good;
    const old = conditions.get(type);
    if (old?.status === status && old.reason === reason && old.message === message) continue;
    changed = true;
    const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
    conditions.set(type, { type, status, lastTransitionTime, reason, message });
  }
  return { conditions: [...conditions.values()], changed };
}
