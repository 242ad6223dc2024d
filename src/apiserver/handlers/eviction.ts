// SPDX-License-Identifier: Apache-2.0
// POST of an Eviction: deletes a Pod unless a PodDisruptionBudget forbids it just now.
// @source upstream pkg/registry/core/pod/storage/eviction.go

import { poddisruptionbudgets, schemaOfType } from '#api';
import type { Pod } from '#api/core/v1';
import type { Eviction, PodDisruptionBudget } from '#api/policy/v1';
import { formatTime } from '#component';
import { type ApiError, apiError, badRequest, type DeepReadonly, deepCopy, forbidden, type StructSchema, selectorOf } from '#machinery';
import { checkPreconditions, type DeletionRequest, deleteObject } from '../registry/generic/deletion.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { MutableObject, UpdateRules } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { checkNamespace, readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { plainForm } from './get.ts';
import { writeContextOf } from './options.ts';

const EVICTION = schemaOfType('io.k8s.api.policy.v1.Eviction') as StructSchema;
const KIND = { kind: 'Eviction', group: 'policy', version: 'v1', alsoVersions: ['v1beta1'] };
const UNCHECKED: UpdateRules = { prepareForUpdate() {}, validateUpdate: () => [], resetFields: [] };
/** @source upstream MaxDisruptedPodSize */
const MAX_DISRUPTED_PODS = 2000;
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
  const output = plainForm(context);
  const eviction = (await readAs(context, EVICTION, KIND)) as unknown as Eviction;
  const write = { ...writeContextOf(context, served, 'CreateOptions'), subresource: 'status', dryRun: false };
  const { name, namespace } = context.info;
  checkNamespace(eviction.metadata, namespace);
  if (eviction.metadata.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  const options = eviction.deleteOptions;
  const dryRun = isDryRun(context.query.getAll('dryRun'), options?.dryRun ?? []);
  const pod = served.store.get(namespace, name).object as unknown as DeepReadonly<Pod>;
  const calls = parts.admission.callsFor(context, served, 'CREATE', 'eviction', dryRun, name);
  await calls.mutate(eviction as unknown as MutableObject, undefined);
  await calls.validate(eviction as unknown as MutableObject, undefined);
  if (!ignoresBudgets(pod)) await debit(context, pod, parts, budgets, dryRun);
  const preconditions = options?.preconditions;
  const marked = dryRun ? undefined : await markDisrupted(served, write, parts, name, preconditions);
  const request: DeletionRequest = {
    gracePeriodSeconds: options?.gracePeriodSeconds,
    propagationPolicy: options?.propagationPolicy,
    orphanDependents: options?.orphanDependents,
    // The mark has changed the version: it is the one that was meant.
    preconditions: marked !== undefined && preconditions?.resourceVersion ? { ...preconditions, resourceVersion: marked } : preconditions,
    dryRun,
  };
  const { store, resource } = served;
  await deleteObject({ store, resource, clock: parts.clock, request, admit: () => undefined }, namespace, name);
  return { ...objectResult(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }), output };
}

/** Both the request and what it carries may say it. @throws {ApiError} 500 where they do not agree. */
function isDryRun(asked: readonly string[], given: readonly string[]): boolean {
  if (asked.length > 0 && given.length > 0 && asked.join() !== given.join())
    throw apiError(500, '', `Non-matching dry-run options in request and content: [${asked.join(' ')}] and [${given.join(' ')}]`);
  return asked.length > 0 || given.length > 0;
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
    throw apiError(500, '', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
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
  const allowed = status.disruptionsAllowed ?? 0;
  const forbid = (why: string) => forbidden({ group: 'policy', resource: 'poddisruptionbudget' }, metadata.name, why);
  if (allowed < 0) throw forbid('pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > MAX_DISRUPTED_PODS)
    throw forbid('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  if (allowed === 0) throw refusal(`The disruption budget ${metadata.name} ${reasonOf(status)}`, 0);
}

/** Why nothing may be disrupted. Where the numbers could not be found out, they tell nothing. */
function reasonOf({ conditions = [], currentHealthy = 0, desiredHealthy = 0 }: PodDisruptionBudget['status']): string {
  const why = conditions.find(({ type, status, message }) => type === 'DisruptionAllowed' && status === 'False' && message !== '');
  if (why?.reason === 'SyncFailed') return `does not allow evicting pods currently because it failed sync: ${why.message}`;
  if (currentHealthy <= desiredHealthy) return `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  return `does not allow evicting pods currently${why === undefined ? '' : ` (${why.reason}): ${why.message}`}`;
}

function refusal(why: string, retryAfterSeconds: number): ApiError {
  const causes = [{ reason: 'DisruptionBudget', message: why }];
  const details = retryAfterSeconds > 0 ? { causes, retryAfterSeconds } : { causes };
  return apiError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", details);
}

/** Says on the Pod why it goes. @returns The version it has then. @throws {ApiError} 404; 409 where it is not the one that is meant. */
async function markDisrupted(
  { store }: ServedResource,
  write: WriteContext,
  { clock }: ServerParts,
  name: string,
  preconditions: DeletionRequest['preconditions'],
): Promise<string> {
  const change = (current: MutableObject | undefined) => {
    const pod = current as unknown as Pod;
    checkPreconditions(store, pod.metadata, preconditions);
    const condition = {
      type: 'DisruptionTarget',
      status: 'True' as const,
      lastProbeTime: null as unknown as string,
      lastTransitionTime: formatTime(clock.now()),
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    const conditions: object[] = [...(pod.status.conditions ?? [])];
    const index = pod.status.conditions?.findIndex(({ type }) => type === condition.type) ?? -1;
    const before = pod.status.conditions?.[index];
    if (before === undefined) conditions.push(condition);
    else conditions[index] = before.status === 'True' ? { ...condition, lastTransitionTime: before.lastTransitionTime } : condition;
    pod.status.conditions = conditions as NonNullable<Pod['status']['conditions']>;
    return pod as unknown as MutableObject;
  };
  const request = { name, rules: UNCHECKED, admission: NO_ADMISSION, change, mayCreate: false, mayOverwrite: true };
  const { cached } = await store.update(request, write);
  return String(cached.revision);
}
