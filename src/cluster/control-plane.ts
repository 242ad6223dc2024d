// SPDX-License-Identifier: Apache-2.0
// The control-plane process: API server, controller manager and scheduler on one event loop, the store in its worker thread.
// The last two reach the first by loopback, each as its own user, so that they have its rights and no more.
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ApiServer, AUTHENTICATED_GROUP, apiServerOptions, MASTERS_GROUP, type UserInfo } from '#apiserver';
import type { Client } from '#client';
import { createLogger, giveBackMemoryWhenQuiet, systemClock } from '#component';
import { runControllerManager } from '#controllers';
import { runScheduler } from '#scheduler';
import { SqliteStore } from '#store';
import { ensureAddons } from './addons.ts';
import { readPair } from './certificates.ts';
import { ComponentSet, type ComponentSpec } from './component-set.ts';
import { serveControl } from './control-socket.ts';
import { type ClusterSettings, CONTROL_PLANE, type Layout, readSettings } from './layout.ts';
import { report } from './processes.ts';

/** A part of the controller manager that runs beside the server, which knows the types of expressions. */
const POLICY_STATUS = 'validatingadmissionpolicy-status-controller';

function userOf(name: string): UserInfo {
  return { name, uid: '', groups: [AUTHENTICATED_GROUP], extra: {} };
}

function serviceAccountOf(name: string): UserInfo {
  return {
    name: `system:serviceaccount:kube-system:${name}`,
    uid: '',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', AUTHENTICATED_GROUP],
    extra: {},
  };
}

/** Runs until `signal`. Tells its parent when the API is ready. */
export async function runControlPlane(layout: Layout, signal: AbortSignal): Promise<void> {
  const settings = readSettings(layout);
  const log = (component: string) => createLogger({ component });
  mkdirSync(dirname(layout.store), { recursive: true, mode: 0o700 });
  await using store = await SqliteStore.open({ file: layout.store });
  const components = new ComponentSet(specsOf(layout, settings, store, log), log(CONTROL_PLANE));
  await using _control = await serveControl(layout.controlSocket(CONTROL_PLANE), components);
  components.startAll();
  void giveBackMemoryWhenQuiet(systemClock, signal);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await components.stopAll();
}

function specsOf(
  layout: Layout,
  settings: ClusterSettings,
  store: SqliteStore,
  log: (component: string) => ReturnType<typeof createLogger>,
): ComponentSpec[] {
  const authority = readPair(layout, 'ca');
  let client: ((user: UserInfo, agent: string) => Client) | undefined;
  let ready = Promise.withResolvers<void>();
  const api: ComponentSpec = {
    name: 'kube-apiserver',
    announces: true,
    async run(signal, works) {
      const logger = log('kube-apiserver');
      // Read anew: flags may have been changed for this start.
      const server = new ApiServer(await apiServerOptions(apiServerArgs(layout, readSettings(layout)), store, logger));
      client = (user, agent) => server.client(user, agent);
      let policies: Promise<void> | undefined;
      try {
        await server.run(signal, { port: settings.port, address: '0.0.0.0' }, () => {
          ready.resolve();
          works();
          policies = server.runPolicyStatus(server.client(serviceAccountOf(POLICY_STATUS), 'kube-controller-manager'), signal);
          void ensureAddons(server.client({ name: 'system:admin', uid: '', groups: [MASTERS_GROUP], extra: {} }, 'sagong'), settings)
            .then(() => report({ type: 'ready', text: 'API server is ready' }))
            .catch((error: unknown) => report({ type: 'failed', text: String(error) }));
        });
      } catch (error) {
        report({ type: 'failed', text: explain(error, settings) });
        throw error;
      } finally {
        await policies;
        ready = Promise.withResolvers();
      }
    },
  };
  /** Waits until the API is there: components may be started in any order. */
  const clientWhenReady = async (signal: AbortSignal) => {
    await Promise.race([ready.promise, new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))]);
    const make = client;
    if (make === undefined || signal.aborted) return undefined;
    return make;
  };
  const controllers: ComponentSpec = {
    name: 'kube-controller-manager',
    async run(signal) {
      const make = await clientWhenReady(signal);
      if (make === undefined) return;
      await runControllerManager({
        client: make(userOf('system:kube-controller-manager'), 'kube-controller-manager'),
        clientFor: (name: string) => make(serviceAccountOf(name), 'kube-controller-manager'),
        clock: systemClock,
        logger: log('kube-controller-manager'),
        leaderElect: false,
        clusterCidr: settings.podCidr,
        nodeCidrMaskSize: 24,
        serviceClusterIpRange: settings.serviceCidr,
        rootCa: authority.certificate,
        signing: authority,
        serviceAccountKey: readFileSync(layout.pki('sa.key'), 'utf8'),
        signal,
      });
    },
  };
  const scheduler: ComponentSpec = {
    name: 'kube-scheduler',
    async run(signal) {
      const make = await clientWhenReady(signal);
      if (make === undefined) return;
      await runScheduler({
        client: make(userOf('system:kube-scheduler'), 'kube-scheduler'),
        clock: systemClock,
        logger: log('kube-scheduler'),
        leaderElect: false,
        signal,
      });
    },
  };
  return [api, controllers, scheduler];
}

/** The flags that the cluster's layout and settings amount to, and after them the person's own. */
function apiServerArgs(layout: Layout, settings: ClusterSettings): string[] {
  const flags: Readonly<Record<string, string>> = {
    'tls-cert-file': layout.pki('apiserver.crt'),
    'tls-private-key-file': layout.pki('apiserver.key'),
    'client-ca-file': layout.pki('ca.crt'),
    'service-account-signing-key-file': layout.pki('sa.key'),
    'service-account-key-file': layout.pki('sa.key'),
    'service-account-issuer': `https://kubernetes.default.svc.${settings.clusterDomain}`,
    'enable-admission-plugins': 'NodeRestriction',
    'enable-bootstrap-token-auth': 'true',
    'service-cluster-ip-range': settings.serviceCidr,
    'advertise-address': settings.nodes[0]?.ip ?? '127.0.0.1',
    'kubelet-client-certificate': layout.pki('apiserver-kubelet-client.crt'),
    'kubelet-client-key': layout.pki('apiserver-kubelet-client.key'),
    'kubelet-preferred-address-types': 'InternalIP,Hostname',
    'proxy-client-cert-file': layout.pki('front-proxy-client.crt'),
    'proxy-client-key-file': layout.pki('front-proxy-client.key'),
    'requestheader-client-ca-file': layout.pki('front-proxy-ca.crt'),
    'requestheader-allowed-names': 'front-proxy-client',
  };
  return [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), ...(settings.apiServerArgs ?? [])];
}

function explain(error: unknown, { port }: ClusterSettings): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EADDRINUSE') return `port ${port} is taken by another program: stop that, or run "sagong up --port" with a free one`;
  if (code === 'EACCES') return `port ${port} may not be used: take one above 1023, or run as root`;
  return error instanceof Error ? error.message : String(error);
}
