// SPDX-License-Identifier: Apache-2.0
// Tables of the named groups: workloads, networking, storage, policy and the rest.
import type {
  MutatingAdmissionPolicy,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
} from '#api/admissionregistration/v1';
import type { APIService } from '#api/apiregistration/v1';
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from '#api/apps/v1';
import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '#api/autoscaling/v2';
import type { CronJob, Job } from '#api/batch/v1';
import type { CertificateSigningRequest } from '#api/certificates/v1';
import type { Lease } from '#api/coordination/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import type { FlowSchema, PriorityLevelConfiguration } from '#api/flowcontrol/v1';
import type { Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR } from '#api/networking/v1';
import type { RuntimeClass } from '#api/node/v1';
import type { PodDisruptionBudget } from '#api/policy/v1';
import type { RoleBinding } from '#api/rbac/v1';
import type { DeviceClass, ResourceClaim, ResourceSlice } from '#api/resource/v1';
import type { PriorityClass } from '#api/scheduling/v1';
import type { CSIDriver, CSINode, StorageClass, VolumeAttachment, VolumeAttributesClass } from '#api/storage/v1';
import type { DeepReadonly } from '#machinery';
import { age as ageSince, column, humanDuration, labelsText, selectorText, wide } from './cells.ts';
import { age, containersText, imagesText, name, type Pair, table } from './table.ts';

const INTEGER = { type: 'integer' };
const BOOLEAN = { type: 'boolean' };
const none = (text: string | undefined) => text || '<none>';

type Templated = { spec: { template: { spec: { containers: { name: string; image?: string }[] } } } };
const containers = <T extends Templated>(): Pair<T> => [
  wide('Containers'),
  (object) => containersText((object as DeepReadonly<Templated>).spec.template.spec.containers),
];
const images = <T extends Templated>(): Pair<T> => [
  wide('Images'),
  (object) => imagesText((object as DeepReadonly<Templated>).spec.template.spec.containers),
];

export const deploymentTable = table<Deployment>(
  name(),
  [column('Ready'), ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`],
  [column('Up-to-date'), ({ status }) => status?.updatedReplicas ?? 0],
  [column('Available'), ({ status }) => status?.availableReplicas ?? 0],
  age(),
  containers(),
  images(),
  [wide('Selector'), ({ spec }) => selectorText(spec.selector)],
);

export const replicaSetTable = table<ReplicaSet>(
  name(),
  [column('Desired', INTEGER), ({ spec }) => spec.replicas ?? 0],
  [column('Current', INTEGER), ({ status }) => status?.replicas ?? 0],
  [column('Ready', INTEGER), ({ status }) => status?.readyReplicas ?? 0],
  age(),
  [wide('Containers'), ({ spec }) => containersText(spec.template?.spec.containers)],
  [wide('Images'), ({ spec }) => imagesText(spec.template?.spec.containers)],
  [wide('Selector'), ({ spec }) => selectorText(spec.selector)],
);

/** The count of template changes is a field upstream. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

const daemonSetColumns = table<DaemonSet>(
  name(),
  [column('Desired', INTEGER), ({ status }) => status?.desiredNumberScheduled ?? 0],
  [column('Current', INTEGER), ({ status }) => status?.currentNumberScheduled ?? 0],
  [column('Ready', INTEGER), ({ status }) => status?.numberReady ?? 0],
  [column('Up-to-date', INTEGER), ({ status }) => status?.updatedNumberScheduled ?? 0],
  [column('Available', INTEGER), ({ status }) => status?.numberAvailable ?? 0],
  [column('Node Selector'), ({ spec }) => labelsText(spec.template.spec.nodeSelector)],
  age(),
  containers(),
  images(),
  [wide('Selector'), ({ spec }) => selectorText(spec.selector)],
);
export const daemonSetTable = { ...daemonSetColumns, hiddenAnnotations: [TEMPLATE_GENERATION] };

export const statefulSetTable = table<StatefulSet>(
  name(),
  [column('Ready'), ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`],
  age(),
  containers(),
  images(),
);

