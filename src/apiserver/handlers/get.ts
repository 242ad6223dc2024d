// SPDX-License-Identifier: Apache-2.0
// GET of one object, from the cache, at a revision that shows every answered write.
import { ApiError, apiError, badRequest, gatewayTimeout, quote } from '#machinery';
import { negotiate, OBJECT_RULES, type Output, READ_RULES } from '../encoding/negotiation.ts';
import { checkShape } from '../encoding/shape.ts';
import { objectKey } from '../registry/generic/keys.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import { versionProblem } from '../registry/generic/version-text.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';
import type { ServerParts } from './endpoint.ts';

/** The form of an answer that shows no object of a resource, and so takes no transform. @throws {ApiError} 406 */
export function plainForm(context: RequestContext): Output {
  return negotiate(context.header('accept'), OBJECT_RULES, isPretty(context), context.cbor);
}

/** As Go parses booleans: nothing else is true. */
const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

/** Whether people read the answer: it is asked for, or the client is one of theirs. @source upstream negotiate.go isPrettyPrint */
export function isPretty(context: RequestContext): boolean {
  const asked = context.query.size > 0 ? context.query.get('pretty') : null;
  if (asked) return TRUE.has(asked);
  const agent = context.header('user-agent');
  return agent.startsWith('curl') || agent.startsWith('Wget') || agent.startsWith('Mozilla/5.0');
}

export function get(context: RequestContext, served: ServedResource, parts: ServerParts): ApiResult | Promise<ApiResult> {
  const output = negotiate(context.header('accept'), READ_RULES, isPretty(context), context.cbor);
  const read = (): ApiResult => {
    const namespace = served.resource.namespaced ? context.info.namespace : '';
    const cached = served.store.get(namespace, context.info.name, served.resource);
    if (output.transform !== undefined) checkShape(output, served, false);
    return { type: 'object', status: 200, object: cached.object, cached, served, output };
  };
  const asked = context.query.get('resourceVersion');
  const wait = asked === null || asked === '' || asked === '0' ? parts.cacher.fresh() : notOlderThan(parseRevision(asked), parts);
  const { version } = served.store;
  if (version?.isSlow === true) {
    const key = objectKey(served.resource.namespaced ? context.info.namespace : '', context.info.name);
    return Promise.resolve(wait).then(() => version.read(key, read));
  }
  return wait === undefined ? read() : wait.then(read);
}

function whatVersion(text: string): string | undefined {
  const problem = versionProblem(text);
  return problem === undefined ? undefined : `resourceVersion: Invalid value: ${quote(text)}: ${problem}`;
}

/** The version that a GET or a watch names. @throws {ApiError} 500 without a reason, as upstream has it there. */
export function parseRevision(text: string): number {
  const problem = whatVersion(text);
  if (problem !== undefined) throw apiError(500, '', problem);
  return Number(text);
}

/** The version that a list names. @throws {ApiError} 400 */
export function parseListRevision(text: string): number {
  const problem = whatVersion(text);
  if (problem !== undefined) throw badRequest(`invalid resource version: ${problem}`);
  return Number(text);
}

/** How long a read waits for a revision that is yet to come. @source upstream cacher blockTimeout: 3 s */
const WAIT_MS = 3_000;

/** Resolves when the cache shows the revision. @throws {ApiError} 504 if it does not come in time. */
export function notOlderThan(revision: number, { cacher, clock }: ServerParts): Promise<void> | undefined {
  const reached = cacher.reached(revision);
  if (reached === undefined) return undefined;
  return new Promise((resolve, reject) => {
    const timer = clock.after(WAIT_MS, () => reject(tooLarge(revision, cacher.revision, 1)));
    void reached.then(() => {
      timer[Symbol.dispose]();
      resolve();
    });
  });
}

/** @param retryAfterSeconds 0: not to be told. @source upstream storage/errors.go NewTooLargeResourceVersionError */
export function tooLarge(asked: number, current: number, retryAfterSeconds: number): ApiError {
  const { status } = gatewayTimeout(`Too large resource version: ${asked}, current: ${current}`, retryAfterSeconds);
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }];
  return new ApiError({ ...status, details: { causes, ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }) } });
}
