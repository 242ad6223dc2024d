// SPDX-License-Identifier: Apache-2.0
// The scale endpoint of a custom resource: an autoscaling/v1 Scale as the face of the fields that its definition names.
// @source upstream apiextensions-apiserver pkg/registry/customresource/etcd.go ScaleREST
import type { Scale } from '#api/autoscaling/v1';
import { badRequest, type DeepReadonly, deepCopy, internalError, invalid, invalidValue, notFound } from '#machinery';
import { negotiate, OBJECT_RULES } from '../encoding/negotiation.ts';
import { readAs } from '../handlers/body.ts';
import type { ResourceHandler, ServerParts } from '../handlers/endpoint.ts';
import { isPretty } from '../handlers/get.ts';
import { refuseOptions, writeContextOf } from '../handlers/options.ts';
import { type Patch, patchCauses, patchTypeOf, readPatch } from '../handlers/patch.ts';
import { scaleResult } from '../handlers/scale.ts';
import {
  bookScaleApply,
  bookScaleUpdate,
  entriesOf,
  type ReplicaPaths,
  SCALE_RESOURCE,
  SCALE_SCHEMA,
} from '../handlers/scale-ownership.ts';
import { checkName } from '../handlers/write.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';
import { readPath, readReplicas, type ScalePaths, stepsOf, writePath } from './scale-paths.ts';

/** Stands for replicas that are not there: a write has to name them. @source upstream etcd.go: the smallest int32 */
const NO_REPLICAS = -(2 ** 31);
const KIND = { kind: 'Scale', group: 'autoscaling', version: 'v1' };

/** One version's paths, and where every version of the definition has its replicas. */
interface Scaled extends ScalePaths {
  readonly byVersion: ReplicaPaths;
}

/**
 * The handlers of one version's scale endpoint, by verb.
 *
 * @param replicas The path of the replicas in each version of the definition; undefined for those without a scale endpoint.
 */
export function scaleHandlers(
  own: ScalePaths,
  replicas: readonly (readonly [apiVersion: string, path: string | undefined])[],
): Readonly<Record<string, ResourceHandler>> {
  const byVersion = new Map(replicas.map(([version, path]) => [version, path === undefined ? undefined : stepsOf(path)]));
  const paths: Scaled = { ...own, byVersion };
  return {
    get: async (context, served, parts) => {
      await parts.cacher.fresh();
      const found = await served.store.lookup(namespaceOf(context, served), context.info.name);
      if (found === undefined) throw notFound(served.resource, context.info.name);
      return answer(context, served, scaleOf(found.object, paths, true));
    },
    update: async (context, served, parts) => {
      const wanted = (await readAs(context, SCALE_SCHEMA, KIND)) as unknown as Scale;
      return change(context, served, parts, paths, () => wanted);
    },
    patch: (context, served, parts) => patch(context, served, parts, paths),
  };
}

const namespaceOf = (context: RequestContext, served: ServedResource) => (served.resource.namespaced ? context.info.namespace : '');

/** @param strict The field must be there: what is read must be true. @throws {ApiError} 500 */
function scaleOf(object: DeepReadonly<MutableObject>, paths: ScalePaths, strict: boolean): Scale {
  const replicas = readReplicas(object, paths.spec);
  if (replicas === undefined && strict) throw internalError(`the spec replicas field ${JSON.stringify(paths.spec)} does not exist`);
  const status = readReplicas(object, paths.status);
  const selector = paths.selector === undefined ? undefined : readPath(object, paths.selector);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: typeof replicas === 'number' && replicas !== 0 ? { replicas } : {},
    status: {
      replicas: typeof status === 'number' ? status : 0,
      ...(typeof selector === 'string' && selector !== '' ? { selector } : {}),
    },
  } as Scale;
}

/** A Table of it has the columns of the custom resource. */
function answer(context: RequestContext, served: ServedResource, object: Scale): ApiResult {
  const output = negotiate(context.header('accept'), OBJECT_RULES, isPretty(context), context.cbor);
  return scaleResult(object, output, served, served.table);
}