export const controllerRevisionTable = table<ControllerRevision>(
  name(),
  [
    column('Controller'),
    ({ metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
      if (owner === undefined) return '<none>';
      const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
      return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
    },
  ],
  [column('Revision'), ({ revision }) => revision ?? 0],
  age(),
);

function jobStatus({ metadata, status }: DeepReadonly<Job>): string {
  const has = (type: string) => status?.conditions?.some((it) => it.type === type && it.status === 'True') === true;
  if (has('Complete')) return 'Complete';
  if (has('Failed')) return 'Failed';
  if (metadata.deletionTimestamp) return 'Terminating';
  if (has('Suspended')) return 'Suspended';
  if (has('FailureTarget')) return 'FailureTarget';
  return has('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function jobDuration({ status }: DeepReadonly<Job>, now: number): string {
  if (!status?.startTime) return '';
  const end = status.completionTime ? Date.parse(status.completionTime) : now;
  return humanDuration(end - Date.parse(status.startTime));
}

function completionsText({ spec, status }: DeepReadonly<Job>): string {
  const done = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${done}/${spec.completions}`;
  return (spec.parallelism ?? 0) > 1 ? `${done}/1 of ${spec.parallelism}` : `${done}/1`;
}

export const jobTable = table<Job>(
  name(),
  [column('Status'), jobStatus],
  [column('Completions'), completionsText],
  [column('Duration'), jobDuration],
  age(),
  containers(),
  images(),
  [wide('Selector'), ({ spec }) => selectorText(spec.selector)],
);

export const cronJobTable = table<CronJob>(
  name(),
  [column('Schedule'), ({ spec }) => spec.schedule],
  [column('Timezone'), ({ spec }) => none(spec.timeZone)],
  [column('Suspend', BOOLEAN), ({ spec }) => (spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False')],
  [column('Active', INTEGER), ({ status }) => (status?.active ?? []).length],
  [column('Last Schedule'), ({ status }, now) => (status?.lastScheduleTime ? ageSince(status.lastScheduleTime, now) : '<none>')],
  age(),
  [wide('Containers'), ({ spec }) => containersText(spec.jobTemplate.spec.template.spec.containers)],
  [wide('Images'), ({ spec }) => imagesText(spec.jobTemplate.spec.template.spec.containers)],
  [wide('Selector'), ({ spec }) => selectorText(spec.jobTemplate.spec.selector)],
);

function targetText(target: DeepReadonly<MetricTarget>, current: DeepReadonly<MetricValueStatus> | undefined): string {
  if (target.averageUtilization !== undefined && target.averageUtilization !== null) {
    return `${current?.averageUtilization === undefined ? '<unknown>' : `${current.averageUtilization}%`}/${target.averageUtilization}%`;
  }
  if (target.averageValue) return `${current?.averageValue || '<unknown>'}/${target.averageValue}`;
  return `${current?.value || '<unknown>'}/${target.value ?? '<auto>'}`;
}

function metricText(spec: DeepReadonly<MetricSpec>, status: DeepReadonly<MetricStatus> | undefined): string {
  if (spec.resource) return `${spec.resource.name}: ${targetText(spec.resource.target, status?.resource?.current)}`;
  if (spec.containerResource)
    return `${spec.containerResource.name}: ${targetText(spec.containerResource.target, status?.containerResource?.current)}`;
  if (spec.external) {
    const text = targetText(spec.external.target, status?.external?.current);
    return spec.external.target.averageValue ? `${text} (avg)` : text;
  }
  if (spec.pods) return targetText(spec.pods.target, status?.pods?.current);
  if (spec.object) {
    const text = targetText(spec.object.target, status?.object?.current);
    return spec.object.target.averageValue ? `${text} (avg)` : text;
  }
  return '<unknown type>';
}

function metricsText({ spec, status }: DeepReadonly<HorizontalPodAutoscaler>): string {
  const most = 2;
  const metrics = spec.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const texts = metrics.slice(0, most).map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const more = metrics.length - most;
  return `${texts.join(', ')}${more > 0 ? ` + ${more} more...` : ''}`;
}

export const autoscalerTable = table<HorizontalPodAutoscaler>(
  name(),
  [column('Reference'), ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`],
  [column('Targets'), metricsText],
  [column('MinPods'), ({ spec }) => (spec.minReplicas === undefined ? '<unset>' : String(spec.minReplicas))],
  [column('MaxPods'), ({ spec }) => spec.maxReplicas],
  [column('Replicas'), ({ status }) => status?.currentReplicas ?? 0],
  age(),
);

function hostsText({ spec }: DeepReadonly<Ingress>): string {
  const most = 3;
  const hosts = (spec?.rules ?? []).map(({ host }) => host || '*');
  if (hosts.length === 0) return '*';
  const more = hosts.length - most;
  return `${hosts.slice(0, most).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}

export const ingressTable = table<Ingress>(
  name(),
  [column('Class'), ({ metadata, spec }) => none(spec?.ingressClassName ?? metadata.annotations?.['kubernetes.io/ingress.class'])],
  [column('Hosts'), hostsText],
  [
    column('Address'),
    ({ status }) => [...new Set((status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || ''))].sort().join(','),
  ],
  [column('Ports'), ({ spec }) => ((spec?.tls ?? []).length > 0 ? '80, 443' : '80')],
  age(),
);

export const ingressClassTable = table<IngressClass>(
  name(),
  [column('Controller'), ({ spec }) => spec.controller ?? ''],
  [
    column('Parameters'),
    ({ spec }) => {
      const { parameters } = spec;
      if (!parameters) return '<none>';
      return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`;
    },
  ],
  age(),
);

