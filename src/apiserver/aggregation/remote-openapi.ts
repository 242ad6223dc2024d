// SPDX-License-Identifier: Apache-2.0
// The OpenAPI documents of an extension server, as far as one group and version goes: fetched after it was found available, again
// only when it says that they have changed, and served from here.
// @source upstream kube-aggregator pkg/controllers/{openapi,openapiv3}

import type { UserInfo } from '../auth/user.ts';
import type { OpenApiSource } from '../openapi/documents.ts';
import type { Json } from '../openapi/schemas.ts';
import type { ExtensionServer } from './extension-server.ts';

export interface RemoteOpenApi {
  /** `apis/example.com/v1` */
  readonly path: string;
  /** Where version 3 came from, with its hash; tells whether it changed. */
  readonly url: string;
  readonly v3: Json | undefined;
  readonly etag: string;
  readonly definitions: Readonly<Record<string, Json>>;
  readonly paths: Readonly<Record<string, Json>>;
}

const READER: UserInfo = { name: 'system:aggregator', uid: '', groups: ['system:masters'], extra: {} };
const TIMEOUT_MS = 10_000;

/** @returns `before` itself where nothing has changed. */
export async function fetchOpenApi(
  server: ExtensionServer,
  path: string,
  before: RemoteOpenApi | undefined,
  signal: AbortSignal,
): Promise<RemoteOpenApi> {
  const ask = (url: string, headers: Record<string, string> = {}) =>
    server.get(url, { headers, user: READER, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
  const index = await ask('/openapi/v3');
  const listed =
    index.status === 200 ? (JSON.parse(index.body.toString()) as { paths?: Record<string, { serverRelativeURL?: string }> }) : {};
  const url = listed.paths?.[path]?.serverRelativeURL ?? '';
  const v2 = await ask('/openapi/v2', { accept: 'application/json', ...(before?.etag ? { 'if-none-match': before.etag } : {}) });
  if (before !== undefined && url === before.url && (v2.status === 304 || (v2.status !== 200 && before.etag === ''))) return before;
  const v3 = url === '' ? undefined : url === before?.url ? before.v3 : parsed(await ask(url));
  const old = { etag: before?.etag ?? '', definitions: before?.definitions ?? {}, paths: before?.paths ?? {} };
  const swagger = v2.status === 200 ? partOf(parsed(v2), path, String(v2.headers['etag'] ?? '')) : old;
  return { path, url, v3, ...swagger };
}

function parsed({ status, body }: { readonly status: number; readonly body: Buffer }): Json | undefined {
  return status === 200 ? (JSON.parse(body.toString()) as Json) : undefined;
}

/** The paths of the group and version, and the definitions that they need, directly or not. */
export function partOf(document: Json | undefined, path: string, etag: string): Pick<RemoteOpenApi, 'etag' | 'definitions' | 'paths'> {
  const all = (document?.['paths'] ?? {}) as Record<string, Json>;
  const definitions = (document?.['definitions'] ?? {}) as Record<string, Json>;
  const paths = Object.fromEntries(Object.entries(all).filter(([name]) => name === `/${path}` || name.startsWith(`/${path}/`)));
  const needed = new Set<string>();
  const follow = (value: unknown) => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"\$ref":"#\/definitions\/([^"]+)"/g)) {
      if (needed.has(name) || definitions[name] === undefined) continue;
      needed.add(name);
      follow(definitions[name]);
    }
  };
  follow(paths);
  return { etag, paths, definitions: Object.fromEntries([...needed].sort().map((name) => [name, definitions[name] as Json])) };
}

/** All of them as one source. */
export function openApiSource(parts: readonly RemoteOpenApi[]): OpenApiSource {
  return {
    documents: new Map(parts.flatMap(({ path, v3 }) => (v3 === undefined ? [] : [[path, () => v3] as const]))),
    v2: () => ({
      definitions: Object.assign({}, ...parts.map(({ definitions }) => definitions)),
      paths: Object.assign({}, ...parts.map(({ paths }) => paths)),
    }),
  };
}
