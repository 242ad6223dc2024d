// SPDX-License-Identifier: Apache-2.0
// Validation of containers of all three kinds: what they have in common, and what each kind may have. Environments and mounts are
// in container-env.ts and container-mounts.ts. @source upstream pkg/apis/core/validation/validation.go validateContainerCommon
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
  tooMany,
} from '../../machinery/mod.ts';
import type { Container, ContainerRestartRule, EphemeralContainer, PodSpec, Volume } from '../generated/core/v1.ts';
import { envCauses, envFromCauses } from './container-env.ts';
import { deviceCauses, mountCauses } from './container-mounts.ts';
import { lifecycleCauses, readinessProbeCauses, restartingProbeCauses } from './pod-probes.ts';
import { containerResourceCauses } from './pod-resources.ts';
import { securityContextCauses } from './pod-security-context.ts';
import { enumCauses, isSet, portCauses, portNameProblems, problems } from './rules.ts';

type Box = DeepReadonly<Container>;
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

/** What of the Pod the rules of a container look at. */
export interface ContainerScope {
  /** The volumes without fault. */
  readonly volumes: ReadonlyMap<string, DeepReadonly<Volume>>;
  readonly claims: ReadonlySet<string>;
  /** Undefined if it is negative, which is complained about elsewhere. */
  readonly graceSeconds: number | undefined;
  readonly hostUsers: boolean;
  readonly restartPolicy: string | undefined;
}

const NO_CLAIMS: ReadonlySet<string> = new Set();

export function scopeOf(spec: DeepReadonly<PodSpec>, volumes: ReadonlyMap<string, DeepReadonly<Volume>>): ContainerScope {
  const grace = spec.terminationGracePeriodSeconds;
  return {
    volumes,
    claims: spec.resourceClaims ? new Set(spec.resourceClaims.map(({ name }) => name).filter(Boolean)) : NO_CLAIMS,
    graceSeconds: isSet(grace) && grace >= 0 ? grace : undefined,
    hostUsers: spec.hostUsers !== false,
    restartPolicy: spec.restartPolicy,
  };
}

function commonCauses(container: Box, path: FieldPath, scope: ContainerScope): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!container.name) causes.push(required(path.child('name')));
  else causes.push(...problems(checkDns1123Label(container.name), path.child('name'), container.name));
  if (!container.image) causes.push(required(path.child('image')));
  const add = (found: readonly FieldCause[]) => {
    if (found.length > 0) causes.push(...found);
  };
  add(enumCauses(container.terminationMessagePolicy, MESSAGE_POLICIES, path.child('terminationMessagePolicy'), true));
  if (container.ports) add(portListCauses(container, path.child('ports')));
  if (container.env) add(envCauses(container.env, path.child('env'), scope.volumes));
  if (container.envFrom) add(envFromCauses(container, path.child('envFrom')));
  if (container.volumeMounts) add(mountCauses(container, path.child('volumeMounts'), scope.volumes));
  if (container.volumeDevices) add(deviceCauses(container, path.child('volumeDevices'), scope.volumes));
  add(enumCauses(container.imagePullPolicy, PULL_POLICIES, path.child('imagePullPolicy'), true));
  if (container.resources) add(containerResourceCauses(container.resources, path.child('resources'), scope.claims));
  if (container.resizePolicy) add(resizePolicyCauses(container, path.child('resizePolicy'), scope.restartPolicy));
  if (container.securityContext) add(securityContextCauses(container.securityContext, path.child('securityContext'), scope.hostUsers));
  return causes;
}

const MESSAGE_POLICIES = ['File', 'FallbackToLogsOnError'];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

function portListCauses({ ports }: Box, path: FieldPath): FieldCause[] {
  if (!ports) return [];
  const causes: FieldCause[] = [];
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const at = path.index(index);
    if (port.name) {
      const wrong = portNameProblems(port.name);
      if (wrong.length > 0) causes.push(...problems(wrong, at.child('name'), port.name));
      else if (names.has(port.name)) causes.push(duplicateValue(at.child('name'), port.name));
      else names.add(port.name);
    }
    if (!port.containerPort) causes.push(required(at.child('containerPort')));
    else causes.push(...portCauses(port.containerPort, at.child('containerPort')));
    if (port.hostPort) causes.push(...portCauses(port.hostPort, at.child('hostPort')));
    if (!port.protocol) causes.push(required(at.child('protocol')));
    else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(at.child('protocol'), port.protocol, PROTOCOLS));
  }
  return causes;
}

