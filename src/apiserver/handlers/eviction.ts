// SPDX-License-Identifier: Apache-2.0
// POST of an Eviction: deletes a Pod unless a PodDisruptionBudget forbids it just now.
// @source upstream pkg/registry/core/pod/storage/eviction.go

import { poddisruptionbudgets, schemaOfType } from '#api';
import type { Pod } from '#api/core/v1';
import type { Eviction, PodDisruptionBudget } from '#api/policy/v1';
import { formatTime } from '#component';
import { type ApiError, apiError, badRequest, type DeepReadonly, deepCopy, internalError, type StructSchema, selectorOf } from '#machinery';
import { type DeletionRequest, deleteObject } from '../registry/generic/deletion.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject, UpdateRules } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { writeContextOf } from './options.ts';

const EVICTION = schemaOfType('io.k8s.api.policy.v1.Eviction') as StructSchema;
const KIND = { kind: 'Eviction', group: 'policy', version: 'v1', alsoVersions: ['v1beta1'] };
const UNCHECKED: UpdateRules = { prepareForUpdate() {}, validateUpdate: () => [], resetFields: [] };
const NO_ADMISSION = { mutate() {}, validate() {} };

export interface BudgetWriter {
  /** The served PodDisruptionBudgets, whose status is debited. */
  readonly budgets: ServedResource;
}

export async function evict(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  { budgets }: BudgetWriter,
): Promise<ApiResult> {
  const eviction = (await readAs(context, EVICTION, KIND)) as unknown as Eviction;
  const { name, namespace } = context.info;
  if (eviction.metadata.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  const options = eviction.deleteOptions;
  const dryRun = context.query.has('dryRun') || (options?.dryRun ?? []).includes('All');
  const request: DeletionRequest = {
    gracePeriodSeconds: options?.gracePeriodSeconds,
    propagationPolicy: options?.propagationPolicy,
    preconditions: options?.preconditions,
    dryRun,
  };
  const pod = served.store.get(namespace, name).object as unknown as DeepReadonly<Pod>;
  const calls = parts.admission.callsFor(context, served, 'CREATE', 'eviction', dryRun, name);
  await calls.mutate(eviction as unknown as MutableObject, undefined);
  await calls.validate(eviction as unknown as MutableObject, undefined);
  if (!ignoresBudgets(pod)) await debit(context, pod, parts, budgets, dryRun);
  if (!dryRun && pod.metadata.deletionTimestamp === undefined) await markDisrupted(context, served, parts, name);
  await deleteObject({ store: served.store, clock: parts.clock, request, admit: () => undefined }, namespace, name);
  return objectResult(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 });
}

/** Pods that are over, not begun or going cost no budget. */
function ignoresBudgets({ status, metadata }: DeepReadonly<Pod>): boolean {
  return (
    status.phase === 'Succeeded' || status.phase === 'Failed' || status.phase === 'Pending' || metadata.deletionTimestamp !== undefined
  );
}

async function debit(
  context: RequestContext,
  pod: DeepReadonly<Pod>,
  parts: ServerParts,
  budgets: ServedResource,
  dryRun: boolean,
): Promise<void> {
  const all = parts.reader.list(poddisruptionbudgets, pod.metadata.namespace);
  const matching = all.filter((budget) => selectorOf(budget.spec.selector as never).matches(pod.metadata.labels));
  if (matching.length > 1)
    throw internalError('This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
  const budget = matching[0];
  if (budget === undefined) return;
  const ready = pod.status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  const healthyEnough =
    (budget.status.currentHealthy ?? 0) >= (budget.status.desiredHealthy ?? 0) && (budget.status.desiredHealthy ?? 0) > 0;
  if (!ready && (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow' || healthyEnough)) return;
  const change = (current: MutableObject | undefined) => {
    const next = current as unknown as PodDisruptionBudget;
    checkBudget(next);
    next.status.disruptionsAllowed = (next.status.disruptionsAllowed ?? 0) - 1;
    next.status.disruptedPods = { ...next.status.disruptedPods, [pod.metadata.name]: formatTime(parts.clock.now()) };
    return next as unknown as MutableObject;
  };
  if (dryRun) return checkBudget(deepCopy(budget) as unknown as PodDisruptionBudget);
  const write = { ...writeContextOf(context, budgets, 'CreateOptions'), subresource: 'status', dryRun };
  await budgets.store.update(
    { name: budget.metadata.name, rules: UNCHECKED, admission: NO_ADMISSION, change, mayCreate: false, mayOverwrite: true },
    write,
  );
}

function checkBudget({ metadata, status }: PodDisruptionBudget): void {
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw refusal(`The disruption budget ${metadata.name} is still being processed by the server.`, 10);
  }
  if ((status.disruptionsAllowed ?? 0) > 0) return;
  throw refusal(
    `The disruption budget ${metadata.name} needs ${status.desiredHealthy ?? 0} healthy pods and has ${status.currentHealthy ?? 0} currently`,
    0,
  );
}

function refusal(why: string, retryAfterSeconds: number): ApiError {
  const causes = [{ reason: 'DisruptionBudget', message: why }];
  const details = retryAfterSeconds > 0 ? { causes, retryAfterSeconds } : { causes };
  return apiError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", details);
}

/** Says on the Pod why it goes. */
async function markDisrupted(context: RequestContext, served: ServedResource, parts: ServerParts, name: string): Promise<void> {
  const write = { ...writeContextOf(context, served, 'CreateOptions'), subresource: 'status', dryRun: false };
  const change = (current: MutableObject | undefined) => {
    const pod = current as unknown as Pod;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True' as const,
      lastProbeTime: null as unknown as string,
      lastTransitionTime: formatTime(parts.clock.now()),
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    pod.status.conditions = [
      ...(pod.status.conditions ?? []).filter((other) => other.type !== 'DisruptionTarget'),
      condition,
    ] as NonNullable<Pod['status']['conditions']>;
    return pod as unknown as MutableObject;
  };
  await served.store.update({ name, rules: UNCHECKED, admission: NO_ADMISSION, change, mayCreate: false, mayOverwrite: true }, write);
}
