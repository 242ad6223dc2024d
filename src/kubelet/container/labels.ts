// SPDX-License-Identifier: Apache-2.0
// Labels and annotations by which the kubelet finds its sandboxes and containers again in the runtime after a restart.
// Names are those every CRI tool reads. @source upstream pkg/kubelet/kuberuntime/labels.go
import { createHash } from 'node:crypto';
import type { Container, Sandbox } from '#runtime';
import type { ContainerSpec, EphemeralSpec, PodView } from '../pod/pod.ts';

export const POD_NAME = 'io.kubernetes.pod.name';
export const POD_NAMESPACE = 'io.kubernetes.pod.namespace';
export const POD_UID = 'io.kubernetes.pod.uid';
export const CONTAINER_NAME = 'io.kubernetes.container.name';
const HASH = 'io.kubernetes.container.hash';
const RESTART_COUNT = 'io.kubernetes.container.restartCount';
const MESSAGE_PATH = 'io.kubernetes.container.terminationMessagePath';
const MESSAGE_POLICY = 'io.kubernetes.container.terminationMessagePolicy';
const POD_GRACE = 'io.kubernetes.pod.terminationGracePeriod';
const MESSAGE_FILE = 'sagong.io/termination-message-file';

export function podLabels(pod: PodView): Record<string, string> {
  return {
    ...pod.metadata.labels,
    [POD_NAME]: pod.metadata.name,
    [POD_NAMESPACE]: pod.metadata.namespace ?? '',
    [POD_UID]: pod.metadata.uid,
  };
}

export function containerLabels(pod: PodView, container: ContainerSpec | EphemeralSpec): Record<string, string> {
  return {
    [POD_NAME]: pod.metadata.name,
    [POD_NAMESPACE]: pod.metadata.namespace ?? '',
    [POD_UID]: pod.metadata.uid,
    [CONTAINER_NAME]: container.name,
  };
}

export interface ContainerFacts {
  readonly hash: string;
  readonly restartCount: number;
  readonly messagePath: string;
  readonly messagePolicy: string;
  readonly graceSeconds: number | undefined;
  /** On the host; '' if there is none. */
  readonly messageFile: string;
}

export function containerAnnotations(facts: ContainerFacts): Record<string, string> {
  return {
    [HASH]: facts.hash,
    [RESTART_COUNT]: String(facts.restartCount),
    [MESSAGE_PATH]: facts.messagePath,
    [MESSAGE_POLICY]: facts.messagePolicy,
    ...(facts.graceSeconds === undefined ? {} : { [POD_GRACE]: String(facts.graceSeconds) }),
    ...(facts.messageFile === '' ? {} : { [MESSAGE_FILE]: facts.messageFile }),
  };
}

export function factsOf(container: Container): ContainerFacts {
  const read = container.annotations;
  const grace = read[POD_GRACE];
  return {
    hash: read[HASH] ?? '',
    restartCount: Number(read[RESTART_COUNT] ?? container.metadata.attempt),
    messagePath: read[MESSAGE_PATH] ?? '',
    messagePolicy: read[MESSAGE_POLICY] ?? 'File',
    graceSeconds: grace === undefined ? undefined : Number(grace),
    messageFile: read[MESSAGE_FILE] ?? '',
  };
}

export const uidOf = (of: Sandbox | Container): string => of.labels[POD_UID] ?? '';
export const containerNameOf = (of: Container): string => of.labels[CONTAINER_NAME] ?? of.metadata.name;

/** What of a container's definition, when changed, makes the kubelet restart it: name and image, as upstream since 1.31. */
export function hashOf(container: ContainerSpec | EphemeralSpec): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image ?? '']))
    .digest('hex')
    .slice(0, 8);
}
