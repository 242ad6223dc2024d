// SPDX-License-Identifier: Apache-2.0
// What each column says of itself: the description of a field, named here as `Type.field`, or a text of the printer's own.
// @source upstream pkg/printers/internalversion AddHandlers: which field stands behind a column
import { descriptionOf } from '#api';
import type { TableColumn, TableColumns } from '../strategy.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const CORE = 'io.k8s.api.core.v1.';
const APPS = 'io.k8s.api.apps.v1.';

/** A field of a type; the type's name in full. */
interface FieldSource {
  readonly type: string;
  readonly field: string;
}

/** Columns by name; a string is the text itself. */
type Sources = Readonly<Record<string, FieldSource | string>>;

const of = (type: string, field: string): FieldSource => ({ type, field });
const core = (type: string, field: string) => of(CORE + type, field);
const apps = (type: string, field: string) => of(APPS + type, field);
const api = (type: string, field: string) => of(`io.k8s.api.${type}`, field);

const EVERYWHERE: Sources = {
  Name: of(META, 'name'),
  Age: of(META, 'creationTimestamp'),
  'Created At': of(META, 'creationTimestamp'),
  Containers: 'Names of each container in the template.',
  Images: 'Images referenced by each container in the template.',
};

const autoscaler = (field: string) => api('autoscaling.v2.HorizontalPodAutoscalerSpec', field);
const queuing = (field: string) => api('flowcontrol.v1.QueuingConfiguration', field);
const storageClass = (field: string) => api('storage.v1.StorageClass', field);
const driver = (field: string) => api('storage.v1.CSIDriverSpec', field);
const volume = (field: string) => core('PersistentVolumeSpec', field);
const SUBJECTS = {
  Users: 'Users in the roleBinding',
  Groups: 'Groups in the roleBinding',
  ServiceAccounts: 'ServiceAccounts in the roleBinding',
};
const WEBHOOKS = { Webhooks: 'Webhooks indicates the number of webhooks registered in this configuration' };
const PARAM_KIND = { ParamKind: 'ParamKind specifies the kind of resources used to parameterize this policy' };
const BINDING = {
  PolicyName: 'PolicyName indicates the policy definition which the policy binding binded to',
  ParamRef: 'ParamRef indicates the param resource which sets the configration param',
};

