// SPDX-License-Identifier: Apache-2.0
// POST of a Binding: the scheduler's word that a Pod goes to a node. Sets `spec.nodeName` and the PodScheduled condition at once.
// @source upstream pkg/registry/core/pod/storage/storage.go BindingREST

import { schemaOfType } from '#api';
import type { Binding, Pod } from '#api/core/v1';
import { formatTime } from '#component';
import { type ApiError, apiError, badRequest, conflict, quote, type StructSchema } from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject, UpdateRules } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { checkNamespace, readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { plainForm } from './get.ts';
import { writeContextOf } from './options.ts';
import type { ReviewEndpoint } from './reviews.ts';

const BINDING = schemaOfType('io.k8s.api.core.v1.Binding') as StructSchema;
const KIND = { kind: 'Binding', group: '', version: 'v1' };
/** The write is checked here, and by admission; the Pod's own rules would refuse a change of nodeName. */
const UNCHECKED: UpdateRules = { prepareForUpdate() {}, validateUpdate: () => [], resetFields: [] };

/**
 * @param served The `pods` resource, also for the old `bindings` resource.
 * @param endpoint Of the old resource, under which admission sees it.
 */
export async function bind(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  endpoint?: ReviewEndpoint,
): Promise<ApiResult> {
  const output = plainForm(context);
  const binding = (await readAs(context, BINDING, KIND)) as unknown as Binding;
  const write = { ...writeContextOf(context, served, 'CreateOptions'), subresource: 'binding' };
  checkNamespace(binding.metadata, context.info.namespace);
  // The uid of what is made is nobody's to say, except where a Binding is made of a Pod.
  if (context.info.name === '') delete (binding.metadata as Partial<typeof binding.metadata>).uid;
  const name = context.info.name || (binding.metadata.name ?? '');
  if ((binding.metadata.name ?? '') !== name) throw badRequest('name in URL does not match name in Binding object');
  checkTarget(binding);
  const calls =
    endpoint === undefined
      ? parts.admission.callsFor(context, served, 'CREATE', 'binding', write.dryRun, name)
      : endpoint.admission.callsForReview(context, endpoint.resource, write.dryRun);
  await calls.mutate(binding as unknown as MutableObject, undefined);
  await calls.validate(binding as unknown as MutableObject, undefined);
  if (name === '') throw badRequest('Name parameter required.');
  const change = (current: MutableObject | undefined) => {
    // Upstream books bindings to nobody.
    return assign(current as unknown as Pod, binding, parts.clock.now());
  };
  const admission = { mutate() {}, validate() {} };
  await served.store.update({ name, rules: UNCHECKED, admission, change, mayCreate: false, mayOverwrite: true }, write);
  return { ...objectResult(201, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }), output };
}

/** @source upstream ValidatePodBinding, whose errors reach the client as plain 500s */
function checkTarget({ target }: Binding): void {
  const { kind = '', name = '' } = target;
  const faults = [
    ...(kind === '' || kind === 'Node' ? [] : [`target.kind: Unsupported value: ${quote(kind)}: supported values: "Node", "<empty>"`]),
    ...(name === '' ? ['target.name: Required value'] : []),
  ];
  if (faults.length > 0) throw apiError(500, '', faults.length === 1 ? faults.join() : `[${faults.join(', ')}]`);
}

function assign(pod: Pod, binding: Binding, now: number): MutableObject {
  const { name, uid } = pod.metadata;
  const refuse = (why: string) => conflict({ group: '', resource: 'pods/binding' }, name, why);
  const { uid: wantedUid, resourceVersion: wantedVersion } = binding.metadata;
  if (wantedUid && wantedUid !== uid) throw preconditionFailed(pod, 'UID', wantedUid, uid);
  if (wantedVersion && wantedVersion !== pod.metadata.resourceVersion)
    throw preconditionFailed(pod, 'ResourceVersion', wantedVersion, pod.metadata.resourceVersion);
  if (pod.metadata.deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName) throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  if ((pod.spec.schedulingGates?.length ?? 0) > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec.nodeName = binding.target.name ?? '';
  delete pod.status.nominatedNodeName; // What was expected is past.
  if (binding.metadata.annotations !== undefined)
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
  // Labels that admission gives a binding (zone and region of the node) do not replace the Pod's own.
  if (binding.metadata.labels !== undefined) pod.metadata.labels = { ...binding.metadata.labels, ...pod.metadata.labels };
  setScheduled(pod, now);
  return pod as unknown as MutableObject;
}

function preconditionFailed({ metadata }: Pod, what: string, wanted: string, found: string): ApiError {
  const key = `/registry/pods/${metadata.namespace}/${metadata.name}`;
  const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`;
  const error = `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`;
  return conflict({ group: '', resource: 'pods' }, metadata.name, error);
}

function setScheduled(pod: Pod, now: number): void {
  const others = (pod.status.conditions ?? []).filter((condition) => condition.type !== 'PodScheduled');
  const condition = {
    type: 'PodScheduled',
    status: 'True' as const,
    lastProbeTime: null as unknown as string,
    lastTransitionTime: formatTime(now),
  };
  pod.status.conditions = [...others, condition] as NonNullable<Pod['status']['conditions']>;
}
