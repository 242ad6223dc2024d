// SPDX-License-Identifier: Apache-2.0
// The SetDefaults function of every kind, by API version and kind. A kind that is not listed has no defaults.
import type { KubeObject } from '../machinery/mod.ts';
import {
  defaultAdmissionPolicy,
  defaultAdmissionPolicyBinding,
  defaultMutatingWebhooks,
  defaultValidatingWebhooks,
} from './admissionregistration/defaults.ts';
import { defaultCustomResourceDefinition } from './apiextensions/defaults.ts';
import { defaultDaemonSet, defaultDeployment, defaultReplicaSet, defaultStatefulSet } from './apps/defaults.ts';
import { defaultAutoscaler, defaultAutoscalerV1 } from './autoscaling/defaults.ts';
import { defaultCronJob, defaultJob } from './batch/defaults.ts';
import {
  defaultEndpoints,
  defaultLimitRange,
  defaultNamespace,
  defaultNode,
  defaultPersistentVolume,
  defaultPersistentVolumeClaim,
  defaultPodTemplateObject,
  defaultReplicationController,
  defaultResourceQuota,
  defaultSecret,
  defaultService,
} from './core/defaults.ts';
import { defaultPod } from './core/pod-defaults.ts';
import { setDefault, setPointer } from './defaulting.ts';
import { defaultFlowSchema, defaultPriorityLevel } from './flowcontrol/defaults.ts';
import type { APIService } from './generated/apiregistration/v1.ts';
import type { CertificateSigningRequest } from './generated/certificates/v1.ts';
import type { EndpointSlice } from './generated/discovery/v1.ts';
import type { ResourceClaim, ResourceClaimTemplate } from './generated/resource/v1.ts';
import type { PriorityClass } from './generated/scheduling/v1.ts';
import { defaultIngressClass, defaultNetworkPolicy, defaultServicePort } from './networking/defaults.ts';
import { defaultBinding } from './rbac/defaults.ts';
import { defaultClaimDevices } from './resource/defaults.ts';
import { defaultCsiDriver, defaultStorageClass } from './storage/defaults.ts';

type SetDefaults = (object: never) => void;

function defaultEndpointSlice(slice: EndpointSlice): void {
  for (const port of slice.ports ?? []) {
    setPointer(port, 'name', '');
    setPointer(port, 'protocol', 'TCP');
  }
}

function defaultApiService(service: APIService): void {
  defaultServicePort(service.spec?.service);
}

function defaultPriorityClass(priority: PriorityClass): void {
  setPointer(priority, 'preemptionPolicy', 'PreemptLowerPriority');
}

function defaultSigningRequest(request: CertificateSigningRequest): void {
  for (const condition of request.status?.conditions ?? []) setDefault(condition, 'status', 'True');
}

const DEFAULTS: Readonly<Record<string, SetDefaults>> = {
  'v1/Pod': defaultPod,
  'v1/PodTemplate': defaultPodTemplateObject,
  'v1/ReplicationController': defaultReplicationController,
  'v1/Service': defaultService,
  'v1/Namespace': defaultNamespace,
  'v1/Node': defaultNode,
  'v1/Secret': defaultSecret,
  'v1/Endpoints': defaultEndpoints,
  'v1/LimitRange': defaultLimitRange,
  'v1/ResourceQuota': defaultResourceQuota,
  'v1/PersistentVolume': defaultPersistentVolume,
  'v1/PersistentVolumeClaim': defaultPersistentVolumeClaim,
  'apps/v1/Deployment': defaultDeployment,
  'apps/v1/ReplicaSet': defaultReplicaSet,
  'apps/v1/DaemonSet': defaultDaemonSet,
  'apps/v1/StatefulSet': defaultStatefulSet,
  'batch/v1/Job': defaultJob,
  'batch/v1/CronJob': defaultCronJob,
  'autoscaling/v1/HorizontalPodAutoscaler': defaultAutoscalerV1,
  'autoscaling/v2/HorizontalPodAutoscaler': defaultAutoscaler,
  'networking.k8s.io/v1/IngressClass': defaultIngressClass,
  'networking.k8s.io/v1/NetworkPolicy': defaultNetworkPolicy,
  'discovery.k8s.io/v1/EndpointSlice': defaultEndpointSlice,
  'rbac.authorization.k8s.io/v1/RoleBinding': defaultBinding,
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': defaultBinding,
  'storage.k8s.io/v1/StorageClass': defaultStorageClass,
  'storage.k8s.io/v1/CSIDriver': defaultCsiDriver,
  'scheduling.k8s.io/v1/PriorityClass': defaultPriorityClass,
  'certificates.k8s.io/v1/CertificateSigningRequest': defaultSigningRequest,
  'apiregistration.k8s.io/v1/APIService': defaultApiService,
  'apiextensions.k8s.io/v1/CustomResourceDefinition': defaultCustomResourceDefinition,
  'admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration': defaultValidatingWebhooks,
  'admissionregistration.k8s.io/v1/MutatingWebhookConfiguration': defaultMutatingWebhooks,
  'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy': defaultAdmissionPolicy,
  'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy': defaultAdmissionPolicy,
  'admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding': defaultAdmissionPolicyBinding,
  'admissionregistration.k8s.io/v1/MutatingAdmissionPolicyBinding': defaultAdmissionPolicyBinding,
  'flowcontrol.apiserver.k8s.io/v1/FlowSchema': defaultFlowSchema,
  'flowcontrol.apiserver.k8s.io/v1/PriorityLevelConfiguration': defaultPriorityLevel,
  'resource.k8s.io/v1/ResourceClaim': ((claim: ResourceClaim) => defaultClaimDevices(claim.spec)) as SetDefaults,
  'resource.k8s.io/v1/ResourceClaimTemplate': ((template: ResourceClaimTemplate) =>
    defaultClaimDevices(template.spec?.spec)) as SetDefaults,
};

/** The SetDefaults function of a kind; undefined where there is nothing to fill. Changes the object it is given. */
export function defaultsOf(apiVersion: string, kind: string): ((object: KubeObject) => void) | undefined {
  return DEFAULTS[`${apiVersion}/${kind}`] as ((object: KubeObject) => void) | undefined;
}
