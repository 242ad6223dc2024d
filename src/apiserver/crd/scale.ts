// SPDX-License-Identifier: Apache-2.0
// The scale endpoint of a custom resource: an autoscaling/v1 Scale as the face of the fields that its definition names.
// @source upstream apiextensions-apiserver pkg/registry/customresource/etcd.go ScaleREST
import { schemaOfType } from '#api';
import type { Scale } from '#api/autoscaling/v1';
import { type DeepReadonly, deepCopy, internalError, invalid, invalidValue, notFound, type Resource, type StructSchema } from '#machinery';
import { negotiate, OBJECT_RULES } from '../encoding/negotiation.ts';
import { readAs } from '../handlers/body.ts';
import type { ResourceHandler, ServerParts } from '../handlers/endpoint.ts';
import { bookApply, bookUpdate } from '../handlers/field-ownership.ts';
import { isPretty } from '../handlers/get.ts';
import { refuseOptions, writeContextOf } from '../handlers/options.ts';
import { patchCauses, patchTypeOf, readPatch } from '../handlers/patch.ts';
import { scaleResult } from '../handlers/scale.ts';
import { checkName } from '../handlers/write.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';
import { readPath, readReplicas, type ScalePaths, writePath } from './scale-paths.ts';
import type { Json } from './schema-props.ts';

const SCALE = schemaOfType('io.k8s.api.autoscaling.v1.Scale') as StructSchema;
const KIND = { kind: 'Scale', group: 'autoscaling', version: 'v1' };

/** The handlers of one version's scale endpoint, by verb. */
export function scaleHandlers(paths: ScalePaths): Readonly<Record<string, ResourceHandler>> {
  return {
    get: async (context, served, parts) => {
      await parts.cacher.fresh();
      const found = await served.store.lookup(namespaceOf(context, served), context.info.name);
      if (found === undefined) throw notFound(served.resource, context.info.name);
      return answer(context, served, scaleOf(found.object, paths, true));
    },
    update: async (context, served, parts) => {
      const wanted = (await readAs(context, SCALE, KIND)) as unknown as Scale;
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

async function patch(context: RequestContext, served: ServedResource, parts: ServerParts, paths: ScalePaths): Promise<ApiResult> {
  const type = patchTypeOf(context, served.schema);
  refuseOptions('PatchOptions', patchCauses(context.query, type));
  const target = { schema: SCALE, apiVersion: 'autoscaling/v1', resource: { ...served.resource, kind: 'Scale' } as Resource };
  const wanted = await readPatch(context, target, type);
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
  paths: ScalePaths,
  wanted: (current: Scale) => Scale,
): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'UpdateOptions');
  const { name } = context.info;
  const update = (current: MutableObject | undefined) => {
    if (current === undefined) return { metadata: { name } } as MutableObject;
    const scale = wanted(scaleOf(current, paths, false));
    checkName(scale as unknown as MutableObject, name);
    const next = deepCopy(current) as MutableObject;
    writePath(next, paths.spec, scale.spec.replicas ?? 0);
    checkReplicas(served, name, scale, paths);
    next.metadata.resourceVersion = scale.metadata.resourceVersion ?? '';
    if (scale.metadata.uid) next.metadata.uid = scale.metadata.uid;
    bookUpdate(served, write, current, next, [], parts.clock.now());
    withoutTime(next);
    return next;
  };
  const admission = parts.admission.callsFor(context, served, 'UPDATE', 'scale', write.dryRun, name);
  const request = { name, rules: served.store.strategy, admission, change: update, mayCreate: false, mayOverwrite: true };
  const outcome = await served.store.update({ ...request, uidIsPrecondition: true }, write);
  return answer(context, served, scaleOf(outcome.cached.object, paths, false));
}

/** Upstream's entries for the scale endpoint of custom resources carry no time. */
function withoutTime({ metadata }: MutableObject): void {
  for (const entry of metadata.managedFields ?? []) if (entry.subresource === 'scale') delete (entry as unknown as Json)['time'];
}

function checkReplicas({ resource }: ServedResource, name: string, { spec }: Scale, paths: ScalePaths): void {
  const replicas = spec.replicas ?? 0;
  if (replicas < 0) throw invalid(resource, name, [invalidValue(paths.spec, replicas, 'should be a non-negative integer')]);
}

/** An applied Scale is booked as an apply of the field it stands for. */
async function apply(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  paths: ScalePaths,
  { object, force }: { readonly object: MutableObject; readonly force: boolean },
): Promise<ApiResult> {
  const write = writeContextOf(context, served, 'PatchOptions');
  const { name } = context.info;
  const { metadata, spec } = object as unknown as Scale;
  const wanted = { apiVersion: served.apiVersion, kind: served.resource.kind, metadata: { name } } as unknown as MutableObject;
  writePath(wanted, paths.spec, spec?.replicas ?? 0);
  const update = (current: MutableObject | undefined) => {
    if (current === undefined) return { metadata: { name } } as MutableObject;
    checkName({ ...object, metadata: { ...metadata, name: metadata?.name ?? '' } } as MutableObject, name);
    checkReplicas(served, name, { spec: spec ?? {} } as Scale, paths);
    const configuration = { object: deepCopy(wanted) as MutableObject, force };
    const next = bookApply(served, write, current, configuration, [], parts.clock.now(), (stored) => stored);
    next.metadata.resourceVersion = metadata?.resourceVersion ?? '';
    return next;
  };
  const admission = parts.admission.callsFor(context, served, 'UPDATE', 'scale', write.dryRun, name);
  const request = { name, rules: served.store.strategy, admission, change: update, mayCreate: false, mayOverwrite: true };
  const outcome = await served.store.update({ ...request, uidIsPrecondition: false }, write);
  return answer(context, served, scaleOf(outcome.cached.object, paths, false));
}
