// SPDX-License-Identifier: Apache-2.0
// Who may ask the kubelet for what: client certificates by their CA, bearer tokens by TokenReview, each request by
// SubjectAccessReview on the node's subresources. Answers are kept for upstream's times. Anonymous requests are refused.
// @source upstream pkg/kubelet/server/auth.go
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { subjectaccessreviews, tokenreviews } from '#api/resources';
import type { Client } from '#client';
import type { Clock } from '#component';
import type { Authenticate, Authorize, NodeAccess, UserInfo } from '../options.ts';

const TOKEN_TTL_MS = 120_000;
const ALLOWED_TTL_MS = 300_000;
const DENIED_TTL_MS = 30_000;
const MAX_ENTRIES = 1000;

class Cache<T> {
  readonly #entries = new Map<string, { value: T; until: number }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(key: string): T | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.until > this.#clock.now() ? entry.value : undefined;
  }

  put(key: string, value: T, ttlMs: number): void {
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value ?? '');
    this.#entries.set(key, { value, until: this.#clock.now() + ttlMs });
  }
}

export function tokenReviewer(client: Client, clock: Clock): Authenticate {
  const cache = new Cache<UserInfo | 'nobody'>(clock);
  return async (token, signal) => {
    const known = cache.find(token);
    if (known !== undefined) return known === 'nobody' ? undefined : known;
    const { status } = await client.create(tokenreviews, { spec: { token } }, { signal });
    const user: UserInfo | undefined =
      status.authenticated === true
        ? { name: status.user.username ?? '', uid: status.user.uid ?? '', groups: status.user.groups ?? [], extra: status.user.extra ?? {} }
        : undefined;
    cache.put(token, user ?? 'nobody', TOKEN_TTL_MS);
    return user;
  };
}

export function accessReviewer(client: Client, clock: Clock, nodeName: string): Authorize {
  const cache = new Cache<{ allowed: boolean; reason: string }>(clock);
  const review = async (user: UserInfo, verb: string, subresource: string, signal: AbortSignal) => {
    const key = JSON.stringify([user.name, user.groups, verb, subresource]);
    const known = cache.find(key);
    if (known !== undefined) return known;
    const resourceAttributes = { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName };
    const { name, uid, groups, extra } = user;
    const spec = {
      user: name,
      uid,
      groups: [...groups],
      extra: Object.fromEntries(Object.entries(extra).map(([k, v]) => [k, [...v]])),
      resourceAttributes,
    };
    const { status } = await client.create(subjectaccessreviews, { spec }, { signal });
    const verdict = { allowed: status.allowed, reason: status.reason ?? '' };
    cache.put(key, verdict, verdict.allowed ? ALLOWED_TTL_MS : DENIED_TTL_MS);
    return verdict;
  };
  return async ({ user, verb, subresources }, signal) => {
    let last = { allowed: false, reason: '' };
    for (const subresource of subresources) {
      last = await review(user, verb, subresource, signal);
      if (last.allowed) return last;
    }
    return last;
  };
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
  HEAD: 'get',
};
/** Path to the subresources of `nodes` of which one must be allowed; the fine one first. */
const SUBRESOURCES: readonly (readonly [string, readonly string[]])[] = [
  ['/stats', ['stats']],
  ['/metrics', ['metrics']],
  ['/logs', ['log']],
  ['/checkpoint', ['checkpoint']],
  ['/pods', ['pods', 'proxy']],
  ['/runningpods', ['pods', 'proxy']],
  ['/healthz', ['healthz', 'proxy']],
  ['/configz', ['configz', 'proxy']],
];

export function accessOf(user: UserInfo, method: string, path: string): NodeAccess {
  const found = SUBRESOURCES.find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`));
  return { user, verb: VERBS[method] ?? method.toLowerCase(), subresources: found?.[1] ?? ['proxy'] };
}

/** The user of a verified client certificate: common name and organisations. */
export function certificateUser(request: IncomingMessage): UserInfo | undefined {
  const socket = request.socket as TLSSocket;
  if (socket.encrypted !== true || !socket.authorized) return undefined;
  const subject = socket.getPeerCertificate().subject as { CN?: string | string[]; O?: string | string[] } | undefined;
  const name = [subject?.CN ?? []].flat()[0];
  if (name === undefined) return undefined;
  return { name, uid: '', groups: [...[subject?.O ?? []].flat(), 'system:authenticated'], extra: {} };
}

export function bearerToken(request: IncomingMessage): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}
