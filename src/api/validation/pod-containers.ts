// SPDX-License-Identifier: Apache-2.0
// Validation of containers of all three kinds: names, images, ports, environment, mounts, devices, and what each kind may have.
import {
  checkDns1123Label,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { Container, EnvVar, EphemeralContainer, PodSpec, Volume } from '../generated/core/v1.ts';
import { lifecycleCauses, readinessProbeCauses, restartingProbeCauses } from './pod-probes.ts';
import { containerResourceCauses } from './pod-resources.ts';
import { securityContextCauses } from './pod-security-context.ts';
import { RESOURCE_FIELDS } from './pod-volumes.ts';
import { backstepCauses, configKeyProblems, enumCauses, portCauses, portNameProblems, problems, relativePathCauses } from './rules.ts';

type Box = DeepReadonly<Container>;
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const ENV_RULE = `a valid environment variable name must consist only of printable ASCII characters other than '='`;
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

/** What of the Pod the rules of a container look at. */
export interface ContainerScope {
  readonly volumes: ReadonlyMap<string, DeepReadonly<Volume>>;
  readonly claims: ReadonlySet<string>;
  readonly graceSeconds: number | undefined;
  readonly hostUsers: boolean;
  readonly hostNetwork: boolean;
}

export function scopeOf(spec: DeepReadonly<PodSpec>): ContainerScope {
  return {
    volumes: new Map((spec.volumes ?? []).map((volume) => [volume.name, volume])),
    claims: new Set((spec.resourceClaims ?? []).map(({ name }) => name)),
    graceSeconds: spec.terminationGracePeriodSeconds,
    hostUsers: spec.hostUsers !== false,
    hostNetwork: spec.hostNetwork === true,
  };
}

function commonCauses(container: Box, path: FieldPath, scope: ContainerScope): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!container.name) causes.push(required(path.child('name')));
  else causes.push(...problems(checkDns1123Label(container.name), path.child('name'), container.name));
  const image = container.image ?? '';
  if (image.trim() === '') causes.push(required(path.child('image')));
  else if (image !== image.trim()) causes.push(invalidValue(path.child('image'), image, 'must not have leading or trailing whitespace'));
  causes.push(
    ...enumCauses(container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError'], path.child('terminationMessagePolicy'), true),
  );
  causes.push(...portListCauses(container, path.child('ports'), scope));
  causes.push(...envCauses(container.env, path.child('env')), ...envFromCauses(container, path.child('envFrom')));
  causes.push(...mountCauses(container, path.child('volumeMounts'), scope), ...deviceCauses(container, path.child('volumeDevices'), scope));
  causes.push(...enumCauses(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], path.child('imagePullPolicy'), true));
  causes.push(...containerResourceCauses(container.resources, path.child('resources'), scope.claims));
  causes.push(...resizePolicyCauses(container, path.child('resizePolicy')));
  causes.push(...securityContextCauses(container.securityContext, path.child('securityContext'), scope.hostUsers));
  return causes;
}

function portListCauses(container: Box, path: FieldPath, { hostNetwork }: ContainerScope): FieldCause[] {
  const causes: FieldCause[] = [];
  const names = new Set<string>();
  for (const [index, port] of (container.ports ?? []).entries()) {
    const at = path.index(index);
    if (port.name) {
      const wrong = portNameProblems(port.name);
      if (wrong.length > 0) causes.push(...problems(wrong, at.child('name'), port.name));
      else if (names.has(port.name)) causes.push(duplicateValue(at.child('name'), port.name));
      else names.add(port.name);
    }
    if (!port.containerPort) causes.push(required(at.child('containerPort')));
    else causes.push(...portCauses(port.containerPort, at.child('containerPort')));
    if (port.hostPort) {
      causes.push(...portCauses(port.hostPort, at.child('hostPort')));
      if (hostNetwork && port.hostPort !== port.containerPort) {
        causes.push(invalidValue(at.child('hostPort'), port.hostPort, 'must match `containerPort` when `hostNetwork` is true'));
      }
    }
    if (!port.protocol) causes.push(required(at.child('protocol')));
    else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(at.child('protocol'), port.protocol, PROTOCOLS));
  }
  return causes;
}

