// SPDX-License-Identifier: Apache-2.0
// Dead containers: the newest ended instance of each is kept for its logs and last state, older ones go after a minute; sandboxes
// that are stopped and empty go too. @source upstream pkg/kubelet/kuberuntime/kuberuntime_gc.go
import type { Clock } from '#component';
import type { Container, Runtime } from '#runtime';
import { containerNameOf, factsOf, uidOf } from '../container/labels.ts';

/** Per container of a Pod. */
const KEEP_DEAD = 1;
const MIN_AGE_MS = 60_000;

interface KnownPods {
  find(uid: string): unknown;
}

export async function runContainerGc(runtime: Runtime, pods: KnownPods, clock: Clock): Promise<void> {
  const victims = deadContainers(runtime.listContainers(), clock.now());
  for (const container of victims) if (pods.find(uidOf(container)) !== undefined) await runtime.removeContainer(container.id);
  const used = new Set(runtime.listContainers().map((container) => container.sandboxId));
  const newest = new Map<string, number>();
  for (const sandbox of runtime.listSandboxes()) {
    newest.set(uidOf(sandbox), Math.max(newest.get(uidOf(sandbox)) ?? 0, sandbox.metadata.attempt));
  }
  for (const sandbox of runtime.listSandboxes()) {
    const isOld = sandbox.metadata.attempt < (newest.get(uidOf(sandbox)) ?? 0);
    if (isOld && sandbox.state === 'notready' && !used.has(sandbox.id)) await runtime.removeSandbox(sandbox.id);
  }
}

/** Ended instances beyond the newest `KEEP_DEAD`, if they are old enough. */
export function deadContainers(containers: readonly Container[], now: number): Container[] {
  const groups = Map.groupBy(
    containers.filter((container) => container.state === 'exited'),
    (container) => `${uidOf(container)}/${containerNameOf(container)}`,
  );
  return [...groups.values()].flatMap((group) => {
    const sorted = group.sort((a, b) => factsOf(b).restartCount - factsOf(a).restartCount || b.createdAt - a.createdAt);
    return sorted.slice(KEEP_DEAD).filter((container) => now - container.createdAt >= MIN_AGE_MS);
  });
}
