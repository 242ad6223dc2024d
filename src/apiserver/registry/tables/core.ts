// SPDX-License-Identifier: Apache-2.0
// Tables of the core group, Pods apart.
import type {
  ComponentStatus,
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
} from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { age as ageSince, column, labelsText, NAME, wide } from './cells.ts';
import { age, balancersText, containersText, imagesText, name, table, withMore } from './table.ts';

const INTEGER = { type: 'integer' };
const none = (text: string | undefined) => text || '<none>';

export const configMapTable = table<ConfigMap>(name(), [column('Data'), ({ data, binaryData }) => count(data) + count(binaryData)], age());

function count(map: object | undefined): number {
  return Object.keys(map ?? {}).length;
}

export const secretTable = table<Secret>(
  name(),
  [column('Type'), ({ type }) => type ?? ''],
  [column('Data'), ({ data }) => count(data)],
  age(),
);
export const serviceAccountTable = table<ServiceAccount>(name(), age());
export const namespaceTable = table<Namespace>(name(), [column('Status'), ({ status }) => status?.phase ?? ''], age());

const ROLE_PREFIX = 'node-role.kubernetes.io/';

function rolesText({ metadata }: DeepReadonly<Node>): string {
  const roles = Object.entries(metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return key.length > ROLE_PREFIX.length ? [key.slice(ROLE_PREFIX.length)] : [];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return none([...new Set(roles)].sort().join(','));
}

function nodeStatus({ spec, status }: DeepReadonly<Node>): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const text = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  return spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

const addressOf = ({ status }: DeepReadonly<Node>, wanted: string) => none(status?.addresses?.find(({ type }) => type === wanted)?.address);

export const nodeTable = table<Node>(
  name(),
  [column('Status'), nodeStatus],
  [column('Roles'), rolesText],
  age(),
  [column('Version'), ({ status }) => status?.nodeInfo?.kubeletVersion ?? ''],
  [wide('Internal-IP'), (node) => addressOf(node, 'InternalIP')],
  [wide('External-IP'), (node) => addressOf(node, 'ExternalIP')],
  [wide('OS-Image'), ({ status }) => status?.nodeInfo?.osImage || '<unknown>'],
  [
    wide('Kernel-Version'),
    ({ status }) => {
      const { kernelVersion, architecture } = status?.nodeInfo ?? {};
      if (!kernelVersion) return '<unknown>';
      return architecture ? `${kernelVersion} (${architecture})` : kernelVersion;
    },
  ],
  [wide('Container-Runtime'), ({ status }) => status?.nodeInfo?.containerRuntimeVersion || '<unknown>'],
);

function externalIpText({ spec, status }: DeepReadonly<Service>): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? '';
  const external = spec.externalIPs ?? [];
  if (spec.type !== 'LoadBalancer') return none(external.join(','));
  const all = [...balancersText(status?.loadBalancer), ...external].join(',');
  return all === '' ? '<pending>' : all;
}

function portsText({ spec }: DeepReadonly<Service>): string {
  return none(
    (spec.ports ?? []).map(({ port, nodePort, protocol }) => `${nodePort ? `${port}:${nodePort}` : port}/${protocol ?? 'TCP'}`).join(','),
  );
}

export const serviceTable = table<Service>(
  name(),
  [column('Type'), ({ spec }) => spec.type ?? ''],
  [column('Cluster-IP'), ({ spec }) => none(spec.clusterIPs?.[0] ?? spec.clusterIP)],
  [column('External-IP'), externalIpText],
  [column('Port(s)'), portsText],
  age(),
  [wide('Selector'), ({ spec }) => labelsText(spec.selector)],
);

