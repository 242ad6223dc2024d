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
import type { DeepReadonly, KubeObject, LabelSelector } from '#machinery';
import type { TableColumns } from '../strategy.ts';
import { ageOf, age as ageSince, column, humanDuration, labelsText, selectorText, wide } from './cells.ts';
import { age, balancersText, containersText, imagesText, name, type Pair, table, withMore } from './table.ts';

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
  const has = (type: string) => status?.conditions?.find((it) => it.type === type)?.status === 'True';
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
  [column('Timezone'), ({ spec }) => spec.timeZone ?? '<none>'],
  [column('Suspend', BOOLEAN), ({ spec }) => (spec.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False')],
  [column('Active', INTEGER), ({ status }) => (status?.active ?? []).length],
  [column('Last Schedule'), ({ status }, now) => (status?.lastScheduleTime ? ageSince(status.lastScheduleTime, now) : '<none>')],
  age(),
  [wide('Containers'), ({ spec }) => containersText(spec.jobTemplate.spec.template.spec.containers)],
  [wide('Images'), ({ spec }) => imagesText(spec.jobTemplate.spec.template.spec.containers)],
  [wide('Selector'), ({ spec }) => selectorText(spec.jobTemplate.spec.selector)],
);

function hostsText({ spec }: DeepReadonly<Ingress>): string {
  const most = 3;
  const rules = spec?.rules ?? [];
  const hosts: string[] = [];
  let isMore = false;
  for (const { host } of rules) {
    if (hosts.length === most) isMore = true;
    else if (host) hosts.push(host);
  }
  if (hosts.length === 0) return '*';
  // What is left over is counted in rules, also those without a host.
  return `${hosts.join(',')}${isMore ? ` + ${rules.length - most} more...` : ''}`;
}

export const ingressTable = table<Ingress>(
  name(),
  [column('Class'), ({ spec }) => spec?.ingressClassName ?? '<none>'],
  [column('Hosts'), hostsText],
  [column('Address'), ({ status }) => balancersText(status?.loadBalancer).join(',')],
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
      return `${parameters.kind}${parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`}/${parameters.name}`;
    },
  ],
  age(),
);

export const networkPolicyTable = table<NetworkPolicy>(
  name(),
  [column('Pod-Selector'), ({ spec }) => selectorText(spec.podSelector)],
  age(),
);

const ipAddressColumns = table<IPAddress>(name(), [
  column('ParentRef'),
  ({ spec }) => {
    if (!spec.parentRef) return '<none>';
    const { group, resource, namespace, name: parent } = spec.parentRef;
    return `${`${resource}${group ? `.${group}` : ''}`.toLowerCase()}/${namespace ? `${namespace}/` : ''}${parent}`;
  },
]);

/** Upstream's rows have one cell more than there are columns: the age. */
export const ipAddressTable: TableColumns = {
  ...ipAddressColumns,
  cells: (object, now) => [...ipAddressColumns.cells(object, now), ageOf(object, now)],
};

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
    .map((subject) => (kind === 'ServiceAccount' && subject.namespace ? `${subject.namespace}/${subject.name}` : subject.name))
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
  return (
    withMore(
      (ports ?? []).map(({ port, name: portName }) => String(port ?? portName ?? '*')), // Null where a client wrote null.
      most,
    ) || '<unset>'
  );
}

function sliceEndpoints({ endpoints }: DeepReadonly<EndpointSlice>): string {
  const most = 3;
  return (
    withMore(
      (endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []),
      most,
    ) || '<unset>'
  );
}

export const endpointSliceTable = table<EndpointSlice>(
  name(),
  [column('AddressType'), ({ addressType }) => addressType],
  [column('Ports'), slicePorts],
  [column('Endpoints'), sliceEndpoints],
  age(),
);

const flowSchemaColumns = table<FlowSchema>(
  name(),
  [column('PriorityLevel'), ({ spec }) => spec.priorityLevelConfiguration.name],
  [column('MatchingPrecedence'), ({ spec }) => spec.matchingPrecedence ?? 0],
  [column('DistinguisherMethod'), ({ spec }) => spec.distinguisherMethod?.type ?? '<none>'],
  age(),
  [column('MissingPL'), ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?'],
);

type FlowSchemaLike = DeepReadonly<Pick<FlowSchema, 'metadata' | 'spec'>>;

/** As requests are matched: by precedence, then by name. */
function flowOrder(a: FlowSchemaLike, b: FlowSchemaLike): number {
  const difference = (a.spec.matchingPrecedence ?? 0) - (b.spec.matchingPrecedence ?? 0);
  return difference !== 0 ? difference : (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
}

export const flowSchemaTable: TableColumns = {
  ...flowSchemaColumns,
  order: (a, b) => flowOrder(a as unknown as FlowSchemaLike, b as unknown as FlowSchemaLike),
};

export const priorityLevelTable = table<PriorityLevelConfiguration>(
  name(),
  [column('Type'), ({ spec }) => spec.type],
  [column('NominalConcurrencyShares'), ({ spec }) => (spec.limited ? (spec.limited.nominalConcurrencyShares ?? 0) : '<none>')],
  [column('Queues'), ({ spec }) => spec.limited?.limitResponse?.queuing?.queues ?? '<none>'],
  [column('HandSize'), ({ spec }) => spec.limited?.limitResponse?.queuing?.handSize ?? '<none>'],
  [column('QueueLengthLimit'), ({ spec }) => spec.limited?.limitResponse?.queuing?.queueLengthLimit ?? '<none>'],
  age(),
);

function claimState({ metadata, status }: DeepReadonly<ResourceClaim>): string {
  const states = [
    ...(metadata.deletionTimestamp ? ['deleted'] : []),
    ...(status?.allocation ? ['allocated'] : metadata.deletionTimestamp ? [] : ['pending']),
    ...(status?.allocation && (status.reservedFor ?? []).length > 0 ? ['reserved'] : []),
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
  const failed = types.includes('Failed') ? `${decided},Failed` : decided;
  return status?.certificate ? `${failed},Issued` : failed;
}

export const signingRequestTable = table<CertificateSigningRequest>(
  name(),
  age(),
  [column('SignerName'), ({ spec }) => none(spec.signerName)],
  [column('Requestor'), ({ spec }) => spec.username ?? ''],
  [
    column('RequestedDuration'),
    ({ spec }) => (spec.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000)),
  ],
  [column('Condition'), requestCondition],
);

const IS_DEFAULT = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
const IS_DEFAULT_ATTRIBUTES = ['volumeattributesclass.alpha.kubernetes.io/is-default-class'];

/** The name, and whether the class is the default one. */
function className<T extends KubeObject>(annotations: readonly string[]): Pair<T> {
  return [
    name<T>()[0],
    (object) => {
      const { metadata } = object as DeepReadonly<KubeObject>;
      const isDefault = annotations.some((key) => metadata.annotations?.[key] === 'true');
      return `${metadata.name ?? ''}${isDefault ? ' (default)' : ''}`;
    },
  ];
}

export const storageClassTable = table<StorageClass>(
  className(IS_DEFAULT),
  [column('Provisioner'), ({ provisioner }) => provisioner],
  [column('ReclaimPolicy'), ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'],
  [column('VolumeBindingMode'), ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate'],
  [column('AllowVolumeExpansion'), ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false],
  age(),
);

export const attributesClassTable = table<VolumeAttributesClass>(
  className(IS_DEFAULT_ATTRIBUTES),
  [column('DriverName'), ({ driverName }) => driverName],
  age(),
);

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

/** A selector as Go's generated String method writes it. */
function selectorDump({ matchLabels, matchExpressions }: DeepReadonly<LabelSelector>): string {
  const labels = Object.entries(matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const expressions = (matchExpressions ?? []).map(
    ({ key, operator, values }) => `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(' ')}],},`,
  );
  const map = `map[string]string{${labels.map(([key, value]) => `${key}: ${value},`).join('')}}`;
  return `&LabelSelector{MatchLabels:${map},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`;
}

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
      if (paramRef?.name) return `${paramRef.namespace || '*'}/${paramRef.name}`; // Whether it has a namespace shows in its kind only.
      return paramRef?.selector ? selectorDump(paramRef.selector) : '<unset>';
    },
  ],
  age(),
);
