// SPDX-License-Identifier: Apache-2.0
// Why a call failed, in the words that Go's HTTP client has for it: users read them in the API's errors.
import { ApiError } from '#machinery';

/** Thrown when a webhook gave no usable answer. */
export class WebhookCallError extends Error {
  override readonly name = 'WebhookCallError';
  /** Of the answer; undefined where there was none. */
  readonly status: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options);
    this.status = options.status;
  }
}

const TEXTS: Readonly<Record<string, (where: string) => string>> = {
  ECONNREFUSED: (where) => `dial tcp ${where}: connect: connection refused`,
  EHOSTUNREACH: (where) => `dial tcp ${where}: connect: no route to host`,
  ENETUNREACH: (where) => `dial tcp ${where}: connect: network is unreachable`,
  ETIMEDOUT: (where) => `dial tcp ${where}: i/o timeout`,
  UND_ERR_CONNECT_TIMEOUT: (where) => `dial tcp ${where}: i/o timeout`,
  ECONNRESET: (where) => `read tcp ${where}: read: connection reset by peer`,
  EPIPE: () => 'write: broken pipe',
  UND_ERR_SOCKET: () => 'EOF',
};
const UNKNOWN_AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]);
const UNVERIFIED = 'tls: failed to verify certificate: x509:';

/** `host:port`, with brackets around an IPv6 address. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The words for an error of a connection. @param host What was dialled. */
export function connectionFailure(error: unknown, host: string, port: number): string {
  if (error instanceof ApiError) return error.message;
  const { code = '', message } = rootOf(error);
  const text = TEXTS[code]?.(joinHostPort(host, port));
  if (text !== undefined) return text;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${host}: no such host`;
  if (UNKNOWN_AUTHORITY.has(code)) return `${UNVERIFIED} certificate signed by unknown authority`;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return `${UNVERIFIED} certificate has expired or is not yet valid`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `${UNVERIFIED} ${wrongName(error)}`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'http: server gave HTTP response to HTTPS client';
  if (code === 'EPROTO') return `remote error: tls: ${message}`;
  return message;
}

interface NodeError {
  readonly code?: string;
  readonly message: string;
}

/** The first of several attempts (one per address of a name), and the innermost cause. */
function rootOf(error: unknown): NodeError {
  let found = error as NodeError & { readonly errors?: readonly NodeError[]; readonly cause?: unknown };
  if (found.errors?.[0] !== undefined) found = found.errors[0];
  if (found.code === undefined && found.cause instanceof Error) return rootOf(found.cause);
  return found instanceof Error ? found : { message: String(error) };
}

function wrongName(error: unknown): string {
  const { host = '', cert } = error as { host?: string; cert?: { subjectaltname?: string } };
  const names = (cert?.subjectaltname ?? '').split(', ').flatMap((entry) => entry.split(':').slice(1).join(':') || []);
  return names.length === 0 ? `cannot validate certificate for ${host}` : `certificate is valid for ${names.join(', ')}, not ${host}`;
}