const isEnvName = (name: string) => /^[\x20-\x3c\x3e-\x7e]+$/.test(name);

function envCauses(env: readonly DeepReadonly<EnvVar>[] | undefined, path: FieldPath): FieldCause[] {
  return (env ?? []).flatMap((variable, index) => {
    const at = path.index(index);
    const causes: FieldCause[] = [];
    if (!variable.name) causes.push(required(at.child('name')));
    else if (!isEnvName(variable.name)) causes.push(invalidValue(at.child('name'), variable.name, ENV_RULE));
    return [...causes, ...valueFromCauses(variable, at.child('valueFrom'))];
  });
}

function valueFromCauses({ value, valueFrom }: DeepReadonly<EnvVar>, path: FieldPath): FieldCause[] {
  if (!valueFrom) return [];
  const causes: FieldCause[] = [];
  let count = 0;
  if (valueFrom.fieldRef) {
    count += 1;
    causes.push(...envFieldCauses(valueFrom.fieldRef, path.child('fieldRef')));
  }
  if (valueFrom.resourceFieldRef) {
    count += 1;
    const { resource } = valueFrom.resourceFieldRef;
    const at = path.child('resourceFieldRef', 'resource');
    if (!resource) causes.push(required(at));
    else if (!RESOURCE_FIELDS.includes(resource) && !/^(limits|requests)\.hugepages-/.test(resource))
      causes.push(notSupported(at, resource, RESOURCE_FIELDS));
  }
  for (const name of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = valueFrom[name];
    if (!ref) continue;
    count += 1;
    if (!ref.name) causes.push(required(path.child(name, 'name')));
    if (!ref.key) causes.push(required(path.child(name, 'key')));
    else causes.push(...problems(configKeyProblems(ref.key), path.child(name, 'key'), ref.key));
  }
  if (valueFrom.fileKeyRef) count += 1;
  if (count === 0) {
    const one = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
    causes.push(invalidValue(path, '', one));
  } else if (value) {
    causes.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  } else if (count > 1) {
    causes.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  }
  return causes;
}

function envFieldCauses(ref: { readonly apiVersion?: string; readonly fieldPath: string }, path: FieldPath): FieldCause[] {
  if (!ref.apiVersion) return [required(path.child('apiVersion'))];
  if (!ref.fieldPath) return [required(path.child('fieldPath'))];
  if (/^metadata\.(labels|annotations)\['.+'\]$/.test(ref.fieldPath)) return [];
  if (!/^(metadata|spec|status)\./.test(ref.fieldPath)) {
    return [
      invalidValue(path.child('fieldPath'), ref.fieldPath, `error converting fieldPath: field label not supported: ${ref.fieldPath}`),
    ];
  }
  return ENV_FIELDS.includes(ref.fieldPath) ? [] : [notSupported(path.child('fieldPath'), ref.fieldPath, ENV_FIELDS)];
}

