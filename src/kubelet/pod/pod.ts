// SPDX-License-Identifier: Apache-2.0
// What the kubelet asks a Pod object: its containers in order, their kinds, its QoS class, its identity in texts and paths.
// Pure reading of the API object; nothing here knows the runtime.
import type { Container, EphemeralContainer, Pod } from '#api/core/v1';
import { type DeepReadonly, parseQuantity } from '#machinery';

export type PodView = DeepReadonly<Pod>;
export type ContainerSpec = DeepReadonly<Container>;
export type EphemeralSpec = DeepReadonly<EphemeralContainer>;
export type ContainerKind = 'init' | 'sidecar' | 'main' | 'ephemeral';

export const CONFIG_SOURCE = 'kubernetes.io/config.source';
export const CONFIG_HASH = 'kubernetes.io/config.hash';
export const CONFIG_MIRROR = 'kubernetes.io/config.mirror';
export const CONFIG_SEEN = 'kubernetes.io/config.seen';

/** `name_namespace(uid)`, as messages name a Pod. */
export function podText(pod: PodView): string {
  return `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
}

export function podRef(pod: PodView): { namespace: string; name: string } {
  return { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name };
}

/** A Pod from a file: it lives by the file, not by the API. */
export function isStatic(pod: PodView): boolean {
  const source = pod.metadata.annotations?.[CONFIG_SOURCE];
  return source !== undefined && source !== 'api';
}

/** The API's image of a static Pod. */
export function isMirror(pod: PodView): boolean {
  return pod.metadata.annotations?.[CONFIG_MIRROR] !== undefined;
}

export function isSidecar(container: ContainerSpec): boolean {
  return container.restartPolicy === 'Always';
}

/** Init containers, sidecars, then mains; without ephemeral ones. */
export function allContainers(pod: PodView): readonly ContainerSpec[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

export function findContainerSpec(pod: PodView, name: string): { spec: ContainerSpec | EphemeralSpec; kind: ContainerKind } | undefined {
  const main = pod.spec.containers.find((container) => container.name === name);
  if (main !== undefined) return { spec: main, kind: 'main' };
  const init = pod.spec.initContainers?.find((container) => container.name === name);
  if (init !== undefined) return { spec: init, kind: isSidecar(init) ? 'sidecar' : 'init' };
  const ephemeral = pod.spec.ephemeralContainers?.find((container) => container.name === name);
  return ephemeral === undefined ? undefined : { spec: ephemeral, kind: 'ephemeral' };
}

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const QOS_RESOURCES = ['cpu', 'memory'] as const;

/** The QoS class, from the status if the API server has set it. */
export function qosOf(pod: PodView): QosClass {
  return (pod.status?.qosClass as QosClass | undefined) ?? computeQos(pod);
}

export function computeQos(pod: PodView): QosClass {
  const parts = pod.spec.resources?.limits || pod.spec.resources?.requests ? [{ resources: pod.spec.resources }] : allContainers(pod);
  let any = false;
  let guaranteed = true;
  for (const { resources } of parts) {
    for (const name of QOS_RESOURCES) {
      const limit = positive(resources?.limits?.[name]);
      const request = positive(resources?.requests?.[name]) ?? limit;
      if (request !== undefined || limit !== undefined) any = true;
      if (limit === undefined || request !== limit) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function positive(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const { nanos } = parseQuantity(text);
  return nanos > 0n ? nanos : undefined;
}

/** Whether the Pod has ended for good, by its phase. */
export function isTerminalPhase(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Two milliard and above: what must run for the node to work. */
export function isCritical(pod: PodView): boolean {
  return isStatic(pod) || isMirror(pod) || (pod.spec.priority ?? 0) >= 2_000_000_000;
}

/** Seconds between the stop signal and the kill: of the deletion, else of the Pod, else 30. */
export function gracePeriodOf(pod: PodView): number {
  return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}