export const networkPolicyTable = table<NetworkPolicy>(
  name(),
  [column('Pod-Selector'), ({ spec }) => selectorText(spec.podSelector)],
  age(),
);

export const ipAddressTable = table<IPAddress>(name(), [
  column('ParentRef'),
  ({ spec }) => {
    const { group, resource, namespace, name: parent } = spec.parentRef ?? { group: '', resource: '', namespace: '', name: '' };
    return `${resource}${group ? `.${group}` : ''}/${namespace ? `${namespace}/` : ''}${parent}`;
  },
]);

export const serviceCidrTable = table<ServiceCIDR>(name(), [column('CIDRs'), ({ spec }) => (spec.cidrs ?? []).join(',')], age());

export const apiServiceTable = table<APIService>(
  name(),
  [column('Service'), ({ spec }) => (spec.service ? `${spec.service.namespace}/${spec.service.name}` : 'Local')],
  [
    column('Available'),
    ({ status }) => {
      const available = status?.conditions?.find(({ type }) => type === 'Available');
      if (available === undefined) return 'Unknown';
      return available.status === 'True' ? 'True' : `${available.status} (${available.reason ?? ''})`;
    },
  ],
  age(),
);

export const budgetTable = table<PodDisruptionBudget>(
  name(),
  [column('Min Available'), ({ spec }) => (spec.minAvailable === undefined ? 'N/A' : String(spec.minAvailable))],
  [column('Max Unavailable'), ({ spec }) => (spec.maxUnavailable === undefined ? 'N/A' : String(spec.maxUnavailable))],
  [column('Allowed Disruptions', INTEGER), ({ status }) => status?.disruptionsAllowed ?? 0],
  age(),
);

const subjects = (binding: DeepReadonly<RoleBinding>, kind: string) =>
  (binding.subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace ?? ''}/${subject.name}` : subject.name))
    .join(', ');

export const roleBindingTable = table<RoleBinding>(
  name(),
  [column('Role'), ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`],
  age(),
  [wide('Users'), (binding) => subjects(binding, 'User')],
  [wide('Groups'), (binding) => subjects(binding, 'Group')],
  [wide('ServiceAccounts'), (binding) => subjects(binding, 'ServiceAccount')],
);

