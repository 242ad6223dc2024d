// SPDX-License-Identifier: Apache-2.0
// What the node of a bound Pod has to say about a change: PodResizeValidator refuses sizes that the node has no room for whatever runs
// there, NodeDeclaredFeatureValidator changes that need a feature which the node does not declare.
// @source upstream plugin/pkg/admission/{podresize,nodedeclaredfeatures}, component-helpers nodedeclaredfeatures/features/inplacepodresize
import { nodes, podRequests } from '#api';
import type { Node, Pod } from '#api/core/v1';
import { ApiError, compareQuantity, type DeepReadonly, milliOf, parseQuantity, semanticEqual, unitsOf } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';

type ReadPod = DeepReadonly<Pod>;

const OS = 'kubernetes.io/os';

interface Change {
  readonly pod: ReadPod;
  readonly previous: ReadPod;
}

/** A change of the spec of a Pod that is on a node; other changes concern no node. */
function boundChange(request: AdmissionRequest): Change | undefined {
  const [pod, previous] = [request.object as unknown as ReadPod, request.oldObject as unknown as ReadPod];
  if (!pod.spec.nodeName || pod.metadata.generation === previous.metadata.generation) return undefined;
  return { pod, previous };
}

/** @throws {ApiError} 403 if it is gone. */
function nodeOf(request: AdmissionRequest, { spec: { nodeName = '' } }: ReadPod, { reader }: AdmissionDeps): DeepReadonly<Node> {
  const node = reader.find(nodes, { name: nodeName });
  if (node === undefined) throw refusal(request, `node ${JSON.stringify(nodeName)} not found`);
  return node;
}

function withCause(error: ApiError, reason: string): ApiError {
  const { status } = error;
  return new ApiError({ ...status, details: { ...status.details, causes: [{ reason }] } });
}

/** What is asked beyond all that the node could ever give. */
function shortages({ spec }: ReadPod, { status }: DeepReadonly<Node>): string[] {
  const { cpu: cpuAsked = '0', memory: memoryAsked = '0' } = podRequests(spec);
  const { cpu = '0', memory = '0' } = status?.allocatable ?? {};
  const compared = [
    { name: 'cpu', requested: milliOf(cpuAsked), allocatable: milliOf(cpu) },
    { name: 'memory', requested: unitsOf(memoryAsked), allocatable: unitsOf(memory) },
  ];
  return compared
    .filter(({ requested, allocatable }) => requested > allocatable)
    .map(({ name, requested, allocatable }) => `${name}, requested: ${requested}, allocatable: ${allocatable}`);
}

export const podResizeValidator: AdmissionPlugin = {
  name: 'PodResizeValidator',
  handles: (request) => isFor(request, 'pods/resize') && isOperation(request, 'UPDATE'),
  validate(request, deps) {
    const change = boundChange(request);
    if (change === undefined) return;
    const node = nodeOf(request, change.pod, deps);
    const lacking = shortages(change.pod, node);
    if (lacking.length > 0)
      throw withCause(refusal(request, `Node didn't have enough allocatable resources: ${lacking.join('; ')}`), 'NodeCapacity');
    const system = node.metadata.labels?.[OS] ?? '';
    if (system === 'linux') return;
    const why = `pod resize is only supported on linux nodes, node ${JSON.stringify(node.metadata.name)} is ${JSON.stringify(system)}`;
    throw withCause(refusal(request, why), 'UnsupportedPlatform');
  },
};

/** By name of the feature, whether a change needs it. In order of the names. */
const NEEDS: Readonly<Record<string, (change: Change) => boolean>> = {
  GuaranteedQoSPodCPUResize: ({ pod, previous }) =>
    previous.status?.qosClass === 'Guaranteed' &&
    previous.spec.containers.some((container, index) => !isSameCpu(container, pod.spec.containers[index])),
  InPlacePodLevelResourcesVerticalScaling: ({ pod, previous }) => !semanticEqual(pod.spec.resources, previous.spec.resources),
};

type Container = ReadPod['spec']['containers'][number];

function isSameCpu(one: Container, other: Container | undefined): boolean {
  const cpuOf = (container: Container | undefined) => parseQuantity(container?.resources?.requests?.['cpu'] ?? '0');
  return compareQuantity(cpuOf(one), cpuOf(other)) === 0;
}

export const nodeDeclaredFeatureValidator: AdmissionPlugin = {
  name: 'NodeDeclaredFeatureValidator',
  handles: (request) => (isFor(request, 'pods') || isFor(request, 'pods/resize')) && isOperation(request, 'UPDATE'),
  validate(request, deps) {
    const change = boundChange(request);
    if (change === undefined) return;
    const needed = Object.entries(NEEDS).flatMap(([feature, needs]) => (needs(change) ? [feature] : []));
    if (needed.length === 0) return;
    const node = nodeOf(request, change.pod, deps);
    const missing = needed.filter((feature) => node.status?.declaredFeatures?.includes(feature) !== true);
    if (missing.length === 0) return;
    const name = JSON.stringify(node.metadata.name);
    throw refusal(request, `pod update requires features ${missing.join(', ')} which are not available on node ${name}`);
  },
};
