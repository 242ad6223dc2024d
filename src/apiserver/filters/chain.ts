// SPDX-License-Identifier: Apache-2.0
// The order of the filters, which is the security model: the last line runs first. One concern each, one file each. What is off
// is not in the chain.
// @source upstream apiserver pkg/server/config.go DefaultBuildHandlerChain
import type { Clock, Logger } from '#component';
import type { Authorizer } from '../auth/authorizer.ts';
import type { AuthMetrics } from '../metrics/auth-metrics.ts';
import type { RequestMetrics } from '../metrics/request-metrics.ts';
import type { Handler } from '../request/context.ts';
import { type Authenticator, withAuthentication } from './authentication.ts';
import { withAuthorization } from './authorization.ts';
import { withCors } from './cors.ts';
import { withErrorBoundary } from './error-boundary.ts';
import { withImpersonation } from './impersonation.ts';
import { type LongRunningRequests, withLongRunningRequests } from './long-running.ts';
import { withRequestTimeout } from './request-timeout.ts';
import { withStrictTransport } from './strict-transport.ts';

/** Puts a filter around a handler. */
export type Filter = (next: Handler) => Handler;

export interface ChainDeps {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly requestTimeoutMs: number;
  /** Bounds what runs at once: priority and fairness, or fixed numbers. */
  readonly overload: Filter;
  readonly longRunning: LongRunningRequests;
  /** Undefined: nothing is audited. */
  readonly audit: { readonly requests: Filter; readonly early: Filter } | undefined;
  /** `--cors-allowed-origins`; none: browsers of other origins are not told anything. */
  readonly corsAllowedOrigins: readonly string[];
  /** `--strict-transport-security-directives` */
  readonly strictTransport: readonly string[];
  /** Refuses requests while the server stops; undefined unless `--shutdown-send-retry-after`. */
  readonly retryAfter: Filter | undefined;
  readonly requests: Pick<RequestMetrics, 'measure' | 'timedOut'>;
  readonly auth?: AuthMetrics | undefined;
  readonly logger: Logger;
}

export function buildChain(api: Handler, deps: ChainDeps): Handler {
  const { audit, clock, requests } = deps;
  let handler = withAuthorization(api, deps.authorizer, deps.auth); // Needs the user that impersonation may have changed.
  handler = deps.overload(handler); // After authentication: strangers must not fill the places.
  handler = withImpersonation(handler, deps.authorizer);
  if (audit !== undefined) handler = audit.requests(handler); // Sees the user before and after, and every refusal from here on.
  handler = withAuthentication(handler, deps.authenticator, deps.auth);
  if (deps.corsAllowedOrigins.length > 0) handler = withCors(handler, deps.corsAllowedOrigins); // Browsers ask without credentials.
  handler = withRequestTimeout(handler, {
    clock,
    maxMs: deps.requestTimeoutMs,
    timedOut: (context) => requests.timedOut(context),
  });
  if (audit !== undefined) handler = audit.early(handler); // What is refused before it is known whose it is.
  handler = withLongRunningRequests(handler, deps.longRunning);
  if (deps.strictTransport.length > 0) handler = withStrictTransport(handler, deps.strictTransport);
  if (deps.retryAfter !== undefined) handler = deps.retryAfter(handler);
  handler = withErrorBoundary(handler, deps.logger); // Every throw becomes a Status.
  return deps.requests.measure(handler); // Outermost: what was refused counts too.
}
