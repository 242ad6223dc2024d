// SPDX-License-Identifier: Apache-2.0
// DELETE of one object and of a collection. Options come in the body; the query counts only where there is none.
// @source upstream apiserver pkg/endpoints/handlers/delete.go

import { schemaOfType } from '#api';
import { badRequest, type DeepReadonly, type FieldCause, isNotFound, type Status, type StructSchema } from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import { LIST_RULES, negotiate, READ_RULES } from '../encoding/negotiation.ts';
import { checkShape } from '../encoding/shape.ts';
import { type Deletion, type DeletionRequest, deleteObject } from '../registry/generic/deletion.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { checkGroupVersion, decodeAs, explainUnreadable, MAX_BODY_BYTES } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { isPretty } from './get.ts';
import { listOptionsOf, listResult, pageOf } from './list.ts';
import { dryRunCauses, flagOf, integerOf, refuseOptions, selectionOf } from './options.ts';

interface DeleteOptions {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly gracePeriodSeconds?: number;
  readonly orphanDependents?: boolean;
  readonly propagationPolicy?: string;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: readonly string[];
}

const OPTIONS_TYPE = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
const POLICIES = ['Foreground', 'Background', 'Orphan'];
const SCHEME = 'k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27';

/** What a body says; without one, what the query says. */
async function deletionRequestOf(context: RequestContext): Promise<DeletionRequest> {
  const options = (await readOptions(context)) ?? optionsOfQuery(context.query);
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun = [] } = options;
  refuseOptions('DeleteOptions', optionCauses(options, dryRun));
  return { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun: dryRun.length > 0 };
}

/** @source upstream apimachinery pkg/apis/meta/v1/validation ValidateDeleteOptions */
function optionCauses({ propagationPolicy: policy, orphanDependents }: DeleteOptions, dryRun: readonly string[]): FieldCause[] {
  const field = 'propagationPolicy';
  const causes: FieldCause[] = [];
  if (policy !== undefined && orphanDependents !== undefined) {
    const message = `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`;
    causes.push({ reason: 'FieldValueInvalid', message, field });
  }
  if (policy !== undefined && !POLICIES.includes(policy)) {
    const message = `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`;
    causes.push({ reason: 'FieldValueNotSupported', message, field });
  }
  return [...causes, ...dryRunCauses(dryRun)];
}

/** @source upstream apimachinery pkg/apis/meta/v1/conversion.go Convert_url_Values_To_v1_DeleteOptions */
function optionsOfQuery(query: URLSearchParams): DeleteOptions {
  const [uid, resourceVersion] = [query.get('uid'), query.get('resourceVersion')];
  const gracePeriodSeconds = integerOf(query, 'gracePeriodSeconds');
  const orphanDependents = flagOf(query, 'orphanDependents');
  const propagationPolicy = query.get('propagationPolicy');
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(orphanDependents === undefined ? {} : { orphanDependents }),
    ...(propagationPolicy === null ? {} : { propagationPolicy }),
    ...(uid || resourceVersion ? { preconditions: { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) } } : {}),
    dryRun: query.getAll('dryRun'),
  };
}

/** Undefined: there is no body. @throws {ApiError} 400, 415. */
async function readOptions(context: RequestContext): Promise<DeleteOptions | undefined> {
  const { bodyObject } = context.request;
  if (bodyObject !== undefined) return bodyObject as DeleteOptions;
  const bytes = await context.request.readBody(MAX_BODY_BYTES);
  if (bytes.length === 0) return undefined;
  const { object } = decodeAs(context, bytes, schemaOfType(OPTIONS_TYPE) as StructSchema, false, (error) =>
    badRequest(explainUnreadable(error), error),
  );
  context.audit?.requestObject(object);
  const { kind = '', apiVersion = '' } = object as DeleteOptions;
  checkGroupVersion(apiVersion, badRequest);
  if (kind === '' || kind === 'DeleteOptions') return object as DeleteOptions;
  throw badRequest(
    `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme ${JSON.stringify(SCHEME)}`,
  );
}

function deletionOf(context: RequestContext, served: ServedResource, parts: ServerParts, request: DeletionRequest): Deletion {
  return { store: served.store, clock: parts.clock, request, resource: served.resource, admit: admit(context, served, parts, request) };
}

function admit(context: RequestContext, served: ServedResource, parts: ServerParts, request: DeletionRequest) {
  const { dryRun, ...options } = request;
  // Who deletes a collection names no object, and admission is told of none, though it sees each.
  const name = context.info.verb === 'deletecollection' ? '' : context.info.name;
  return async (object: DeepReadonly<MutableObject>) => {
    const calls = parts.admission.callsFor(context, served, 'DELETE', '', dryRun, name, options);
    await calls.mutate(undefined, object);
    await calls.validate(undefined, object);
  };
}

export async function remove(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const output = negotiate(context.header('accept'), READ_RULES, isPretty(context), context.cbor);
  const request = await deletionRequestOf(context);
  warnOfOrphans(context, served, request);
  const namespace = served.resource.namespaced ? context.info.namespace : '';
  const deletion = deletionOf(context, served, parts, request);
  const { cached, gone } = await deleteObject(deletion, namespace, context.info.name);
  const cascades = request.orphanDependents === false;
  if (!gone || served.store.traits.returnsDeleted) {
    if (output.transform !== undefined) checkShape(output, served, false);
    return { type: 'object', status: !gone && cascades ? 202 : 200, object: cached.object, cached, served, output };
  }
  return { ...objectResult(200, deletedStatus(served, cached)), output };
}

function deletedStatus({ resource }: ServedResource, cached: CachedObject): Status {
  const { name, uid } = cached.object.metadata;
  const details = { name, ...(resource.group === '' ? {} : { group: resource.group }), kind: resource.resource, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

/** Answers with the objects as they were found. */
export async function deleteCollection(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  const output = negotiate(context.header('accept'), LIST_RULES, isPretty(context), context.cbor);
  if (output.transform !== undefined) checkShape(output, served, true);
  const wanted = listOptionsOf(context);
  const selection = selectionOf(context, served);
  const request = await deletionRequestOf(context);
  warnOfOrphans(context, served, request);
  const page = await pageOf(served, parts, selection, wanted);
  const deletion = deletionOf(context, served, parts, request);
  // Preconditions end it at the first object that does not meet them. Otherwise all go at once.
  if (request.preconditions === undefined) await Promise.all(page.items.map((cached) => deleteOne(deletion, cached)));
  else for (const cached of page.items) await deleteOne(deletion, cached);
  return listResult(page, served, output, context);
}

/** Who does not say what becomes of what the objects own is told where that is not what one would expect. */
function warnOfOrphans(context: RequestContext, { store }: ServedResource, { propagationPolicy, orphanDependents }: DeletionRequest): void {
  const { unsaidPolicyWarning: text } = store.traits;
  if (text !== undefined && propagationPolicy === undefined && orphanDependents === undefined) context.warn(text);
}

async function deleteOne(deletion: Deletion, cached: CachedObject): Promise<void> {
  const { name, namespace = '' } = cached.object.metadata;
  try {
    await deleteObject(deletion, namespace, name);
  } catch (error) {
    if (!isNotFound(error)) throw error; // Somebody else was faster.
  }
}
