// SPDX-License-Identifier: Apache-2.0
// Hands requests for the groups of extension servers over to them, before anything here looks for a handler. Without such servers
// it costs one comparison. @source upstream kube-aggregator pkg/apiserver/apiserver.go
import { type ApiResult, type Handler, plainText, type RequestContext } from '../request/context.ts';
import type { Aggregator } from './aggregator.ts';
import type { ExtensionServer } from './extension-server.ts';

export function withAggregation(next: Handler, aggregator: Aggregator): Handler {
  return function aggregate(context): ApiResult | Promise<ApiResult> {
    if (aggregator.isEmpty) return next(context);
    const server = serverFor(context, aggregator);
    if (server === undefined) return next(context);
    return server.proxy(context).catch((error: unknown) => {
      if (context.request.signal.aborted) throw error;
      return plainText(503, `error trying to reach service: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
}

function serverFor({ info }: RequestContext, aggregator: Aggregator): ExtensionServer | undefined {
  if (info.isResource) return aggregator.find(info.group, info.version);
  const { path } = info;
  return path.startsWith('/apis/') ? byPath(path.slice('/apis/'.length), aggregator) : undefined;
}

/** `group/version`, and what follows. */
function byPath(rest: string, aggregator: Aggregator): ExtensionServer | undefined {
  const [group = '', version = ''] = rest.split('/');
  return version === '' ? undefined : aggregator.find(group, version);
}
