// SPDX-License-Identifier: Apache-2.0
// Table columns by kind: what `kubectl get` prints. A kind without its own has its name and the time of its creation.
import type { TableColumns } from '../strategy.ts';
import { autoscalerTable } from './autoscalers.ts';
import { column, createdAt, NAME } from './cells.ts';
import { describeColumns } from './column-descriptions.ts';
import * as core from './core.ts';
import * as groups from './groups.ts';
import { podTable } from './pods.ts';

const PLAIN: TableColumns = {
  columns: [NAME, column('Created At', { type: 'date' })],
  cells: (object) => [object.metadata.name ?? '', createdAt(object)],
};

const TABLES: Readonly<Record<string, TableColumns>> = {
  '/Pod': podTable,
  '/ConfigMap': core.configMapTable,
  '/Secret': core.secretTable,
  '/ServiceAccount': core.serviceAccountTable,
  '/Namespace': core.namespaceTable,
  '/Node': core.nodeTable,
  '/Service': core.serviceTable,
  '/Endpoints': core.endpointsTable,
  '/Event': core.eventTable,
  '/PersistentVolume': core.persistentVolumeTable,
  '/PersistentVolumeClaim': core.persistentVolumeClaimTable,
  '/ReplicationController': core.replicationControllerTable,
  '/PodTemplate': core.podTemplateTable,
  '/ResourceQuota': core.resourceQuotaTable,
  '/ComponentStatus': core.componentStatusTable,
  'apps/Deployment': groups.deploymentTable,
  'apps/ReplicaSet': groups.replicaSetTable,
  'apps/DaemonSet': groups.daemonSetTable,
  'apps/StatefulSet': groups.statefulSetTable,
  'apps/ControllerRevision': groups.controllerRevisionTable,
  'batch/Job': groups.jobTable,
  'batch/CronJob': groups.cronJobTable,
  'autoscaling/HorizontalPodAutoscaler': autoscalerTable,
  'networking.k8s.io/Ingress': groups.ingressTable,
  'networking.k8s.io/IngressClass': groups.ingressClassTable,
  'networking.k8s.io/NetworkPolicy': groups.networkPolicyTable,
  'networking.k8s.io/IPAddress': groups.ipAddressTable,
  'networking.k8s.io/ServiceCIDR': groups.serviceCidrTable,
  'apiregistration.k8s.io/APIService': groups.apiServiceTable,
  'policy/PodDisruptionBudget': groups.budgetTable,
  'rbac.authorization.k8s.io/RoleBinding': groups.roleBindingTable,
  'rbac.authorization.k8s.io/ClusterRoleBinding': groups.roleBindingTable,
  'coordination.k8s.io/Lease': groups.leaseTable,
  'node.k8s.io/RuntimeClass': groups.runtimeClassTable,
  'scheduling.k8s.io/PriorityClass': groups.priorityClassTable,
  'discovery.k8s.io/EndpointSlice': groups.endpointSliceTable,
  'flowcontrol.apiserver.k8s.io/FlowSchema': groups.flowSchemaTable,
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': groups.priorityLevelTable,
  'resource.k8s.io/ResourceClaim': groups.resourceClaimTable,
  'resource.k8s.io/ResourceClaimTemplate': groups.plainAgeTable,
  'resource.k8s.io/DeviceClass': groups.plainAgeTable,
  'resource.k8s.io/ResourceSlice': groups.resourceSliceTable,
  'certificates.k8s.io/CertificateSigningRequest': groups.signingRequestTable,
  'storage.k8s.io/StorageClass': groups.storageClassTable,
  'storage.k8s.io/VolumeAttributesClass': groups.attributesClassTable,
  'storage.k8s.io/VolumeAttachment': groups.volumeAttachmentTable,
  'storage.k8s.io/CSINode': groups.csiNodeTable,
  'storage.k8s.io/CSIDriver': groups.csiDriverTable,
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': groups.webhooksTable,
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': groups.webhooksTable,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': groups.validatingPolicyTable,
  'admissionregistration.k8s.io/MutatingAdmissionPolicy': groups.mutatingPolicyTable,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': groups.policyBindingTable,
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': groups.policyBindingTable,
};

export { scaleTable } from './autoscalers.ts';

export function tableOf({ group, kind }: { readonly group: string; readonly kind: string }): TableColumns {
  const name = `${group}/${kind}`;
  return describeColumns(name, TABLES[name] ?? PLAIN);
}
