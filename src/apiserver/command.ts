// SPDX-License-Identifier: Apache-2.0
// `sagong kube-apiserver`: upstream's flags to `ApiServer` options. Certificates that are not given are made once and kept under
// the data directory, so that the server runs by itself; its admin kubeconfig is written beside them.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { formatKubeconfig, singleContextKubeconfig } from '#client';
import { type FlagSpecs, type Flags, parseFlags, readCommand, systemClock } from '#component';
import type { CertificateRequest } from '#component/pki';
import { firstServiceAddress } from '#machinery';
import { MemoryStore, SqliteStore, type Store } from '#store';
import { readAdmissionConfiguration } from './admission/admission-configuration.ts';
import { AGGREGATION_FLAGS, aggregationFrom, FRONT_PROXY_NAME, type OwnFrontProxy } from './aggregation/mod.ts';
import { AUTHENTICATION_FLAGS, AUTHORIZATION_FLAGS, authenticationFrom, authorizationFrom } from './auth/command-options.ts';
import { SERVICE_ACCOUNT_FLAGS, tokenKeysFrom } from './auth/service-account-flags.ts';
import { FEATURE_GATE_FLAGS, featureGatesFrom } from './feature-gates.ts';
import { TLS_FLAGS, tlsOptionsFrom } from './http/tls-flags.ts';
import { OPERATION_FLAGS, operationsFrom } from './operation-flags.ts';
import { ApiServer } from './server.ts';
import type { ApiServerOptions } from './server-options.ts';

const FLAGS: FlagSpecs = {
  'data-dir': {
    type: 'string',
    help: 'Folder of the embedded store, and of certificates that are not given. Without it the store is in memory.',
  },
  'secure-port': { type: 'int', default: '6443', help: 'Port of HTTPS.' },
  'bind-address': { type: 'string', default: '0.0.0.0', help: 'Address to listen on.' },
  'advertise-address': { type: 'string', help: 'Address other members of the cluster reach this server at.' },
  'tls-cert-file': { type: 'string', help: 'Serving certificate, PEM.' },
  'tls-private-key-file': { type: 'string', help: 'Its key, PEM.' },
  'client-ca-file': { type: 'string', help: 'Authority of client certificates, PEM.' },
  'service-cluster-ip-range': { type: 'string', default: '10.96.0.0/16', help: 'Addresses of Services.' },
  'service-node-port-range': { type: 'string', default: '30000-32767', help: 'Node ports of Services.' },
  'enable-admission-plugins': { type: 'strings', help: 'Admission plugins beside the default ones.' },
  'disable-admission-plugins': { type: 'strings', help: 'Default admission plugins that do not run.' },
  'allow-privileged': { type: 'bool', default: 'true', help: 'Privileged containers are allowed; false is not supported.' },
  'kubelet-client-certificate': { type: 'string', help: 'Certificate shown to kubelets, PEM.' },
  'kubelet-client-key': { type: 'string', help: 'Its key, PEM.' },
  'kubelet-certificate-authority': { type: 'string', help: 'Authority of kubelet certificates, PEM.' },
  'kubelet-preferred-address-types': {
    type: 'strings',
    default: 'Hostname,InternalDNS,InternalIP,ExternalDNS,ExternalIP',
    help: 'Order of node addresses to try.',
  },
  'max-requests-inflight': { type: 'int', default: '400', help: 'Reads at once; 0 is no limit.' },
  'max-mutating-requests-inflight': { type: 'int', default: '200', help: 'Writes at once; 0 is no limit.' },
  'admission-control-config-file': { type: 'string', help: 'Configuration of admission plugins: an AdmissionConfiguration.' },
  ...TLS_FLAGS,
  ...SERVICE_ACCOUNT_FLAGS,
  ...AGGREGATION_FLAGS,
  ...AUTHENTICATION_FLAGS,
  ...AUTHORIZATION_FLAGS,
  ...OPERATION_FLAGS,
  ...FEATURE_GATE_FLAGS,
  'log-level': { type: 'string', default: 'info', help: 'debug, info, warn, error or silent.' },
};

