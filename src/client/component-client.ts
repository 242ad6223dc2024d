// SPDX-License-Identifier: Apache-2.0
// How a component that runs alone reaches the API: `--kubeconfig`, and the flags of a server of its own that it has not.
import { FlagError, type FlagSpecs, type Flags } from '#component';
import { createClient } from './api-client.ts';
import type { Client } from './client.ts';
import type { ClientConfig } from './client-config.ts';
import { HttpsTransport } from './https.ts';
import { loadKubeconfig } from './kubeconfig.ts';

/** Flags of components that only ask the API server and answer nobody. */
export const CLIENT_FLAGS: FlagSpecs = {
  kubeconfig: { type: 'string', help: 'Where the API server is and who we are.' },
  'authentication-kubeconfig': { type: 'string', help: 'Accepted; there is no server of our own to authenticate to.' },
  'authorization-kubeconfig': { type: 'string', help: 'Accepted; there is no server of our own to authorize.' },
  'leader-elect': { type: 'bool', default: 'true', help: 'Work only while holding the lease in kube-system.' },
  'secure-port': { type: 'int', default: '0', help: 'Only 0 is possible: no server.' },
  'bind-address': { type: 'string', help: 'Accepted; there is no server of our own.' },
};

export interface ComponentClient extends Disposable {
  readonly client: Client;
  readonly config: ClientConfig;
}

/** @throws {FlagError} If the flags name no API server, or ask for a server of the component's own. */
export function connectComponent(name: string, flags: Flags): ComponentClient {
  if (flags.has('secure-port') && flags.int('secure-port') !== 0)
    throw new FlagError(`flag --secure-port: sagong's ${name} has no server of its own: leave it out or give 0`);
  if (flags.string('kubeconfig') === '') throw new FlagError('flag --kubeconfig is required: it says how to reach the API server');
  const config = loadKubeconfig(flags.string('kubeconfig'));
  const transport = new HttpsTransport({ ...config, userAgent: name });
  return { client: createClient(transport), config, [Symbol.dispose]: () => transport[Symbol.dispose]() };
}