function endpointsText({ subsets }: DeepReadonly<Endpoints>): string {
  const most = 3;
  const all = (subsets ?? []).flatMap(({ addresses, ports }) =>
    (ports ?? []).length === 0
      ? (addresses ?? []).map(({ ip }) => ip)
      : (ports ?? []).flatMap(({ port }) => (addresses ?? []).map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`))),
  );
  if ((subsets ?? []).length === 0) return '<none>'; // Subsets without a ready address show nothing.
  return withMore(all, most);
}

export const endpointsTable = table<Endpoints>(name(), [column('Endpoints'), endpointsText], age());

const MODES: readonly (readonly [string, string])[] = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
];
const modesText = (modes: readonly string[] | undefined) =>
  MODES.filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

export const persistentVolumeTable = table<PersistentVolume>(
  name(),
  [column('Capacity'), ({ spec }) => spec.capacity?.['storage'] ?? '0'],
  [column('Access Modes'), ({ spec }) => modesText(spec.accessModes)],
  [column('Reclaim Policy'), ({ spec }) => spec.persistentVolumeReclaimPolicy ?? ''],
  [column('Status'), ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''))],
  [column('Claim'), ({ spec }) => (spec.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '')],
  [column('StorageClass'), ({ metadata, spec }) => metadata.annotations?.[CLASS_ANNOTATION] ?? spec.storageClassName ?? ''],
  [column('VolumeAttributesClass'), ({ spec }) => spec.volumeAttributesClassName ?? '<unset>'],
  [column('Reason'), ({ status }) => status?.reason ?? ''],
  age(),
  [wide('VolumeMode'), ({ spec }) => spec.volumeMode ?? '<unset>'],
);

export const persistentVolumeClaimTable = table<PersistentVolumeClaim>(
  name(),
  [column('Status'), ({ metadata, status }) => (metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''))],
  [column('Volume'), ({ spec }) => spec.volumeName ?? ''],
  [column('Capacity'), ({ spec, status }) => (spec.volumeName ? (status?.capacity?.['storage'] ?? '0') : '')],
  [column('Access Modes'), ({ spec, status }) => (spec.volumeName ? modesText(status?.accessModes) : '')],
  [column('StorageClass'), ({ metadata, spec }) => metadata.annotations?.[CLASS_ANNOTATION] ?? spec.storageClassName ?? ''],
  [column('VolumeAttributesClass'), ({ spec }) => spec.volumeAttributesClassName ?? '<unset>'],
  age(),
  [wide('VolumeMode'), ({ spec }) => spec.volumeMode ?? '<unset>'],
);

export const replicationControllerTable = table<ReplicationController>(
  name(),
  [column('Desired', INTEGER), ({ spec }) => spec.replicas ?? 0],
  [column('Current', INTEGER), ({ status }) => status?.replicas ?? 0],
  [column('Ready', INTEGER), ({ status }) => status?.readyReplicas ?? 0],
  age(),
  [wide('Containers'), ({ spec }) => containersText(spec.template?.spec.containers)],
  [wide('Images'), ({ spec }) => imagesText(spec.template?.spec.containers)],
  [wide('Selector'), ({ spec }) => labelsText(spec.selector)],
);

export const podTemplateTable = table<PodTemplate>(
  name(),
  [column('Containers'), ({ template }) => containersText(template.spec.containers)],
  [column('Images'), ({ template }) => imagesText(template.spec.containers)],
  [column('Pod Labels'), ({ template }) => labelsText(template.metadata?.labels)],
);

function quotaText({ status }: DeepReadonly<ResourceQuota>, limits: boolean): string {
  return Object.keys(status?.hard ?? {})
    .filter((key) => key.startsWith('limits.') === limits)
    .sort()
    .map((key) => `${key}: ${status?.used?.[key] ?? '0'}/${status?.hard?.[key] ?? '0'}`)
    .join(', ');
}

export const resourceQuotaTable = table<ResourceQuota>(
  name(),
  [column('Request'), (quota) => quotaText(quota, false)],
  [column('Limit'), (quota) => quotaText(quota, true)],
  age(),
);

function healthText({ conditions }: DeepReadonly<ComponentStatus>): string {
  const healthy = conditions?.find(({ type }) => type === 'Healthy');
  if (healthy === undefined) return 'Unknown';
  return healthy.status === 'True' ? 'Healthy' : 'Unhealthy';
}

export const componentStatusTable = table<ComponentStatus>(
  name(),
  [column('Status'), healthText],
  [column('Message'), ({ conditions }) => conditions?.find(({ type }) => type === 'Healthy')?.message ?? ''],
  [column('Error'), ({ conditions }) => conditions?.find(({ type }) => type === 'Healthy')?.error ?? ''],
);

function firstSeen(event: DeepReadonly<Event>, now: number): string {
  return ageSince(event.firstTimestamp || event.eventTime, now);
}

function lastSeen(event: DeepReadonly<Event>, now: number): string {
  if (event.series) return ageSince(event.series.lastObservedTime, now);
  return event.lastTimestamp ? ageSince(event.lastTimestamp, now) : firstSeen(event, now);
}

function sourceText(event: DeepReadonly<Event>): string {
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || event.reportingInstance || '';
  return host === '' ? component : `${component}, ${host}`;
}

export const eventTable = table<Event>(
  [column('Last Seen'), lastSeen],
  [column('Type'), ({ type }) => type ?? ''],
  [column('Reason'), ({ reason }) => reason ?? ''],
  [column('Object'), ({ involvedObject: of }) => `${(of.kind ?? '').toLowerCase()}${of.name ? `/${of.name}` : ''}`],
  [wide('Subobject'), ({ involvedObject }) => involvedObject.fieldPath ?? ''],
  [wide('Source'), sourceText],
  [column('Message'), ({ message }) => (message ?? '').trim()],
  [wide('First Seen'), firstSeen],
  [wide('Count'), ({ count: times, series }) => (series ? (series.count ?? 0) : times || 1)],
  [{ ...NAME, priority: 1 }, ({ metadata }) => metadata.name ?? ''],
);