/** Runs until `signal`. @throws {FlagError} For what cannot be used. */
export async function runApiServerCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const command = readCommand('kube-apiserver', args, FLAGS);
  if (command === undefined) return;
  const { flags, logger } = command;
  await using store = await openStore(flags);
  const options = await optionsFrom(flags, store, logger);
  const server = new ApiServer(options);
  await server.run(signal, { port: flags.int('secure-port'), address: flags.string('bind-address') }, () => logger.info({}, 'Ready'));
}

function openStore(flags: Flags): Promise<Store> {
  const folder = flags.string('data-dir');
  return folder === '' ? Promise.resolve(new MemoryStore()) : SqliteStore.open({ file: join(folder, 'store.db') });
}

/** Options from arguments, for a server that another program runs. @throws {FlagError} For what cannot be used. */
export function apiServerOptions(args: readonly string[], store: Store, logger: ApiServerOptions['logger']): Promise<ApiServerOptions> {
  return optionsFrom(parseFlags('kube-apiserver', args, FLAGS), store, logger);
}

/** @throws {FlagError} For arguments that kube-apiserver does not take. */
export function checkApiServerArgs(args: readonly string[]): void {
  parseFlags('kube-apiserver', args, FLAGS);
}

async function optionsFrom(flags: Flags, store: Store, logger: ApiServerOptions['logger']): Promise<ApiServerOptions> {
  const made = await ownCertificates(flags);
  const file = (flag: string, own: string | undefined) => (flags.string(flag) === '' ? own : readFileSync(flags.string(flag), 'utf8'));
  const tokenKeys = tokenKeysFrom(flags, made?.serviceAccountKey);
  const serving = {
    cert: file('tls-cert-file', made?.serving.certificate) ?? '',
    key: file('tls-private-key-file', made?.serving.key) ?? '',
  };
  const clientCertificate = file('kubelet-client-certificate', made?.kubeletClient.certificate);
  const clientKey = file('kubelet-client-key', made?.kubeletClient.key);
  return {
    store,
    clock: systemClock,
    logger,
    serving: { ...serving, ...tlsOptionsFrom(flags) },
    clientCa: file('client-ca-file', made?.authority),
    tokenKeys,
    ...(await authenticationFrom(flags, tokenKeys.audiences, { logger })),
    ...(await authorizationFrom(flags, { logger })),
    enableAdmission: flags.strings('enable-admission-plugins'),
    disableAdmission: flags.strings('disable-admission-plugins'),
    ...(flags.has('admission-control-config-file')
      ? { admissionConfigurations: readAdmissionConfiguration(flags.string('admission-control-config-file')) }
      : {}),
    aggregation: aggregationFrom(flags, made?.frontProxy),
    serviceClusterIpRange: flags.string('service-cluster-ip-range'),
    serviceNodePortRange: flags.string('service-node-port-range'),
    advertiseAddress: advertiseAddress(flags),
    kubelets: {
      certificate: clientCertificate === undefined || clientKey === undefined ? {} : { cert: clientCertificate, key: clientKey },
      ca: file('kubelet-certificate-authority', undefined),
      preferredAddressTypes: flags.strings('kubelet-preferred-address-types'),
    },
    operations: operationsFrom(flags),
    cbor: featureGatesFrom(flags).CBORServingAndStorage ? await import('#machinery/cbor') : undefined,
    encryption:
      flags.string('encryption-provider-config') === ''
        ? undefined
        : { file: flags.string('encryption-provider-config'), reload: flags.bool('encryption-provider-config-automatic-reload') },
    maxInFlight: { reading: flags.int('max-requests-inflight'), mutating: flags.int('max-mutating-requests-inflight') },
  };
}

/** The address given, else the one bound; where others could not reach that, the first of this machine that they can. */
function advertiseAddress(flags: Flags): string {
  const given = flags.string('advertise-address') || flags.string('bind-address');
  if (!['0.0.0.0', '::', '127.0.0.1', '::1', 'localhost'].includes(given)) return given;
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}

