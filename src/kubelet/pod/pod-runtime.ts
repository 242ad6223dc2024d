// SPDX-License-Identifier: Apache-2.0
// One Pod as the runtime has it: sandboxes newest first, containers by name newest first. The kubelet's only memory of what runs
// is the runtime itself, so this is read anew at each step.
import type { Container, Runtime, Sandbox } from '#runtime';
import { containerNameOf, factsOf, uidOf } from '../container/labels.ts';

export interface PodRuntime {
  /** Newest first. */
  readonly sandboxes: readonly Sandbox[];
  readonly containers: readonly Container[];
  /** By container name, newest first. */
  readonly byName: ReadonlyMap<string, readonly Container[]>;
}

export const EMPTY_RUNTIME: PodRuntime = { sandboxes: [], containers: [], byName: new Map() };

export function podRuntime(sandboxes: readonly Sandbox[], containers: readonly Container[]): PodRuntime {
  const byName = new Map<string, Container[]>();
  for (const container of containers) {
    const name = containerNameOf(container);
    const of = byName.get(name);
    if (of === undefined) byName.set(name, [container]);
    else of.push(container);
  }
  for (const of of byName.values()) of.sort(newerFirst);
  const sorted = [...sandboxes].sort((a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAt - a.createdAt);
  return { sandboxes: sorted, containers, byName };
}

function newerFirst(a: Container, b: Container): number {
  return factsOf(b).restartCount - factsOf(a).restartCount || b.createdAt - a.createdAt;
}

/** Everything of one Pod. */
export function observePod(runtime: Runtime, uid: string): PodRuntime {
  return podRuntime(
    runtime.listSandboxes().filter((sandbox) => uidOf(sandbox) === uid),
    runtime.listContainers().filter((container) => uidOf(container) === uid),
  );
}

/** The newest instance of a container. */
export function latest(pod: PodRuntime, name: string): Container | undefined {
  return pod.byName.get(name)?.[0];
}

/** The sandbox that new containers go into, if it is usable. */
export function readySandbox(pod: PodRuntime): Sandbox | undefined {
  const first = pod.sandboxes[0];
  return first?.state === 'ready' ? first : undefined;
}

export function isAlive(container: Container | undefined): container is Container {
  return container !== undefined && (container.state === 'running' || container.state === 'created' || container.state === 'unknown');
}
