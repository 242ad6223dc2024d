// SPDX-License-Identifier: Apache-2.0
// What a kubelet may do: with its own Node and Lease, with Pods bound to it, and with what belongs to those. What it may write into
// an object is for the NodeRestriction plugin to say, which sees the object. References are looked up through the index of Pods by
// node, so a decision costs the Pods of one node.
// @source upstream plugin/pkg/auth/authorizer/node/node_authorizer.go
import { quote } from '#machinery';
import { ALLOW, type Attributes, type Authorizer, type Decision, NO_OPINION } from './authorizer.ts';
import { compileRule, ruleAllows } from './compiled-rule.ts';
import { isRelated, type NodeGraph, type Related } from './node-graph.ts';
import type { Rule } from './rbac.ts';
import { NODES_GROUP, type UserInfo } from './user.ts';
import { NO_RULES, untold } from './user-rules.ts';

const NODE_USER = 'system:node:';

/** The node a user is the kubelet of, or undefined. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(NODE_USER) || !user.groups.includes(NODES_GROUP)) return undefined;
  return user.name.slice(NODE_USER.length);
}

const denied = (reason: string): Decision => ({ verdict: 'no-opinion', reason });

type Judge = (attributes: Attributes, node: string, graph: NodeGraph) => Decision;

export function createNodeAuthorizer(graph: NodeGraph, rules: readonly Rule[]): Authorizer {
  const compiled = rules.map(compileRule);
  return {
    name: 'Node',
    userRules: (user) => (nodeNameOf(user) === undefined ? NO_RULES : untold('node')),
    authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return NO_OPINION;
      if (node === '') return denied(`unknown node for user ${quote(attributes.user.name)}`);
      const judge = attributes.isResource ? JUDGES[`${attributes.group}/${attributes.resource}`] : undefined;
      if (judge !== undefined) return judge(attributes, node, graph);
      return compiled.some((rule) => ruleAllows(rule, attributes)) ? ALLOW : NO_OPINION;
    },
  };
}

function related(what: Related, attributes: Attributes, node: string, graph: NodeGraph): Decision {
  if (attributes.name === '') return denied('No Object name found');
  return isRelated(what, graph, node, attributes) ? ALLOW : denied(`no relationship found between node '${node}' and this object`);
}

function getting(what: Related): Judge {
  return (attributes, node, graph) => {
    if (attributes.verb !== 'get') return denied('can only get individual resources of this type');
    if (attributes.subresource !== '') return denied('cannot get subresource');
    return related(what, attributes, node, graph);
  };
}

const READS = new Set(['get', 'list', 'watch']);

function reading(what: Related): Judge {
  return (attributes, node, graph) => {
    if (!READS.has(attributes.verb)) return denied('can only read resources of this type');
    if (attributes.subresource !== '') return denied('cannot read subresource');
    if (attributes.namespace === '') return denied('can only read namespaced object of this type');
    return related(what, attributes, node, graph);
  };
}

const getClaim = getting('persistentvolumeclaims');

const judgeClaim: Judge = (attributes, node, graph) => {
  if (attributes.subresource !== 'status') return getClaim(attributes, node, graph);
  if (attributes.verb !== 'update' && attributes.verb !== 'patch') return denied('can only get/update/patch this type');
  return related('persistentvolumeclaims', attributes, node, graph);
};

const judgeAccount: Judge = (attributes, node, graph) => {
  const { verb, subresource, name } = attributes;
  if (verb === 'get' && subresource === '') return related('serviceaccounts', attributes, node, graph);
  if (verb !== 'create' || name === '') return denied('can only create tokens for individual service accounts');
  if (subresource !== 'token') return denied('can only create token subresource of serviceaccount');
  return related('serviceaccounts', attributes, node, graph);
};

const OWN_VERBS = new Set(['get', 'create', 'update', 'patch', 'delete']);

const judgeLease: Judge = ({ verb, namespace, name }, node) => {
  if (!OWN_VERBS.has(verb)) return denied('can only get, create, update, patch, or delete a node lease');
  if (namespace !== 'kube-node-lease') return denied(`can only access leases in the "kube-node-lease" system namespace`);
  return verb === 'create' || name === node ? ALLOW : denied('can only access node lease with the same name as the requesting node');
};

const judgeCSINode: Judge = ({ verb, subresource, name }, node) => {
  if (!OWN_VERBS.has(verb)) return denied('can only get, create, update, patch, or delete a CSINode');
  if (subresource !== '') return denied('cannot authorize CSINode subresources');
  return verb === 'create' || name === node ? ALLOW : denied('can only access CSINode with the same name as the requesting node');
};

/** Whether only objects are asked for whose `field` is the node. */
function isConfined({ fieldSelector }: Attributes, field: string, node: string): boolean {
  return (fieldSelector?.() ?? []).some((it) => it.field === field && it.operator === '=' && it.value === node);
}

const judgeSlice: Judge = (attributes, node, graph) => {
  if (attributes.subresource !== '') return denied('cannot authorize ResourceSlice subresources');
  switch (attributes.verb) {
    case 'create':
      return ALLOW;
    case 'get':
    case 'update':
    case 'patch':
    case 'delete':
      return related('resourceslices', attributes, node, graph);
    case 'watch':
    case 'list':
    case 'deletecollection':
      if (isConfined(attributes, 'spec.nodeName', node)) return ALLOW;
      return denied('can only list/watch/deletecollection resourceslices with nodeName field selector');
    default:
      return denied(
        'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
      );
  }
};

const judgeNode: Judge = ({ verb, subresource, name }, node) => {
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? ALLOW : NO_OPINION;
  if (subresource !== '') return NO_OPINION;
  if (verb === 'create' || verb === 'update' || verb === 'patch') return ALLOW;
  if (!READS.has(verb)) return NO_OPINION;
  if (name === node) return ALLOW;
  const what = name === '' ? 'all nodes' : `'${name}'`;
  return denied(`node '${node}' cannot read ${what}, only its own Node object`);
};

const getPod = getting('pods');

const judgePod: Judge = (attributes, node, graph) => {
  const { verb, subresource, name } = attributes;
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? ALLOW : NO_OPINION;
  if (subresource === 'eviction') return verb === 'create' ? ALLOW : NO_OPINION;
  if (subresource !== '') return NO_OPINION;
  if (verb === 'create' || verb === 'delete') return ALLOW;
  if (verb === 'get') return getPod(attributes, node, graph);
  if (!READS.has(verb)) return NO_OPINION;
  if (isConfined(attributes, 'spec.nodeName', node)) return ALLOW;
  if (name !== '') return related('pods', attributes, node, graph);
  return denied('can only list/watch pods with spec.nodeName field selector');
};

/** By group and resource; what is not here is for the role's rules alone. */
const JUDGES: Readonly<Record<string, Judge>> = {
  '/secrets': reading('secrets'),
  '/configmaps': reading('configmaps'),
  '/persistentvolumeclaims': judgeClaim,
  '/persistentvolumes': getting('persistentvolumes'),
  '/serviceaccounts': judgeAccount,
  '/nodes': judgeNode,
  '/pods': judgePod,
  'resource.k8s.io/resourceclaims': getting('resourceclaims'),
  'resource.k8s.io/resourceslices': judgeSlice,
  'storage.k8s.io/volumeattachments': getting('volumeattachments'),
  'storage.k8s.io/csinodes': judgeCSINode,
  'coordination.k8s.io/leases': judgeLease,
};
