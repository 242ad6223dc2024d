// SPDX-License-Identifier: Apache-2.0
// What is said of finalizers that a custom resource gains: names without a domain may be anybody's. Warnings, since such names are in use.
// @source upstream apiextensions-apiserver pkg/registry/customresource/strategy.go validateKubeFinalizerName
import { checkQualifiedName, type DeepReadonly } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';

type Old = DeepReadonly<MutableObject>;

const STANDARD: ReadonlySet<string> = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);
const NO_DOMAIN =
  'prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers';

export function finalizerWarnings({ metadata }: Old, previous: Old | undefined): readonly string[] {
  const { finalizers } = metadata;
  if (finalizers === undefined || finalizers.length === 0) return [];
  const before = new Set(previous?.metadata.finalizers);
  const added = [...new Set(finalizers)].filter((name) => !before.has(name)).sort();
  return added.flatMap((name) => {
    const problems = checkQualifiedName(name);
    return [...problems, ...(name.includes('/') || STANDARD.has(name) ? [] : [NO_DOMAIN])].map(
      (problem) => `metadata.finalizers: ${JSON.stringify(name)}: ${problem}`,
    );
  });
}
