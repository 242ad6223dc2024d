// SPDX-License-Identifier: Apache-2.0
// Credentials for webhooks, by host: the users of the kubeconfig file that the admission configuration names. A user's name is a
// host with port, a host (port 443), `*.` and the end of one, or `*`.
// @source upstream apiserver pkg/util/webhook/authentication.go
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { clientConfigOf, type Kubeconfig, parseKubeconfig } from '#client';
import type { WebhookTarget } from '../../webhook-client/mod.ts';

export type Credentials = Pick<WebhookTarget, 'certificate' | 'token'>;

/** @param configuration `WebhookAdmissionConfiguration` (apiserver.config.k8s.io). @throws {RangeError | KubeconfigError} */
export function credentialsOf(configuration: unknown): ((host: string) => Credentials) | undefined {
  if (configuration === undefined || configuration === null) return undefined;
  const { kind = '', kubeConfigFile } = configuration as { kind?: string; kubeConfigFile?: string };
  if (kind !== 'WebhookAdmissionConfiguration' && kind !== 'WebhookAdmission')
    throw new RangeError(`configure admission webhooks: want kind WebhookAdmissionConfiguration, got "${kind}"`);
  if (!kubeConfigFile) return undefined;
  const config = parseKubeconfig(readFileSync(kubeConfigFile, 'utf8'));
  return (host) => {
    const name = candidates(host).find((candidate) => config.users.some((user) => user.name === candidate));
    return name === undefined ? {} : credentialsOfUser(config, name, dirname(kubeConfigFile));
  };
}

/** The names that a user for this host may have, the best first. */
export function candidates(hostWithPort: string): string[] {
  const host = hostWithPort.replace(/:\d+$/, '');
  const steps = host.split('.');
  const ends = steps.slice(1).map((_, index) => `*.${steps.slice(index + 1).join('.')}`);
  const port = hostWithPort.slice(host.length);
  const names = [host, ...ends];
  return [...names.map((name) => `${name}${port}`), ...(port === ':443' ? names : []), `*${port}`, ...(port === ':443' ? ['*'] : [])];
}

function credentialsOfUser(config: Kubeconfig, user: string, directory: string): Credentials {
  const cluster = { name: 'webhook', cluster: { server: 'https://webhook' } };
  const context = { name: 'webhook', context: { cluster: 'webhook', user } };
  const client = clientConfigOf({ ...config, clusters: [cluster], contexts: [context] }, 'webhook', directory);
  const text = (inline: string | undefined, file: string | undefined) =>
    inline ?? (file === undefined ? undefined : readFileSync(file, 'utf8'));
  const cert = text(client.cert, client.certFile);
  const key = text(client.key, client.keyFile);
  const { token, tokenFile } = client;
  return {
    ...(cert === undefined || key === undefined ? {} : { certificate: { cert, key } }),
    ...(tokenFile === undefined ? {} : { token: () => readFileSync(tokenFile, 'utf8').trim() }),
    ...(tokenFile === undefined && token !== undefined ? { token: () => token } : {}),
  };
}
