// SPDX-License-Identifier: Apache-2.0
// What Endpoints and EndpointSlices have in common: which Pods a Service has, which of them count, what their ports are.
// Both controllers write only when this would come out differently.
import type { Pod, Service, ServicePort } from '#api/core/v1';
import { type DeepReadonly, deepEqual } from '#machinery';
import { isReady, isTerminal } from '../pods/conditions.ts';

export type ReadPod = DeepReadonly<Pod>;
export type ReadService = DeepReadonly<Service>;

export interface EndpointPortFacts {
  readonly name?: string;
  readonly port: number;
  readonly protocol: string;
  readonly appProtocol?: string;
}

export function selects({ spec }: ReadService, labels: Readonly<Record<string, string>> | undefined): boolean {
  const entries = Object.entries(spec.selector ?? {});
  return entries.length > 0 && entries.every(([key, value]) => labels?.[key] === value);
}

/** Whether a Pod can be an endpoint at all. */
export function hasEndpoint(pod: ReadPod): boolean {
  return !isTerminal(pod) && (pod.status?.podIP ?? '') !== '' && Boolean(pod.spec.nodeName);
}

/** The number behind a Service port for a Pod; undefined where the Pod has no port of that name. */
export function targetPort(
  { spec }: ReadPod,
  { targetPort: target, port, protocol = 'TCP' }: DeepReadonly<ServicePort>,
): number | undefined {
  if (target === undefined || target === 0 || target === '') return port;
  if (typeof target === 'number') return target;
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  for (const { ports = [] } of [...spec.containers, ...sidecars]) {
    const found = ports.find((candidate) => candidate.name === target && (candidate.protocol ?? 'TCP') === protocol);
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}

/** The ports of a Service on a Pod, without those the Pod does not have. */
export function portsOn(pod: ReadPod, { spec }: ReadService): EndpointPortFacts[] {
  return (spec.ports ?? []).flatMap((servicePort) => {
    const port = targetPort(pod, servicePort);
    if (port === undefined) return [];
    const { name, protocol = 'TCP', appProtocol } = servicePort;
    return [{ ...(name === undefined ? {} : { name }), port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

/** The host name under which a headless Service publishes a Pod. */
export function hostnameFor({ spec, metadata }: ReadPod, service: ReadService): string | undefined {
  const isPublished =
    Boolean(spec.hostname) && spec.subdomain === service.metadata.name && metadata.namespace === service.metadata.namespace;
  return isPublished ? spec.hostname : undefined;
}

export function isHeadless({ spec }: ReadService): boolean {
  return spec.clusterIP === 'None';
}

/** Whether a change of a Pod can change any endpoint. */
export function endpointChanged(before: ReadPod, after: ReadPod): boolean {
  return !(
    isReady(before) === isReady(after) &&
    before.metadata.deletionTimestamp === after.metadata.deletionTimestamp &&
    isTerminal(before) === isTerminal(after) &&
    before.spec.nodeName === after.spec.nodeName &&
    deepEqual(before.status?.podIPs, after.status?.podIPs) &&
    before.status?.podIP === after.status?.podIP &&
    deepEqual(before.metadata.labels, after.metadata.labels)
  );
}

/** Set on the mirror images of Services without cluster IP. */
export const HEADLESS = 'service.kubernetes.io/headless';
