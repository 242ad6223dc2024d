// SPDX-License-Identifier: Apache-2.0
// What a Pod may ask for and this kubelet has not: refused by name, never ignored, so that nobody counts on what is not there.
import type { ContainerSpec, EphemeralSpec, PodView } from '../pod/pod.ts';
import { ConfigError } from './environment.ts';

/** @throws {ConfigError} Naming the first field that cannot be honoured. */
export function refuseUnsupported(pod: PodView, spec: ContainerSpec | EphemeralSpec): void {
  const field = unsupportedField(pod, spec);
  if (field !== undefined) throw new ConfigError(`${field} is not supported by this kubelet`);
}

function unsupportedField(pod: PodView, spec: ContainerSpec | EphemeralSpec): string | undefined {
  if ((spec.volumeDevices?.length ?? 0) > 0) return 'volumeDevices';
  if (spec.volumeMounts?.some((mount) => mount.recursiveReadOnly === 'Enabled')) return 'recursiveReadOnly: Enabled';
  if ((spec.resources?.claims?.length ?? 0) > 0) return 'resources.claims (dynamic resource allocation)';
  if (spec.lifecycle?.stopSignal !== undefined) return 'lifecycle.stopSignal';
  if (spec.restartPolicyRules?.some((rule) => rule.action !== 'Restart')) return 'a restartPolicyRules action other than Restart';
  if (pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict') return 'supplementalGroupsPolicy: Strict';
  return undefined;
}

/** What keeps the sandbox from being made. */
export function refuseUnsupportedPod(pod: PodView): void {
  const { runtimeClassName } = pod.spec;
  if (runtimeClassName) throw new ConfigError(`RuntimeClass "${runtimeClassName}" is not supported by this kubelet`);
}
