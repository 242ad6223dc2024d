// SPDX-License-Identifier: Apache-2.0
// The review resources: they are answered, never stored. Who am I, what may I, whose token is this.
// @source upstream pkg/registry/{authentication,authorization}

import { schemaOfType } from '#api';
import type { SelfSubjectReview, TokenReview } from '#api/authentication/v1';
import type { ResourceAttributes, SelfSubjectRulesReview, SubjectAccessReview } from '#api/authorization/v1';
import { formatTime } from '#component';
import { badRequest, type Resource, type StructSchema } from '#machinery';
import { type Attributes, type Authorizer, decide } from '../auth/authorizer.ts';
import type { Identification } from '../auth/tokens.ts';
import type { UserInfo } from '../auth/user.ts';
import { aggregate, unionRules } from '../auth/user-rules.ts';
import { type NegotiationRules, negotiate } from '../encoding/negotiation.ts';
import type { AdmissionCalls } from '../registry/generic/generic-store.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { readAs } from './body.ts';
import { bookUpdate } from './field-ownership.ts';
import { plainForm } from './get.ts';
import { checkWriteOptions, fieldManagerOf } from './options.ts';
import { selectedFields, selectorProblem } from './review-selectors.ts';
import { type AccessReviewKind, checkAccessReview, checkEmptyMetadata } from './review-validation.ts';

export interface ReviewDeps {
  readonly admission: ReviewAdmission;
  readonly authorizer: Authorizer;
  /** Identifies a bearer token as the authenticator would; what for, or why not. */
  readonly identify: (token: string, audiences: readonly string[]) => Promise<Identification>;
}

const AUTHENTICATION_GROUP = 'authentication.k8s.io';

/** They have no columns: a Table of one is refused, before it is looked into. */
const REVIEW_RULES: NegotiationRules = { transforms: new Set(['PartialObjectMetadata']), protobuf: true };

/** What every review goes through, as any object that is made: admission changes it before it is checked, and judges it after. */
export interface ReviewAdmission {
  callsForReview(context: RequestContext, resource: Resource, dryRun: boolean): AdmissionCalls;
}

/** One kind of review as it is served. */
export interface ReviewEndpoint {
  readonly resource: Resource;
  readonly admission: ReviewAdmission;
}

interface Sent<T> {
  readonly review: T;
  /** Asks validating admission. */
  readonly admit: () => Promise<void> | void;
}

/** Reads a review, books it to its sender, as every object that is sent, and lets admission change it. */
async function read<T>(context: RequestContext, { resource, admission }: ReviewEndpoint): Promise<Sent<T>> {
  const { group, version, kind } = resource;
  const accept = context.header('accept');
  if (accept.includes('as=')) negotiate(accept, REVIEW_RULES, false);
  checkWriteOptions(context.query, 'CreateOptions');
  const type = group === AUTHENTICATION_GROUP ? 'authentication' : 'authorization';
  const schema = schemaOfType(`io.k8s.api.${type}.v1.${kind}`) as StructSchema;
  const review = await readAs(context, schema, { group, version, kind });
  delete review['status'];
  for (const name of SYSTEM_FIELDS) delete (review.metadata as unknown as Record<string, unknown>)[name];
  fillNamespace(review, context.info.namespace);
  const write = { fieldManager: fieldManagerOf(context), subresource: '' };
  bookUpdate({ schema, apiVersion: `${group}/${version}` }, write, undefined, review, [], context.receivedAt);
  const calls = admission.callsForReview(context, resource, context.query.has('dryRun'));
  await calls.mutate(review, undefined);
  return { review: review as unknown as T, admit: () => calls.validate(review, undefined) };
}

/** Only the server fills them in. @source upstream WipeObjectMetaSystemFields */
const SYSTEM_FIELDS = ['creationTimestamp', 'uid', 'selfLink', 'deletionTimestamp', 'deletionGracePeriodSeconds'];

function reviewed(context: RequestContext, review: object): ApiResult {
  return { ...objectResult(201, review), output: plainForm(context) };
}

