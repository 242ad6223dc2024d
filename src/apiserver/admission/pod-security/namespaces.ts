// SPDX-License-Identifier: Apache-2.0
// PodSecurity on Namespaces: labels must say something that is known, a stricter `enforce` warns about the Pods that are there, and
// labels on a namespace that is exempt warn that nobody heeds them.
// @source upstream pod-security-admission admission/admission.go ValidateNamespace, EvaluatePodsInNamespace
import { pods } from '#api';
import type { Namespace, Pod } from '#api/core/v1';
import { type DeepReadonly, invalid, semanticEqual } from '#machinery';
import type { AdmissionDeps, AdmissionRequest } from '../admission.ts';
import { nameOf } from '../match.ts';
import { type Labels, type LevelVersion, labelCauses, MODES, type Policy, PREFIX, policyOf, strictness } from './namespace-policy.ts';
import { reasonsText, violationsOf } from './standards.ts';

/** More Pods than these are not looked at. */
const MAX_PODS = 3000;

export interface NamespaceRules {
  readonly defaults: Policy;
  readonly exempt: ReadonlySet<string>;
  readonly exemptClasses: ReadonlySet<string>;
}

export function validateNamespace(request: AdmissionRequest, deps: AdmissionDeps, rules: NamespaceRules): void {
  const { labels } = (request.object as unknown as Namespace).metadata;
  const old = request.oldObject as DeepReadonly<Namespace> | undefined;
  const causes = labelCauses(labels);
  if (causes.length > 0 && !(old !== undefined && semanticEqual(labelCauses(old.metadata.labels), causes))) {
    throw invalid({ group: '', kind: 'Namespace' }, nameOf(request), causes);
  }
  const policy = policyOf(labels, rules.defaults);
  if (old !== undefined && !isTightened(policy.enforce, policyOf(old.metadata.labels, rules.defaults).enforce)) return;
  if (rules.exempt.has(nameOf(request))) warnOfExemption(request, policy, rules.defaults);
  else if (old !== undefined) warnAboutExisting(request, policy.enforce, deps, rules.exemptClasses);
}

/** Versions do not compare: another one may be stricter. */
function isTightened(next: LevelVersion, old: LevelVersion): boolean {
  if (next.level === 'privileged' || next.text === old.text) return false;
  return next.version !== old.version || strictness(next.level) > strictness(old.level);
}

function warnOfExemption(request: AdmissionRequest, policy: Policy, defaults: Policy): void {
  const labels: Labels = (request.object as unknown as Namespace).metadata.labels ?? {};
  const isWithout = MODES.every((mode) => policy[mode].level === 'privileged' || policy[mode].text === defaults[mode].text);
  if (isWithout) return;
  const said = MODES.filter(
    (mode) =>
      policy[mode].level !== 'privileged' && (labels[`${PREFIX}${mode}`] !== undefined || labels[`${PREFIX}${mode}-version`] !== undefined),
  ).map((mode) => `${mode}=${policy[mode].text}`);
  const name = nameOf(request);
  request.warn(`namespace "${name}" is exempt from Pod Security, and the policy (${said.join(', ')}) will be ignored`);
}

/** One Pod of each controller first, for there may be more than are looked at. */
function prioritized(all: readonly DeepReadonly<Pod>[], exemptClasses: ReadonlySet<string>): DeepReadonly<Pod>[] {
  const seen = new Set<string>();
  const [first, more]: [DeepReadonly<Pod>[], DeepReadonly<Pod>[]] = [[], []];
  for (const pod of all) {
    if (exemptClasses.has(pod.spec.runtimeClassName ?? '')) continue;
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (owner !== undefined && seen.has(owner.uid)) more.push(pod);
    else first.push(pod);
    if (owner !== undefined) seen.add(owner.uid);
  }
  return [...first, ...more];
}

function warnAboutExisting(
  request: AdmissionRequest,
  { level, minor, text }: LevelVersion,
  { reader }: AdmissionDeps,
  exemptClasses: ReadonlySet<string>,
): void {
  const name = nameOf(request);
  const all = prioritized(reader.list(pods, name), exemptClasses);
  const byReason = new Map<string, string[]>();
  for (const pod of all.slice(0, MAX_PODS)) {
    const reasons = reasonsText(violationsOf(level, pod, minor));
    if (reasons !== '') byReason.set(reasons, [...(byReason.get(reasons) ?? []), pod.metadata.name ?? '']);
  }
  if (all.length > MAX_PODS)
    request.warn(`new PodSecurity enforce level only checked against the first ${MAX_PODS} of ${all.length} existing pods`);
  if (byReason.size === 0) return;
  request.warn(`existing pods in namespace "${name}" violate the new PodSecurity enforce level "${text}"`);
  const lines = [...byReason].map(([reasons, names]) => {
    const [first = '', ...others] = [...names].sort();
    const more = others.length === 0 ? '' : ` (and ${others.length} other ${others.length === 1 ? 'pod' : 'pods'})`;
    return `${first}${more}: ${reasons}`;
  });
  for (const line of lines.sort()) request.warn(line);
}
