// SPDX-License-Identifier: Apache-2.0
// Warnings about Pods and pod templates: deprecated fields, duplicates, things that will not work (upstream's pkg/api/pod/warnings.go).
import { checkDns1123Label, checkLabelValue, type DeepReadonly, type FieldPath, field, findQuantity, quote } from '../../machinery/mod.ts';
import type { Container, NodeSelectorTerm, PersistentVolumeClaimSpec, Pod, PodSpec, PodTemplateSpec } from '../generated/core/v1.ts';
import { ipWarnings } from './ip-warnings.ts';
import { overlapWarnings } from './pod-overlap-warnings.ts';

/** Labels of nodes that are not what they were. */
export const DEPRECATED_LABELS: Readonly<Record<string, string>> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
};
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const APPARMOR_INSTEAD = 'deprecated since v1.30; use the "appArmorProfile" field instead';

const DEPRECATED_VOLUMES: readonly (readonly [string, string])[] = [
  ['photonPersistentDisk', 'photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'gitRepo: deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'scaleIO: deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'flocker: deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'storageOS: deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'quobyte: deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs: deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'cephfs: deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'rbd: deprecated in v1.28, non-functional in v1.31+'],
];

/** For PersistentVolumes, which say the same about the same sources. @param names Those to speak of. */
export function deprecatedSourceWarnings(source: object, path: FieldPath, names?: ReadonlySet<string>): string[] {
  return DEPRECATED_VOLUMES.flatMap(([name, text]) =>
    (source as Record<string, unknown>)[name] && names?.has(name) !== false ? [String(path.child(text))] : [],
  );
}

type Spec = DeepReadonly<PodSpec>;
type Annotations = Readonly<Record<string, string>>;
type Box = DeepReadonly<Container>;
const CONTAINER_LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Warnings for a new Pod. Changes are those of controllers, who read none. */
export function podWarnings(pod: DeepReadonly<Pod>, previous: DeepReadonly<Pod> | undefined): string[] {
  if (previous !== undefined) return [];
  const name = nameWarnings(pod.metadata.name, `the Pod's hostname`);
  const annotations = pod.metadata.annotations ?? {};
  // Those of AppArmor are said where the annotation becomes the field.
  return [...name, ...specWarnings(pod.spec, annotations, field('spec'), field('metadata', 'annotations'), false)];
}

/** Of a template in a workload. */
export function templateWarnings(template: DeepReadonly<PodTemplateSpec> | undefined, path: FieldPath): string[] {
  if (!template?.spec) return [];
  const annotations = template.metadata?.annotations ?? {};
  return specWarnings(template.spec, annotations, path.child('spec'), path.child('metadata', 'annotations'), true);
}

/** Names that make host names should be able to. */
export function nameWarnings(name: string | undefined, use: string): string[] {
  const problems = checkDns1123Label(name ?? '');
  if (!name || problems.length === 0) return [];
  return [
    `metadata.name: this is used in ${use}, which can result in surprising behavior; a DNS label is recommended: [${problems.join(' ')}]`,
  ];
}

/** All containers with their places, in upstream's order. */
function* visit(spec: Spec, path: FieldPath): Generator<readonly [Box, FieldPath]> {
  for (const list of CONTAINER_LISTS) {
    for (const [index, container] of (spec[list] ?? []).entries()) yield [container as Box, path.child(list).index(index)];
  }
}

function specWarnings(spec: Spec, annotations: Annotations, path: FieldPath, annotationPath: FieldPath, isTemplate: boolean): string[] {
  return [
    ...placementWarnings(spec, path),
    ...annotationWarnings(annotations, annotationPath),
    ...volumeWarnings(spec, path.child('volumes')),
    ...aliasWarnings(spec, path),
    ...pullSecretWarnings(spec, path),
    ...fractionWarnings(spec.overhead, path.child('overhead'), SIZES),
    ...podSeccompWarnings(spec, annotations, annotationPath),
    ...[...visit(spec, path)].flatMap(([container, at]) => [
      ...containerSeccompWarnings(container, annotations, annotationPath),
      ...(isTemplate ? appArmorWarnings(container, spec, annotations, annotationPath) : []),
      ...containerWarnings(container, at),
    ]),
    ...portWarnings(spec, path),
    ...portNameWarnings(spec, path),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [`${path.child('terminationGracePeriodSeconds')}: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...podAffinityWarnings(spec, path.child('affinity')),
    ...addressWarnings(spec, path),
  ];
}

const DEPRECATED_ANNOTATIONS: readonly (readonly [key: string, text: string])[] = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
];

function annotationWarnings(annotations: Annotations, path: FieldPath): string[] {
  return DEPRECATED_ANNOTATIONS.flatMap(([key, text]) => (key in annotations ? [`${path.key(key)}: ${text}`] : []));
}

function addressWarnings({ dnsConfig, hostAliases }: Spec, path: FieldPath): string[] {
  const servers = (dnsConfig?.nameservers ?? []).flatMap((server, index) =>
    ipWarnings(server, path.child('dnsConfig', 'nameservers').index(index)),
  );
  return [
    ...servers,
    ...(hostAliases ?? []).flatMap(({ ip }, index) => ipWarnings(ip, path.child('hostAliases').index(index).child('ip'))),
  ];
}

/** @param hasLabels Whether values that no label may have are told: those of preferences are not refused. */
export function termWarnings(term: DeepReadonly<NodeSelectorTerm>, path: FieldPath, hasLabels = false): string[] {
  return (term.matchExpressions ?? []).flatMap(({ key, values }, index) => {
    const at = path.child('matchExpressions').index(index);
    const found = DEPRECATED_LABELS[key];
    const warnings = found ? [`${at.child('key')}: ${key} is ${found}`] : [];
    const wrong = (hasLabels ? (values ?? []) : []).flatMap((value, position) =>
      checkLabelValue(value).map((problem) => `${at.child('values').index(position)}: ${value} is invalid, ${problem}`),
    );
    return [...warnings, ...wrong];
  });
}

function placementWarnings(spec: Spec, path: FieldPath): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {}).sort()) {
    const found = DEPRECATED_LABELS[key];
    if (found) warnings.push(`${path.child('nodeSelector').key(key)}: ${found}`);
  }
  const [hard, soft] = ['requiredDuringSchedulingIgnoredDuringExecution', 'preferredDuringSchedulingIgnoredDuringExecution'] as const;
  const node = path.child('affinity', 'nodeAffinity');
  for (const [index, term] of (spec.affinity?.nodeAffinity?.[hard]?.nodeSelectorTerms ?? []).entries())
    warnings.push(...termWarnings(term, node.child(hard, 'nodeSelectorTerms').index(index)));
  for (const [index, { preference }] of (spec.affinity?.nodeAffinity?.[soft] ?? []).entries())
    warnings.push(...termWarnings(preference ?? {}, node.child(soft).index(index).child('preference'), true));
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const at = path.child('topologySpreadConstraints').index(index);
    const found = DEPRECATED_LABELS[constraint.topologyKey];
    if (found) warnings.push(`${at.child('topologyKey')}: ${constraint.topologyKey} is ${found}`);
    if (!constraint.labelSelector) warnings.push(`${at.child('labelSelector')}: ${MATCHES_NOTHING}`);
  }
  return warnings;
}

const MATCHES_NOTHING = 'a null labelSelector results in matching no pod';

function podAffinityWarnings({ affinity }: Spec, path: FieldPath): string[] {
  const warnings: string[] = [];
  const note = (term: { readonly labelSelector?: unknown } | undefined, at: FieldPath) => {
    if (!term?.labelSelector) warnings.push(`${at.child('labelSelector')}: ${MATCHES_NOTHING}`);
  };
  const [hard, soft] = ['requiredDuringSchedulingIgnoredDuringExecution', 'preferredDuringSchedulingIgnoredDuringExecution'] as const;
  for (const name of ['podAffinity', 'podAntiAffinity'] as const) {
    for (const [index, term] of (affinity?.[name]?.[hard] ?? []).entries()) note(term, path.child(name, hard).index(index));
    for (const [index, { podAffinityTerm }] of (affinity?.[name]?.[soft] ?? []).entries())
      note(podAffinityTerm, path.child(name, soft).index(index).child('podAffinityTerm'));
  }
  return warnings;
}

function podSeccompWarnings(spec: Spec, annotations: Annotations, path: FieldPath): string[] {
  if (!(SECCOMP_POD in annotations) || spec.securityContext?.seccompProfile) return [];
  return [`${path.key(SECCOMP_POD)}: non-functional in v1.27+; use the "seccompProfile" field instead`];
}

function containerSeccompWarnings(container: Box, annotations: Annotations, path: FieldPath): string[] {
  const key = `${SECCOMP_CONTAINER}${container.name}`;
  if (!(key in annotations) || container.securityContext?.seccompProfile) return [];
  return [`${path.key(key)}: non-functional in v1.27+; use the "seccompProfile" field instead`];
}

function appArmorWarnings(container: Box, spec: Spec, annotations: Annotations, path: FieldPath): string[] {
  const key = `${APPARMOR}${container.name}`;
  if (!(key in annotations) || spec.securityContext?.appArmorProfile || container.securityContext?.appArmorProfile) return [];
  return [`${path.key(key)}: ${APPARMOR_INSTEAD}`];
}

function aliasWarnings({ hostAliases }: Spec, path: FieldPath): string[] {
  const seen = new Set<string>();
  return (hostAliases ?? []).flatMap(({ ip }, index) => {
    const isRepeated = seen.has(ip);
    seen.add(ip);
    return isRepeated ? [`${path.child('hostAliases').index(index).child('ip')}: duplicate ip "${ip}"`] : [];
  });
}

function volumeWarnings({ volumes }: Spec, path: FieldPath): string[] {
  if (!volumes) return [];
  const own = volumes.flatMap((volume, index) => {
    const at = path.index(index);
    const template = volume.ephemeral?.volumeClaimTemplate;
    return [
      ...deprecatedSourceWarnings(volume, at),
      ...(template ? claimSpecWarnings(template.spec, at.child('ephemeral', 'volumeClaimTemplate', 'spec')) : []),
    ];
  });
  return [...own, ...overlapWarnings(volumes)];
}

function pullSecretWarnings({ imagePullSecrets }: Spec, path: FieldPath): string[] {
  const seen = new Set<string | undefined>();
  const list = imagePullSecrets ?? [];
  const at = (index: number) => path.child('imagePullSecrets').index(index).child('name');
  const repeated = list.flatMap(({ name }, index) => {
    const isRepeated = seen.has(name ?? '');
    seen.add(name ?? '');
    return isRepeated ? [`${at(index)}: duplicate name "${name ?? ''}"`] : [];
  });
  return [...repeated, ...list.flatMap(({ name }, index) => (name ? [] : [`${at(index)}: invalid empty name ""`]))];
}

const SIZES = ['memory', 'ephemeral-storage'];

function containerWarnings(container: Box, path: FieldPath): string[] {
  const { limits, requests } = container.resources ?? {};
  const at = path.child('resources');
  const sizes = SIZES.flatMap((name) => [
    ...fractionWarnings(limits, at.child('limits'), [name]),
    ...fractionWarnings(requests, at.child('requests'), [name]),
  ]);
  return [...sizes, ...envWarnings(container, path.child('env'))];
}

interface Place {
  readonly at: string;
  readonly hostIP: string;
  readonly hostPort: number;
}

/** Ports that several containers, or one of them twice, open. */
function portWarnings(spec: Spec, path: FieldPath): string[] {
  const warnings: string[] = [];
  const all = new Map<string, Place[]>();
  for (const [container, own] of visit(spec, path)) {
    for (const [index, port] of (container.ports ?? []).entries()) {
      const { name = '', hostIP = '', hostPort = 0, containerPort, protocol = '' } = port;
      const place = { at: String(own.child('ports').index(index)), hostIP, hostPort };
      if (hostIP !== '' && hostPort === 0) {
        const shown = `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
        warnings.push(`${place.at}: hostIP set without hostPort: ${shown}`);
      }
      const key = `${containerPort}/${protocol}`;
      const others = all.get(key) ?? [];
      for (const other of others) {
        const how = overlapOf(place, other);
        if (how !== undefined) warnings.push(`${place.at}: ${how} port definition with ${other.at}`);
      }
      all.set(key, [...others, place]);
    }
  }
  return warnings;
}

