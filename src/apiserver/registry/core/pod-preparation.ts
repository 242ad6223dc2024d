// SPDX-License-Identifier: Apache-2.0
// What the server writes into a new Pod beyond defaults: label keys merged into selectors, AppArmor annotations as fields, and no
// negative grace.
import type { AppArmorProfile, Pod } from '#api/core/v1';
import { field, type LabelSelector, semanticEqual } from '#machinery';

const APPARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const LOCALHOST = 'localhost/';
const LONGEST_PROFILE = 4095;
const DEPRECATED = 'deprecated since v1.30; use the "appArmorProfile" field instead';

/** @param warn of what is written in a form of old. */
export function preparePod(pod: Pod, warn: (text: string) => void): void {
  if ((pod.spec.terminationGracePeriodSeconds ?? 0) < 0) pod.spec.terminationGracePeriodSeconds = 1;
  if (pod.metadata.annotations !== undefined) applyAppArmor(pod, pod.metadata.annotations, warn);
  mergeLabelKeys(pod);
}

/**
 * A profile in an annotation becomes that of its container, unless the container has one or the Pod has the same.
 *
 * @source upstream pkg/registry/core/pod/strategy.go applyAppArmorVersionSkew
 */
function applyAppArmor({ spec }: Pod, annotations: Readonly<Record<string, string>>, warn: (text: string) => void): void {
  if (spec.os?.name === 'windows') return;
  const common = spec.securityContext?.appArmorProfile;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])]) {
    const key = `${APPARMOR_PREFIX}${container.name}`;
    const annotation = annotations[key];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = profileOf(annotation);
    if (profile !== undefined && semanticEqual(profile, common)) continue;
    if (profile !== undefined) container.securityContext = { ...container.securityContext, appArmorProfile: profile };
    warn(`${field('metadata', 'annotations').key(key)}: ${DEPRECATED}`);
  }
}

/** What an annotation says; undefined if no field could. */
function profileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  const name = annotation.startsWith(LOCALHOST) ? annotation.slice(LOCALHOST.length) : '';
  const isFit = name !== '' && name.trim() === name && Buffer.byteLength(name) <= LONGEST_PROFILE;
  return isFit ? { type: 'Localhost', localhostProfile: name } : undefined;
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
