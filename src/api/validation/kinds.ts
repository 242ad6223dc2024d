// SPDX-License-Identifier: Apache-2.0
// The validators of each kind. A kind without `update` is validated as on create; a kind that is not listed has its metadata
// checked and nothing else.
import type { FieldCause } from '../../machinery/mod.ts';
import * as autoscaling from './autoscaling.ts';
import * as certificates from './certificates.ts';
import * as claims from './claims.ts';
import * as config from './config.ts';
import * as endpoints from './endpoints.ts';
import * as flow from './flow.ts';
import * as groups from './groups.ts';
import { jobStatusCauses } from './job-status.ts';
import * as jobs from './jobs.ts';
import { limitRangeCauses } from './limit-ranges.ts';
import * as networking from './networking.ts';
import * as nodes from './nodes.ts';
import * as volumes from './persistent-volumes.ts';
import { podCauses } from './pod-spec.ts';
import * as policies from './policies.ts';
import * as quotas from './quotas.ts';
import type { ExpressionCheck } from './resource.ts';
import * as resource from './resource.ts';
import * as slices from './resource-slices.ts';
import { resourceClaimStatusCauses } from './resource-status.ts';
import * as services from './services.ts';
import * as storage from './storage.ts';
import * as webhooks from './webhooks.ts';
import * as workloads from './workloads.ts';

export interface Validator {
  /** All but `metadata`. */
  readonly create?: (object: never, checkExpression?: ExpressionCheck) => FieldCause[];
  /** All but `metadata`; includes what create checks. */
  readonly update?: (next: never, previous: never, checkExpression?: ExpressionCheck) => FieldCause[];
  readonly subresources?: Readonly<Record<string, (next: never, previous: never) => FieldCause[]>>;
}

