// SPDX-License-Identifier: Apache-2.0
// The scale subresource: an autoscaling/v1 Scale as the face of `spec.replicas`, the same for every kind that has replicas.
// @source upstream pkg/registry/apps/deployment/storage/storage.go ScaleREST

import { horizontalpodautoscalers, schemaOfType } from '#api';
import type { Scale } from '#api/autoscaling/v1';
import {
  badRequest,
  type DeepReadonly,
  deepCopy,
  invalid,
  type LabelSelector,
  type Resource,
  type StructSchema,
  selectorOf,
  selectorOfMap,
} from '#machinery';
import { negotiate, OBJECT_RULES, type Output } from '../encoding/negotiation.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject, TableColumns } from '../registry/strategy.ts';
import { scaleTable } from '../registry/tables/mod.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';
import { readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { bookApply, bookUpdate } from './field-ownership.ts';
import { isPretty } from './get.ts';
import { refuseOptions, writeContextOf } from './options.ts';
import { type Patch, patchCauses, patchTypeOf, readPatch } from './patch.ts';

const SCALE = schemaOfType('io.k8s.api.autoscaling.v1.Scale') as StructSchema;
const KIND = { kind: 'Scale', group: 'autoscaling', version: 'v1' };
const SCALE_RESOURCE = {
  schema: SCALE,
  apiVersion: 'autoscaling/v1',
  resource: { ...horizontalpodautoscalers, kind: 'Scale', resource: 'scales' } as Resource,
};

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
  const wanted = (await readAs(context, SCALE, KIND)) as unknown as Scale;
  return changeScale(context, served, parts, () => wanted);
}

export async function patchScale(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const type = patchTypeOf(context);
  refuseOptions('PatchOptions', patchCauses(context.query, type));
  const patch = await readPatch(context, SCALE_RESOURCE, type);
  if (patch.type === 'apply') return applyScale(context, served, parts, patch);
  return changeScale(context, served, parts, (current) => {
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
  wanted: (current: Scale) => Scale,
): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'UpdateOptions');
  const { name } = context.info;
  const change = (current: MutableObject | undefined) => {
    if (current === undefined) return { metadata: { name } } as MutableObject;
    const scale = wanted(scaleOf(current, isPlain(served)));
    checkScale(scale, name);
    const next = deepCopy(current) as MutableObject & { spec: { replicas?: number } };
    next.spec.replicas = scale.spec.replicas ?? 0;
    next.metadata.resourceVersion = scale.metadata.resourceVersion ?? '';
    if (scale.metadata.uid) next.metadata.uid = scale.metadata.uid;
    bookUpdate(served, write, current, next, [], parts.clock.now());
    dropScaleTimes(next);
    return next;
  };
  const admission = parts.admission.callsFor(context, served, 'UPDATE', 'scale', write.dryRun, name);
  const { strategy } = served.store;
  const outcome = await served.store.update(
    { name, rules: strategy, admission, change, mayCreate: false, mayOverwrite: true, uidIsPrecondition: true },
    write,
  );
  return answer(context, served, outcome.cached.object);
}

/** An applied Scale is booked as an apply of the field it stands for. */
async function applyScale(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  { object, force }: Extract<Patch, { type: 'apply' }>,
): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'PatchOptions');
  const { name } = context.info;
  const { kind = '', apiVersion = '', metadata, spec } = object as unknown as Partial<Scale>;
  if (kind !== 'Scale' || apiVersion !== 'autoscaling/v1') {
    const found = typeof apiVersion === 'string' ? apiVersion : '';
    throw badRequest(`invalid object type: ${found.includes('/') ? found : `/${found}`}, Kind=${typeof kind === 'string' ? kind : ''}`);
  }
  const wanted = {
    apiVersion: served.apiVersion,
    kind: served.resource.kind,
    metadata: { name },
    spec: { replicas: spec?.replicas ?? 0 },
  } as unknown as MutableObject;
  const change = (current: MutableObject | undefined) => {
    if (current === undefined) return { metadata: { name } } as MutableObject;
    checkScale({ metadata: { ...metadata, name: metadata?.name ?? '' }, spec: spec ?? {} } as Scale, name);
    const next = bookApply(
      served,
      write,
      current,
      { object: deepCopy(wanted) as MutableObject, force },
      [],
      parts.clock.now(),
      (stored) => stored,
    );
    next.metadata.resourceVersion = metadata?.resourceVersion ?? '';
    dropScaleTimes(next);
    return next;
  };
  const admission = parts.admission.callsFor(context, served, 'UPDATE', 'scale', write.dryRun, name);
  const request = { name, rules: served.store.strategy, admission, change, mayCreate: false, mayOverwrite: true, uidIsPrecondition: false };
  const outcome = await served.store.update(request, write);
  return answer(context, served, outcome.cached.object);
}

/** Entries booked through a Scale carry no time. @source upstream fieldmanager ScaleHandler.ToParent */
function dropScaleTimes({ metadata }: MutableObject): void {
  if (metadata.managedFields === undefined) return;
  metadata.managedFields = metadata.managedFields.map((entry) => {
    if (entry.subresource !== 'scale') return entry;
    const { time: _, ...timeless } = entry;
    return timeless;
  });
}

function checkScale({ metadata, spec }: Scale, name: string): void {
  if (metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  const replicas = spec.replicas ?? 0;
  if (replicas >= 0) return;
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [{ reason: 'FieldValueInvalid', message, field: 'spec.replicas' }]);
}