/** Names of ports that several containers have, or one of them twice. */
function portNameWarnings(spec: Spec, path: FieldPath): string[] {
  const first = new Map<string, string>();
  return [...visit(spec, path)].flatMap(([{ ports }, own]) =>
    (ports ?? []).flatMap(({ name }, index) => {
      if (!name) return [];
      const at = String(own.child('ports').index(index));
      const other = first.get(name);
      if (other !== undefined)
        return [`${at}: duplicate port name ${quote(name)} with ${other}, services and probes that select ports by name will use ${other}`];
      first.set(name, at);
      return [];
    }),
  );
}

function overlapOf(a: Place, b: Place): string | undefined {
  if (a.hostIP === b.hostIP && a.hostPort === b.hostPort) return 'duplicate';
  if (a.hostPort === 0 || b.hostPort === 0) return 'overlapping';
  return a.hostPort === b.hostPort && (a.hostIP === '') !== (b.hostIP === '') ? 'dangerously ambiguous' : undefined;
}

function fractionWarnings(list: Annotations | undefined, path: FieldPath, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = list?.[name];
    const quantity = value === undefined ? undefined : findQuantity(String(value));
    if (quantity === undefined || quantity.nanos % 1_000_000_000n === 0n) return [];
    return [`${path.key(name)}: fractional byte value "${value}" is invalid, must be an integer`];
  });
}

/** Of a PersistentVolumeClaim, also in templates. */
export function claimSpecWarnings(spec: DeepReadonly<PersistentVolumeClaimSpec> | undefined, path: FieldPath): string[] {
  const at = path.child('resources');
  const { requests, limits } = spec?.resources ?? {};
  return [...fractionWarnings(requests, at.child('requests'), ['storage']), ...fractionWarnings(limits, at.child('limits'), ['storage'])];
}

function envWarnings({ env }: Box, path: FieldPath): string[] {
  const seen = new Set<string>();
  return (env ?? []).flatMap(({ name, value = '', valueFrom }, index) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    // A later variable that builds on the former one is meant.
    const reference = `$(${name})`;
    if (!valueFrom && value !== reference && value.includes(reference)) return [];
    return [`${path.index(index)}: hides previous definition of "${name}", which may be dropped when using apply`];
  });
}
