// SPDX-License-Identifier: Apache-2.0
// Where a resource lives in the store: etcd's layout as upstream has it, so that an etcd of a kubeadm cluster can be read.
// @source upstream pkg/registry and cmd/kube-apiserver: `SpecialDefaultResourcePrefixes` and each storage's resource prefix.
import type { Resource } from '#machinery';

const SPECIAL: Readonly<Record<string, string>> = {
  '/replicationcontrollers': 'controllers',
  '/endpoints': 'services/endpoints',
  '/nodes': 'minions',
  '/services': 'services/specs',
  'networking.k8s.io/ingresses': 'ingress',
  'networking.k8s.io/networkpolicies': 'networkpolicies',
};
/** Groups whose resources stand under the group's name. */
const GROUPED = new Set(['apiregistration.k8s.io', 'apiextensions.k8s.io']);

/** `pods/`, `services/specs/`, `apiextensions.k8s.io/customresourcedefinitions/`: below `/registry/`. */
export function prefixOf(resource: Resource): string {
  const special = SPECIAL[`${resource.group}/${resource.resource}`];
  if (special !== undefined) return `${special}/`;
  return GROUPED.has(resource.group) || !(resource.group === '' || BUILT_IN_GROUPS.has(resource.group))
    ? `${resource.group}/${resource.resource}/`
    : `${resource.resource}/`;
}

const BUILT_IN_GROUPS = new Set([
  'admissionregistration.k8s.io',
  'apps',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
]);

/** The key of an object below its resource's prefix; also its key in the cache. */
export function objectKey(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}
