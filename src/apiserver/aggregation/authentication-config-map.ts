// SPDX-License-Identifier: Apache-2.0
// The ConfigMap from which extension servers learn whom to believe: the authority of client certificates, and how a request that
// came through this server says whose it is.
// @source upstream pkg/controlplane/controller/clusterauthenticationtrust
import { configmaps } from '#api';
import type { ConfigMap } from '#api/core/v1';
import type { Client } from '#client';
import { deepCopy, isAlreadyExists, isNotFound, semanticEqual } from '#machinery';

/** How front proxies, this server among them, are recognised and what they may say. */
export interface RequestHeaderConfig {
  /** PEM; who signs the certificates of front proxies. */
  readonly clientCa: string;
  /** Common names; empty: any. */
  readonly allowedNames: readonly string[];
  readonly usernameHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraHeaderPrefixes: readonly string[];
}

export interface AuthenticationConfig {
  readonly clientCa: string | undefined;
  readonly requestHeader: RequestHeaderConfig | undefined;
}

const NAME = 'extension-apiserver-authentication';
const NAMESPACE = 'kube-system';

export function authenticationData({ clientCa, requestHeader }: AuthenticationConfig): Record<string, string> {
  return {
    ...(clientCa === undefined ? {} : { 'client-ca-file': clientCa }),
    ...(requestHeader === undefined
      ? {}
      : {
          'requestheader-allowed-names': JSON.stringify(requestHeader.allowedNames),
          'requestheader-client-ca-file': requestHeader.clientCa,
          'requestheader-extra-headers-prefix': JSON.stringify(requestHeader.extraHeaderPrefixes),
          'requestheader-group-headers': JSON.stringify(requestHeader.groupHeaders),
          'requestheader-uid-headers': JSON.stringify(requestHeader.uidHeaders),
          'requestheader-username-headers': JSON.stringify(requestHeader.usernameHeaders),
        }),
  };
}

/** Makes sure that the ConfigMap says what this server does. */
export async function publishAuthenticationConfig(client: Client, config: AuthenticationConfig): Promise<void> {
  const data = authenticationData(config);
  const ref = { namespace: NAMESPACE, name: NAME };
  try {
    const current = await client.get(configmaps, ref);
    if (semanticEqual(current.data ?? {}, data)) return;
    const next = deepCopy(current) as ConfigMap;
    next.data = { ...next.data, ...data };
    await client.update(configmaps, next);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(configmaps, { metadata: ref, data }).catch((failure: unknown) => {
      if (!isAlreadyExists(failure)) throw failure; // Another API server was faster.
    });
  }
}
