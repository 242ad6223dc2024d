// SPDX-License-Identifier: Apache-2.0
// What a component must know to reach an API server over HTTPS. Files are read when a connection is made, so that renewed
// certificates take effect with the next one; a token file is read again once a minute.
import { readFileSync } from 'node:fs';

export interface ClientConfig {
  /** `https://HOST[:PORT]`, with a path where the API is served under one. */
  readonly server: string;
  /** PEM; without either the system's roots are trusted. */
  readonly ca?: string | undefined;
  readonly caFile?: string | undefined;
  readonly cert?: string | undefined;
  readonly certFile?: string | undefined;
  readonly key?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly token?: string | undefined;
  /** Wins over `token`. */
  readonly tokenFile?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  /** The name the server's certificate must bear, where it is not the server's host. */
  readonly tlsServerName?: string | undefined;
  readonly impersonate?: Impersonation | undefined;
  /** The default namespace of the context. */
  readonly namespace?: string | undefined;
  /** @default `sagong` */
  readonly userAgent?: string | undefined;
}

export interface Impersonation {
  readonly user: string;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized: boolean;
}

/** Reads what a TLS connection needs. @throws {Error} If a file cannot be read. */
export function readTls(config: ClientConfig): TlsMaterial {
  const ca = config.ca ?? read(config.caFile);
  const cert = config.cert ?? read(config.certFile);
  const key = config.key ?? read(config.keyFile);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(config.tlsServerName ? { servername: config.tlsServerName } : {}),
    rejectUnauthorized: config.insecureSkipTlsVerify !== true,
  };
}

function read(path: string | undefined): string | undefined {
  return path === undefined ? undefined : readFileSync(path, 'utf8');
}

/** The headers that every request of a configuration bears, but for `authorization`. */
export function identityHeaders({ impersonate, userAgent = 'sagong' }: ClientConfig): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'user-agent': userAgent };
  if (impersonate === undefined) return headers;
  headers['impersonate-user'] = impersonate.user;
  if (impersonate.uid) headers['impersonate-uid'] = impersonate.uid;
  if (impersonate.groups?.length) headers['impersonate-group'] = [...impersonate.groups];
  for (const [key, values] of Object.entries(impersonate.extra ?? {})) {
    headers[`impersonate-extra-${encodeURIComponent(key).toLowerCase()}`] = [...values];
  }
  return headers;
}
