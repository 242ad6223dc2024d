// SPDX-License-Identifier: Apache-2.0
// Tells browsers to come by HTTPS only, where `--strict-transport-security-directives` says how. Not in the chain otherwise.
// @source upstream apiserver pkg/server/filters/hsts.go, pkg/server/options/server_run_options.go; RFC 6797
import { FlagError } from '#component';
import type { Handler } from '../request/context.ts';

export function withStrictTransport(next: Handler, directives: readonly string[]): Handler {
  const header = { 'strict-transport-security': directives.join('; ') };
  return function secure(context) {
    context.addedHeaders = { ...context.addedHeaders, ...header };
    return next(context);
  };
}

const INVALID =
  '--strict-transport-security-directives invalid, allowed values: max-age=expireTime, includeSubDomains, preload. see https://tools.ietf.org/html/rfc6797#section-6.1 for more information';

/** @throws {FlagError} */
export function checkDirectives(directives: readonly string[]): readonly string[] {
  for (const directive of directives) {
    if (directive.trim() === '') throw new FlagError('empty value in strict-transport-security-directives');
    if (directive === 'includeSubDomains' || directive === 'preload') continue;
    const [name, ...values] = directive.split('=');
    if (name !== 'max-age' || values.length !== 1) throw new FlagError(INVALID);
  }
  return directives;
}
