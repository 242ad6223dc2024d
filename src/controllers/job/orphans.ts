// SPDX-License-Identifier: Apache-2.0
// Lets go of Pods that are tracked for a Job that is no more, or for none: without this they would stay Terminating for ever, since
// only a Job's own passes remove the tracking finalizer. What a Job that still runs tracks is left to its passes.
// @source upstream pkg/controller/job/job_controller.go, syncOrphanPod
import type { Job } from '#api/batch/v1';
import type { Client, Informer, Lister, Result } from '#client';
import { DONE } from '#client';
import { keyOf } from '#machinery';
import { controllerOf, type KeyQueue } from '../context.ts';
import type { PodIndex } from '../pods/pod-index.ts';
import { hasTracking, isFinished, type ReadPod } from './plan.ts';
import { stopTracking } from './tracking.ts';

interface OrphanDeps {
  readonly client: Client;
  readonly jobs: Lister<Job>;
  readonly pods: PodIndex;
}

/** Queues Pods that lose their Job, or that are seen without one. */
export function watchOrphans(queue: KeyQueue, jobs: Informer<Job>, pods: PodIndex): void {
  const seen = (pod: ReadPod) => {
    if (hasTracking(pod) && isOrphan(pod, jobs.lister)) queue.addKey(keyOf(pod.metadata));
  };
  pods.informer.addHandler({ add: seen, update: (_, after) => seen(after) });
  jobs.addHandler({ delete: ({ metadata }) => pods.ownedBy(metadata.uid).forEach(seen) });
}

/** @throws {ApiError} If the finalizer cannot be removed. */
export async function releaseOrphan(key: string, { client, jobs, pods }: OrphanDeps): Promise<Result> {
  const pod = pods.find(key);
  if (pod !== undefined && hasTracking(pod) && isOrphan(pod, jobs)) await stopTracking(pod, client);
  return DONE;
}

/** Whether no Job will ever count a Pod. One that is controlled by something else than a Job is that one's. */
function isOrphan(pod: ReadPod, jobs: Lister<Job>): boolean {
  const controller = controllerOf(pod);
  if (controller === undefined) return true;
  if (controller.kind !== 'Job' || controller.apiVersion !== 'batch/v1') return false;
  const job = jobs.find(keyOf({ namespace: pod.metadata.namespace, name: controller.name }));
  if (job === undefined || job.metadata.uid !== controller.uid) return true;
  return isFinished(job) && (job.spec.managedBy ?? 'kubernetes.io/job-controller') === 'kubernetes.io/job-controller';
}
