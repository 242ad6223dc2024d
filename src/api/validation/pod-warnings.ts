// SPDX-License-Identifier: Apache-2.0
// Warnings about Pods and pod templates: deprecated fields, duplicates, things that will not work (upstream's pkg/api/pod/warnings.go).
import { type DeepReadonly, type FieldPath, field, findQuantity } from '../../machinery/mod.ts';
import type { Container, Pod, PodSpec, PodTemplateSpec } from '../generated/core/v1.ts';

const DEPRECATED_LABELS: readonly (readonly [string, string, string])[] = [
  ['beta.kubernetes.io/arch', 'v1.14', 'kubernetes.io/arch'],
  ['beta.kubernetes.io/os', 'v1.14', 'kubernetes.io/os'],
  ['failure-domain.beta.kubernetes.io/region', 'v1.17', 'topology.kubernetes.io/region'],
  ['failure-domain.beta.kubernetes.io/zone', 'v1.17', 'topology.kubernetes.io/zone'],
  ['beta.kubernetes.io/instance-type', 'v1.17', 'node.kubernetes.io/instance-type'],
];
const labelOf = (key: string | undefined) => DEPRECATED_LABELS.find(([name]) => name === key);
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const CRITICAL = 'scheduler.alpha.kubernetes.io/critical-pod';

const DEPRECATED_VOLUMES: readonly (readonly [string, string])[] = [
  ['gitRepo', 'gitRepo: deprecated in v1.11, and disabled by default in v1.33+'],
  ['photonPersistentDisk', 'photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+'],
  ['scaleIO', 'scaleIO: deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'flocker: deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'storageOS: deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'quobyte: deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'glusterfs: deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'cephfs: deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'rbd: deprecated in v1.28, non-functional in v1.31+'],
];

/** For PersistentVolumes, which say the same about the same sources. */
export function deprecatedSourceWarnings(source: object, path: FieldPath): string[] {
  return DEPRECATED_VOLUMES.flatMap(([name, text]) => ((source as Record<string, unknown>)[name] ? [String(path.child(text))] : []));
}

/** Warnings for a Pod that is created or changed. */
export function podWarnings(pod: DeepReadonly<Pod>, _previous: DeepReadonly<Pod> | undefined): string[] {
  return specWarnings(pod.spec, pod.metadata.annotations, field('spec'), field('metadata', 'annotations'));
}

/** Of a template in a workload. */
export function templateWarnings(template: DeepReadonly<PodTemplateSpec> | undefined, path: FieldPath): string[] {
  if (!template?.spec) return [];
  return specWarnings(template.spec, template.metadata?.annotations, path.child('spec'), path.child('metadata', 'annotations'));
}

function specWarnings(
  spec: DeepReadonly<PodSpec>,
  annotations: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
  annotationPath: FieldPath,
): string[] {
  return [
    ...placementWarnings(spec, path),
    ...annotationWarnings(annotations ?? {}, annotationPath),
    ...aliasWarnings(spec, path),
    ...volumeWarnings(spec, path),
    ...pullSecretWarnings(spec, path),
    ...containerWarnings(spec, path),
    ...overheadWarnings(spec, path),
  ];
}

function placementWarnings(spec: DeepReadonly<PodSpec>, path: FieldPath): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {}).sort()) {
    const found = labelOf(key);
    if (found) warnings.push(`${path.child('nodeSelector').key(key)}: deprecated since ${found[1]}; use "${found[2]}" instead`);
  }
  const hard = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = path.child('affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms');
  for (const [index, term] of (hard?.nodeSelectorTerms ?? []).entries()) {
    for (const [position, { key }] of (term.matchExpressions ?? []).entries()) {
      const found = labelOf(key);
      const at = terms.index(index).child('matchExpressions').index(position).child('key');
      if (found) warnings.push(`${at}: ${key} is deprecated since ${found[1]}; use "${found[2]}" instead`);
    }
  }
  for (const [index, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const at = path.child('topologySpreadConstraints').index(index);
    const found = labelOf(constraint.topologyKey);
    if (found)
      warnings.push(`${at.child('topologyKey')}: ${constraint.topologyKey} is deprecated since ${found[1]}; use "${found[2]}" instead`);
    if (!constraint.labelSelector) warnings.push(`${at.child('labelSelector')}: a null labelSelector results in matching no pod`);
  }
  return warnings;
}

