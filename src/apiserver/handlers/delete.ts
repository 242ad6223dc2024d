// SPDX-License-Identifier: Apache-2.0
// DELETE of one object and of a collection. Options come in the body or the query; the body wins where both are there.
// @source upstream apiserver pkg/endpoints/handlers/delete.go
import { badRequest, decodeJson, type DeepReadonly, invalid, type Status, type StructSchema } from '#machinery';
import { schemaOfType } from '#api';
import type { CachedObject } from '../cacher/cached-object.ts';
import { LIST_RULES, negotiate, OBJECT_RULES } from '../encoding/negotiation.ts';
import { checkPropagation, deleteObject, type DeletionRequest } from '../registry/generic/deletion.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { MAX_BODY_BYTES } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { isPretty } from './get.ts';
import { checkDryRun, selectionOf } from './options.ts';

interface DeleteOptionsBody {
  readonly gracePeriodSeconds?: number;
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: readonly string[];
}

const OPTIONS_TYPE = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
const POLICIES = ['Foreground', 'Background', 'Orphan'];

async function deletionRequestOf(context: RequestContext): Promise<DeletionRequest> {
  const body = await readOptions(context);
  const { query } = context;
  const queryGrace = query.get('gracePeriodSeconds');
  const dryRun = [...(body.dryRun ?? []), ...query.getAll('dryRun')].filter((value) => value !== '');
  checkDryRun(dryRun, 'DeleteOptions');
  const orphan = query.get('orphanDependents');
  const request: DeletionRequest = {
    gracePeriodSeconds: body.gracePeriodSeconds ?? (queryGrace === null ? undefined : graceOf(queryGrace)),
    propagationPolicy: body.propagationPolicy ?? query.get('propagationPolicy') ?? undefined,
    orphanDependents: body.orphanDependents ?? (orphan === null ? undefined : orphan === 'true'),
    preconditions: body.preconditions,
    dryRun: dryRun.length > 0,
  };
  checkPropagation(request);
  const policy = request.propagationPolicy;
  if (policy !== undefined && !POLICIES.includes(policy)) {
    const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`;
    throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', [{ reason: 'FieldValueNotSupported', message, field: 'propagationPolicy' }]);
  }
  return request;
}

function graceOf(text: string): number {
  if (!/^-?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

async function readOptions(context: RequestContext): Promise<DeleteOptionsBody> {
  const { bodyObject } = context.request;
  if (bodyObject !== undefined) return bodyObject as DeleteOptionsBody;
  const bytes = await context.request.readBody(MAX_BODY_BYTES);
  if (bytes.length === 0) return {};
  return decodeJson(bytes, schemaOfType(OPTIONS_TYPE) as StructSchema, { strict: false }).object as unknown as DeleteOptionsBody;
}

function admit(context: RequestContext, served: ServedResource, parts: ServerParts, dryRun: boolean) {
  return async (object: DeepReadonly<MutableObject>) => {
    const calls = parts.admission.callsFor(context, served, 'DELETE', '', dryRun, object.metadata.name);
    await calls.mutate(undefined as unknown as MutableObject, object);
    await calls.validate(undefined as unknown as MutableObject, object);
  };
}

export async function remove(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const output = negotiate(context.header('accept'), OBJECT_RULES, isPretty(context));
  const request = await deletionRequestOf(context);
  const namespace = served.resource.namespaced ? context.info.namespace : '';
  const deletion = { store: served.store, clock: parts.clock, request, admit: admit(context, served, parts, request.dryRun) };
  const { cached, gone } = await deleteObject(deletion, namespace, context.info.name);
  const cascades = request.orphanDependents === false;
  if (!gone) return { type: 'object', status: cascades ? 202 : 200, object: cached.object, cached, served, output };
  if (served.store.traits.returnsDeleted) return { type: 'object', status: 200, object: cached.object, cached, served, output };
  return objectResult(200, deletedStatus(served, cached));
}

function deletedStatus({ resource }: ServedResource, cached: CachedObject): Status {
  const { name, uid } = cached.object.metadata;
  const details = { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.resource, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

export async function deleteCollection(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const output = negotiate(context.header('accept'), LIST_RULES, isPretty(context));
  const request = await deletionRequestOf(context);
  const selection = selectionOf(context, served);
  await parts.cacher.fresh();
  const { revision } = parts.cacher;
  const targets = parts.cacher.cache(served.store.prefix).list(selection.namespace).filter((cached) => selection.matches(cached));
  const deletion = { store: served.store, clock: parts.clock, request, admit: admit(context, served, parts, request.dryRun) };
  const outcomes = await Promise.all(targets.map((cached) => deleteOne(deletion, cached)));
  const items = outcomes.flatMap((outcome) => outcome ?? []);
  return { type: 'list', items, resourceVersion: String(revision), continue: '', remainingItemCount: undefined, served, output, query: context.query };
}

async function deleteOne(deletion: Parameters<typeof deleteObject>[0], cached: CachedObject): Promise<CachedObject | undefined> {
  const { name, namespace = '' } = cached.object.metadata;
  try {
    return (await deleteObject(deletion, namespace, name)).cached;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return cached; // Somebody else was faster.
    throw error;
  }
}
