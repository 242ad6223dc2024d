// SPDX-License-Identifier: Apache-2.0
// One audited request: what is known of it so far, and the event of a stage made of that.
// @source upstream apiserver pkg/audit/request.go, pkg/apis/audit/v1
import { formatMicroTime } from '#component';
import type { UserInfo } from '../auth/user.ts';
import type { AuditNotes, RequestContext } from '../request/context.ts';
import type { AuditStage, PolicyDecision } from './policy.ts';

export interface AuditEvent {
  readonly kind: 'Event';
  readonly apiVersion: 'audit.k8s.io/v1';
  readonly level: string;
  readonly auditID: string;
  readonly stage: AuditStage;
  readonly [field: string]: unknown;
}

interface ObjectReference {
  resource?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  apiGroup?: string;
  apiVersion?: string;
  resourceVersion?: string;
  subresource?: string;
}

interface Named {
  readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly uid?: string; readonly resourceVersion?: string };
}

/** Longer parts of a User-Agent are cut. @source upstream maxUserAgentLength */
const MAX_USER_AGENT = 1024;
const TRUNCATED = '...TRUNCATED';

export class AuditRecord implements AuditNotes {
  readonly decision: PolicyDecision;
  readonly #context: RequestContext;
  readonly #user: UserInfo | undefined;
  readonly #reference: ObjectReference | undefined;
  readonly #annotations = new Map<string, string>();
  #impersonationConstraint: string | undefined;
  #requestObject: string | undefined;
  #responseObject: unknown;
  #status: object | undefined;

  /** @param user Who asked, before any impersonation. */
  constructor(context: RequestContext, decision: PolicyDecision, user: UserInfo | undefined) {
    this.decision = decision;
    this.#context = context;
    this.#user = user;
    const { info } = context;
    this.#reference = info.isResource
      ? {
          resource: info.resource,
          namespace: info.namespace,
          name: info.name,
          apiGroup: info.group,
          apiVersion: info.version,
          subresource: info.subresource,
        }
      : undefined;
  }

  annotate(key: string, value: string, level?: 'Request'): void {
    if (level !== undefined && !this.#takes(level)) return;
    if (!this.#annotations.has(key)) this.#annotations.set(key, value);
  }

  impersonatedBy(verb: string): void {
    this.#impersonationConstraint = verb;
  }

  requestObject(object: unknown): void {
    const { metadata } = (object ?? {}) as Named;
    const reference = this.#reference;
    if (reference !== undefined && typeof metadata === 'object' && metadata !== null) {
      reference.namespace ||= textOf(metadata.namespace);
      reference.name ||= textOf(metadata.name);
      reference.uid ||= textOf(metadata.uid);
      reference.resourceVersion ||= textOf(metadata.resourceVersion);
    }
    // As text at once: what follows changes the object.
    if (this.#takes('Request')) this.#requestObject = JSON.stringify(this.#trimmed(object));
  }

  /** @param object Undefined where the answer is no object, or more than one. */
  response(code: number, object: unknown): void {
    const { kind } = (object ?? {}) as { kind?: string };
    this.#status = kind === 'Status' ? boundedStatus(object as Record<string, unknown>, code) : { metadata: {}, code };
    if (object !== undefined && this.#takes('RequestResponse')) this.#responseObject = this.#trimmed(object);
  }

  failure(code: number, status: object): void {
    this.#status = { metadata: {}, ...status, code };
  }

  /** @param now Absent: when the request was received. */
  at(stage: AuditStage, now: number | undefined): AuditEvent {
    const { request, receivedAt, info, auditId } = this.#context;
    const { user } = this.#context;
    const constraint = this.#impersonationConstraint;
    const impersonated = user !== undefined && this.#user !== undefined && user !== this.#user ? userOf(user) : undefined;
    return {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: this.decision.level,
      auditID: auditId,
      stage,
      requestURI: request.search === '' ? request.path : `${request.path}?${request.search}`,
      verb: info.verb,
      user: this.#user === undefined ? {} : userOf(this.#user),
      ...optional('impersonatedUser', impersonated),
      ...optional('authenticationMetadata', constraint === undefined ? undefined : { impersonationConstraint: constraint }),
      ...optional('sourceIPs', sourceAddresses(this.#context)),
      ...optional('userAgent', userAgentOf(this.#context)),
      ...optional('objectRef', this.#reference === undefined ? undefined : withoutEmpty(this.#reference)),
      ...optional('responseStatus', this.#status),
      ...optional('requestObject', this.#requestObject === undefined ? undefined : (JSON.parse(this.#requestObject) as unknown)),
      ...optional('responseObject', this.#responseObject),
      requestReceivedTimestamp: formatMicroTime(receivedAt),
      stageTimestamp: formatMicroTime(now ?? receivedAt),
      ...optional('annotations', this.#annotations.size === 0 ? undefined : Object.fromEntries(this.#annotations)),
    };
  }

  get hasStatus(): boolean {
    return this.#status !== undefined;
  }

  #takes(level: 'Request' | 'RequestResponse'): boolean {
    return this.decision.level === 'RequestResponse' || this.decision.level === level;
  }

  #trimmed(object: unknown): unknown {
    return this.decision.omitManagedFields ? withoutManagedFields(object) : object;
  }
}

function optional(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return value === undefined ? {} : { [name]: value };
}

function withoutEmpty(object: ObjectReference): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== ''));
}

function userOf({ name, uid, groups, extra }: UserInfo): object {
  return {
    ...(name === '' ? {} : { username: name }),
    ...(uid === '' ? {} : { uid }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

/** The part of a Status that is small whatever the answer was. */
function boundedStatus({ status, message, reason, details }: Record<string, unknown>, code: number): object {
  return {
    metadata: {},
    ...optional('status', status),
    ...optional('message', message),
    ...optional('reason', reason),
    ...optional('details', details),
    code,
  };
}

function withoutManagedFields(object: unknown): unknown {
  if (typeof object !== 'object' || object === null) return object;
  const { metadata, items } = object as { metadata?: Record<string, unknown>; items?: readonly unknown[] };
  const next: Record<string, unknown> = { ...object };
  if (metadata?.['managedFields'] !== undefined) {
    const { managedFields: _gone, ...rest } = metadata;
    next['metadata'] = rest;
  }
  if (Array.isArray(items)) next['items'] = items.map(withoutManagedFields);
  return next;
}

/** @source upstream apimachinery pkg/util/net/http.go SourceIPs */
function sourceAddresses(context: RequestContext): readonly string[] | undefined {
  const forwarded = context
    .header('x-forwarded-for')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  const real = context.header('x-real-ip').trim();
  if (real !== '' && !forwarded.includes(real)) forwarded.push(real);
  const { remoteAddress } = context.request;
  if (remoteAddress !== '' && forwarded.at(-1) !== remoteAddress) forwarded.push(remoteAddress);
  return forwarded.length === 0 ? undefined : forwarded;
}

function userAgentOf(context: RequestContext): string | undefined {
  const text = context.header('user-agent');
  if (text === '') return undefined;
  return text.length > MAX_USER_AGENT ? `${text.slice(0, MAX_USER_AGENT)}${TRUNCATED}` : text;
}

/** A patch may say anything there. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
