// SPDX-License-Identifier: Apache-2.0
// The order of the filters, which is the security model: the last line runs first. One concern each, one file each.
import type { Logger } from '#component';
import type { Authorizer } from '../auth/authorizer.ts';
import type { RequestMetrics } from '../metrics/request-metrics.ts';
import type { Handler } from '../request/context.ts';
import { type Authenticator, withAuthentication } from './authentication.ts';
import { withAuthorization } from './authorization.ts';
import { withErrorBoundary } from './error-boundary.ts';
import { withImpersonation } from './impersonation.ts';
import { type InFlight, type InFlightLimits, withMaxInFlight } from './max-in-flight.ts';

export interface ChainDeps {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly limits: InFlightLimits;
  readonly inFlight: InFlight;
  readonly requests: Pick<RequestMetrics, 'measure'>;
  readonly logger: Logger;
}

export function buildChain(api: Handler, deps: ChainDeps): Handler {
  let handler = withAuthorization(api, deps.authorizer); // Needs the user that impersonation may have changed.
  handler = withMaxInFlight(handler, deps.limits, deps.inFlight); // After authentication: strangers must not fill the places.
  handler = withImpersonation(handler, deps.authorizer);
  handler = withAuthentication(handler, deps.authenticator);
  handler = withErrorBoundary(handler, deps.logger); // Every throw becomes a Status.
  return deps.requests.measure(handler); // Outermost: what was refused counts too.
}