function annotationWarnings(annotations: Readonly<Record<string, string>>, path: FieldPath): string[] {
  return Object.keys(annotations)
    .sort()
    .flatMap((key) => {
      if (key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER))
        return [`${path.key(key)}: non-functional in v1.27+; use the "seccompProfile" field instead`];
      if (key.startsWith(APPARMOR)) return [`${path.key(key)}: deprecated since v1.30; use the "appArmorProfile" field instead`];
      return key === CRITICAL ? [`${path.key(key)}: non-functional in v1.16+; use the "priorityClassName" field instead`] : [];
    });
}

function aliasWarnings({ hostAliases }: DeepReadonly<PodSpec>, path: FieldPath): string[] {
  const seen = new Set<string>();
  return (hostAliases ?? []).flatMap(({ ip }, index) => {
    const isRepeated = seen.has(ip);
    seen.add(ip);
    return isRepeated ? [`${path.child('hostAliases').index(index).child('ip')}: duplicate ip "${ip}"`] : [];
  });
}

function volumeWarnings({ volumes }: DeepReadonly<PodSpec>, path: FieldPath): string[] {
  return (volumes ?? []).flatMap((volume, index) => {
    const empty = volume.projected && (volume.projected.sources ?? []).every((source) => Object.keys(source).length === 0);
    return [
      ...deprecatedSourceWarnings(volume, path.child('volumes').index(index)),
      ...(empty ? [`volume "${volume.name}" (Projected) has no sources provided`] : []),
    ];
  });
}

function pullSecretWarnings({ imagePullSecrets }: DeepReadonly<PodSpec>, path: FieldPath): string[] {
  const seen = new Set<string>();
  return (imagePullSecrets ?? []).flatMap(({ name }, index) => {
    const at = path.child('imagePullSecrets').index(index).child('name');
    if (!name) return [`${at}: invalid empty name ""`];
    const isRepeated = seen.has(name);
    seen.add(name);
    return isRepeated ? [`${at}: duplicate name "${name}"`] : [];
  });
}

function containerWarnings(spec: DeepReadonly<PodSpec>, path: FieldPath): string[] {
  const warnings: string[] = [];
  const ports = new Map<string, string>();
  const visit = (containers: readonly DeepReadonly<Container>[] | undefined, at: FieldPath) => {
    for (const [index, container] of (containers ?? []).entries()) {
      const own = at.index(index);
      warnings.push(...fractionWarnings(container.resources?.limits, own.child('resources', 'limits')));
      warnings.push(...fractionWarnings(container.resources?.requests, own.child('resources', 'requests')));
      warnings.push(...envWarnings(container, own.child('env')));
      for (const [position, port] of (container.ports ?? []).entries()) {
        const here = String(own.child('ports').index(position));
        const key = `${port.protocol ?? 'TCP'}/${port.containerPort}/${port.hostPort ?? 0}/${port.hostIP ?? ''}`;
        const before = ports.get(key);
        if (before !== undefined) warnings.push(`${here}: duplicate port definition with ${before}`);
        else ports.set(key, here);
      }
    }
  };
  visit(spec.initContainers, path.child('initContainers'));
  visit(spec.containers, path.child('containers'));
  return warnings;
}

function fractionWarnings(list: Readonly<Record<string, string>> | undefined, path: FieldPath): string[] {
  const value = list?.['memory'];
  const quantity = value === undefined ? undefined : findQuantity(String(value));
  if (quantity === undefined || quantity.nanos % 1_000_000_000n === 0n) return [];
  return [`${path.key('memory')}: fractional byte value "${value}" is invalid, must be an integer`];
}

function envWarnings({ env }: DeepReadonly<Container>, path: FieldPath): string[] {
  const seen = new Map<string, string>();
  return (env ?? []).flatMap(({ name, value }, index) => {
    const before = seen.get(name);
    seen.set(name, value ?? '');
    // A later variable that builds on the former one is meant.
    if (before === undefined || value?.includes(`$(${name})`)) return [];
    return [`${path.index(index)}: hides previous definition of "${name}", which may be dropped when using apply`];
  });
}

function overheadWarnings({ overhead }: DeepReadonly<PodSpec>, path: FieldPath): string[] {
  return fractionWarnings(overhead, path.child('overhead'));
}