function userJson({ name, uid, groups, extra }: UserInfo): object {
  return {
    ...(name === '' ? {} : { username: name }),
    ...(uid === '' ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

export async function selfSubjectReview(context: RequestContext, endpoint: ReviewEndpoint): Promise<ApiResult> {
  const sent = await read<SelfSubjectReview>(context, endpoint);
  await sent.admit();
  const { metadata, ...review } = sent.review;
  checkEmptyMetadata(metadata, AUTHENTICATION_GROUP);
  return reviewed(context, {
    ...review,
    metadata: { creationTimestamp: formatTime(context.receivedAt) },
    status: { userInfo: userJson(context.knownUser) },
  });
}

export async function tokenReview(context: RequestContext, deps: ReviewDeps, endpoint: ReviewEndpoint): Promise<ApiResult> {
  const { review, admit } = await read<TokenReview>(context, endpoint);
  const { token = '', audiences = [] } = review.spec;
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  await admit();
  const found = await deps.identify(token, audiences);
  const status =
    'error' in found
      ? { user: {}, error: found.error }
      : { authenticated: true, user: userJson(found.user), ...(found.audiences.length === 0 ? {} : { audiences: found.audiences }) };
  return reviewed(context, { ...review, status });
}

export async function subjectAccessReview(context: RequestContext, deps: ReviewDeps, endpoint: ReviewEndpoint): Promise<ApiResult> {
  const { review, admit } = await read<SubjectAccessReview>(context, endpoint);
  const kind = endpoint.resource.kind as AccessReviewKind;
  checkAccessReview(review, kind, context.info.namespace);
  await admit();
  const { spec } = review;
  const user =
    kind === 'SelfSubjectAccessReview'
      ? context.knownUser
      : { name: spec.user ?? '', uid: spec.uid ?? '', groups: spec.groups ?? [], extra: spec.extra ?? {} };
  const { verdict, reason, error } = await decide(deps.authorizer, attributesOf(user, spec.resourceAttributes, spec.nonResourceAttributes));
  const problems = [error, selectorProblem(spec.resourceAttributes)].filter((it) => it !== undefined);
  const evaluationError = problems.length === 0 ? undefined : problems.join('; ');
  const status = {
    allowed: verdict === 'allow',
    ...(verdict === 'deny' ? { denied: true } : {}),
    ...(reason === '' ? {} : { reason }),
    ...(evaluationError === undefined ? {} : { evaluationError }),
  };
  return reviewed(context, { ...review, status });
}

function fillNamespace({ metadata }: MutableObject, namespace: string): void {
  if (namespace === '') {
    delete metadata.namespace;
    return;
  }
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  metadata.namespace = namespace;
}

function attributesOf(
  user: UserInfo,
  resource: ResourceAttributes | undefined,
  path: { path?: string; verb?: string } | undefined,
): Attributes {
  return {
    user,
    verb: resource?.verb ?? path?.verb ?? '',
    isResource: resource !== undefined,
    path: path?.path ?? '',
    group: resource?.group ?? '',
    version: resource?.version ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
    fieldSelector: () => selectedFields(resource),
  };
}

export async function selfSubjectRulesReview(context: RequestContext, deps: ReviewDeps, endpoint: ReviewEndpoint): Promise<ApiResult> {
  const { review, admit } = await read<SelfSubjectRulesReview>(context, endpoint);
  const namespace = review.spec.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  await admit();
  const { rules, incomplete, errors } = unionRules([deps.authorizer], context.knownUser, namespace);
  const resourceRules = rules
    .filter((rule) => (rule.resources?.length ?? 0) > 0)
    .map(({ verbs, apiGroups, resources, resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames === undefined ? {} : { resourceNames }),
    }));
  const nonResourceRules = rules
    .filter((rule) => (rule.nonResourceURLs?.length ?? 0) > 0)
    .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }));
  const evaluationError = aggregate(errors);
  const status = { resourceRules, nonResourceRules, incomplete, ...(evaluationError === undefined ? {} : { evaluationError }) };
  return reviewed(context, { ...review, status });
}
