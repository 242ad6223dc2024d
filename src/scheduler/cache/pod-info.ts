// SPDX-License-Identifier: Apache-2.0
// A Pod with everything scheduling asks of it, worked out once: requests, selectors, affinity terms, ports.

import type { Pod, PodAffinityTerm, Toleration } from '#api/core/v1';
import { compileTerm, type NodeMatcher, requiredNodes } from '#api/node-selection';
import { type DeepReadonly, keyOf, type Selector, selectorOf, timeMs } from '#machinery';
import { nonZeroRequests, plainRequests, podRequests, type Resources } from './resources.ts';

type Labels = Readonly<Record<string, string>>;

export interface AffinityTerm {
  /** Namespaces by name; together with those that the selector takes. */
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: Selector | undefined;
  readonly selector: Selector;
  readonly topologyKey: string;
}

export interface WeightedTerm extends AffinityTerm {
  readonly weight: number;
}

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

export interface PodInfo {
  readonly pod: DeepReadonly<Pod>;
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly priority: number;
  readonly createdAt: number;
  readonly requests: Resources;
  /** With defaults for containers that ask for nothing. */
  readonly nonZero: { readonly milliCpu: number; readonly memory: number };
  readonly hostPorts: readonly HostPort[];
  readonly tolerations: readonly DeepReadonly<Toleration>[];
  /** By `nodeSelector` and required node affinity. */
  readonly requiredNodes: NodeMatcher | undefined;
  /** The one node every required term names by field, as DaemonSets do. */
  readonly onlyNode: ReadonlySet<string> | undefined;
  readonly preferredNodes: readonly { readonly weight: number; readonly matches: NodeMatcher }[];
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly WeightedTerm[];
  readonly preferredAntiAffinity: readonly WeightedTerm[];
  readonly images: readonly string[];
}

export function podInfoOf(pod: DeepReadonly<Pod>): PodInfo {
  const { metadata, spec } = pod;
  const { affinity } = spec;
  const namespace = metadata.namespace ?? '';
  const labels = metadata.labels ?? {};
  const nonZero = podRequests(pod, nonZeroRequests);
  const terms = (list: readonly DeepReadonly<PodAffinityTerm>[] | undefined) =>
    (list ?? []).map((term) => affinityTerm(term, namespace, labels));
  const weighted = (list: readonly { readonly weight: number; readonly podAffinityTerm: DeepReadonly<PodAffinityTerm> }[] | undefined) =>
    (list ?? []).map(({ weight, podAffinityTerm }) => ({ weight, ...affinityTerm(podAffinityTerm, namespace, labels) }));
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return {
    pod,
    key: keyOf(metadata),
    uid: metadata.uid,
    namespace,
    labels,
    priority: spec.priority ?? 0,
    createdAt: timeMs(metadata.creationTimestamp) || 0,
    requests: podRequests(pod, plainRequests),
    nonZero: { milliCpu: nonZero.milliCpu, memory: nonZero.memory },
    hostPorts: hostPortsOf(pod),
    tolerations: spec.tolerations ?? [],
    requiredNodes: requiredNodes(spec),
    onlyNode: required === undefined ? undefined : namedNodes(required),
    preferredNodes: (affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ weight, preference }) => ({
      weight,
      matches: compileTerm(preference),
    })),
    affinity: terms(affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    antiAffinity: terms(affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution),
    preferredAffinity: weighted(affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    preferredAntiAffinity: weighted(affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution),
    images: [...(spec.initContainers ?? []), ...spec.containers].map(({ image }) => normalizedImage(image ?? '')),
  };
}

function affinityTerm(term: DeepReadonly<PodAffinityTerm>, namespace: string, labels: Labels): AffinityTerm {
  const names = term.namespaces ?? [];
  const own = names.length === 0 && term.namespaceSelector === undefined ? [namespace] : names;
  const same = (term.matchLabelKeys ?? []).filter((key) => labels[key] !== undefined);
  const other = (term.mismatchLabelKeys ?? []).filter((key) => labels[key] !== undefined);
  const extra = [
    ...same.map((key) => ({ key, operator: 'In', values: [labels[key] ?? ''] })),
    ...other.map((key) => ({ key, operator: 'NotIn', values: [labels[key] ?? ''] })),
  ];
  // The server has merged the keys into the selector already; doing it again changes nothing.
  const merged =
    term.labelSelector === undefined || extra.length === 0
      ? term.labelSelector
      : { ...term.labelSelector, matchExpressions: [...(term.labelSelector.matchExpressions ?? []), ...extra] };
  return {
    namespaces: new Set(own),
    namespaceSelector:
      term.namespaceSelector === undefined ? undefined : selectorOf(term.namespaceSelector as Parameters<typeof selectorOf>[0]),
    selector: selectorOf(merged as Parameters<typeof selectorOf>[0]),
    topologyKey: term.topologyKey,
  };
}

function namedNodes(
  terms: NonNullable<
    NonNullable<NonNullable<DeepReadonly<Pod>['spec']['affinity']>['nodeAffinity']>['requiredDuringSchedulingIgnoredDuringExecution']
  >['nodeSelectorTerms'],
): ReadonlySet<string> | undefined {
  const names = new Set<string>();
  for (const { matchFields = [] } of terms) {
    const field = matchFields.find(({ key, operator }) => key === 'metadata.name' && operator === 'In');
    if (field === undefined) return undefined;
    for (const name of field.values ?? []) names.add(name);
  }
  return names;
}

function hostPortsOf({ spec }: DeepReadonly<Pod>): HostPort[] {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const found = [...spec.containers, ...sidecars].flatMap(({ ports = [] }) => ports.filter(({ hostPort }) => hostPort));
  return found.map(({ hostPort = 0, protocol = 'TCP', hostIP }) => ({ ip: hostIP || '0.0.0.0', protocol, port: hostPort }));
}

/** The name with a tag, as nodes report it. */
export function normalizedImage(name: string): string {
  return name.lastIndexOf(':') <= name.lastIndexOf('/') ? `${name}:latest` : name;
}
