// SPDX-License-Identifier: Apache-2.0
// Reads a PATCH body: which of the four kinds it is, and whether it may be used here at all.
// @source upstream apiserver pkg/endpoints/handlers/patch.go
import {
  applyJsonPatch,
  applyMergePatch,
  applyStrategicPatch,
  badRequest,
  checkJsonPatch,
  invalid,
  PatchError,
  PatchSyntaxError,
  parseYaml,
  StrategicPatchError,
  unsupportedMediaType,
} from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { RequestContext } from '../request/context.ts';
import { MAX_BODY_BYTES, mediaTypeOf } from './body.ts';

export type Patch =
  | { readonly type: 'json' | 'merge' | 'strategic'; readonly apply: (object: MutableObject) => MutableObject }
  | { readonly type: 'apply'; readonly object: MutableObject; readonly force: boolean };

const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
const APPLY_PATCH = 'application/apply-patch+yaml';
const ACCEPTED = [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH];

/** @throws {ApiError} 400, 413, 415, 422. */
export async function readPatch(context: RequestContext, served: ServedResource): Promise<Patch> {
  const type = mediaTypeOf(context);
  if (!ACCEPTED.includes(type)) {
    throw unsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${ACCEPTED.join(', ')}`);
  }
  if (type === APPLY_PATCH) return readApply(context);
  if (context.query.has('force')) {
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [{ reason: 'FieldValueForbidden', message: 'Forbidden: may not be specified for non-apply patch', field: 'force' }]);
  }
  const body = await readJson(context);
  const kind = type === JSON_PATCH ? 'json' : type === MERGE_PATCH ? 'merge' : 'strategic';
  if (kind === 'json') checkPatch(() => checkJsonPatch(body), served);
  return { type: kind, apply: (object) => checkPatch(() => applied(kind, object, body, served), served) };
}

function applied(kind: 'json' | 'merge' | 'strategic', object: MutableObject, body: unknown, served: ServedResource): MutableObject {
  switch (kind) {
    case 'json':
      return applyJsonPatch(object, checkJsonPatch(body)) as MutableObject;
    case 'merge':
      return applyMergePatch(object, body) as MutableObject;
    case 'strategic':
      return applyStrategicPatch(object, body as Record<string, unknown>, served.schema) as MutableObject;
  }
}

/** Turns the patch library's errors into the API's: 400 for a malformed patch, 422 for one that does not fit the object. */
function checkPatch<T>(work: () => T, served: ServedResource): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof PatchSyntaxError || error instanceof StrategicPatchError) throw badRequest(error.message, error);
    if (error instanceof PatchError) throw unprocessable(error.message, served);
    throw error;
  }
}

function unprocessable(message: string, _served: ServedResource): Error {
  const { status } = invalid({ group: '', kind: '' }, '', []);
  const failure = invalid({ group: '', kind: '' }, '', []);
  Object.assign(failure.status, { ...status, message, details: undefined });
  failure.message = message;
  delete failure.status.details;
  return failure;
}

async function readJson(context: RequestContext): Promise<unknown> {
  if (context.request.bodyObject !== undefined) return context.request.bodyObject;
  const bytes = await context.request.readBody(MAX_BODY_BYTES);
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw badRequest(`error decoding patch: ${(error as Error).message}`, error);
  }
}

async function readApply(context: RequestContext): Promise<Patch> {
  const force = context.query.get('force') === 'true';
  if ((context.query.get('fieldManager') ?? '') === '') {
    const message = 'Required value: is required for apply patch';
    throw invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [{ reason: 'FieldValueRequired', message, field: 'fieldManager' }]);
  }
  const { bodyObject } = context.request;
  const object = bodyObject ?? readYaml(await context.request.readBody(MAX_BODY_BYTES));
  if (typeof object !== 'object' || object === null || Array.isArray(object)) throw badRequest('error decoding YAML: the body is no object');
  return { type: 'apply', object: object as MutableObject, force };
}

function readYaml(bytes: Uint8Array): unknown {
  try {
    return parseYaml(Buffer.from(bytes).toString()).value;
  } catch (error) {
    throw badRequest(`error decoding YAML: ${(error as Error).message}`, error);
  }
}
