// SPDX-License-Identifier: Apache-2.0
// The roles and bindings every cluster starts with; what a user has changed in them is left, what is missing is put back.
// @source upstream plugin/pkg/auth/authorizer/rbac/bootstrappolicy (facts of roles in bootstrap-roles.json)
import type { PolicyRule, Subject } from '#api/rbac/v1';
import data from './bootstrap-roles.json' with { type: 'json' };

const GROUP = 'rbac.authorization.k8s.io';
const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const ANNOTATIONS = { 'rbac.authorization.kubernetes.io/autoupdate': 'true' };

interface BootstrapRole {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly aggregate?: Readonly<Record<string, string>>;
  readonly rules?: readonly PolicyRule[];
}

export interface BootstrapObject {
  readonly resource: 'clusterroles' | 'roles' | 'clusterrolebindings' | 'rolebindings';
  readonly object: Record<string, unknown> & { readonly metadata: { readonly name: string; readonly namespace?: string } };
}

const user = (name: string): Subject => ({ kind: 'User', apiGroup: GROUP, name });
const group = (name: string): Subject => ({ kind: 'Group', apiGroup: GROUP, name });
const account = (name: string): Subject => ({ kind: 'ServiceAccount', name, namespace: 'kube-system' });

/** Who the cluster roles are bound to; controllers' roles go to the service account of the same name. */
const CLUSTER_SUBJECTS: Readonly<Record<string, readonly Subject[]>> = {
  'cluster-admin': [group('system:masters')],
  'system:monitoring': [group('system:monitoring')],
  'system:discovery': [group('system:authenticated')],
  'system:basic-user': [group('system:authenticated')],
  'system:public-info-viewer': [group('system:authenticated'), group('system:unauthenticated')],
  'system:node-proxier': [user('system:kube-proxy')],
  'system:kube-controller-manager': [user('system:kube-controller-manager')],
  'system:kube-dns': [account('kube-dns')],
  'system:kube-scheduler': [user('system:kube-scheduler')],
  'system:volume-scheduler': [user('system:kube-scheduler')],
  'system:node': [],
  'system:service-account-issuer-discovery': [group('system:serviceaccounts')],
};
const CONTROLLER = 'system:controller:';

const ROLE_SUBJECTS: Readonly<Record<string, readonly Subject[]>> = {
  'extension-apiserver-authentication-reader': [user('system:kube-controller-manager'), user('system:kube-scheduler')],
  'system::leader-locking-kube-controller-manager': [user('system:kube-controller-manager'), account('kube-controller-manager')],
  'system::leader-locking-kube-scheduler': [user('system:kube-scheduler'), account('kube-scheduler')],
};

function metaOf(name: string, namespace?: string, labels: Readonly<Record<string, string>> = {}) {
  return { name, ...(namespace === undefined ? {} : { namespace }), labels: { ...LABELS, ...labels }, annotations: ANNOTATIONS };
}

/** Everything, in the order it is created. */
export function bootstrapPolicy(): BootstrapObject[] {
  const { clusterRoles, roles } = data as unknown as { clusterRoles: BootstrapRole[]; roles: BootstrapRole[] };
  return [...clusterRoles.map(clusterRole), ...clusterRoles.flatMap(clusterBinding), ...roles.map(role), ...roles.map(binding)];
}

function clusterRole({ name, labels, aggregate, rules }: BootstrapRole): BootstrapObject {
  const aggregation = aggregate === undefined ? {} : { aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregate }] } };
  return { resource: 'clusterroles', object: { metadata: metaOf(name, undefined, labels), ...aggregation, rules: rules ?? null } };
}

function clusterBinding({ name }: BootstrapRole): BootstrapObject[] {
  const subjects = name.startsWith(CONTROLLER) ? [account(name.slice(CONTROLLER.length))] : CLUSTER_SUBJECTS[name];
  if (subjects === undefined) return [];
  const roleRef = { apiGroup: GROUP, kind: 'ClusterRole', name };
  return [{ resource: 'clusterrolebindings', object: { metadata: metaOf(name), roleRef, ...(subjects.length === 0 ? {} : { subjects }) } }];
}

function role({ name, namespace, rules }: BootstrapRole): BootstrapObject {
  return { resource: 'roles', object: { metadata: metaOf(name, namespace), rules: rules ?? [] } };
}

function binding({ name, namespace }: BootstrapRole): BootstrapObject {
  const subjects = ROLE_SUBJECTS[name] ?? [account(name.replace(CONTROLLER, ''))];
  const bindingName = name === 'extension-apiserver-authentication-reader' ? `system::${name}` : name;
  return {
    resource: 'rolebindings',
    object: { metadata: metaOf(bindingName, namespace), roleRef: { apiGroup: GROUP, kind: 'Role', name }, subjects },
  };
}
