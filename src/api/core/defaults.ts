// SPDX-License-Identifier: Apache-2.0
// SetDefaults of the core group except Pods (pod-defaults.ts): services, claims, volumes, nodes, secrets, namespaces, limits.
import { setDefault, setPointer, structAt } from '../defaulting.ts';
import type {
  Endpoints,
  LimitRange,
  LimitRangeItem,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
} from '../generated/core/v1.ts';
import { defaultAzureDisk, defaultPodTemplate, defaultRbd, defaultScaleIo, roundToMilli } from './pod-defaults.ts';

export function defaultService(service: Service): void {
  const spec = structAt(service, 'spec');
  setDefault(spec, 'sessionAffinity', 'None');
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    setPointer(structAt(structAt(spec, 'sessionAffinityConfig'), 'clientIP'), 'timeoutSeconds', 10_800);
  }
  setDefault(spec, 'type', 'ClusterIP');
  for (const port of spec.ports ?? []) {
    setDefault(port, 'protocol', 'TCP');
    if (port.targetPort === undefined || port.targetPort === null || port.targetPort === 0 || port.targetPort === '')
      port.targetPort = port.port;
  }
  if (isExternallyReachable(service)) setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  if (WITH_ADDRESS.has(spec.type ?? '')) setPointer(spec, 'internalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') setPointer(spec, 'allocateLoadBalancerNodePorts', true);
  for (const ingress of service.status?.loadBalancer?.ingress ?? []) {
    if (ingress.ip && spec.type === 'LoadBalancer') setPointer(ingress, 'ipMode', 'VIP');
  }
}

const WITH_ADDRESS: ReadonlySet<string> = new Set(['ClusterIP', 'NodePort', 'LoadBalancer']);

function isExternallyReachable({ spec }: Service): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);
}

export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): void {
  setPointer(spec, 'volumeMode', 'Filesystem');
  roundToMilli(spec.resources?.limits);
  roundToMilli(spec.resources?.requests);
}

export function defaultPersistentVolumeClaim(claim: PersistentVolumeClaim): void {
  const status = structAt(claim, 'status');
  setDefault(status, 'phase', 'Pending');
  roundToMilli(status.capacity);
  roundToMilli(status.allocatedResources);
  defaultClaimSpec(structAt(claim, 'spec'));
}

export function defaultPersistentVolume(volume: PersistentVolume): void {
  setDefault(structAt(volume, 'status'), 'phase', 'Pending');
  const spec = structAt(volume, 'spec');
  setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
  setPointer(spec, 'volumeMode', 'Filesystem');
  roundToMilli(spec.capacity);
  if (spec.hostPath) setPointer(spec.hostPath, 'type', '');
  if (spec.rbd) defaultRbd(spec.rbd);
  if (spec.iscsi) setDefault(spec.iscsi, 'iscsiInterface', 'default');
  if (spec.azureDisk) defaultAzureDisk(spec.azureDisk);
  if (spec.scaleIO) defaultScaleIo(spec.scaleIO);
}

export function defaultNamespace(namespace: Namespace): void {
  setDefault(structAt(namespace, 'status'), 'phase', 'Active');
  // 1.21+: the name is a label too, unless the name is still to be generated.
  if (namespace.metadata.name) {
    const labels = structAt(namespace.metadata, 'labels');
    labels['kubernetes.io/metadata.name'] = namespace.metadata.name;
  }
}

export function defaultNode(node: Node): void {
  const spec = structAt(node, 'spec');
  if (spec.podCIDR && (spec.podCIDRs ?? []).length === 0) spec.podCIDRs = [spec.podCIDR];
  else if (!spec.podCIDR && spec.podCIDRs?.[0] !== undefined) spec.podCIDR = spec.podCIDRs[0];
  const status = structAt(node, 'status');
  if (status.capacity && !status.allocatable) status.allocatable = { ...status.capacity };
  roundToMilli(status.capacity);
  roundToMilli(status.allocatable);
}

export function defaultSecret(secret: Secret): void {
  setDefault(secret, 'type', 'Opaque');
  // `stringData` is a way to write, never stored.
  for (const [key, value] of Object.entries(secret.stringData ?? {})) {
    secret.data = { ...secret.data, [key]: Buffer.from(value).toString('base64') };
  }
  delete secret.stringData;
}

export function defaultEndpoints(endpoints: Endpoints): void {
  for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) setDefault(port, 'protocol', 'TCP');
}

export function defaultLimitRange(range: LimitRange): void {
  for (const item of structAt(range, 'spec').limits ?? []) {
    defaultLimits(item);
    for (const list of [item.max, item.min, item.default, item.defaultRequest, item.maxLimitRequestRatio]) roundToMilli(list);
  }
}

export function defaultResourceQuota(quota: ResourceQuota): void {
  for (const list of [quota.spec?.hard, quota.status?.hard, quota.status?.used]) roundToMilli(list);
}

function defaultLimits(item: LimitRangeItem): void {
  if (item.type !== 'Container') return;
  const limits = { ...item.default };
  const requests = { ...item.defaultRequest };
  for (const [name, max] of Object.entries(item.max ?? {})) limits[name] ??= max;
  for (const [name, limit] of Object.entries(limits)) requests[name] ??= limit;
  for (const [name, min] of Object.entries(item.min ?? {})) requests[name] ??= min;
  if (Object.keys(limits).length > 0) item.default = limits;
  if (Object.keys(requests).length > 0) item.defaultRequest = requests;
}

export function defaultReplicationController(rc: ReplicationController): void {
  const spec = structAt(rc, 'spec');
  const labels = spec.template?.metadata?.labels;
  if (labels) {
    if (!spec.selector || Object.keys(spec.selector).length === 0) spec.selector = { ...labels };
    const metadata = structAt(rc, 'metadata');
    if (!metadata.labels || Object.keys(metadata.labels).length === 0) metadata.labels = { ...labels };
  }
  setPointer(spec, 'replicas', 1);
  if (spec.template) defaultPodTemplate(spec.template);
}

export function defaultPodTemplateObject(object: PodTemplate): void {
  defaultPodTemplate(structAt(object, 'template'));
}
