// SPDX-License-Identifier: Apache-2.0
// POST, PUT and PATCH of objects and of the subresources that take the object itself (status, finalize, approval, …).
// @source upstream apiserver pkg/endpoints/handlers/{create,update,patch}.go
import { badRequest, type DeepReadonly, deepCopy } from '#machinery';
import type { CachedObject } from '../cacher/cached-object.ts';
import { negotiate, READ_RULES } from '../encoding/negotiation.ts';
import { checkShape } from '../encoding/shape.ts';
import type { UpdateOutcome } from '../registry/generic/generic-store.ts';
import { dropRepeatedOwners } from '../registry/generic/owner-references.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import { inServedVersion } from '../registry/generic/served-resource.ts';
import type { WriteContext } from '../registry/generic/write-context.ts';
import type { MutableObject, UpdateRules } from '../registry/strategy.ts';
import type { ApiResult, ObjectResult, RequestContext } from '../request/context.ts';
import { readObject } from './body.ts';
import { authorizingCreates } from './create-authorization.ts';
import type { ServerParts } from './endpoint.ts';
import { bookApply, bookUpdate } from './field-ownership.ts';
import { isPretty } from './get.ts';
import { writeContextOf } from './options.ts';
import { type Patch, patchCauses, patchTypeOf, readPatch } from './patch.ts';

/** What asks for a list is told of it when the object is written, as upstream has it. */
function answer(context: RequestContext, served: ServedResource, cached: CachedObject, status: number): ObjectResult {
  const output = negotiate(context.header('accept'), READ_RULES, isPretty(context), context.cbor);
  if (output.transform !== undefined) checkShape(output, served, false);
  if (output.mediaType !== 'json' || output.transform !== undefined) cached.forgetText();
  return { type: 'object', status, object: cached.object, cached, served, output };
}

/** A decoded object in the stored version, with its defaults. */
function intoStorage(served: ServedResource, object: MutableObject): MutableObject {
  const stored = served.convert === undefined ? object : served.convert.toStorage(object);
  served.store.strategy.applyDefaults(stored);
  return stored;
}

export async function create(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  negotiate(context.header('accept'), READ_RULES, isPretty(context), context.cbor);
  const write = writeContextOf(context, served, 'CreateOptions');
  const object = await readObject(context, served);
  delete object.metadata.deletionTimestamp;
  delete object.metadata.deletionGracePeriodSeconds;
  const stored = intoStorage(served, object);
  if (served.resource.namespaced && !stored.metadata.namespace) stored.metadata.namespace = write.namespace;
  dropRepeatedOwners(stored, write.warn, false);
  bookUpdate(served, write, undefined, stored, served.store.strategy.resetFields, parts.clock.now());
  const admission = parts.admission.callsFor(context, served, 'CREATE', '', write.dryRun, stored.metadata.name ?? '');
  return answer(context, served, await served.store.create(stored, write, admission), 201);
}

export async function update(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  negotiate(context.header('accept'), READ_RULES, isPretty(context), context.cbor);
  const write = writeContextOf(context, served, 'UpdateOptions');
  const object = intoStorage(served, await readObject(context, served));
  const { namespace } = object.metadata;
  if (served.resource.namespaced && namespace && namespace !== write.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  checkName(object, context.info.name);
  dropRepeatedOwners(object, write.warn, false);
  const rules = rulesOf(served, context.info.subresource);
  const { strategy } = served.store;
  const change = (current: MutableObject | undefined) => {
    const next = deepCopy(object) as MutableObject;
    if (served.resource.namespaced) next.metadata.namespace ||= write.namespace;
    bookUpdate(served, write, current, next, rules.resetFields, parts.clock.now());
    return next;
  };
  const mayCreate = strategy.allowCreateOnUpdate && write.subresource === '';
  return finishUpdate(context, served, parts, {
    write,
    rules,
    change,
    mayCreate,
    mayOverwrite: strategy.allowUnconditionalUpdate,
    uidIsPrecondition: true,
  });
}

export async function patch(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  negotiate(context.header('accept'), READ_RULES, isPretty(context), context.cbor);
  const type = patchTypeOf(context, served.schema);
  const write = writeContextOf(context, served, 'PatchOptions', patchCauses(context.query, type));
  const wanted = await readPatch(context, served, type);
  const rules = rulesOf(served, context.info.subresource);
  const change = (current: MutableObject | undefined) => patched(context, served, write, wanted, current, rules, parts.clock.now());
  const mayCreate = wanted.type === 'apply' && write.subresource === '';
  return finishUpdate(context, served, parts, { write, rules, change, mayCreate, mayOverwrite: true, uidIsPrecondition: false });
}

/** The object a patch makes of the present one, in the stored version, booked to its manager. */
function patched(
  context: RequestContext,
  served: ServedResource,
  write: WriteContext,
  wanted: Patch,
  current: MutableObject | undefined,
  rules: UpdateRules,
  now: number,
): MutableObject {
  if (wanted.type === 'apply') {
    const next = bookApply(served, write, current, wanted, rules.resetFields, now, (object) => intoStorage(served, object));
    wanted.report();
    checkName(next, context.info.name);
    return next;
  }
  if (current === undefined) return { apiVersion: '', kind: '', metadata: { name: context.info.name } } as MutableObject; // Refused: mayCreate is false.
  const before = inServedVersion(served, current) as MutableObject;
  const result = wanted.apply(deepCopy(before) as MutableObject);
  const next = intoStorage(served, result);
  if (next.metadata.name !== current.metadata.name) checkName(next, current.metadata.name);
  // A patch that says nothing of the version means the one it was applied to, tried again after a lost race.
  if (next.metadata.resourceVersion === current.metadata.resourceVersion) next.metadata.resourceVersion = '';
  bookUpdate(served, write, current, next, rules.resetFields, now);
  return next;
}

interface UpdatePlan {
  readonly write: WriteContext;
  readonly rules: UpdateRules;
  readonly change: (current: MutableObject | undefined) => MutableObject;
  readonly mayCreate: boolean;
  readonly mayOverwrite: boolean;
  /** PUT: an object with another uid was replaced since. PATCH: a uid cannot be changed. */
  readonly uidIsPrecondition: boolean;
}

async function finishUpdate(context: RequestContext, served: ServedResource, parts: ServerParts, plan: UpdatePlan): Promise<ApiResult> {
  const { write, rules, change, mayCreate, mayOverwrite, uidIsPrecondition } = plan;
  const { name, subresource } = context.info;
  const exists = served.store.has(write.namespace, name);
  const calls = parts.admission.callsFor(context, served, exists ? 'UPDATE' : 'CREATE', subresource, write.dryRun, name);
  const admission = exists || !mayCreate ? calls : authorizingCreates(context, parts.authorizer, calls);
  const outcome: UpdateOutcome = await served.store.update(
    { name, rules, admission, change, mayCreate, mayOverwrite, uidIsPrecondition },
    write,
  );
  return answer(context, served, outcome.cached, outcome.created ? 201 : 200);
}

function rulesOf(served: ServedResource, subresource: string): UpdateRules {
  const { strategy } = served.store;
  if (subresource === '') return strategy;
  const rules = strategy.subresources[subresource];
  if (rules === undefined) throw new Error(`update ${served.resource.resource}/${subresource}: the strategy has no rules for it`);
  return rules;
}

/** @source upstream apiserver pkg/endpoints/handlers/rest.go checkName */
export function checkName({ metadata }: DeepReadonly<MutableObject>, name: string): void {
  if (!metadata?.name) throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
}
