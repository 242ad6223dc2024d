// SPDX-License-Identifier: Apache-2.0
// The node's own check of a Pod before it runs: the scheduler may have been wrong, or none was asked (static Pods, nodeName).
// A refused Pod fails for good. @source upstream pkg/kubelet/lifecycle/predicate.go

import type { Node } from '#api/core/v1';
import { requiredNodes, untolerated } from '#api/node-selection';
import { type DeepReadonly, formatQuantity, milliOf, parseQuantity } from '#machinery';
import { podRequest } from '../container/resources.ts';
import { allContainers, isStatic, type PodView } from '../pod/pod.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

type NodeView = DeepReadonly<Node>;

/** @param others The Pods that hold resources here. @returns Undefined: it may run. */
export function admitPod(pod: PodView, others: readonly PodView[], node: NodeView): Refusal | undefined {
  return osMismatch(pod) ?? affinity(pod, node) ?? taints(pod, node) ?? hostPorts(pod, others) ?? resources(pod, others, node);
}

function osMismatch(pod: PodView): Refusal | undefined {
  const name = pod.spec.os?.name;
  if (name !== undefined && name !== 'linux') {
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  }
  const selected = pod.spec.nodeSelector?.['kubernetes.io/os'];
  if (selected !== undefined && selected !== 'linux') {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  return undefined;
}

function affinity(pod: PodView, node: NodeView): Refusal | undefined {
  const refusal = { reason: 'NodeAffinity', message: "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector" };
  return requiredNodes(pod.spec)?.(node.metadata.name, node.metadata.labels ?? {}) === false ? refusal : undefined;
}

/** Only NoExecute stops a Pod here: the rest is the scheduler's. Static Pods run whatever the taints. */
function taints(pod: PodView, node: NodeView): Refusal | undefined {
  if (isStatic(pod)) return undefined;
  return untolerated(node.spec?.taints ?? [], pod.spec.tolerations ?? [], ['NoExecute']) === undefined
    ? undefined
    : { reason: 'TaintToleration', message: 'Predicate TaintToleration failed: node(s) had untolerated taint(s)' };
}

function hostPorts(pod: PodView, others: readonly PodView[]): Refusal | undefined {
  const taken = others.flatMap(portsOf);
  const clash = portsOf(pod).some((mine) =>
    taken.some(
      (other) =>
        other.port === mine.port && other.protocol === mine.protocol && (other.ip === mine.ip || isAny(other.ip) || isAny(mine.ip)),
    ),
  );
  return clash
    ? { reason: 'NodePorts', message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports" }
    : undefined;
}

const isAny = (ip: string) => ip === '' || ip === '0.0.0.0' || ip === '::';

function portsOf(pod: PodView): { ip: string; port: number; protocol: string }[] {
  return allContainers(pod).flatMap((container) =>
    (container.ports ?? [])
      .map((port) => ({ ip: port.hostIP ?? '', port: port.hostPort ?? 0, protocol: port.protocol ?? 'TCP' }))
      .filter(({ port }) => port > 0),
  );
}

function resources(pod: PodView, others: readonly PodView[], node: NodeView): Refusal | undefined {
  const allocatable = node.status?.allocatable ?? {};
  const maxPods = allocatable['pods'];
  if (maxPods !== undefined && others.length + 1 > Number(maxPods))
    return outOf('pods', { requested: 1n, used: BigInt(others.length), capacity: BigInt(maxPods) });
  for (const name of namesOf(pod)) {
    const requested = podRequest(pod, name);
    if (requested === 0n) continue;
    const used = others.reduce((sum, other) => sum + podRequest(other, name), 0n);
    const capacity = parseQuantity(allocatable[name] ?? '0').nanos;
    if (used + requested <= capacity) continue;
    const count = (nanos: bigint) =>
      name === 'cpu' ? BigInt(milliOf(formatQuantity({ nanos, format: 'DecimalSI' }))) : nanos / 1_000_000_000n;
    return outOf(name, { requested: count(requested), used: count(used), capacity: count(capacity) });
  }
  return undefined;
}

function outOf(name: string, { requested, used, capacity }: { requested: bigint; used: bigint; capacity: bigint }): Refusal {
  return {
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
  };
}

function namesOf(pod: PodView): Set<string> {
  const parts = [pod.spec.resources, ...allContainers(pod).map((container) => container.resources)];
  return new Set(parts.flatMap((part) => [...Object.keys(part?.requests ?? {}), ...Object.keys(part?.limits ?? {})]));
}
