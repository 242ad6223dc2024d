// SPDX-License-Identifier: Apache-2.0
// Lets a request through if the authorizer allows it, else answers 403 in upstream's words.
// @source upstream apiserver pkg/endpoints/filters/authorization.go, handlers/responsewriters/errors.go
import { type ApiError, apiError, type FieldRequirement, parseFieldSelector, parseSelector, quote, type Requirement } from '#machinery';
import { type Attributes, type Authorizer, type Decision, decide } from '../auth/authorizer.ts';
import type { AuthMetrics } from '../metrics/auth-metrics.ts';
import { type ApiResult, type AuditNotes, type Handler, plainText, type RequestContext } from '../request/context.ts';

export function withAuthorization(next: Handler, authorizer: Authorizer, metrics?: AuthMetrics): Handler {
  const go = (context: RequestContext, attributes: Attributes, { verdict, reason, error }: Decision, since: number) => {
    const allowed = verdict === 'allow';
    metrics?.authorized(allowed, context.mark() - since);
    if (!allowed && error !== undefined) return failed(context, error);
    if (context.audit !== undefined) noteDecision(context.audit, allowed, reason);
    if (allowed) return next(context);
    throw denied(attributes, reason);
  };
  return function authorize(context) {
    const attributes = attributesOf(context);
    const since = context.markedAt;
    const decision = decide(authorizer, attributes);
    return decision instanceof Promise
      ? decision.then((made) => go(context, attributes, made, since))
      : go(context, attributes, decision, since);
  };
}

/** Plain text, as upstream has it, in which nothing is markup. @source upstream responsewriters.InternalError */
function failed({ audit, request }: RequestContext, error: string): ApiResult {
  audit?.annotate('authorization.k8s.io/reason', 'internal error');
  const uri = request.search === '' ? request.path : `${request.path}?${request.search}`;
  const text = `Internal Server Error: ${quote(uri)}: ${error}`.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return { ...plainText(500, `${text}\n`), headers: { 'x-content-type-options': 'nosniff' } };
}

/** @source upstream apiserver pkg/endpoints/filters/authorization.go: annotation keys */
function noteDecision(audit: AuditNotes, allowed: boolean, reason: string): void {
  audit.annotate('authorization.k8s.io/decision', allowed ? 'allow' : 'forbid');
  audit.annotate('authorization.k8s.io/reason', reason);
}

export function attributesOf(context: RequestContext): Attributes {
  const { info, query } = context;
  return {
    user: context.knownUser,
    verb: info.verb,
    isResource: info.isResource,
    path: info.path,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    fieldSelector: query.size > 0 && CONFINED.has(info.verb) && query.has('fieldSelector') ? () => requirementsOf(query) : undefined,
    labelSelector: query.size > 0 && CONFINED.has(info.verb) && query.has('labelSelector') ? () => labelsOf(query) : undefined,
  };
}

/** Verbs whose objects a selector may confine. */
const CONFINED = new Set(['list', 'watch', 'deletecollection']);

/** None where it cannot be read: the handler refuses that. */
function requirementsOf(query: URLSearchParams): readonly FieldRequirement[] {
  try {
    return parseFieldSelector(query.get('fieldSelector') ?? '').requirements;
  } catch {
    return [];
  }
}

function labelsOf(query: URLSearchParams): readonly Requirement[] {
  try {
    return parseSelector(query.get('labelSelector') ?? '').requirements;
  } catch {
    return [];
  }
}

export function denied(attributes: Attributes, reason: string): ApiError {
  const { user, verb, group, resource, subresource, namespace, name } = attributes;
  const who = `User ${JSON.stringify(user.name)}`;
  const because = reason === '' ? '' : `: ${reason}`;
  if (!attributes.isResource)
    return apiError(403, 'Forbidden', `forbidden: ${who} cannot ${verb} path ${JSON.stringify(attributes.path)}${because}`, {});
  const shown = subresource === '' ? resource : `${resource}/${subresource}`;
  const scope = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const subject = name === '' ? qualified : `${qualified} ${JSON.stringify(name)}`;
  const message = `${subject} is forbidden: ${who} cannot ${verb} resource ${JSON.stringify(shown)} in API group ${JSON.stringify(group)} ${scope}${because}`;
  return apiError(403, 'Forbidden', message, { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), kind: resource });
}
