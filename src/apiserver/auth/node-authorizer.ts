// SPDX-License-Identifier: Apache-2.0
// What a kubelet may read: its own Node, Pods bound to it, and the Secrets, ConfigMaps, claims and accounts those Pods use.
// References are looked up through the index of Pods by node, so a decision costs the Pods of one node.
// @source upstream plugin/pkg/auth/authorizer/node/node_authorizer.go

import type { Pod } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { ALLOW, type Attributes, type Authorizer, type Decision, NO_OPINION } from './authorizer.ts';
import type { Rule } from './rbac.ts';
import { ruleAllows } from './rbac.ts';
import { NODES_GROUP, type UserInfo } from './user.ts';

const NODE_USER = 'system:node:';

/** The node a user is the kubelet of, or undefined. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.name.startsWith(NODE_USER) || !user.groups.includes(NODES_GROUP)) return undefined;
  return user.name.slice(NODE_USER.length);
}

const denied = (reason: string): Decision => ({ verdict: 'no-opinion', reason });

export interface NodeGraph {
  podsOf(nodeName: string): readonly DeepReadonly<Pod>[];
}

export function createNodeAuthorizer(graph: NodeGraph, rules: readonly Rule[]): Authorizer {
  return {
    name: 'Node',
    authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return NO_OPINION;
      if (node === '') return denied('unknown node for user');
      if (attributes.isResource) {
        const special = judgeResource(attributes, node, graph);
        if (special !== undefined) return special;
      }
      return rules.some((rule) => ruleAllows(rule, attributes)) ? ALLOW : NO_OPINION;
    },
  };
}

function judgeResource(attributes: Attributes, node: string, graph: NodeGraph): Decision | undefined {
  const { group, resource, subresource } = attributes;
  if (group === '') {
    switch (resource) {
      case 'secrets':
      case 'configmaps':
        return judgeReferenced(attributes, node, graph, ['get', 'list', 'watch']);
      case 'persistentvolumeclaims':
        return subresource === 'status' ? undefined : judgeReferenced(attributes, node, graph, ['get']);
      case 'serviceaccounts':
        return judgeAccount(attributes, node, graph);
      case 'nodes':
        return judgeNode(attributes, node);
      case 'pods':
        return judgePod(attributes, node, graph);
    }
  }
  if (group === 'coordination.k8s.io' && resource === 'leases') return judgeLease(attributes, node);
  if (group === 'storage.k8s.io' && resource === 'csinodes' && attributes.name !== '' && attributes.name !== node) {
    return denied('can only access CSINode with the same name as the requesting node');
  }
  return undefined;
}

function judgeReferenced(
  { verb, resource, namespace, name }: Attributes,
  node: string,
  graph: NodeGraph,
  verbs: readonly string[],
): Decision {
  if (!verbs.includes(verb)) return denied('can only read resources of this type');
  if (name === '') return denied('can only read namespaced object of this type');
  const used = graph.podsOf(node).some((pod) => pod.metadata.namespace === namespace && references(pod, resource, name));
  return used ? ALLOW : denied(`no relationship found between node '${node}' and this object`);
}

function judgeAccount({ verb, subresource, namespace, name }: Attributes, node: string, graph: NodeGraph): Decision {
  const fits = subresource === 'token' ? verb === 'create' : subresource === '' && verb === 'get';
  if (!fits || name === '') return denied('can only create tokens for individual service accounts');
  const used = graph
    .podsOf(node)
    .some((pod) => pod.metadata.namespace === namespace && (pod.spec.serviceAccountName || 'default') === name);
  return used ? ALLOW : denied(`no relationship found between node '${node}' and this object`);
}

function judgeNode({ verb, subresource, name }: Attributes, node: string): Decision | undefined {
  if (subresource !== '' && subresource !== 'status') return undefined;
  // What a kubelet may write is for the NodeRestriction plugin to say, which sees the object.
  const reads = verb === 'get' || verb === 'list' || verb === 'watch';
  if (reads && name !== '' && name !== node) return denied(`node '${node}' cannot read '${name}', only its own Node object`);
  if ((verb === 'list' || verb === 'watch') && name === '') return denied(`node '${node}' cannot read all nodes, only its own Node object`);
  return undefined;
}

function judgePod({ verb, namespace, name }: Attributes, node: string, graph: NodeGraph): Decision | undefined {
  if (verb !== 'get' || name === '') return undefined;
  const own = graph.podsOf(node).some((pod) => pod.metadata.namespace === namespace && pod.metadata.name === name);
  return own ? undefined : denied(`no relationship found between node '${node}' and this object`);
}

function judgeLease({ verb, namespace, name }: Attributes, node: string): Decision {
  if (!['get', 'create', 'update', 'patch', 'delete'].includes(verb))
    return denied('can only get, create, update, patch, or delete a node lease');
  if (namespace !== 'kube-node-lease') return denied(`can only access leases in the "kube-node-lease" system namespace`);
  return verb === 'create' || name === node ? ALLOW : denied('can only access node lease with the same name as the requesting node');
}

/** Whether a Pod mentions a Secret, ConfigMap or claim anywhere. */
export function references({ spec }: DeepReadonly<Pod>, resource: string, name: string): boolean {
  if (resource === 'persistentvolumeclaims') return (spec.volumes ?? []).some((volume) => volume.persistentVolumeClaim?.claimName === name);
  const secret = resource === 'secrets';
  if (secret && spec.imagePullSecrets?.some((reference) => reference.name === name)) return true;
  const inVolumes = (spec.volumes ?? []).some((volume) => {
    const projected = volume.projected?.sources?.some((source) => (secret ? source.secret?.name : source.configMap?.name) === name);
    return projected || (secret ? volume.secret?.secretName : volume.configMap?.name) === name;
  });
  if (inVolumes) return true;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
  return containers.some(
    ({ env, envFrom }) =>
      env?.some(({ valueFrom }) => (secret ? valueFrom?.secretKeyRef?.name : valueFrom?.configMapKeyRef?.name) === name) ||
      envFrom?.some((source) => (secret ? source.secretRef?.name : source.configMapRef?.name) === name),
  );
}
