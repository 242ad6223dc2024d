// SPDX-License-Identifier: Apache-2.0
// What a cluster has beside what every API server makes: the Service of cluster DNS. Its server runs in each node's agent and
// answers on the Service's own address there, so the proxies are told to leave it alone.

import { services } from '#api/resources';
import type { Client } from '#client';
import { isNotFound } from '#machinery';
import type { ClusterSettings } from './layout.ts';

/** Services with this label are not proxied. @source upstream: LabelServiceProxyName */
const PROXY_NAME_LABEL = 'service.kubernetes.io/service-proxy-name';

export async function ensureAddons(client: Client, { dnsIp }: ClusterSettings): Promise<void> {
  const labels = {
    'k8s-app': 'kube-dns',
    'kubernetes.io/cluster-service': 'true',
    'kubernetes.io/name': 'CoreDNS',
    [PROXY_NAME_LABEL]: 'sagong-dns',
  };
  const ports = [
    { name: 'dns', port: 53, protocol: 'UDP' as const, targetPort: 53 },
    { name: 'dns-tcp', port: 53, protocol: 'TCP' as const, targetPort: 53 },
  ];
  const wanted = { metadata: { name: 'kube-dns', namespace: 'kube-system', labels }, spec: { clusterIP: dnsIp, ports } };
  const isThere = await client.get(services, { namespace: 'kube-system', name: 'kube-dns' }).then(
    () => true,
    (error: unknown) => {
      if (isNotFound(error)) return false;
      throw error;
    },
  );
  if (!isThere) await client.create(services, wanted);
}
