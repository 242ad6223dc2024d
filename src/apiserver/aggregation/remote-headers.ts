// SPDX-License-Identifier: Apache-2.0
// The headers by which one API server tells another who asks: made here for extension servers, and read by request-header
// authentication. @source upstream client-go transport/round_trippers.go SetAuthProxyHeaders
import type { UserInfo } from '../auth/user.ts';

const TOKEN = /^[!#$&'*+\-.^_`|~0-9a-z]+$/;

/** What a client may have sent under these names is never passed on. */
export function isRemoteHeader(name: string): boolean {
  return name.startsWith('x-remote-');
}

/** Lower case, with what a header name cannot hold as `%xx`. */
function escapeKey(key: string): string {
  const lower = key.toLowerCase();
  if (TOKEN.test(lower)) return lower;
  return [...Buffer.from(lower)]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return TOKEN.test(letter) ? letter : `%${byte.toString(16).padStart(2, '0').toUpperCase()}`;
    })
    .join('');
}

export function remoteHeaders({ name, uid, groups, extra }: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': name };
  if (uid !== '') headers['x-remote-uid'] = uid;
  if (groups.length > 0) headers['x-remote-group'] = [...groups];
  for (const [key, values] of Object.entries(extra)) headers[`x-remote-extra-${escapeKey(key)}`] = [...values];
  return headers;
}
