// SPDX-License-Identifier: Apache-2.0
// Starts one container: image, configuration, create, start, postStart hook; each step with its events and its own failure reason.
// @source upstream pkg/kubelet/kuberuntime/kuberuntime_container.go startContainer

import type { Container, Sandbox } from '#runtime';
import { abortable } from '../abortable.ts';
import { containerConfig } from '../container/container-config.ts';
import { ConfigError } from '../container/environment.ts';
import { runHook } from '../container/lifecycle-hook.ts';
import { StartError } from '../images/image-puller.ts';
import type { ReadyVolumes } from '../volumes/volume-manager.ts';
import type { PodDeps } from './deps.ts';
import type { StartStep } from './plan.ts';
import type { ContainerKind, ContainerSpec, EphemeralSpec, PodView } from './pod.ts';
import { latest, observePod, type PodRuntime } from './pod-runtime.ts';

export interface StartContext {
  readonly pod: PodView;
  readonly sandbox: Sandbox;
  readonly volumes: ReadyVolumes;
  readonly podIps: readonly string[];
  readonly hostsFile: string | undefined;
}

export function fieldPathOf(kind: ContainerKind, name: string): string {
  if (kind === 'ephemeral') return `spec.ephemeralContainers{${name}}`;
  return kind === 'main' ? `spec.containers{${name}}` : `spec.initContainers{${name}}`;
}

/** @throws {StartError} With the reason that the container's waiting state shows. */
export async function startContainer(step: StartStep, context: StartContext, deps: PodDeps, signal: AbortSignal): Promise<void> {
  const { pod, sandbox } = context;
  const { runtime, recorder } = deps;
  const fieldPath = fieldPathOf(step.kind, step.spec.name);
  const fail = (error: unknown, reason: string): StartError => {
    const message = (error as Error).message;
    recorder.event(pod, 'Warning', 'Failed', `Error: ${error instanceof StartError ? error.reason : message}`, fieldPath);
    return error instanceof StartError ? error : new StartError(reason, message, { cause: error });
  };
  const image = await deps.images
    .ensure({ pod, spec: step.spec, fieldPath, credentials: (name) => deps.credentials(pod, name) }, signal)
    .catch((error: unknown) => {
      throw signal.aborted ? error : fail(error, 'ErrImagePull');
    });
  const making = containerConfig(
    {
      pod,
      spec: step.spec,
      restartCount: step.restartCount,
      image,
      volumes: context.volumes,
      addresses: { podIps: context.podIps, hostIps: deps.nodeIps },
      hostsFile: context.hostsFile,
    },
    { paths: deps.paths, sources: deps.sourcesFor(pod), memoryCapacity: deps.memoryCapacity, pidsLimit: deps.podPidsLimit },
  );
  // It may wait for an object of the API.
  const made = abortable(making, signal).then((config) => ({
    ...config,
    ...pidTargetOf(step.spec, observePod(runtime, pod.metadata.uid)),
  }));
  const config = await made.catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw fail(error, error instanceof ConfigError ? 'CreateContainerConfigError' : 'CreateContainerError');
  });
  signal.throwIfAborted();
  const id = await runtime.createContainer(sandbox.id, config, signal).catch((error: unknown) => {
    throw fail(error, 'CreateContainerError');
  });
  recorder.event(pod, 'Normal', 'Created', 'Container created', fieldPath);
  await runtime.startContainer(id).catch((error: unknown) => {
    throw fail(error, 'RunContainerError');
  });
  recorder.event(pod, 'Normal', 'Started', 'Container started', fieldPath);
  await postStart(id, step, context, deps, signal);
}

/** The container whose processes an ephemeral one is to see. @throws {ConfigError} If that does not run. */
export function pidTargetOf(spec: ContainerSpec | EphemeralSpec, observed: PodRuntime): { readonly pidTarget?: string } {
  const name = 'targetContainerName' in spec ? spec.targetContainerName : undefined;
  if (!name) return {};
  const target = latest(observed, name);
  if (target?.state !== 'running') throw new ConfigError(`unable to find target container ${name}`);
  return { pidTarget: target.id };
}

async function postStart(id: string, step: StartStep, context: StartContext, deps: PodDeps, signal: AbortSignal): Promise<void> {
  const handler = step.spec.lifecycle?.postStart;
  if (handler === undefined || step.kind === 'ephemeral') return;
  const { runtime, clock, recorder } = deps;
  const spec = step.spec as ContainerSpec;
  try {
    await runHook(handler, { runtime, clock, containerId: id, spec, podIp: context.podIps[0] ?? '' }, { timeoutMs: undefined, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    const fieldPath = fieldPathOf(step.kind, spec.name);
    recorder.event(context.pod, 'Warning', 'FailedPostStartHook', 'PostStartHook failed', fieldPath);
    recorder.event(context.pod, 'Normal', 'Killing', 'FailedPostStartHook', fieldPath);
    await runtime.stopContainer(id, 1000 * (context.pod.spec.terminationGracePeriodSeconds ?? 30));
    throw new StartError('PostStartHookError', (error as Error).message, { cause: error });
  }
}

/** Whether a container is one that the runtime still has to stop. */
export function needsStop(container: Container): boolean {
  return container.state === 'running' || container.state === 'unknown' || container.state === 'created';
}
