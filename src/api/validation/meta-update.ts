// SPDX-License-Identifier: Apache-2.0
// How often, and by which rules, `metadata` is looked at: for all kinds by the generic store, and again by each kind, as upstream's
// strategies do. What is said twice is a cause twice; the message leaves out what it has said. The rules of the kinds are data.
// @source upstream pkg/registry/*/strategy.go ValidateUpdate and pkg/apis/*/validation
import type { DeepReadonly, FieldCause, ObjectMeta } from '../../machinery/mod.ts';
import { findResourceOfKind } from '../scheme.ts';
import { nameRuleOf } from './names.ts';
import {
  commonMetaCauses,
  commonMetaUpdateCauses,
  kubeFinalizerCauses,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from './object-meta.ts';

type AnyObject = { readonly metadata: DeepReadonly<ObjectMeta> };
type OfKind = { readonly group: string; readonly version: string; readonly kind: string };

/** `change`: as a change. `whole`: as of a new object. */
type Look = 'change' | 'whole';

/** Groups that take any qualified name as a finalizer. */
const FREE_FINALIZERS = new Set(['coordination.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'admissionregistration.k8s.io']);
/** Kinds that say nothing of `metadata` themselves. */
const SILENT = new Set(['/Event', 'policy/PodDisruptionBudget']);
/** Kinds that let any name pass: what may stand in a path is asked for when all else is right. */
const UNNAMED = new Set(['certificates.k8s.io/CertificateSigningRequest']);

const NONE: readonly Look[] = [];
const CHANGE: readonly Look[] = ['change'];
const WHOLE: readonly Look[] = ['whole'];
const WHOLE_TWICE: readonly Look[] = ['whole', 'whole'];
const CHANGE_WHOLE: readonly Look[] = ['change', 'whole'];
const WHOLE_CHANGE: readonly Look[] = ['whole', 'change'];

/** What kinds and subresources add to what is done for all, where that is not one look at the change. */
const OWN_LOOKS: Readonly<Record<string, readonly Look[]>> = {
  '/Pod': CHANGE_WHOLE,
  '/Pod/ephemeralcontainers': CHANGE_WHOLE,
  '/Pod/resize': CHANGE_WHOLE,
  '/ConfigMap': CHANGE_WHOLE,
  '/Secret': CHANGE_WHOLE,
  '/ServiceAccount': CHANGE_WHOLE,
  '/Service': CHANGE_WHOLE,
  '/Endpoints': CHANGE_WHOLE,
  '/Event': NONE,
  '/LimitRange': WHOLE,
  '/Namespace': WHOLE_CHANGE,
  '/Node': WHOLE_CHANGE,
  '/PersistentVolume': WHOLE_TWICE,
  '/PersistentVolumeClaim': WHOLE_CHANGE,
  '/ReplicationController': WHOLE_CHANGE,
  'apps/ControllerRevision': CHANGE_WHOLE,
  'batch/Job': WHOLE_CHANGE,
  'batch/CronJob/status': NONE,
  'certificates.k8s.io/CertificateSigningRequest': WHOLE_CHANGE,
  'certificates.k8s.io/CertificateSigningRequest/status': WHOLE_CHANGE,
  'certificates.k8s.io/CertificateSigningRequest/approval': WHOLE_CHANGE,
  'discovery.k8s.io/EndpointSlice': WHOLE,
  'networking.k8s.io/IPAddress': WHOLE_CHANGE,
  'networking.k8s.io/Ingress': CHANGE_WHOLE,
  'networking.k8s.io/IngressClass': CHANGE_WHOLE,
  'networking.k8s.io/NetworkPolicy': WHOLE_CHANGE,
  'node.k8s.io/RuntimeClass': WHOLE_CHANGE,
  'policy/PodDisruptionBudget': NONE,
  'policy/PodDisruptionBudget/status': NONE,
  'rbac.authorization.k8s.io/Role': ['whole', 'whole', 'change'],
  'rbac.authorization.k8s.io/ClusterRole': ['whole', 'whole', 'change'],
  'rbac.authorization.k8s.io/RoleBinding': ['whole', 'whole', 'change'],
  'rbac.authorization.k8s.io/ClusterRoleBinding': ['whole', 'whole', 'change'],
  'resource.k8s.io/DeviceClass': WHOLE_CHANGE,
  'resource.k8s.io/ResourceClaim': WHOLE_CHANGE,
  'resource.k8s.io/ResourceClaimTemplate': WHOLE_CHANGE,
  'storage.k8s.io/CSINode': WHOLE_TWICE,
  'storage.k8s.io/CSIStorageCapacity': WHOLE_CHANGE,
  'storage.k8s.io/StorageClass': WHOLE_CHANGE,
  'storage.k8s.io/VolumeAttachment': WHOLE_TWICE,
  'storage.k8s.io/VolumeAttachment/status': WHOLE_TWICE,
  'storage.k8s.io/VolumeAttributesClass': WHOLE_CHANGE,
  'apiregistration.k8s.io/APIService': CHANGE_WHOLE,
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': WHOLE,
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': WHOLE,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': WHOLE,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy/status': NONE,
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': WHOLE,
  'admissionregistration.k8s.io/MutatingAdmissionPolicy': WHOLE,
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding': WHOLE,
  'flowcontrol.apiserver.k8s.io/FlowSchema': WHOLE,
  'flowcontrol.apiserver.k8s.io/FlowSchema/status': NONE,
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': WHOLE,
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration/status': NONE,
};

const nameOf = ({ group, kind }: OfKind) => `${group}/${kind}`;
const hasFreeFinalizers = ({ group }: OfKind) => FREE_FINALIZERS.has(group);
const isNamespaced = (of: OfKind) => findResourceOfKind(of)?.namespaced ?? false;

/** `metadata` of a new object, as its kind looks at it. */
export function newMetaCauses(of: OfKind, { metadata }: AnyObject): FieldCause[] {
  if (SILENT.has(nameOf(of))) return [];
  return validateObjectMeta(metadata, {
    namespaced: isNamespaced(of),
    nameRule: nameRuleOf(of),
    standardFinalizers: !hasFreeFinalizers(of),
  });
}

/** What is left to say of a new object that its kind has nothing against. */
export function lateMetaCauses(of: OfKind, { metadata }: AnyObject): FieldCause[] {
  const name = nameOf(of);
  return SILENT.has(name) || UNNAMED.has(name) ? commonMetaCauses(metadata, isNamespaced(of)) : [];
}

/** `metadata` of a changed object: what is said of all kinds, then what its kind says. */
export function metaUpdateCauses(of: OfKind, next: AnyObject, previous: AnyObject, subresource: string): FieldCause[] {
  const common = commonMetaUpdateCauses(next.metadata, previous.metadata);
  const { finalizers, generateName } = next.metadata;
  // What all kinds share is what the kinds repeat: only these two have rules of their own.
  if (common.length === 0 && finalizers === undefined && generateName === undefined) return common;
  const looks = OWN_LOOKS[subresource === '' ? nameOf(of) : `${nameOf(of)}/${subresource}`] ?? CHANGE;
  const own = looks.flatMap((look) => (look === 'whole' ? newMetaCauses(of, next) : changeCauses(of, next, previous)));
  return [...common, ...own];
}

function changeCauses(of: OfKind, next: AnyObject, previous: AnyObject): FieldCause[] {
  const causes = validateObjectMetaUpdate(next.metadata, previous.metadata);
  return hasFreeFinalizers(of) ? causes : [...causes, ...kubeFinalizerCauses(next.metadata)];
}
