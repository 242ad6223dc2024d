// SPDX-License-Identifier: Apache-2.0
// The paths for operators, in one place: health, /statusz, /flagz, profiles, log level, dumps of priority and fairness. What is off
// is not found. `/logs` is not served, as upstream's default.
import type { ApiResult, RequestContext } from '../request/context.ts';
import { plainText } from '../request/context.ts';
import type { Health } from './health.ts';
import type { Profiler } from './pprof.ts';
import { answerZPages, type ZPagesFacts } from './z-pages.ts';

export interface DebugPathsOptions {
  readonly health: Health;
  readonly zPages: ZPagesFacts;
  /** Undefined: `--profiling=false`. */
  readonly profiler: Profiler | undefined;
  readonly fairness: ((context: RequestContext) => ApiResult | undefined) | undefined;
}

/** The answer, or undefined if the path is none of these. */
export function answerDebugPath(context: RequestContext, options: DebugPathsOptions): ApiResult | Promise<ApiResult> | undefined {
  const { health, zPages, profiler, fairness } = options;
  const { path } = context.info;
  if (path.startsWith('/debug/')) return fairness?.(context) ?? profiler?.answer(context) ?? logLevel(context, profiler !== undefined);
  return health.answer(context) ?? answerZPages(context, zPages);
}

/** `--v` is not settable here: logs have a level, given at start. */
function logLevel({ info, request }: RequestContext, on: boolean): ApiResult | undefined {
  if (!on || info.path !== '/debug/flags/v') return undefined;
  if (request.method !== 'PUT') return plainText(405, 'unrecognized http method\n');
  return plainText(400, 'error: unable to set klog verbosity: the log level is given at start by --log-level\n');
}
