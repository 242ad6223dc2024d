// SPDX-License-Identifier: Apache-2.0
// Which kinds upstream's scheme has, served or not, and by what names of Go types its messages tell of them: what a client is told
// that sends another kind than the URL is of.
// @source upstream pkg/api/legacyscheme, pkg/apis/*/install, apimachinery pkg/runtime/error.go and pkg/conversion/converter.go
import { findSchema, RESOURCES } from '#api';

/** Versions that are served no more and still understood. */
const OLD_VERSIONS: Readonly<Record<string, readonly string[]>> = {
  'admissionregistration.k8s.io/v1beta1': ['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
  'apiextensions.k8s.io/v1beta1': ['CustomResourceDefinition'],
  'apiregistration.k8s.io/v1beta1': ['APIService'],
  'apps/v1beta1': ['ControllerRevision', 'Deployment', 'DeploymentRollback', 'Scale', 'StatefulSet'],
  'apps/v1beta2': ['ControllerRevision', 'DaemonSet', 'Deployment', 'ReplicaSet', 'Scale', 'StatefulSet'],
  'authentication.k8s.io/v1beta1': ['SelfSubjectReview', 'TokenReview'],
  'authentication.k8s.io/v1alpha1': ['SelfSubjectReview'],
  'authorization.k8s.io/v1beta1': ['LocalSubjectAccessReview', 'SelfSubjectAccessReview', 'SelfSubjectRulesReview', 'SubjectAccessReview'],
  'batch/v1beta1': ['CronJob'],
  'certificates.k8s.io/v1beta1': ['CertificateSigningRequest'],
  'coordination.k8s.io/v1beta1': ['Lease'],
  'discovery.k8s.io/v1beta1': ['EndpointSlice'],
  'events.k8s.io/v1beta1': ['Event'],
  'extensions/v1beta1': ['DaemonSet', 'Deployment', 'DeploymentRollback', 'Ingress', 'NetworkPolicy', 'ReplicaSet', 'Scale'],
  'flowcontrol.apiserver.k8s.io/v1beta1': ['FlowSchema', 'PriorityLevelConfiguration'],
  'flowcontrol.apiserver.k8s.io/v1beta2': ['FlowSchema', 'PriorityLevelConfiguration'],
  'flowcontrol.apiserver.k8s.io/v1beta3': ['FlowSchema', 'PriorityLevelConfiguration'],
  'networking.k8s.io/v1beta1': ['Ingress', 'IngressClass', 'IPAddress', 'ServiceCIDR'],
  'node.k8s.io/v1beta1': ['RuntimeClass'],
  'node.k8s.io/v1alpha1': ['RuntimeClass'],
  'policy/v1beta1': ['Eviction', 'PodDisruptionBudget'],
  'rbac.authorization.k8s.io/v1beta1': ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
  'rbac.authorization.k8s.io/v1alpha1': ['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'],
  'scheduling.k8s.io/v1beta1': ['PriorityClass'],
  'scheduling.k8s.io/v1alpha1': ['PriorityClass'],
  'storage.k8s.io/v1beta1': ['CSIDriver', 'CSINode', 'CSIStorageCapacity', 'StorageClass', 'VolumeAttachment', 'VolumeAttributesClass'],
  'storage.k8s.io/v1alpha1': ['CSIStorageCapacity', 'VolumeAttachment', 'VolumeAttributesClass'],
};
/** Kinds of `meta.k8s.io/v1` that every version of every group has. */
const IN_EVERY_VERSION = ['WatchEvent', 'ListOptions', 'GetOptions', 'DeleteOptions', 'CreateOptions', 'UpdateOptions', 'PatchOptions'];
/** Groups whose package is not called by the first part of their name. */
const PACKAGES: Readonly<Record<string, string>> = {
  '': 'core',
  'events.k8s.io': 'core',
  'internal.apiserver.k8s.io': 'apiserverinternal',
};

/** The Go package of a group's internal types. */
export function goPackageOf(group: string): string {
  return PACKAGES[group] ?? group.split('.')[0] ?? '';
}

/** The Go type of a kind; undefined: there is no such kind. */
export function goTypeOf(apiVersion: string, kind: string): string | undefined {
  const [version = '', group = ''] = apiVersion.split('/').reverse();
  if (IN_EVERY_VERSION.includes(kind) && RESOURCES.some((resource) => resource.group === group && resource.version === version))
    return `v1.${kind}`;
  const isKnown =
    (kind === 'List' && apiVersion === 'v1') ||
    findSchema({ group, version, kind }) !== undefined ||
    OLD_VERSIONS[apiVersion]?.includes(kind) === true;
  return isKnown ? `${version}.${kind}` : undefined;
}

/** What is said of a kind in place of another. */
export function conversionProblem(apiVersion: string, kind: string, expected: { readonly group: string; readonly kind: string }): string {
  const type = goTypeOf(apiVersion, kind);
  return type === undefined
    ? `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`
    : `converting (${type}) to (${goPackageOf(expected.group)}.${expected.kind}): unknown conversion`;
}