interface OwnCertificates {
  readonly authority: string;
  readonly serving: { readonly certificate: string; readonly key: string };
  readonly kubeletClient: { readonly certificate: string; readonly key: string };
  readonly serviceAccountKey: string;
  readonly frontProxy: OwnFrontProxy;
}

const REQUIRED = ['tls-cert-file', 'tls-private-key-file', 'client-ca-file', 'service-account-signing-key-file'];

/** What was not given, made on first start and kept under the data directory. Undefined if everything needed was given. */
async function ownCertificates(flags: Flags): Promise<OwnCertificates | undefined> {
  if (REQUIRED.every((name) => flags.string(name) !== '')) return undefined;
  const pki = () => import('#component/pki'); // 0.2 s to load: only where something has to be made.
  const folder = join(flags.string('data-dir') || mkTemporary(), 'pki');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const now = systemClock.now();
  const keep = async (name: string, make: () => Promise<{ certificate: string; key: string }>) => {
    const [crt, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
    if (existsSync(crt) && existsSync(key)) return { certificate: readFileSync(crt, 'utf8'), key: readFileSync(key, 'utf8') };
    const made = await make();
    writeFileSync(crt, made.certificate, { mode: 0o600 });
    writeFileSync(key, made.key, { mode: 0o600 });
    return made;
  };
  const accountKey = serviceAccountKey(folder);
  const authority = await keep('ca', async () => (await pki()).createAuthority('kubernetes', now));
  const sign =
    (request: Omit<CertificateRequest, 'validDays'>, issuer = authority) =>
    async () => {
      const { createCertificate, CERTIFICATE_DAYS } = await pki();
      return createCertificate(issuer, { ...request, validDays: CERTIFICATE_DAYS }, now);
    };
  const addresses = [...new Set(['127.0.0.1', advertiseAddress(flags), firstServiceAddress(flags.string('service-cluster-ip-range'))])];
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
  const serving = await keep(
    'apiserver',
    sign({ commonName: 'kube-apiserver', usages: ['server'], dnsNames: names, ipAddresses: addresses }),
  );
  const kubeletClient = await keep(
    'apiserver-kubelet-client',
    sign({ commonName: 'kube-apiserver-kubelet-client', organizations: ['kubeadm:cluster-admins'], usages: ['client'] }),
  );
  const admin = await keep('admin', sign({ commonName: 'kubernetes-admin', organizations: ['system:masters'], usages: ['client'] }));
  const frontAuthority = await keep('front-proxy-ca', async () => (await pki()).createAuthority('front-proxy-ca', now));
  const frontProxy = await keep('front-proxy-client', sign({ commonName: FRONT_PROXY_NAME, usages: ['client'] }, frontAuthority));
  const server = `https://${flags.string('bind-address') === '0.0.0.0' ? '127.0.0.1' : flags.string('bind-address')}:${flags.string('secure-port')}`;
  const kubeconfig = singleContextKubeconfig({
    clusterName: 'sagong',
    userName: 'kubernetes-admin',
    server,
    ca: authority.certificate,
    user: certificateUser(admin),
  });
  writeFileSync(join(folder, '..', 'admin.conf'), formatKubeconfig(kubeconfig), { mode: 0o600 });
  const own = { authority: frontAuthority.certificate, ...frontProxy };
  return { authority: authority.certificate, serving, kubeletClient, serviceAccountKey: await accountKey, frontProxy: own };
}

/** Kept as kubeadm keeps it: sa.key and sa.pub. */
async function serviceAccountKey(folder: string): Promise<string> {
  const file = join(folder, 'sa.key');
  if (existsSync(file)) return readFileSync(file, 'utf8');
  const { createSigningKey } = await import('#component/pki');
  const { privateKey, publicKey } = await createSigningKey();
  writeFileSync(join(folder, 'sa.pub'), publicKey, { mode: 0o600 });
  writeFileSync(file, privateKey, { mode: 0o600 });
  return privateKey;
}

function certificateUser({ certificate, key }: { certificate: string; key: string }) {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) };
}

function mkTemporary(): string {
  return join(process.env['TMPDIR'] ?? '/tmp', `sagong-apiserver-${process.pid}`);
}