function envFromCauses({ envFrom }: Box, path: FieldPath): FieldCause[] {
  return (envFrom ?? []).flatMap((source, index) => {
    const at = path.index(index);
    const causes: FieldCause[] = [];
    if (source.prefix && !isEnvName(source.prefix)) causes.push(invalidValue(at.child('prefix'), source.prefix, ENV_RULE));
    let count = 0;
    for (const name of ['configMapRef', 'secretRef'] as const) {
      if (!source[name]) continue;
      count += 1;
      if (!source[name].name) causes.push(required(at.child(name, 'name')));
    }
    if (count === 0) causes.push(invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (count > 1) causes.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
    return causes;
  });
}

function mountCauses(container: Box, path: FieldPath, { volumes }: ContainerScope): FieldCause[] {
  const causes: FieldCause[] = [];
  const seen = new Set<string>();
  const devices = new Set((container.volumeDevices ?? []).map(({ name }) => name));
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = path.index(index);
    if (!mount.name) causes.push(required(at.child('name')));
    else if (!volumes.has(mount.name)) causes.push(notFoundValue(at.child('name'), mount.name));
    if (!mount.mountPath) causes.push(required(at.child('mountPath')));
    if (seen.has(mount.mountPath)) causes.push(invalidValue(at.child('mountPath'), mount.mountPath, 'must be unique'));
    seen.add(mount.mountPath);
    if (devices.has(mount.name)) causes.push(invalidValue(at.child('name'), mount.name, 'must not already exist in volumeDevices'));
    if (mount.subPath) causes.push(...relativePathCauses(mount.subPath, path.child('subPath')));
    if (mount.subPathExpr) {
      if (mount.subPath)
        causes.push(invalidValue(at.child('subPathExpr'), mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
      causes.push(...relativePathCauses(mount.subPathExpr, path.child('subPathExpr')));
    }
    if (mount.mountPropagation !== undefined) {
      causes.push(...enumCauses(mount.mountPropagation, ['Bidirectional', 'HostToContainer', 'None'], path.child('mountPropagation')));
      if (mount.mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
        causes.push(
          forbiddenField(path.child('mountPropagation'), 'Bidirectional mount propagation is available only to privileged containers'),
        );
      }
    }
    causes.push(...recursiveCauses(mount, path.child('recursiveReadOnly')));
  }
  return causes;
}

function recursiveCauses(mount: NonNullable<Box['volumeMounts']>[number], path: FieldPath): FieldCause[] {
  const value = mount.recursiveReadOnly;
  if (value === undefined || value === null) return [];
  if (value === 'Disabled') return [];
  if (value !== 'Enabled' && value !== 'IfPossible') return [notSupported(path, value, ['Disabled', 'Enabled', 'IfPossible'])];
  const causes: FieldCause[] = [];
  if (mount.readOnly !== true) causes.push(forbiddenField(path, 'may only be specified when readOnly is true'));
  if (mount.mountPropagation !== undefined && mount.mountPropagation !== 'None') {
    causes.push(forbiddenField(path, 'may only be specified when mountPropagation is None or not specified'));
  }
  return causes;
}

function deviceCauses(container: Box, path: FieldPath, { volumes }: ContainerScope): FieldCause[] {
  const causes: FieldCause[] = [];
  const [names, paths] = [new Set<string>(), new Set<string>()];
  for (const [index, device] of (container.volumeDevices ?? []).entries()) {
    const at = path.index(index);
    const volume = volumes.get(device.name);
    if (!device.name) causes.push(required(at.child('name')));
    if (names.has(device.name)) causes.push(invalidValue(at.child('name'), device.name, 'must be unique'));
    if (volume !== undefined && !volume.persistentVolumeClaim && !volume.ephemeral) {
      causes.push(
        invalidValue(at.child('name'), device.name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'),
      );
    }
    if (volume === undefined) causes.push(notFoundValue(at.child('name'), device.name));
    if (!device.devicePath) causes.push(required(at.child('devicePath')));
    if (paths.has(device.devicePath)) causes.push(invalidValue(at.child('devicePath'), device.devicePath, 'must be unique'));
    if (backstepCauses(device.devicePath ?? '', at).length > 0) {
      causes.push(invalidValue(at.child('devicePath'), device.devicePath, `can not contain backsteps ('..')`));
    }
    if (container.volumeMounts?.some(({ name }) => name === device.name)) {
      causes.push(invalidValue(at.child('name'), device.name, 'must not already exist in volumeMounts'));
    }
    names.add(device.name);
    paths.add(device.devicePath);
  }
  return causes;
}

function resizePolicyCauses({ resizePolicy }: Box, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (resizePolicy ?? []).flatMap((policy, index) => {
    const causes: FieldCause[] = [];
    if (seen.has(policy.resourceName)) causes.push(duplicateValue(path.index(index), policy.resourceName));
    seen.add(policy.resourceName);
    causes.push(...enumCauses(policy.resourceName, ['cpu', 'memory'], path, true));
    causes.push(...enumCauses(policy.restartPolicy, ['NotRequired', 'RestartContainer'], path, true));
    return causes;
  });
}

const CONTAINER_RESTARTS = ['Always', 'Never', 'OnFailure'];

function restartCauses(container: Box, path: FieldPath): FieldCause[] {
  const policy = container.restartPolicy;
  if (policy === undefined || policy === null) return [];
  return CONTAINER_RESTARTS.includes(policy) ? [] : [notSupported(path.child('restartPolicy'), policy, CONTAINER_RESTARTS)];
}

export function containerCauses(containers: readonly Box[] | undefined, path: FieldPath, scope: ContainerScope): FieldCause[] {
  if ((containers ?? []).length === 0) return [required(path)];
  const causes: FieldCause[] = [];
  const names = new Set<string>();
  for (const [index, container] of (containers ?? []).entries()) {
    const at = path.index(index);
    causes.push(...commonCauses(container, at, scope));
    if (container.name && names.has(container.name)) causes.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    causes.push(...lifecycleCauses(container.lifecycle, scope.graceSeconds, at.child('lifecycle')));
    causes.push(...restartingProbeCauses(container.livenessProbe, at.child('livenessProbe')));
    causes.push(...readinessProbeCauses(container.readinessProbe, at.child('readinessProbe')));
    causes.push(...restartingProbeCauses(container.startupProbe, at.child('startupProbe')));
    causes.push(...restartCauses(container, at));
  }
  return [...causes, ...hostPortConflicts(containers ?? [], path)];
}

function hostPortConflicts(containers: readonly Box[], path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap((port, position) => {
      if (!port.hostPort) return [];
      const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (seen.has(key)) return [duplicateValue(path.index(index).child('ports').index(position).child('hostPort'), key)];
      seen.add(key);
      return [];
    }),
  );
}

export function initContainerCauses(
  containers: readonly Box[] | undefined,
  regular: readonly Box[] | undefined,
  path: FieldPath,
  scope: ContainerScope,
): FieldCause[] {
  const causes: FieldCause[] = [];
  const names = new Set((regular ?? []).map(({ name }) => name));
  const why = 'may not be set for init containers without restartPolicy=Always';
  for (const [index, container] of (containers ?? []).entries()) {
    const at = path.index(index);
    causes.push(...commonCauses(container, at, scope));
    if (container.name && names.has(container.name)) causes.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    causes.push(
      ...hostPortConflicts([container], path).map((it) => ({ ...it, field: it.field.replace(`${path}[0]`, `${path}[${index}]`) })),
    );
    causes.push(...restartCauses(container, at));
    if (container.restartPolicy === 'Always') {
      causes.push(...lifecycleCauses(container.lifecycle, scope.graceSeconds, at.child('lifecycle')));
      causes.push(...restartingProbeCauses(container.livenessProbe, at.child('livenessProbe')));
      causes.push(...readinessProbeCauses(container.readinessProbe, at.child('readinessProbe')));
      causes.push(...restartingProbeCauses(container.startupProbe, at.child('startupProbe')));
      continue;
    }
    for (const name of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[name]) causes.push(forbiddenField(at.child(name), why));
    }
  }
  return causes;
}

const EPHEMERAL_FORBIDDEN = ['ports', 'resources', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resizePolicy'] as const;

export function ephemeralContainerCauses(spec: DeepReadonly<PodSpec>, path: FieldPath, scope: ContainerScope): FieldCause[] {
  const regular = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name);
  const names = new Set(regular);
  return (spec.ephemeralContainers ?? []).flatMap((container: DeepReadonly<EphemeralContainer>, index) => {
    const at = path.index(index);
    const causes = commonCauses({ ...container, resources: {}, ports: [] } as unknown as Box, at, scope);
    if (container.name && names.has(container.name)) causes.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !regular.includes(target)) causes.push(notFoundValue(at.child('targetContainerName'), target));
    for (const name of EPHEMERAL_FORBIDDEN) {
      const value = container[name] as object | undefined;
      const isSet = Array.isArray(value)
        ? value.length > 0
        : value !== undefined && value !== null && (name !== 'resources' || Object.keys(value).length > 0);
      if (isSet) causes.push(forbiddenField(at.child(name), 'cannot be set for an Ephemeral Container'));
    }
    for (const [position, mount] of (container.volumeMounts ?? []).entries()) {
      for (const name of ['subPath', 'subPathExpr'] as const) {
        if (mount[name])
          causes.push(forbiddenField(at.child('volumeMounts').index(position).child(name), 'cannot be set for an Ephemeral Container'));
      }
    }
    return causes;
  });
}
