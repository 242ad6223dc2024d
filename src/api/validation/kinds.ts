// SPDX-License-Identifier: Apache-2.0
// The validators of each kind. A kind without `update` is validated as on create; a kind that is not listed has its metadata
// checked and nothing else.
import type { FieldCause } from '../../machinery/mod.ts';
import * as config from './config.ts';
import * as flow from './flow.ts';
import * as groups from './groups.ts';
import { podCauses } from './pod-spec.ts';
import * as policies from './policies.ts';
import * as registration from './registration.ts';
import * as services from './services.ts';
import * as webhooks from './webhooks.ts';
import * as workloads from './workloads.ts';

export interface Validator {
  /** All but `metadata`. */
  readonly create?: (object: never) => FieldCause[];
  /** All but `metadata`; includes what create checks. */
  readonly update?: (next: never, previous: never) => FieldCause[];
  readonly subresources?: Readonly<Record<string, (next: never, previous: never) => FieldCause[]>>;
}

export const VALIDATORS: Readonly<Record<string, Validator>> = {
  '/Pod': { create: podCauses },
  '/PodTemplate': { create: workloads.podTemplateObjectCauses },
  '/ReplicationController': { create: workloads.replicationControllerCauses },
  '/ConfigMap': { create: config.configMapCauses, update: config.configMapUpdateCauses },
  '/Secret': { create: config.secretCauses, update: config.secretUpdateCauses },
  '/Namespace': {
    create: config.namespaceCauses,
    subresources: { finalize: config.namespaceFinalizeCauses, status: config.namespaceStatusCauses },
  },
  '/Node': { create: config.nodeCauses, update: config.nodeUpdateCauses },
  '/Event': { create: config.eventCauses },
  'events.k8s.io/Event': { create: config.newEventCauses, update: config.newEventUpdateCauses },
  '/ResourceQuota': { create: config.resourceQuotaCauses, update: config.resourceQuotaUpdateCauses },
  '/LimitRange': { create: config.limitRangeCauses },
  '/PersistentVolumeClaim': { create: config.claimCauses, update: config.claimUpdateCauses },
  '/PersistentVolume': { create: config.volumeObjectCauses, update: config.volumeObjectUpdateCauses },
  '/Service': {
    create: services.serviceCauses,
    update: services.serviceUpdateCauses,
    subresources: { status: services.serviceStatusCauses },
  },
  '/Endpoints': { create: services.endpointsCauses },
  'discovery.k8s.io/EndpointSlice': { create: services.endpointSliceCauses, update: services.endpointSliceUpdateCauses },
  'apps/Deployment': {
    create: workloads.deploymentCauses,
    update: workloads.deploymentUpdateCauses,
    subresources: { status: workloads.deploymentStatusCauses },
  },
  'apps/ReplicaSet': { create: workloads.replicaSetCauses, update: workloads.replicaSetUpdateCauses },
  'apps/DaemonSet': { create: workloads.daemonSetCauses, update: workloads.daemonSetUpdateCauses },
  'apps/StatefulSet': { create: workloads.statefulSetCauses, update: workloads.statefulSetUpdateCauses },
  'apps/ControllerRevision': { create: workloads.controllerRevisionCauses, update: workloads.controllerRevisionUpdateCauses },
  'batch/Job': { create: workloads.jobCauses, update: workloads.jobUpdateCauses },
  'batch/CronJob': { create: workloads.cronJobCauses },
  'autoscaling/HorizontalPodAutoscaler': { create: groups.autoscalerCauses },
  'networking.k8s.io/Ingress': { create: groups.ingressCauses, subresources: { status: groups.ingressStatusCauses } },
  'networking.k8s.io/NetworkPolicy': { create: groups.networkPolicyCauses },
  'networking.k8s.io/IPAddress': { create: groups.ipAddressCauses, update: groups.ipAddressUpdateCauses },
  'networking.k8s.io/ServiceCIDR': { create: groups.serviceCidrCauses, update: groups.serviceCidrUpdateCauses },
  'resource.k8s.io/ResourceSlice': { update: groups.resourceSliceUpdateCauses },
  'rbac.authorization.k8s.io/Role': { create: groups.roleCauses },
  'rbac.authorization.k8s.io/ClusterRole': { create: groups.clusterRoleCauses },
  'rbac.authorization.k8s.io/RoleBinding': { create: groups.roleBindingCauses, update: groups.bindingUpdateCauses },
  'rbac.authorization.k8s.io/ClusterRoleBinding': { create: groups.clusterRoleBindingCauses, update: groups.bindingUpdateCauses },
  'policy/PodDisruptionBudget': { create: groups.budgetCauses },
  'scheduling.k8s.io/PriorityClass': { create: groups.priorityClassCauses, update: groups.priorityClassUpdateCauses },
  'coordination.k8s.io/Lease': { create: groups.leaseCauses },
  'node.k8s.io/RuntimeClass': { create: groups.runtimeClassCauses, update: groups.runtimeClassUpdateCauses },
  'apiregistration.k8s.io/APIService': { create: groups.apiServiceCauses },
  'certificates.k8s.io/CertificateSigningRequest': {
    create: groups.signingRequestCauses,
    subresources: { status: groups.signingRequestStatusCauses, approval: groups.signingRequestStatusCauses },
  },
  'storage.k8s.io/StorageClass': { create: groups.storageClassCauses, update: groups.storageClassUpdateCauses },
  'storage.k8s.io/CSIDriver': { create: registration.csiDriverCauses },
  'storage.k8s.io/CSINode': { create: registration.csiNodeCauses },
  'storage.k8s.io/CSIStorageCapacity': { create: registration.storageCapacityCauses, update: registration.storageCapacityUpdateCauses },
  'storage.k8s.io/VolumeAttachment': { create: registration.volumeAttachmentCauses },
  'storage.k8s.io/VolumeAttributesClass': { create: registration.attributesClassCauses },
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': { create: webhooks.webhooksCauses, update: webhooks.webhooksUpdateCauses },
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': { create: webhooks.webhooksCauses, update: webhooks.webhooksUpdateCauses },
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': { create: policies.validatingBindingCauses },
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': { create: policies.mutatingBindingCauses },
  'flowcontrol.apiserver.k8s.io/FlowSchema': { create: flow.flowSchemaCauses },
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': { create: flow.priorityLevelCauses },
  'resource.k8s.io/ResourceClaim': { update: registration.specImmutableCauses },
  'resource.k8s.io/ResourceClaimTemplate': { update: registration.specImmutableCauses },
};
