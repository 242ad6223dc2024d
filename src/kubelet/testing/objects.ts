// SPDX-License-Identifier: Apache-2.0
// Small objects for the tests of pure rules: a Pod, containers of the runtime, a sandbox.
import type { Container as ContainerType, Pod, PodSpec } from '#api/core/v1';
import type { Draft } from '#machinery';
import type { Container, Sandbox } from '#runtime';
import { containerAnnotations, hashOf } from '../container/labels.ts';
import type { PodView } from '../pod/pod.ts';
import { type PodRuntime, podRuntime } from '../pod/pod-runtime.ts';

export function podOf(spec: Draft<PodSpec>, rest: Draft<Pod> = {}): PodView {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    status: {},
    ...rest,
    metadata: { name: 'p', namespace: 'default', uid: 'u', ...rest.metadata },
    spec,
  } as PodView;
}

export function spec(name: string, rest: Draft<ContainerType> = {}): Draft<ContainerType> {
  return { name, image: 'i', resources: {}, ...rest };
}

export const SANDBOX: Sandbox = {
  id: 's',
  metadata: { name: 'p', namespace: 'default', uid: 'u', attempt: 0 },
  state: 'ready',
  createdAt: 0,
  labels: { 'io.kubernetes.pod.uid': 'u' },
  annotations: {},
  ips: ['10.0.0.1'],
  networkNamespace: undefined,
};

/** `web:running`, `init:0` (exited with 0), `web:1@2` (exited with 1, restart count 2). */
export function containerOf(text: string, sandboxId = 's'): Container {
  const [, name = '', state = '', count = '0'] = /^([^:]+):([^@]+)(?:@(\d+))?$/.exec(text) ?? [];
  const exited = /^\d+$/.test(state);
  const restartCount = Number(count);
  return {
    id: `${name}-${restartCount}`,
    sandboxId,
    metadata: { name, attempt: restartCount },
    state: exited ? 'exited' : (state as 'running'),
    image: 'i',
    imageId: 'sha256:i',
    labels: { 'io.kubernetes.pod.uid': 'u', 'io.kubernetes.container.name': name },
    annotations: containerAnnotations({
      hash: hashOf({ name, image: 'i', resources: {} }),
      restartCount,
      messagePath: '',
      messagePolicy: 'File',
      graceSeconds: undefined,
      messageFile: '',
    }),
    createdAt: restartCount,
    startedAt: 0,
    finishedAt: exited ? 1000 : undefined,
    exitCode: exited ? Number(state) : undefined,
    reason: undefined,
    message: undefined,
    logPath: '',
    pid: undefined,
  };
}

export function runtimeOf(...containers: readonly string[]): PodRuntime {
  return podRuntime(
    [SANDBOX],
    containers.map((text) => containerOf(text)),
  );
}