async function patch(context: RequestContext, served: ServedResource, parts: ServerParts, paths: Scaled): Promise<ApiResult> {
  const type = patchTypeOf(context, served.schema);
  refuseOptions('PatchOptions', patchCauses(context.query, type));
  const wanted = await readPatch(context, SCALE_RESOURCE, type);
  if (wanted.type === 'apply') return apply(context, served, parts, paths, wanted);
  return change(context, served, parts, paths, (current) => {
    const next = wanted.apply(deepCopy(current) as unknown as MutableObject) as unknown as Scale;
    const { resourceVersion } = next.metadata;
    // A patch that says nothing of the version means the one it was applied to.
    const version = resourceVersion === current.metadata.resourceVersion ? '' : resourceVersion;
    return { ...next, metadata: { ...next.metadata, resourceVersion: version } };
  });
}

async function change(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  paths: Scaled,
  wanted: (current: Scale) => Scale,
): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'UpdateOptions');
  return writeScale(context, served, parts, { write, paths }, (current, before) => {
    const scale = wanted(before);
    checkName(scale as unknown as MutableObject, context.info.name);
    return { scale, managedFields: bookScaleUpdate(entriesOf(current), before, scale, bookingOf(served, write, paths, parts)) };
  });
}

/** An applied Scale is booked as an apply of the field it stands for. */
async function apply(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  paths: Scaled,
  { object, force, report }: Extract<Patch, { type: 'apply' }>,
): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'PatchOptions');
  return writeScale(context, served, parts, { write, paths }, (current, before) => {
    const wanted = { object: deepCopy(object) as MutableObject, force };
    const booked = bookScaleApply(entriesOf(current), before, wanted, bookingOf(served, write, paths, parts));
    report();
    checkName(booked.scale as unknown as MutableObject, context.info.name);
    return booked;
  });
}

function bookingOf({ apiVersion }: ServedResource, write: WriteContext, { byVersion }: Scaled, { clock }: ServerParts) {
  return { write, apiVersion, paths: byVersion, now: clock.now() };
}

async function writeScale(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  { write, paths }: { readonly write: WriteContext; readonly paths: ScalePaths },
  booked: (current: MutableObject, before: Scale) => ReturnType<typeof bookScaleApply>,
): Promise<ApiResult> {
  const { name } = context.info;
  const update = (current: MutableObject | undefined) => {
    if (current === undefined) return { metadata: { name } } as MutableObject;
    const before = scaleOf(current, paths, false);
    if (readReplicas(current, paths.spec) === undefined) before.spec = { replicas: NO_REPLICAS };
    const { scale, managedFields } = booked(current, before);
    if (scale.spec.replicas === NO_REPLICAS) throw badRequest(`the spec replicas field ${JSON.stringify(paths.spec)} cannot be empty`);
    checkReplicas(served, name, scale, paths);
    const next = deepCopy(current) as MutableObject;
    writePath(next, paths.spec, scale.spec.replicas ?? 0);
    next.metadata.resourceVersion = scale.metadata.resourceVersion ?? '';
    if (scale.metadata.uid) next.metadata.uid = scale.metadata.uid;
    if (managedFields === undefined) delete next.metadata.managedFields;
    else next.metadata.managedFields = managedFields;
    return next;
  };
  const admission = parts.admission.callsFor(context, served, 'UPDATE', 'scale', write.dryRun, name);
  const request = { name, rules: served.store.strategy, admission, change: update, mayCreate: false, mayOverwrite: true };
  const outcome = await served.store.update({ ...request, uidIsPrecondition: true }, write);
  return answer(context, served, scaleOf(outcome.cached.object, paths, false));
}

function checkReplicas({ resource }: ServedResource, name: string, { spec }: Scale, paths: ScalePaths): void {
  const replicas = spec.replicas ?? 0;
  if (replicas < 0) throw invalid(resource, name, [invalidValue(paths.spec, replicas, 'should be a non-negative integer')]);
}