const BY_KIND: Readonly<Record<string, Sources>> = {
  '/Pod': {
    Ready: 'The aggregate readiness state of this pod for accepting traffic.',
    Status: 'The aggregate status of the containers in this pod.',
    Restarts: 'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    IP: core('PodStatus', 'podIP'),
    Node: core('PodSpec', 'nodeName'),
    'Nominated Node': core('PodStatus', 'nominatedNodeName'),
    'Readiness Gates': core('PodSpec', 'readinessGates'),
  },
  '/PodTemplate': { 'Pod Labels': 'The labels for the pod template.' },
  '/ConfigMap': { Data: core('ConfigMap', 'data') },
  '/Secret': { Type: core('Secret', 'type'), Data: core('Secret', 'data') },
  '/Namespace': { Status: 'The status of the namespace' },
  '/Node': {
    Status: 'The status of the node',
    Roles: 'The roles of the node',
    Version: core('NodeSystemInfo', 'kubeletVersion'),
    'Internal-IP': core('NodeStatus', 'addresses'),
    'External-IP': core('NodeStatus', 'addresses'),
    'OS-Image': core('NodeSystemInfo', 'osImage'),
    'Kernel-Version': core('NodeSystemInfo', 'kernelVersion'),
    'Container-Runtime': core('NodeSystemInfo', 'containerRuntimeVersion'),
  },
  '/Service': {
    Type: core('ServiceSpec', 'type'),
    'Cluster-IP': core('ServiceSpec', 'clusterIP'),
    'External-IP': core('ServiceSpec', 'externalIPs'),
    'Port(s)': core('ServiceSpec', 'ports'),
    Selector: core('ServiceSpec', 'selector'),
  },
  '/Endpoints': { Endpoints: core('Endpoints', 'subsets') },
  '/Event': {
    'Last Seen': core('Event', 'lastTimestamp'),
    Type: core('Event', 'type'),
    Reason: core('Event', 'reason'),
    Object: core('Event', 'involvedObject'),
    Subobject: core('ObjectReference', 'fieldPath'),
    Source: core('Event', 'source'),
    Message: core('Event', 'message'),
    'First Seen': core('Event', 'firstTimestamp'),
    Count: core('Event', 'count'),
  },
  '/PersistentVolume': {
    Capacity: volume('capacity'),
    'Access Modes': volume('accessModes'),
    'Reclaim Policy': volume('persistentVolumeReclaimPolicy'),
    Status: core('PersistentVolumeStatus', 'phase'),
    Claim: volume('claimRef'),
    StorageClass: 'StorageClass of the pv',
    VolumeAttributesClass: 'VolumeAttributesClass of the pv',
    Reason: core('PersistentVolumeStatus', 'reason'),
    VolumeMode: volume('volumeMode'),
  },
  '/PersistentVolumeClaim': {
    Status: core('PersistentVolumeClaimStatus', 'phase'),
    Volume: core('PersistentVolumeClaimSpec', 'volumeName'),
    Capacity: core('PersistentVolumeClaimStatus', 'capacity'),
    'Access Modes': core('PersistentVolumeClaimStatus', 'accessModes'),
    StorageClass: 'StorageClass of the pvc',
    VolumeAttributesClass: 'VolumeAttributesClass of the pvc',
    VolumeMode: core('PersistentVolumeClaimSpec', 'volumeMode'),
  },
  '/ReplicationController': {
    Desired: core('ReplicationControllerSpec', 'replicas'),
    Current: core('ReplicationControllerStatus', 'replicas'),
    Ready: core('ReplicationControllerStatus', 'readyReplicas'),
    Selector: core('ReplicationControllerSpec', 'selector'),
  },
  '/ResourceQuota': {
    Request: 'Request represents a minimum amount of cpu/memory that a container may consume.',
    Limit: 'Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.',
  },
  '/ComponentStatus': {
    Status: 'Status of the component conditions',
    Message: 'Message of the component conditions',
    Error: 'Error of the component conditions',
  },
  'apps/Deployment': {
    Ready: 'Number of the pod with ready state',
    'Up-to-date': apps('DeploymentStatus', 'updatedReplicas'),
    Available: apps('DeploymentStatus', 'availableReplicas'),
    Selector: apps('DeploymentSpec', 'selector'),
  },
  'apps/ReplicaSet': {
    Desired: apps('ReplicaSetSpec', 'replicas'),
    Current: apps('ReplicaSetStatus', 'replicas'),
    Ready: apps('ReplicaSetStatus', 'readyReplicas'),
    Selector: apps('ReplicaSetSpec', 'selector'),
  },
  'apps/DaemonSet': {
    Desired: apps('DaemonSetStatus', 'desiredNumberScheduled'),
    Current: apps('DaemonSetStatus', 'currentNumberScheduled'),
    Ready: apps('DaemonSetStatus', 'numberReady'),
    'Up-to-date': apps('DaemonSetStatus', 'updatedNumberScheduled'),
    Available: apps('DaemonSetStatus', 'numberAvailable'),
    'Node Selector': core('PodSpec', 'nodeSelector'),
    Selector: apps('DaemonSetSpec', 'selector'),
  },
  'apps/StatefulSet': { Ready: 'Number of the pod with ready state' },
  'apps/ControllerRevision': { Controller: 'Controller of the object', Revision: apps('ControllerRevision', 'revision') },
  'batch/Job': {
    Status: 'Status of the job.',
    Completions: api('batch.v1.JobStatus', 'succeeded'),
    Duration: 'Time required to complete the job.',
    Selector: api('batch.v1.JobSpec', 'selector'),
  },
  'batch/CronJob': {
    Schedule: api('batch.v1.CronJobSpec', 'schedule'),
    Timezone: api('batch.v1.CronJobSpec', 'timeZone'),
    Suspend: api('batch.v1.CronJobSpec', 'suspend'),
    Active: api('batch.v1.CronJobStatus', 'active'),
    'Last Schedule': api('batch.v1.CronJobStatus', 'lastScheduleTime'),
    Selector: api('batch.v1.JobSpec', 'selector'),
  },
  'autoscaling/HorizontalPodAutoscaler': {
    Reference: autoscaler('scaleTargetRef'),
    Targets: autoscaler('metrics'),
    MinPods: autoscaler('minReplicas'),
    MaxPods: autoscaler('maxReplicas'),
    Replicas: api('autoscaling.v2.HorizontalPodAutoscalerStatus', 'currentReplicas'),
  },
  'networking.k8s.io/Ingress': {
    Class: 'The name of the IngressClass resource that should be used for additional configuration',
    Hosts: 'Hosts that incoming requests are matched against before the ingress rule',
    Address: 'Address is a list containing ingress points for the load-balancer',
    Ports: 'Ports of TLS configurations that open',
  },
  'networking.k8s.io/IngressClass': {
    Controller: 'Controller that is responsible for handling this class',
    Parameters: 'A reference to a resource with additional parameters',
  },
  'networking.k8s.io/NetworkPolicy': { 'Pod-Selector': api('networking.v1.NetworkPolicySpec', 'podSelector') },
  'networking.k8s.io/IPAddress': { ParentRef: api('networking.v1.IPAddressSpec', 'parentRef') },
  'networking.k8s.io/ServiceCIDR': { CIDRs: api('networking.v1.ServiceCIDRSpec', 'cidrs') },
  'apiregistration.k8s.io/APIService': {
    Service: 'The reference to the service that hosts this API endpoint.',
    Available: 'Whether this service is available.',
  },
  'policy/PodDisruptionBudget': {
    'Min Available': 'The minimum number of pods that must be available.',
    'Max Unavailable': 'The maximum number of pods that may be unavailable.',
    'Allowed Disruptions': 'Calculated number of pods that may be disrupted at this time.',
  },
  'rbac.authorization.k8s.io/RoleBinding': { Role: api('rbac.v1beta1.RoleBinding', 'roleRef'), ...SUBJECTS },
  'rbac.authorization.k8s.io/ClusterRoleBinding': { Role: api('rbac.v1beta1.ClusterRoleBinding', 'roleRef'), ...SUBJECTS },
  'coordination.k8s.io/Lease': { Holder: api('coordination.v1.LeaseSpec', 'holderIdentity') },
  'node.k8s.io/RuntimeClass': { Handler: '' },
  'scheduling.k8s.io/PriorityClass': {
    Value: api('scheduling.v1.PriorityClass', 'value'),
    'Global-Default': api('scheduling.v1.PriorityClass', 'globalDefault'),
    PreemptionPolicy: api('scheduling.v1.PriorityClass', 'preemptionPolicy'),
  },
  'autoscaling/Scale': { Desired: api('autoscaling.v1.ScaleSpec', 'replicas'), Available: api('autoscaling.v1.ScaleStatus', 'replicas') },
  'discovery.k8s.io/EndpointSlice': {
    AddressType: api('discovery.v1.EndpointSlice', 'addressType'),
    Ports: api('discovery.v1.EndpointSlice', 'ports'),
    Endpoints: api('discovery.v1.EndpointSlice', 'endpoints'),
  },
  'flowcontrol.apiserver.k8s.io/FlowSchema': {
    PriorityLevel: api('flowcontrol.v1.PriorityLevelConfigurationReference', 'name'),
    MatchingPrecedence: api('flowcontrol.v1.FlowSchemaSpec', 'matchingPrecedence'),
    DistinguisherMethod: api('flowcontrol.v1.FlowSchemaSpec', 'distinguisherMethod'),
    MissingPL: 'references a broken or non-existent PriorityLevelConfiguration',
  },
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': {
    Type: api('flowcontrol.v1.PriorityLevelConfigurationSpec', 'type'),
    NominalConcurrencyShares: api('flowcontrol.v1.LimitedPriorityLevelConfiguration', 'nominalConcurrencyShares'),
    Queues: queuing('queues'),
    HandSize: queuing('handSize'),
    QueueLengthLimit: queuing('queueLengthLimit'),
  },
  'resource.k8s.io/ResourceClaim': { State: 'A summary of the current state (allocated, pending, reserved, etc.).' },
  'resource.k8s.io/ResourceSlice': {
    Node: api('resource.v1.ResourceSliceSpec', 'nodeName'),
    Driver: api('resource.v1.ResourceSliceSpec', 'driver'),
    Pool: api('resource.v1.ResourcePool', 'name'),
  },
  'certificates.k8s.io/CertificateSigningRequest': {
    SignerName: api('certificates.v1beta1.CertificateSigningRequestSpec', 'signerName'),
    Requestor: api('certificates.v1beta1.CertificateSigningRequestSpec', 'request'),
    RequestedDuration: api('certificates.v1.CertificateSigningRequestSpec', 'expirationSeconds'),
    Condition: api('certificates.v1beta1.CertificateSigningRequestStatus', 'conditions'),
  },
  'storage.k8s.io/StorageClass': {
    Provisioner: storageClass('provisioner'),
    ReclaimPolicy: storageClass('reclaimPolicy'),
    VolumeBindingMode: storageClass('volumeBindingMode'),
    AllowVolumeExpansion: storageClass('allowVolumeExpansion'),
  },
  'storage.k8s.io/VolumeAttributesClass': { DriverName: api('storage.v1.VolumeAttributesClass', 'driverName') },
  'storage.k8s.io/VolumeAttachment': {
    Attacher: api('storage.v1.VolumeAttachmentSpec', 'attacher'),
    PV: api('storage.v1.VolumeAttachmentSource', 'persistentVolumeName'),
    Node: api('storage.v1.VolumeAttachmentSpec', 'nodeName'),
    Attached: api('storage.v1.VolumeAttachmentStatus', 'attached'),
  },
  'storage.k8s.io/CSINode': { Drivers: 'Drivers indicates the number of CSI drivers registered on the node' },
  'storage.k8s.io/CSIDriver': {
    AttachRequired: driver('attachRequired'),
    PodInfoOnMount: driver('podInfoOnMount'),
    StorageCapacity: driver('storageCapacity'),
    TokenRequests: driver('tokenRequests'),
    RequiresRepublish: driver('requiresRepublish'),
    Modes: driver('volumeLifecycleModes'),
  },
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': WEBHOOKS,
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': WEBHOOKS,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': {
    Validations: 'Validations indicates the number of validation rules defined in this configuration',
    ...PARAM_KIND,
  },
  'admissionregistration.k8s.io/MutatingAdmissionPolicy': {
    Mutations: 'Mutation indicates the number of mutations rules defined in this configuration',
    ...PARAM_KIND,
  },
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': BINDING,
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': BINDING,
};

/** The Go documentation, which tables show, lacks the values that OpenAPI lists after it. */
const goDocumentation = (text: string) => text.split('\n\nPossible enum values:')[0] ?? '';

/** The table with its descriptions, which are looked up when first shown. @param kind `group/Kind` */
export function describeColumns(kind: string, table: TableColumns): TableColumns {
  const sources = { ...EVERYWHERE, ...BY_KIND[kind] };
  let columns: readonly TableColumn[] | undefined;
  return {
    ...table,
    get columns() {
      columns ??= table.columns.map((column) => ({ ...column, description: textOf(sources[column.name]) }));
      return columns;
    },
  };
}

function textOf(source: FieldSource | string | undefined): string {
  if (source === undefined || typeof source === 'string') return source ?? '';
  return goDocumentation(descriptionOf(source.type, source.field) ?? '');
}
