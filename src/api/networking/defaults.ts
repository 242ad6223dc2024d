// SPDX-License-Identifier: Apache-2.0
// SetDefaults of networking.k8s.io/v1.
import { setPointer, structAt } from '../defaulting.ts';
import type { IngressClass, NetworkPolicy } from '../generated/networking/v1.ts';

export function defaultIngressClass(object: IngressClass): void {
  const parameters = object.spec?.parameters;
  if (parameters) setPointer(parameters, 'scope', 'Cluster');
}

export function defaultNetworkPolicy(policy: NetworkPolicy): void {
  const spec = structAt(policy, 'spec');
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) setPointer(port, 'protocol', 'TCP');
  }
  if ((spec.policyTypes ?? []).length > 0) return;
  spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

/** The port of a webhook's or an API's service. */
export function defaultServicePort(service: { port?: number } | undefined): void {
  if (service) setPointer(service, 'port', 443);
}
