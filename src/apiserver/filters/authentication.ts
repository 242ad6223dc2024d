// SPDX-License-Identifier: Apache-2.0
// Sets `context.user`, or answers 401 and stops. Whether a request without credentials is anonymous is the authenticator's choice.
import { unauthorized } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import type { AuthMetrics } from '../metrics/auth-metrics.ts';
import type { Handler, RequestContext } from '../request/context.ts';
import { statusResult } from './error-boundary.ts';

export interface Authenticator {
  /** Undefined: the credentials are missing or no good. Answers synchronously where no signature has to be checked. */
  identify(context: RequestContext): UserInfo | undefined | Promise<UserInfo | undefined>;
}

export function withAuthentication(next: Handler, authenticator: Authenticator, metrics?: AuthMetrics): Handler {
  const go = (context: RequestContext, user: UserInfo | undefined) => {
    metrics?.authenticated(user, context.mark() - context.startedAt);
    if (user === undefined) return statusResult(unauthorized(), context);
    context.user = user;
    return next(context);
  };
  return function authenticate(context) {
    const user = authenticator.identify(context);
    return user instanceof Promise ? user.then((found) => go(context, found)) : go(context, user);
  };
}
