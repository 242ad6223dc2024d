// SPDX-License-Identifier: Apache-2.0
// The flags of the aggregation layer: this server's own certificate as a front proxy, and how front proxies are recognised.
import { readFileSync } from 'node:fs';
import { FlagError, type FlagSpecs, type Flags } from '#component';
import type { AggregationOptions } from './aggregation-layer.ts';

export const AGGREGATION_FLAGS: FlagSpecs = {
  'proxy-client-cert-file': { type: 'string', help: 'Certificate shown to extension API servers, PEM.' },
  'proxy-client-key-file': { type: 'string', help: 'Its key, PEM.' },
  'requestheader-client-ca-file': { type: 'string', help: 'Authority of the certificates of front proxies, PEM.' },
  'requestheader-allowed-names': { type: 'strings', help: 'Common names of front proxies; any unless given.' },
  'requestheader-username-headers': { type: 'strings', help: 'Headers in which a front proxy names the user.' },
  'requestheader-uid-headers': { type: 'strings', help: 'Headers with the uid of the user.' },
  'requestheader-group-headers': { type: 'strings', help: 'Headers with the groups of the user.' },
  'requestheader-extra-headers-prefix': { type: 'strings', help: 'Beginnings of headers with what else is known of the user.' },
  'enable-aggregator-routing': { type: 'bool', default: 'true', help: 'Services are reached by their endpoints; false is not supported.' },
  'aggregator-reject-forwarding-redirect': { type: 'bool', default: 'true', help: 'Redirects of extension servers are not followed.' },
};

/** The front proxy's certificates where none were given, for a server that makes its own. */
export interface OwnFrontProxy {
  /** PEM. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Common name of the certificate that a server makes for itself. */
export const FRONT_PROXY_NAME = 'front-proxy-client';

/** @throws {FlagError} For a certificate without its key, and header flags without an authority. */
export function aggregationFrom(flags: Flags, own: OwnFrontProxy | undefined): AggregationOptions {
  if (flags.has('enable-aggregator-routing') && !flags.bool('enable-aggregator-routing'))
    throw new FlagError('--enable-aggregator-routing=false is not supported: Services are reached by their endpoints');
  const read = (name: string) => (flags.string(name) === '' ? undefined : readFileSync(flags.string(name), 'utf8'));
  const [cert, key] = [read('proxy-client-cert-file'), read('proxy-client-key-file')];
  if ((cert === undefined) !== (key === undefined)) throw new FlagError('--proxy-client-cert-file and --proxy-client-key-file go together');
  const given = cert !== undefined && key !== undefined ? { cert, key } : undefined;
  const proxyClient = given ?? (own === undefined ? undefined : { cert: own.certificate, key: own.key });
  const clientCa = read('requestheader-client-ca-file');
  if (clientCa === undefined && own === undefined) return { proxyClient };
  const list = (name: string, fallback: readonly string[]) => (flags.has(name) ? flags.strings(name) : fallback);
  const ownNames = clientCa === undefined ? [FRONT_PROXY_NAME] : [];
  return {
    proxyClient,
    requestHeader: {
      clientCa: clientCa ?? own?.authority ?? '',
      allowedNames: list('requestheader-allowed-names', ownNames),
      usernameHeaders: list('requestheader-username-headers', ['X-Remote-User']),
      uidHeaders: list('requestheader-uid-headers', ['X-Remote-Uid']),
      groupHeaders: list('requestheader-group-headers', ['X-Remote-Group']),
      extraHeaderPrefixes: list('requestheader-extra-headers-prefix', ['X-Remote-Extra-']),
    },
  };
}
