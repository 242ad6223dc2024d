// SPDX-License-Identifier: Apache-2.0
// Kubeconfig files: read one, pick a context, and write one. Relative paths are relative to the file, as upstream has it.
// Credential plugins (`exec`, `auth-provider`), passwords and proxies are refused by name, never skipped in silence.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ClientConfig } from './client-config.ts';

export interface KubeconfigCluster {
  readonly server?: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}

export interface KubeconfigUser {
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly as?: string;
  readonly 'as-uid'?: string;
  readonly 'as-groups'?: readonly string[];
  readonly 'as-user-extra'?: Readonly<Record<string, readonly string[]>>;
  readonly username?: string;
  readonly password?: string;
  readonly exec?: unknown;
  readonly 'auth-provider'?: unknown;
}

export interface KubeconfigContext {
  readonly cluster: string;
  readonly user: string;
  readonly namespace?: string;
}

export interface Kubeconfig {
  readonly apiVersion: 'v1';
  readonly kind: 'Config';
  readonly clusters: readonly { readonly name: string; readonly cluster: KubeconfigCluster }[];
  readonly users: readonly { readonly name: string; readonly user: KubeconfigUser }[];
  readonly contexts: readonly { readonly name: string; readonly context: KubeconfigContext }[];
  readonly 'current-context': string;
  readonly preferences?: Readonly<Record<string, unknown>>;
}

/** Thrown when a kubeconfig cannot be used as it stands; the message says which entry and why. */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
}

/** Parses a kubeconfig, YAML or JSON. @throws {KubeconfigError} If it is none. */
export function parseKubeconfig(text: string): Kubeconfig {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 100, logLevel: 'error' });
  } catch (error) {
    throw new KubeconfigError(`parse kubeconfig: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new KubeconfigError('parse kubeconfig: not a mapping');
  const config = value as Partial<Kubeconfig>;
  if (config.kind !== undefined && config.kind !== 'Config')
    throw new KubeconfigError(`parse kubeconfig: kind is "${config.kind}", want "Config"`);
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: listIn(config.clusters, 'clusters'),
    users: listIn(config.users, 'users'),
    contexts: listIn(config.contexts, 'contexts'),
    'current-context': typeof config['current-context'] === 'string' ? config['current-context'] : '',
    ...(config.preferences ? { preferences: config.preferences } : {}),
  };
}

function listIn<T extends { readonly name: string }>(value: readonly T[] | undefined | null, field: string): readonly T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((entry) => typeof entry?.name === 'string')) {
    throw new KubeconfigError(`parse kubeconfig: "${field}" must be a list of named entries`);
  }
  return value;
}

/** The text of a kubeconfig. It may hold keys: write it with mode 0600. */
export function formatKubeconfig(config: Kubeconfig): string {
  return stringify(config, { lineWidth: 0 });
}

/** Where kubectl looks: the first file of `KUBECONFIG`, or `~/.kube/config`. */
export function defaultKubeconfigPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const listed = env['KUBECONFIG']?.split(':').find((path) => path !== '');
  return listed ?? join(homedir(), '.kube', 'config');
}

/** What a context says about how to connect. @throws {KubeconfigError} If an entry is missing or asks for what is not supported. */
export function clientConfigOf(config: Kubeconfig, contextName: string = config['current-context'], directory = '.'): ClientConfig {
  if (contextName === '') throw new KubeconfigError('use kubeconfig: it has no current-context and none was chosen');
  const context = config.contexts.find(({ name }) => name === contextName)?.context;
  if (context === undefined) throw new KubeconfigError(`context "${contextName}" does not exist`);
  const cluster = config.clusters.find(({ name }) => name === context.cluster)?.cluster;
  if (cluster === undefined) throw new KubeconfigError(`cluster "${context.cluster}" of context "${contextName}" does not exist`);
  const user = config.users.find(({ name }) => name === context.user)?.user ?? {};
  if (context.user && !config.users.some(({ name }) => name === context.user)) {
    throw new KubeconfigError(`user "${context.user}" of context "${contextName}" does not exist`);
  }
  return {
    ...clusterPart(cluster, context.cluster, directory),
    ...userPart(user, context.user, directory),
    ...(context.namespace ? { namespace: context.namespace } : {}),
  };
}

function clusterPart(cluster: KubeconfigCluster, name: string, directory: string): ClientConfig {
  if (!cluster.server) throw new KubeconfigError(`cluster "${name}" has no server`);
  if (cluster['proxy-url']) throw new KubeconfigError(`cluster "${name}": proxy-url is not supported`);
  return {
    server: cluster.server,
    ...material(cluster['certificate-authority-data'], cluster['certificate-authority'], directory, ['ca', 'caFile']),
    ...(cluster['insecure-skip-tls-verify'] ? { insecureSkipTlsVerify: true } : {}),
    ...(cluster['tls-server-name'] ? { tlsServerName: cluster['tls-server-name'] } : {}),
  };
}

function userPart(user: KubeconfigUser, name: string, directory: string): Partial<ClientConfig> {
  for (const key of ['exec', 'auth-provider', 'username', 'password'] as const) {
    if (user[key]) throw new KubeconfigError(`user "${name}": "${key}" is not supported: use a client certificate or a token`);
  }
  const impersonate = user.as ? { user: user.as, uid: user['as-uid'], groups: user['as-groups'], extra: user['as-user-extra'] } : undefined;
  return {
    ...material(user['client-certificate-data'], user['client-certificate'], directory, ['cert', 'certFile']),
    ...material(user['client-key-data'], user['client-key'], directory, ['key', 'keyFile']),
    ...(user.token ? { token: user.token } : {}),
    ...(user.tokenFile ? { tokenFile: resolve(directory, user.tokenFile) } : {}),
    ...(impersonate === undefined ? {} : { impersonate }),
  };
}

/** Inline data wins over a file, as upstream has it. */
function material(
  data: string | undefined,
  file: string | undefined,
  directory: string,
  [inline, path]: readonly [string, string],
): object {
  if (data) return { [inline]: Buffer.from(data, 'base64').toString('utf8') };
  return file ? { [path]: resolve(directory, file) } : {};
}

/** Reads a kubeconfig file and picks a context, the current one unless told. @throws {KubeconfigError} If it cannot be used. */
export function loadKubeconfig(path: string, contextName?: string): ClientConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new KubeconfigError(`read kubeconfig "${path}": ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  const config = parseKubeconfig(text);
  return clientConfigOf(config, contextName ?? config['current-context'], dirname(resolve(path)));
}

export interface KubeconfigParts {
  readonly clusterName: string;
  readonly userName: string;
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly user: KubeconfigUser;
  readonly namespace?: string;
}

/** A kubeconfig of one cluster, one user and the context `user@cluster`. */
export function singleContextKubeconfig({ clusterName, userName, server, ca, user, namespace }: KubeconfigParts): Kubeconfig {
  const contextName = `${userName}@${clusterName}`;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: clusterName, cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: userName, user }],
    contexts: [{ name: contextName, context: { cluster: clusterName, user: userName, ...(namespace === undefined ? {} : { namespace }) } }],
    'current-context': contextName,
  };
}