function resizePolicyCauses({ resizePolicy }: Box, path: FieldPath, podRestarts: string | undefined): FieldCause[] {
  if (!resizePolicy) return [];
  const seen = new Set<string>();
  return resizePolicy.flatMap(({ resourceName, restartPolicy }, index) => {
    const causes: FieldCause[] = seen.has(resourceName) ? [duplicateValue(path.index(index), resourceName)] : [];
    seen.add(resourceName);
    causes.push(...enumCauses(resourceName, ['cpu', 'memory'], path, true));
    causes.push(...enumCauses(restartPolicy, ['NotRequired', 'RestartContainer'], path, true));
    if (podRestarts === 'Never' && restartPolicy !== 'NotRequired')
      causes.push(invalidValue(path, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    return causes;
  });
}

const CONTAINER_RESTARTS = ['Always', 'Never', 'OnFailure'];
const RULE_ACTIONS = ['Restart', 'RestartAllContainers'];
const [MOST_RULES, MOST_CODES] = [20, 255];

/** A container's own restart policy, and rules that need one. */
function restartCauses({ restartPolicy, restartPolicyRules: rules = [] }: Box, path: FieldPath): FieldCause[] {
  if (!isSet(restartPolicy) && rules.length === 0) return [];
  const at = path.child('restartPolicy');
  if (!isSet(restartPolicy)) return rules.length > 0 ? [required(at, 'must specify restartPolicy when restart rules are used')] : [];
  const causes = CONTAINER_RESTARTS.includes(restartPolicy) ? [] : [notSupported(at, restartPolicy, CONTAINER_RESTARTS)];
  const list = path.child('restartPolicyRules');
  if (rules.length > MOST_RULES) causes.push(tooMany(list, rules.length, MOST_RULES));
  for (const [index, rule] of rules.entries()) causes.push(...restartRuleCauses(rule, list.index(index)));
  return causes;
}

function restartRuleCauses({ action, exitCodes }: DeepReadonly<ContainerRestartRule>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = RULE_ACTIONS.includes(action ?? '') ? [] : [notSupported(path.child('action'), action ?? '', RULE_ACTIONS)];
  const at = path.child('exitCodes');
  if (!exitCodes) return [...causes, required(at, 'must be specified')];
  const { operator = '', values = [] } = exitCodes;
  if (operator !== 'In' && operator !== 'NotIn') causes.push(notSupported(at.child('operator'), operator, ['In', 'NotIn']));
  if (values.length > MOST_CODES) causes.push(tooMany(at.child('values'), values.length, MOST_CODES));
  return causes;
}

function probeCauses(container: Box, at: FieldPath, { graceSeconds }: ContainerScope): FieldCause[] {
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  if (!lifecycle && !livenessProbe && !readinessProbe && !startupProbe) return [];
  return [
    ...lifecycleCauses(lifecycle, graceSeconds, at.child('lifecycle')),
    ...restartingProbeCauses(livenessProbe, at.child('livenessProbe')),
    ...readinessProbeCauses(readinessProbe, at.child('readinessProbe')),
    ...restartingProbeCauses(startupProbe, at.child('startupProbe')),
  ];
}

export function containerCauses(containers: readonly Box[] | undefined, path: FieldPath, scope: ContainerScope): FieldCause[] {
  if (!containers?.length) return [required(path)];
  const causes: FieldCause[] = [];
  const names = new Set<string>();
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    causes.push(...commonCauses(container, at, scope));
    if (names.has(container.name)) causes.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    causes.push(...probeCauses(container, at, scope), ...restartCauses(container, at));
  }
  const taken = new Set<string>();
  for (const [index, container] of containers.entries()) causes.push(...hostPortConflicts(container, path.index(index), taken));
  return causes;
}

function hostPortConflicts({ ports }: Box, path: FieldPath, taken: Set<string>): FieldCause[] {
  if (!ports) return [];
  return ports.flatMap((port, index) => {
    if (!port.hostPort) return [];
    const key = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
    if (taken.has(key)) return [duplicateValue(path.child('ports').index(index).child('hostPort'), key)];
    taken.add(key);
    return [];
  });
}

const SIDECAR_ONLY = 'may not be set for init containers without restartPolicy=Always';

export function initContainerCauses(
  containers: readonly Box[] | undefined,
  regular: readonly Box[] | undefined,
  path: FieldPath,
  scope: ContainerScope,
): FieldCause[] {
  if (!containers) return [];
  const causes: FieldCause[] = [];
  const names = new Set((regular ?? []).map(({ name }) => name));
  for (const [index, container] of containers.entries()) {
    const at = path.index(index);
    causes.push(...commonCauses(container, at, scope), ...restartCauses(container, at));
    if (names.has(container.name)) causes.push(duplicateValue(at.child('name'), container.name));
    else if (container.name) names.add(container.name);
    // Init containers run one by one; upstream names the first one, whichever it is.
    causes.push(...hostPortConflicts(container, path.index(0), new Set()));
    if (container.restartPolicy === 'Always') causes.push(...probeCauses(container, at, scope));
    else {
      for (const name of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
        if (container[name]) causes.push(forbiddenField(at.child(name), SIDECAR_ONLY));
    }
  }
  return causes;
}

/** Ports of containers on the host's network are the host's own. @param isPod Templates may leave them to be defaulted. */
export function hostNetworkCauses(spec: DeepReadonly<PodSpec>, path: FieldPath, isPod: boolean): FieldCause[] {
  if (spec.hostNetwork !== true) return [];
  return (spec.containers ?? []).flatMap(({ ports }, index) =>
    (ports ?? []).flatMap(({ hostPort = 0, containerPort }, position) => {
      if (hostPort === containerPort || (!isPod && hostPort === 0)) return [];
      const at = path.index(index).child('ports').index(position).child('hostPort');
      return [invalidValue(at, hostPort, 'must match `containerPort` when `hostNetwork` is true')];
    }),
  );
}

/** What templates may do and Pods may not: pad the names of images. */
export function imageCauses(containers: readonly { readonly image?: string }[] | undefined, path: FieldPath): FieldCause[] {
  if (!containers) return [];
  return containers.flatMap(({ image = '' }, index) =>
    image === image.trim() ? [] : [invalidValue(path.index(index).child('image'), image, 'must not have leading or trailing whitespace')],
  );
}

const EPHEMERAL_FORBIDDEN = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;
const EPHEMERAL_RULE = 'cannot be set for an Ephemeral Container';

function isGiven(value: unknown): boolean {
  if (!isSet(value)) return false;
  return Array.isArray(value) ? value.length > 0 : true;
}

export function ephemeralContainerCauses(spec: DeepReadonly<PodSpec>, path: FieldPath, scope: ContainerScope): FieldCause[] {
  if (!spec.ephemeralContainers) return [];
  const regular = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name);
  const names = new Set(regular);
  return spec.ephemeralContainers.flatMap((container: DeepReadonly<EphemeralContainer>, index) => {
    const at = path.index(index);
    const causes = commonCauses(container as Box, at, scope);
    causes.push(...imageCauses([container], path).map((cause) => ({ ...cause, field: String(at.child('image')) })));
    if (names.has(container.name)) causes.push(duplicateValue(at.child('name'), container.name));
    names.add(container.name);
    const target = container.targetContainerName;
    if (target && !regular.includes(target)) causes.push(notFoundValue(at.child('targetContainerName'), target));
    return [...causes, ...forbiddenCauses(container, at)];
  });
}

function forbiddenCauses(container: DeepReadonly<EphemeralContainer>, at: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const name of EPHEMERAL_FORBIDDEN) {
    const value = container[name];
    const isEmpty = name === 'resources' && Object.keys(value ?? {}).length === 0;
    if (isGiven(value) && !isEmpty) causes.push(forbiddenField(at.child(name), EPHEMERAL_RULE));
  }
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    for (const name of ['subPath', 'subPathExpr'] as const)
      if (mount[name]) causes.push(forbiddenField(at.child('volumeMounts').index(index).child(name), EPHEMERAL_RULE));
  }
  return causes;
}
