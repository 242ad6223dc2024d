// SPDX-License-Identifier: Apache-2.0
// Where a webhook is and how to prove who calls: the two forms of a `clientConfig`, and a kubeconfig's current context.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClientConfig, loadKubeconfig } from '#client';

export interface WebhookTarget {
  /** `https://host[:port]/path`. Exactly one of `url` and `service` is given. */
  readonly url?: string | undefined;
  readonly service?:
    | { readonly namespace: string; readonly name: string; readonly port?: number | undefined; readonly path?: string | undefined }
    | undefined;
  /** PEM in base64, as objects of the API have it. Absent: the system's roots. */
  readonly caBundle?: string | undefined;
  /** PEM; wins over `caBundle`. */
  readonly ca?: string | undefined;
  readonly insecureSkipTlsVerify?: boolean | undefined;
  /** The name the server's certificate must bear, where it is not the host's. */
  readonly serverName?: string | undefined;
  /** A client certificate, PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** Read for each call, since a token file may be renewed. */
  readonly token?: (() => string) | undefined;
}

/** The target that a kubeconfig file's current context names. @throws {KubeconfigError} If it cannot be used. */
export function kubeconfigTarget(path: string): WebhookTarget {
  return targetOf(loadKubeconfig(path));
}

/** Where the kubelet puts the credentials of a Pod's service account. */
const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The API server of the cluster that this process is a Pod of. @source client-go rest/config.go InClusterConfig
 *
 * @throws {Error} Where it is no Pod.
 */
export function inClusterTarget(environment: Readonly<Record<string, string | undefined>>, folder = ACCOUNT_FOLDER): WebhookTarget {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  if (host === '' || port === '')
    throw new Error('unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined');
  const token = () => readFileSync(join(folder, 'token'), 'utf8').trim();
  token(); // Whether there is one.
  const shown = host.includes(':') ? `[${host}]` : host;
  return { url: `https://${shown}:${port}`, ca: readFileSync(join(folder, 'ca.crt'), 'utf8'), token };
}

function targetOf(config: ClientConfig): WebhookTarget {
  const text = (inline: string | undefined, file: string | undefined) =>
    inline ?? (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const cert = text(config.cert, config.certFile);
  const key = text(config.key, config.keyFile);
  const { token, tokenFile } = config;
  return {
    url: config.server,
    ca: text(config.ca, config.caFile),
    insecureSkipTlsVerify: config.insecureSkipTlsVerify,
    serverName: config.tlsServerName,
    ...(cert === undefined || key === undefined ? {} : { certificate: { cert, key } }),
    ...(tokenFile !== undefined
      ? { token: () => readFileSync(tokenFile, 'utf8').trim() }
      : token !== undefined
        ? { token: () => token }
        : {}),
  };
}
