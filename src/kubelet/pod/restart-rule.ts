// SPDX-License-Identifier: Apache-2.0
// Whether an exited container is started again: by its own restart rules, its own policy, then the Pod's policy.
// @source upstream pkg/kubelet/container/helpers.go ShouldContainerBeRestarted; KEP-5307 container restart rules
import type { Container } from '#runtime';
import { type ContainerSpec, findContainerSpec, isSidecar, type PodView } from './pod.ts';

/** @param last The newest instance, undefined if there was none. */
export function shouldRestart(pod: PodView, spec: ContainerSpec, last: Container | undefined): boolean {
  if (last === undefined || last.state === 'created') return true;
  if (last.state === 'running') return false;
  if (last.state === 'unknown') return true;
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  const exitCode = last.exitCode ?? 0;
  const kind = findContainerSpec(pod, spec.name)?.kind;
  if (kind === 'init') return exitCode !== 0 && restartsOnFailure(pod, spec, exitCode);
  const policy = policyOf(pod, spec, exitCode);
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

function restartsOnFailure(pod: PodView, spec: ContainerSpec, exitCode: number): boolean {
  return policyOf(pod, spec, exitCode) !== 'Never';
}

/** Whether a container that the kubelet itself killed (probe, changed definition) comes back. */
export function restartsAfterKill(pod: PodView, spec: ContainerSpec): boolean {
  return isSidecar(spec) || (spec.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') !== 'Never';
}

function policyOf(pod: PodView, spec: ContainerSpec, exitCode: number): string {
  for (const rule of spec.restartPolicyRules ?? []) {
    const codes = rule.exitCodes;
    if (codes === undefined) continue;
    const listed = (codes.values ?? []).includes(exitCode);
    if (rule.action === 'Restart' && (codes.operator === 'In' ? listed : !listed)) return 'Always';
  }
  return spec.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
}