export const VALIDATORS: Readonly<Record<string, Validator>> = {
  '/Pod': { create: podCauses },
  '/PodTemplate': { create: workloads.podTemplateObjectCauses },
  '/ReplicationController': {
    create: workloads.replicationControllerCauses,
    update: workloads.replicationControllerUpdateCauses,
    subresources: { status: workloads.replicaSetStatusCauses },
  },
  '/ConfigMap': { create: config.configMapCauses, update: config.configMapUpdateCauses },
  '/Secret': { create: config.secretCauses, update: config.secretUpdateCauses },
  '/Namespace': {
    create: config.namespaceCauses,
    subresources: { finalize: config.namespaceFinalizeCauses, status: config.namespaceStatusCauses },
  },
  '/Node': { create: nodes.nodeCauses, update: nodes.nodeUpdateCauses, subresources: { status: nodes.nodeStatusCauses } },
  '/Event': { create: config.eventCauses },
  'events.k8s.io/Event': { create: config.newEventCauses, update: config.newEventUpdateCauses },
  '/ResourceQuota': {
    create: quotas.resourceQuotaCauses,
    update: quotas.resourceQuotaUpdateCauses,
    subresources: { status: quotas.resourceQuotaStatusCauses },
  },
  '/LimitRange': { create: limitRangeCauses },
  '/PersistentVolumeClaim': {
    create: claims.claimCauses,
    update: claims.claimUpdateCauses,
    subresources: { status: claims.claimStatusCauses },
  },
  '/PersistentVolume': { create: volumes.volumeObjectCauses, update: volumes.volumeObjectUpdateCauses },
  '/Service': {
    create: services.serviceCauses,
    update: services.serviceUpdateCauses,
    subresources: { status: services.serviceStatusCauses },
  },
  '/Endpoints': { create: endpoints.endpointsCauses },
  'discovery.k8s.io/EndpointSlice': { create: endpoints.endpointSliceCauses, update: endpoints.endpointSliceUpdateCauses },
  'apps/Deployment': {
    create: workloads.deploymentCauses,
    update: workloads.deploymentUpdateCauses,
    subresources: { status: workloads.deploymentStatusCauses },
  },
  'apps/ReplicaSet': {
    create: workloads.replicaSetCauses,
    update: workloads.replicaSetUpdateCauses,
    subresources: { status: workloads.replicaSetStatusCauses },
  },
  'apps/DaemonSet': {
    create: workloads.daemonSetCauses,
    update: workloads.daemonSetUpdateCauses,
    subresources: { status: workloads.daemonSetStatusCauses },
  },
  'apps/StatefulSet': {
    create: workloads.statefulSetCauses,
    update: workloads.statefulSetUpdateCauses,
    subresources: { status: workloads.statefulSetStatusCauses },
  },
  'apps/ControllerRevision': { create: workloads.controllerRevisionCauses, update: workloads.controllerRevisionUpdateCauses },
  'batch/Job': { create: jobs.jobCauses, update: jobs.jobUpdateCauses, subresources: { status: jobStatusCauses } },
  'batch/CronJob': { create: jobs.cronJobCauses, update: jobs.cronJobUpdateCauses },
  'autoscaling/HorizontalPodAutoscaler': {
    create: autoscaling.autoscalerCauses,
    update: autoscaling.autoscalerUpdateCauses,
    subresources: { status: autoscaling.autoscalerStatusCauses },
  },
  'networking.k8s.io/Ingress': {
    create: networking.ingressCauses,
    update: networking.ingressUpdateCauses,
    subresources: { status: networking.ingressStatusCauses },
  },
  'networking.k8s.io/IngressClass': { create: networking.ingressClassCauses, update: networking.ingressClassUpdateCauses },
  'networking.k8s.io/NetworkPolicy': { create: networking.networkPolicyCauses, update: networking.networkPolicyUpdateCauses },
  'networking.k8s.io/IPAddress': { create: networking.ipAddressCauses, update: networking.ipAddressUpdateCauses },
  'networking.k8s.io/ServiceCIDR': {
    create: networking.serviceCidrCauses,
    update: networking.serviceCidrUpdateCauses,
  },
  'resource.k8s.io/ResourceSlice': {
    create: (object: never) => slices.resourceSliceCauses(object),
    update: slices.resourceSliceUpdateCauses,
  },
  'resource.k8s.io/DeviceClass': { create: resource.deviceClassCauses, update: resource.deviceClassUpdateCauses },
  'rbac.authorization.k8s.io/Role': { create: groups.roleCauses },
  'rbac.authorization.k8s.io/ClusterRole': { create: groups.clusterRoleCauses },
  'rbac.authorization.k8s.io/RoleBinding': { create: groups.roleBindingCauses, update: groups.bindingUpdateCauses },
  'rbac.authorization.k8s.io/ClusterRoleBinding': { create: groups.clusterRoleBindingCauses, update: groups.bindingUpdateCauses },
  'policy/PodDisruptionBudget': { create: groups.budgetCauses, subresources: { status: groups.budgetStatusCauses } },
  'scheduling.k8s.io/PriorityClass': { create: groups.priorityClassCauses, update: groups.priorityClassUpdateCauses },
  'coordination.k8s.io/Lease': { create: groups.leaseCauses },
  'node.k8s.io/RuntimeClass': { create: groups.runtimeClassCauses, update: groups.runtimeClassUpdateCauses },
  'apiregistration.k8s.io/APIService': { create: groups.apiServiceCauses },
  'certificates.k8s.io/CertificateSigningRequest': {
    create: certificates.signingRequestCauses,
    update: certificates.signingRequestUpdateCauses,
    subresources: { status: certificates.signingRequestStatusCauses, approval: certificates.signingRequestApprovalCauses },
  },
  'storage.k8s.io/StorageClass': { create: storage.storageClassCauses, update: storage.storageClassUpdateCauses },
  'storage.k8s.io/CSIDriver': { create: storage.csiDriverCauses, update: storage.csiDriverUpdateCauses },
  'storage.k8s.io/CSINode': { create: storage.csiNodeCauses, update: storage.csiNodeUpdateCauses },
  'storage.k8s.io/CSIStorageCapacity': { create: storage.storageCapacityCauses, update: storage.storageCapacityUpdateCauses },
  'storage.k8s.io/VolumeAttachment': {
    create: storage.newAttachmentCauses,
    update: storage.volumeAttachmentUpdateCauses,
    subresources: { status: storage.volumeAttachmentUpdateCauses },
  },
  'storage.k8s.io/VolumeAttributesClass': { create: storage.attributesClassCauses, update: storage.attributesClassUpdateCauses },
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': {
    create: (object: never) => webhooks.webhooksCauses(object),
    update: webhooks.webhooksUpdateCauses,
  },
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': {
    create: (object: never) => webhooks.webhooksCauses(object),
    update: webhooks.webhooksUpdateCauses,
  },
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': { create: policies.validatingBindingCauses },
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': { create: policies.mutatingBindingCauses },
  'flowcontrol.apiserver.k8s.io/FlowSchema': { create: flow.flowSchemaCauses, subresources: { status: flow.flowStatusCauses } },
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': {
    create: flow.priorityLevelCauses,
    subresources: { status: flow.flowStatusCauses },
  },
  'resource.k8s.io/ResourceClaim': {
    create: resource.resourceClaimCauses,
    update: resource.resourceClaimUpdateCauses,
    subresources: { status: resourceClaimStatusCauses },
  },
  'resource.k8s.io/ResourceClaimTemplate': { create: resource.claimTemplateCauses, update: resource.claimTemplateUpdateCauses },
};
