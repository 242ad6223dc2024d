// SPDX-License-Identifier: Apache-2.0
// The review resources: they are answered, never stored. Who am I, what may I, whose token is this.
// @source upstream pkg/registry/{authentication,authorization}

import { schemaOfType } from '#api';
import type { SelfSubjectReview, TokenReview } from '#api/authentication/v1';
import type { ResourceAttributes, SelfSubjectRulesReview, SubjectAccessReview } from '#api/authorization/v1';
import { formatTime } from '#component';
import { badRequest, type StructSchema } from '#machinery';
import { type Attributes, type Authorizer, decide } from '../auth/authorizer.ts';
import type { RbacAuthorizer } from '../auth/rbac.ts';
import type { Identification } from '../auth/tokens.ts';
import type { UserInfo } from '../auth/user.ts';
import { type NegotiationRules, negotiate } from '../encoding/negotiation.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { readAs } from './body.ts';
import { bookUpdate } from './field-ownership.ts';
import { plainForm } from './get.ts';
import { checkWriteOptions, fieldManagerOf } from './options.ts';
import { selectedFields, selectorProblem } from './review-selectors.ts';
import { type AccessReviewKind, checkAccessReview, checkEmptyMetadata } from './review-validation.ts';

export interface ReviewDeps {
  readonly authorizer: Authorizer;
  readonly rbac: RbacAuthorizer;
  /** Identifies a bearer token as the authenticator would; what for, or why not. */
  readonly identify: (token: string, audiences: readonly string[]) => Promise<Identification>;
}

const AUTHENTICATION = { group: 'authentication.k8s.io', version: 'v1' };
const AUTHORIZATION = { group: 'authorization.k8s.io', version: 'v1' };

/** They have no columns: a Table of one is refused, before it is looked into. */
const REVIEW_RULES: NegotiationRules = { transforms: new Set(['PartialObjectMetadata']), protobuf: true };

/** Reads a review and books it to its sender, as every object that is sent. */
async function read<T>(context: RequestContext, group: typeof AUTHENTICATION, kind: string): Promise<T> {
  const accept = context.header('accept');
  if (accept.includes('as=')) negotiate(accept, REVIEW_RULES, false);
  checkWriteOptions(context.query, 'CreateOptions');
  const type = group === AUTHENTICATION ? 'authentication' : 'authorization';
  const schema = schemaOfType(`io.k8s.api.${type}.v1.${kind}`) as StructSchema;
  const review = await readAs(context, schema, { ...group, kind });
  delete review['status'];
  const write = { fieldManager: fieldManagerOf(context), subresource: '' };
  bookUpdate({ schema, apiVersion: `${group.group}/${group.version}` }, write, undefined, review, [], context.receivedAt);
  return review as unknown as T;
}

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

export async function selfSubjectReview(context: RequestContext): Promise<ApiResult> {
  const { metadata, ...review } = await read<SelfSubjectReview>(context, AUTHENTICATION, 'SelfSubjectReview');
  checkEmptyMetadata(metadata, AUTHENTICATION.group);
  return reviewed(context, {
    ...review,
    metadata: { creationTimestamp: formatTime(context.receivedAt) },
    status: { userInfo: userJson(context.knownUser) },
  });
}

export async function tokenReview(context: RequestContext, deps: ReviewDeps): Promise<ApiResult> {
  const review = await read<TokenReview>(context, AUTHENTICATION, 'TokenReview');
  const { token = '', audiences = [] } = review.spec;
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const found = await deps.identify(token, audiences);
  const status =
    'error' in found
      ? { user: {}, error: found.error }
      : { authenticated: true, user: userJson(found.user), ...(found.audiences.length === 0 ? {} : { audiences: found.audiences }) };
  return reviewed(context, { ...review, status });
}

export async function subjectAccessReview(context: RequestContext, deps: ReviewDeps, kind: AccessReviewKind): Promise<ApiResult> {
  const review = await read<SubjectAccessReview>(context, AUTHORIZATION, kind);
  fillNamespace(review as unknown as MutableObject, kind === 'LocalSubjectAccessReview' ? context.info.namespace : '');
  checkAccessReview(review, kind, context.info.namespace);
  const { spec } = review;
  const user =
    kind === 'SelfSubjectAccessReview'
      ? context.knownUser
      : { name: spec.user ?? '', uid: spec.uid ?? '', groups: spec.groups ?? [], extra: spec.extra ?? {} };
  const { verdict, reason } = await decide(deps.authorizer, attributesOf(user, spec.resourceAttributes, spec.nonResourceAttributes));
  const evaluationError = selectorProblem(spec.resourceAttributes);
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

export async function selfSubjectRulesReview(context: RequestContext, deps: ReviewDeps): Promise<ApiResult> {
  const review = await read<SelfSubjectRulesReview>(context, AUTHORIZATION, 'SelfSubjectRulesReview');
  const namespace = review.spec.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = deps.rbac.rulesFor(context.knownUser, namespace);
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
  const evaluationError = deps.rbac.resolutionError(context.knownUser, namespace);
  const status = { resourceRules, nonResourceRules, incomplete: false, ...(evaluationError === '' ? {} : { evaluationError }) };
  return reviewed(context, { ...review, status });
}
