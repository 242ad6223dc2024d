// SPDX-License-Identifier: Apache-2.0
// What the server writes into a new Pod beyond defaults: label keys merged into selectors, AppArmor annotations as fields, and no
// negative grace.
import type { AppArmorProfile, Container, Pod } from '#api/core/v1';
import type { LabelSelector } from '#machinery';

const APPARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';

export function preparePod(pod: Pod): void {
  if ((pod.spec.terminationGracePeriodSeconds ?? 0) < 0) pod.spec.terminationGracePeriodSeconds = 1;
  const containers = [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])];
  applyAppArmor(pod, containers);
  mergeLabelKeys(pod);
}

function applyAppArmor(pod: Pod, containers: readonly Container[]): void {
  if (pod.spec.os?.name === 'windows') return;
  for (const container of containers) {
    const profile = profileOf(pod.metadata.annotations?.[`${APPARMOR_PREFIX}${container.name}`]);
    if (profile === undefined || container.securityContext?.appArmorProfile !== undefined) continue;
    if (pod.spec.securityContext?.appArmorProfile?.type === profile.type) continue;
    container.securityContext = { ...container.securityContext, appArmorProfile: profile };
  }
}

function profileOf(annotation: string | undefined): AppArmorProfile | undefined {
  if (annotation === undefined) return undefined;
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  return annotation.startsWith('localhost/') ? { type: 'Localhost', localhostProfile: annotation.slice('localhost/'.length) } : undefined;
}

/** `matchLabelKeys` becomes part of the selector, with the values that the Pod has now. */
function mergeLabelKeys({ metadata, spec }: Pod): void {
  const labels = metadata.labels ?? {};
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  for (const affinity of [podAffinity, podAntiAffinity]) {
    const soft = (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm);
    for (const term of [...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []), ...soft]) {
      merge(term.labelSelector, term.matchLabelKeys, labels, 'In');
      merge(term.labelSelector, term.mismatchLabelKeys, labels, 'NotIn');
    }
  }
  for (const constraint of spec.topologySpreadConstraints ?? []) merge(constraint.labelSelector, constraint.matchLabelKeys, labels, 'In');
}

function merge(
  selector: LabelSelector | undefined,
  keys: readonly string[] | undefined,
  labels: Readonly<Record<string, string>>,
  operator: 'In' | 'NotIn',
): void {
  if (selector === undefined || selector === null) return;
  const added = (keys ?? []).flatMap((key) => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  if (added.length > 0) selector.matchExpressions = [...(selector.matchExpressions ?? []), ...added];
}
