// SPDX-License-Identifier: Apache-2.0
// Cross-origin requests of browsers: an origin that `--cors-allowed-origins` allows is told so, and the question before a request
// (OPTIONS) is answered without authentication. Not in the chain unless the flag is given.
// @source upstream apiserver pkg/server/filters/cors.go, pkg/server/options/server_run_options.go
import { RE2JS } from 're2js';
import { FlagError } from '#component';
import type { Handler, RequestContext } from '../request/context.ts';

const HEADERS = {
  'access-control-allow-methods': 'POST, GET, OPTIONS, PUT, DELETE, PATCH',
  'access-control-allow-headers':
    'Content-Type, Content-Length, Accept-Encoding, X-CSRF-Token, Authorization, X-Requested-With, If-Modified-Since',
  'access-control-expose-headers': 'Date',
  'access-control-allow-credentials': 'true',
};

/** @param patterns Regular expressions in RE2's syntax; one that is found in the origin allows it. */
export function withCors(next: Handler, patterns: readonly string[]): Handler {
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern));
  return function allowOrigin(context) {
    const origin = originOf(context);
    if (origin === '' || !compiled.some((pattern) => pattern.matcher(origin).find())) return next(context);
    context.addedHeaders = { ...context.addedHeaders, 'access-control-allow-origin': origin, ...HEADERS };
    if (context.request.method !== 'OPTIONS') return next(context);
    return { type: 'bytes', status: 204, contentType: '', body: '' };
  };
}

function originOf({ request }: RequestContext): string {
  return [request.headers['origin'] ?? ''].flat()[0] ?? '';
}

/** @throws {FlagError} If a pattern is none, or leaves open where a host begins or ends. */
export function checkOrigins(patterns: readonly string[]): readonly string[] {
  for (const pattern of patterns) {
    const problem = problemOf(pattern);
    if (problem !== undefined) throw new FlagError(`--cors-allowed-origins has an invalid regular expression: ${problem}`);
  }
  return patterns;
}

function problemOf(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const isPinned = /\^|\/\//.test(pattern) && /[$:]/.test(pattern);
  return isPinned ? undefined : 'regular expression does not pin to start/end of host in the origin header';
}