export const leaseTable = table<Lease>(name(), [column('Holder'), ({ spec }) => spec?.holderIdentity ?? ''], age());
export const runtimeClassTable = table<RuntimeClass>(name(), [column('Handler'), ({ handler }) => handler], age());

export const priorityClassTable = table<PriorityClass>(
  name(),
  [column('Value', INTEGER), ({ value }) => value ?? 0],
  [column('Global-Default', BOOLEAN), ({ globalDefault }) => globalDefault ?? false],
  age(),
  [column('PreemptionPolicy'), ({ preemptionPolicy }) => preemptionPolicy ?? ''],
);

function slicePorts({ ports }: DeepReadonly<EndpointSlice>): string {
  const most = 3;
  if (!ports || ports.length === 0) return '<unset>'; // Null where a client wrote null.
  const texts = ports.map(({ port }) => (port === undefined || port === null ? '*' : String(port)));
  const more = texts.length - most;
  return `${texts.slice(0, most).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}

function sliceEndpoints({ endpoints }: DeepReadonly<EndpointSlice>): string {
  const most = 3;
  const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []);
  if (addresses.length === 0) return '<unset>';
  const more = addresses.length - most;
  return `${addresses.slice(0, most).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}

export const endpointSliceTable = table<EndpointSlice>(
  name(),
  [column('AddressType'), ({ addressType }) => addressType],
  [column('Ports'), slicePorts],
  [column('Endpoints'), sliceEndpoints],
  age(),
);

export const flowSchemaTable = table<FlowSchema>(
  name(),
  [column('PriorityLevel'), ({ spec }) => spec.priorityLevelConfiguration.name],
  [column('MatchingPrecedence'), ({ spec }) => spec.matchingPrecedence ?? 0],
  [column('DistinguisherMethod'), ({ spec }) => spec.distinguisherMethod?.type ?? '<none>'],
  age(),
  [column('MissingPL'), ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?'],
);

export const priorityLevelTable = table<PriorityLevelConfiguration>(
  name(),
  [column('Type'), ({ spec }) => spec.type],
  [
    column('NominalConcurrencyShares'),
    ({ spec }) => spec.limited?.nominalConcurrencyShares ?? spec.exempt?.nominalConcurrencyShares ?? '<none>',
  ],
  [column('Queues'), ({ spec }) => spec.limited?.limitResponse?.queuing?.queues ?? '<none>'],
  [column('HandSize'), ({ spec }) => spec.limited?.limitResponse?.queuing?.handSize ?? '<none>'],
  [column('QueueLengthLimit'), ({ spec }) => spec.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>'],
  age(),
);

function claimState({ metadata, status }: DeepReadonly<ResourceClaim>): string {
  const states = [
    ...(metadata.deletionTimestamp ? ['deleted'] : []),
    ...(status?.allocation ? ['allocated'] : metadata.deletionTimestamp ? [] : ['pending']),
    ...((status?.reservedFor ?? []).length > 0 ? ['reserved'] : []),
  ];
  return states.join(',');
}

export const resourceClaimTable = table<ResourceClaim>(name(), [column('State'), claimState], age());
export const plainAgeTable = table<DeviceClass>(name(), age());

export const resourceSliceTable = table<ResourceSlice>(
  name(),
  [
    column('Node'),
    ({ spec }) => (spec.nodeName ? spec.nodeName : spec.allNodes === true ? '<all>' : spec.nodeSelector ? '<some>' : '<none>'),
  ],
  [column('Driver'), ({ spec }) => spec.driver],
  [column('Pool'), ({ spec }) => spec.pool.name],
  age(),
);

function requestCondition({ status }: DeepReadonly<CertificateSigningRequest>): string {
  const types = (status?.conditions ?? []).map(({ type }) => type);
  const decided = types.includes('Denied') ? 'Denied' : types.includes('Approved') ? 'Approved' : 'Pending';
  const failed = types.includes('Failed') ? `${decided === 'Pending' ? '' : `${decided},`}Failed` : decided;
  return status?.certificate ? `${failed},Issued` : failed;
}

export const signingRequestTable = table<CertificateSigningRequest>(
  name(),
  age(),
  [column('SignerName'), ({ spec }) => none(spec.signerName)],
  [column('Requestor'), ({ spec }) => spec.username ?? ''],
  [column('RequestedDuration'), ({ spec }) => (spec.expirationSeconds ? humanDuration(spec.expirationSeconds * 1000) : '<none>')],
  [column('Condition'), requestCondition],
);

const IS_DEFAULT = 'storageclass.kubernetes.io/is-default-class';

export const storageClassTable = table<StorageClass>(
  [name<StorageClass>()[0], ({ metadata }) => `${metadata.name}${metadata.annotations?.[IS_DEFAULT] === 'true' ? ' (default)' : ''}`],
  [column('Provisioner'), ({ provisioner }) => provisioner],
  [column('ReclaimPolicy'), ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'],
  [column('VolumeBindingMode'), ({ volumeBindingMode }) => volumeBindingMode ?? '<unset>'],
  [column('AllowVolumeExpansion'), ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false],
  age(),
);

export const attributesClassTable = table<VolumeAttributesClass>(name(), [column('DriverName'), ({ driverName }) => driverName], age());

export const volumeAttachmentTable = table<VolumeAttachment>(
  name(),
  [column('Attacher', { format: 'name' }), ({ spec }) => spec.attacher],
  [column('PV'), ({ spec }) => spec.source.persistentVolumeName ?? ''],
  [column('Node'), ({ spec }) => spec.nodeName],
  [column('Attached', BOOLEAN), ({ status }) => status?.attached ?? false],
  age(),
);

export const csiNodeTable = table<CSINode>(name(), [column('Drivers', INTEGER), ({ spec }) => (spec.drivers ?? []).length], age());

export const csiDriverTable = table<CSIDriver>(
  name(),
  [column('AttachRequired', BOOLEAN), ({ spec }) => spec.attachRequired ?? true],
  [column('PodInfoOnMount', BOOLEAN), ({ spec }) => spec.podInfoOnMount ?? false],
  [column('StorageCapacity', BOOLEAN), ({ spec }) => spec.storageCapacity ?? false],
  [
    column('TokenRequests'),
    ({ spec }) => (spec.tokenRequests === undefined ? '<unset>' : spec.tokenRequests.map(({ audience }) => audience).join(',')),
  ],
  [column('RequiresRepublish', BOOLEAN), ({ spec }) => spec.requiresRepublish ?? false],
  [column('Modes'), ({ spec }) => none((spec.volumeLifecycleModes ?? []).join(','))],
  age(),
);

export const webhooksTable = table<MutatingWebhookConfiguration>(
  name(),
  [column('Webhooks', INTEGER), ({ webhooks }) => (webhooks ?? []).length],
  age(),
);

const paramKind = (kind: { readonly apiVersion?: string; readonly kind?: string } | undefined) =>
  kind ? `${kind.apiVersion}/${kind.kind}` : '<unset>';

export const validatingPolicyTable = table<ValidatingAdmissionPolicy>(
  name(),
  [column('Validations', INTEGER), ({ spec }) => (spec.validations ?? []).length],
  [column('ParamKind'), ({ spec }) => paramKind(spec.paramKind)],
  age(),
);

export const mutatingPolicyTable = table<MutatingAdmissionPolicy>(
  name(),
  [column('Mutations', INTEGER), ({ spec }) => (spec.mutations ?? []).length],
  [column('ParamKind'), ({ spec }) => paramKind(spec.paramKind)],
  age(),
);

export const policyBindingTable = table<ValidatingAdmissionPolicyBinding>(
  name(),
  [column('PolicyName'), ({ spec }) => spec.policyName ?? ''],
  [
    column('ParamRef'),
    ({ spec }) => {
      const { paramRef } = spec;
      if (!paramRef) return '<unset>';
      if (!paramRef.name) return '*';
      return paramRef.namespace ? `${paramRef.namespace}/${paramRef.name}` : paramRef.name;
    },
  ],
  age(),
);
