// SPDX-License-Identifier: Apache-2.0
// The certificates of a cluster, made once by `up` and kept under pki/: one authority, one certificate per component, the key of
// the service account tokens. Names are kubeadm's.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { formatKubeconfig, singleContextKubeconfig } from '#client';
import type { CertificateRequest, KeyPair, SigningKey } from '#component/pki';
import { firstServiceAddress } from '#machinery';
import type { ClusterSettings, Layout, NodeSettings } from './layout.ts';

export const NODE_CLIENT = 'kubelet-client';
export const NODE_SERVING = 'kubelet-serving';

/** Every address of this machine that another may know it by, and loopback. */
export function machineAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [...new Set(['127.0.0.1', ...all.filter(({ address }) => !address.startsWith('fe80')).map(({ address }) => address)])];
}

/** The address to put into kubeconfigs: the first that is not loopback, else the node network's. */
export function outsideAddress(fallback: string): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ internal, family, address }) => !internal && family === 'IPv4' && address !== fallback)?.address ?? fallback;
}

export function readPair(layout: Layout, name: string): KeyPair {
  return { certificate: readFileSync(layout.pki(`${name}.crt`), 'utf8'), key: readFileSync(layout.pki(`${name}.key`), 'utf8') };
}

function keep(layout: Layout, name: string, pair: KeyPair): KeyPair {
  mkdirSync(dirname(layout.pki(name)), { recursive: true, mode: 0o700 });
  writeFileSync(layout.pki(`${name}.crt`), pair.certificate, { mode: 0o600 });
  writeFileSync(layout.pki(`${name}.key`), pair.key, { mode: 0o600 });
  return pair;
}

/** Makes what is missing; what is there stays. */
export async function ensureCertificates(layout: Layout, settings: ClusterSettings): Promise<void> {
  const wanted = [...controlPlaneRequests(settings), ...settings.nodes.flatMap(nodeRequests)].filter(
    ([name]) => !existsSync(layout.pki(`${name}.crt`)),
  );
  const hasAuthority = existsSync(layout.pki('ca.crt'));
  const isWhole = wanted.length === 0 && hasAuthority && existsSync(layout.pki('front-proxy-client.crt'));
  if (isWhole && existsSync(layout.adminConf)) return;
  const pki = await import('#component/pki');
  const now = Date.now();
  const frontProxy = ensureFrontProxy(layout, pki, now);
  const signingKey = existsSync(layout.pki('sa.key')) ? undefined : pki.createSigningKey();
  const authority = hasAuthority ? readPair(layout, 'ca') : keep(layout, 'ca', await pki.createAuthority('kubernetes', now));
  await Promise.all(
    wanted.map(async ([name, request]) =>
      keep(layout, name, await pki.createCertificate(authority, { ...request, validDays: pki.CERTIFICATE_DAYS }, now)),
    ),
  );
  await frontProxy;
  if (signingKey !== undefined) keepSigningKey(layout, await signingKey);
  writeAdminConf(layout, settings);
}

/** The API server shows this certificate to extension API servers, which trust what it says of users. @source kubeadm's names */
async function ensureFrontProxy(layout: Layout, pki: Pki, now: number): Promise<void> {
  if (existsSync(layout.pki('front-proxy-client.crt'))) return;
  const authority = keep(layout, 'front-proxy-ca', await pki.createAuthority('front-proxy-ca', now));
  const request = { commonName: 'front-proxy-client', usages: ['client' as const], validDays: pki.CERTIFICATE_DAYS };
  keep(layout, 'front-proxy-client', await pki.createCertificate(authority, request, now));
}

function keepSigningKey(layout: Layout, { publicKey, privateKey }: SigningKey): void {
  writeFileSync(layout.pki('sa.pub'), publicKey, { mode: 0o600 });
  writeFileSync(layout.pki('sa.key'), privateKey, { mode: 0o600 });
}

type Pki = typeof import('#component/pki');
type Request = readonly [name: string, request: Omit<CertificateRequest, 'validDays'>];

function controlPlaneRequests({ serviceCidr, clusterDomain, nodes }: ClusterSettings): Request[] {
  const names = [
    'localhost',
    hostname(),
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${clusterDomain}`,
  ];
  const own = nodes[0]?.ip;
  const addresses = [...new Set([...machineAddresses(), ...(own === undefined ? [] : [own]), firstServiceAddress(serviceCidr)])];
  return [
    ['apiserver', { commonName: 'kube-apiserver', usages: ['server'], dnsNames: names, ipAddresses: addresses }],
    ['apiserver-kubelet-client', { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'], usages: ['client'] }],
    ['admin', { commonName: 'kubernetes-admin', organizations: ['system:masters'], usages: ['client'] }],
    ['kube-proxy', { commonName: 'system:kube-proxy', usages: ['client'] }],
  ];
}

function nodeRequests({ name, ip }: NodeSettings): Request[] {
  return [
    [`${name}-${NODE_CLIENT}`, { commonName: `system:node:${name}`, organizations: ['system:nodes'], usages: ['client'] }],
    [
      `${name}-${NODE_SERVING}`,
      { commonName: `system:node:${name}`, organizations: ['system:nodes'], usages: ['server'], dnsNames: [name], ipAddresses: [ip] },
    ],
  ];
}

function writeAdminConf(layout: Layout, settings: ClusterSettings): void {
  const { certificate, key } = readPair(layout, 'admin');
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const config = singleContextKubeconfig({
    clusterName: 'sagong',
    userName: 'kubernetes-admin',
    server: `https://${outsideAddress(settings.nodes[0]?.ip ?? '127.0.0.1')}:${settings.port}`,
    ca: readPair(layout, 'ca').certificate,
    user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
  });
  writeFileSync(layout.adminConf, formatKubeconfig(config), { mode: 0o600 });
}
