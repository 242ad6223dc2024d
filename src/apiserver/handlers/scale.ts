// SPDX-License-Identifier: Apache-2.0
// The scale subresource: an autoscaling/v1 Scale as the face of `spec.replicas`, the same for every kind that has replicas.
// @source upstream pkg/registry/apps/deployment/storage/storage.go ScaleREST

import type { Scale } from '#api/autoscaling/v1';
import { type ApiError, conflict, type DeepReadonly, deepCopy, invalid, type LabelSelector, selectorOf, selectorOfMap } from '#machinery';
import { negotiate, OBJECT_RULES, type Output } from '../encoding/negotiation.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { MutableObject, TableColumns } from '../registry/strategy.ts';
import { scaleTable } from '../registry/tables/mod.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';
import { checkNamespace, readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { isPretty } from './get.ts';
import { writeContextOf } from './options.ts';
import { type Patch, patchCauses, patchTypeOf, readPatch } from './patch.ts';
import { bookScaleApply, bookScaleUpdate, entriesOf, SCALE_RESOURCE, SCALE_SCHEMA, SPEC_REPLICAS } from './scale-ownership.ts';
import { checkName } from './write.ts';

const KIND = { kind: 'Scale', group: 'autoscaling', version: 'v1' };

interface Scalable {
  readonly metadata: DeepReadonly<MutableObject>['metadata'];
  readonly spec: { readonly replicas?: number; readonly selector?: DeepReadonly<LabelSelector> | Readonly<Record<string, string>> };
  readonly status: { readonly replicas?: number };
}

/** The Scale of an object. */
export function scaleOf(object: DeepReadonly<MutableObject>, plainSelector: boolean): Scale {
  const { metadata, spec, status } = object as unknown as Scalable;
  const selector = plainSelector
    ? selectorOfMap((spec.selector ?? {}) as Record<string, string>)
    : selectorOf(spec.selector as LabelSelector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: spec.replicas ? { replicas: spec.replicas } : {},
    status: { replicas: status.replicas ?? 0, ...(selector.isEmpty ? {} : { selector: selector.toString() }) },
  } as Scale;
}

/** @param table What shows the Scale, where a table is asked for. */
export function scaleResult(scale: Scale, output: Output, served: ServedResource, table: TableColumns): ApiResult {
  const whole = { type: 'object', status: 200, object: scale, output } as const;
  return output.transform === undefined ? whole : { ...whole, served: { ...served, convert: undefined, table } };
}

const isPlain = ({ resource }: ServedResource) => resource.resource === 'replicationcontrollers';

function answer(context: RequestContext, served: ServedResource, object: DeepReadonly<MutableObject>): ApiResult {
  const output = negotiate(context.header('accept'), OBJECT_RULES, isPretty(context), context.cbor);
  return scaleResult(scaleOf(object, isPlain(served)), output, served, scaleTable);
}

export async function getScale(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  await parts.cacher.fresh();
  return answer(context, served, served.store.get(context.info.namespace, context.info.name).object);
}

export async function putScale(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'UpdateOptions');
  const wanted = (await readAs(context, SCALE_SCHEMA, KIND)) as unknown as Scale;
  return changeScale(context, served, parts, write, true, () => wanted);
}

export async function patchScale(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const type = patchTypeOf(context);
  const write = writeContextOf(context, served, 'PatchOptions', patchCauses(context.query, type));
  const patch = await readPatch(context, SCALE_RESOURCE, type);
  if (patch.type === 'apply') return applyScale(context, served, parts, write, patch);
  return changeScale(context, served, parts, write, false, (current) => {
    const patched = patch.apply(deepCopy(current) as unknown as MutableObject) as unknown as Scale;
    const { resourceVersion } = patched.metadata;
    return {
      ...patched,
      metadata: { ...patched.metadata, resourceVersion: resourceVersion === current.metadata.resourceVersion ? '' : resourceVersion },
    };
  });
}

async function changeScale(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  write: WriteContext,
  uidIsPrecondition: boolean,
  wanted: (current: Scale) => Scale,
): Promise<ApiResult> {
  return writeScale(context, served, parts, { write, uidIsPrecondition }, (current, before) => {
    const scale = wanted(before);
    checkScale(scale, context);
    return { scale, managedFields: bookScaleUpdate(entriesOf(current), before, scale, bookingOf(served, write, parts)) };
  });
}

/** An applied Scale is booked as an apply of the field it stands for. */
async function applyScale(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  write: WriteContext,
  { object, force, report }: Extract<Patch, { type: 'apply' }>,
): Promise<ApiResult> {
  return writeScale(context, served, parts, { write, uidIsPrecondition: false }, (current, before) => {
    const wanted = { object: deepCopy(object) as MutableObject, force };
    const booked = bookScaleApply(entriesOf(current), before, wanted, bookingOf(served, write, parts));
    report();
    checkScale(booked.scale, context);
    return booked;
  });
}

function bookingOf({ apiVersion }: ServedResource, write: WriteContext, { clock }: ServerParts) {
  return { write, apiVersion, paths: new Map([[apiVersion, SPEC_REPLICAS]]), now: clock.now() };
}

type Booked = ReturnType<typeof bookScaleApply>;

async function writeScale(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  { write, uidIsPrecondition }: { readonly write: WriteContext; readonly uidIsPrecondition: boolean },
  booked: (current: MutableObject, before: Scale) => Booked,
): Promise<ApiResult> {
  const { name } = context.info;
  const change = (current: MutableObject | undefined) => {
    if (current === undefined) return { metadata: { name } } as MutableObject;
    const { scale, managedFields } = booked(current, scaleOf(current, isPlain(served)));
    const next = deepCopy(current) as MutableObject & { spec: { replicas?: number } };
    next.spec.replicas = scale.spec.replicas ?? 0;
    next.metadata.resourceVersion = scale.metadata.resourceVersion ?? '';
    const { uid } = scale.metadata;
    if (uid && uid !== current.metadata.uid && !uidIsPrecondition) throw otherUid(served, current, uid);
    if (uid) next.metadata.uid = uid;
    if (managedFields === undefined) delete next.metadata.managedFields;
    else next.metadata.managedFields = managedFields;
    return next;
  };
  const admission = parts.admission.callsFor(context, served, 'UPDATE', 'scale', write.dryRun, name);
  const { strategy } = served.store;
  const outcome = await served.store.update(
    { name, rules: strategy, admission, change, mayCreate: false, mayOverwrite: true, uidIsPrecondition },
    write,
  );
  return answer(context, served, outcome.cached.object);
}

function otherUid({ resource }: ServedResource, { metadata }: MutableObject, uid: string): ApiError {
  const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`;
  return conflict({ group: resource.group, resource: `${resource.resource}/scale` }, metadata.name, why);
}

function checkScale(scale: Scale, { info: { namespace, name } }: RequestContext): void {
  const { metadata, spec } = scale;
  checkNamespace(metadata, namespace);
  checkName(scale as unknown as MutableObject, name);
  const replicas = spec.replicas ?? 0;
  if (replicas >= 0) return;
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [{ reason: 'FieldValueInvalid', message, field: 'spec.replicas' }]);
}
