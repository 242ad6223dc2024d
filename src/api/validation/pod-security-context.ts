// SPDX-License-Identifier: Apache-2.0
// Validation of security contexts of containers and Pods, host namespaces and operating systems.
import {
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../machinery/mod.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile, SecurityContext } from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { choiceCauses, isSet, relativePathCauses } from './rules.ts';
import { windowsOptionsCauses } from './windows-options.ts';

const ID_RANGE = 'must be between 0 and 2147483647, inclusive';
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_RULE =
  'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
type Spec = DeepReadonly<PodSpec>;

/** Ids of users and groups. */
export function idCauses(value: number | undefined, path: FieldPath): FieldCause[] {
  return value !== undefined && value !== null && (value < 0 || value > 2_147_483_647) ? [invalidValue(path, value, ID_RANGE)] : [];
}

const PROFILES = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function seccompCauses(profile: DeepReadonly<SeccompProfile> | undefined, path: FieldPath): FieldCause[] {
  if (!profile) return [];
  const at = path.child('localhostProfile');
  const own = profile.localhostProfile;
  const causes = profile.type
    ? choiceCauses(profile.type, PROFILES, path.child('type'))
    : [required(path.child('type'), 'type is required when seccompProfile is set')];
  if (profile.type === 'Localhost')
    causes.push(...(isSet(own) ? relativePathCauses(own, at) : [required(at, 'must be set when seccomp type is Localhost')]));
  else if (isSet(own)) causes.push(invalidValue(at, internalForm(profile), 'can only be set when seccomp type is Localhost'));
  return causes;
}

const LONGEST_PROFILE = 4095;

function appArmorCauses(profile: DeepReadonly<AppArmorProfile> | undefined, path: FieldPath): FieldCause[] {
  if (!profile) return [];
  const at = path.child('localhostProfile');
  const own = profile.localhostProfile;
  if (profile.type === 'Localhost') {
    const missing = required(at, 'must be set when AppArmor type is Localhost');
    if (!isSet(own)) return [missing];
    const text = own.trim();
    const causes = text !== own ? [invalidValue(at, own, 'must not be padded with whitespace')] : text === '' ? [missing] : [];
    return Buffer.byteLength(own) > LONGEST_PROFILE ? [...causes, tooLong(at, LONGEST_PROFILE)] : causes;
  }
  if (!profile.type) return [required(path.child('type'), 'type is required when appArmorProfile is set')];
  const wrong = choiceCauses(profile.type, PROFILES, path.child('type'));
  if (wrong.length > 0) return wrong;
  return isSet(own) ? [invalidValue(at, own, 'can only be set when AppArmor type is Localhost')] : [];
}

export function securityContextCauses(
  context: DeepReadonly<SecurityContext> | undefined,
  path: FieldPath,
  hostUsers: boolean,
): FieldCause[] {
  if (!context) return [];
  const causes = [...idCauses(context.runAsUser, path.child('runAsUser')), ...idCauses(context.runAsGroup, path.child('runAsGroup'))];
  if (isSet(context.procMount)) {
    causes.push(...choiceCauses(context.procMount, ['Default', 'Unmasked'], path.child('procMount')));
    if (hostUsers && context.procMount === 'Unmasked') {
      causes.push(invalidValue(path.child('procMount'), context.procMount, '`hostUsers` must be false to use `Unmasked`'));
    }
  }
  causes.push(...seccompCauses(context.seccompProfile, path.child('seccompProfile')));
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true) {
      causes.push(invalidValue(path, internalForm(context), 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    }
    if (context.capabilities?.add?.some((name) => name === 'CAP_SYS_ADMIN')) {
      causes.push(
        invalidValue(path, internalForm(context), 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'),
      );
    }
  }
  causes.push(...windowsOptionsCauses(context.windowsOptions, path.child('windowsOptions')));
  return [...causes, ...appArmorCauses(context.appArmorProfile, path.child('appArmorProfile'))];
}

export function podSecurityContextCauses(spec: Spec, path: FieldPath): FieldCause[] {
  if (!spec.securityContext && !spec.shareProcessNamespace) return [];
  const context = spec.securityContext ?? {};
  const at = path.child('securityContext');
  const causes: FieldCause[] = [
    ...idCauses(context.fsGroup, at.child('fsGroup')),
    ...idCauses(context.runAsUser, at.child('runAsUser')),
    ...idCauses(context.runAsGroup, at.child('runAsGroup')),
  ];
  for (const [index, group] of (context.supplementalGroups ?? []).entries())
    causes.push(...idCauses(group, at.child('supplementalGroups').index(index)));
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    causes.push(invalidValue(at.child('shareProcessNamespace'), true, 'ShareProcessNamespace and HostPID cannot both be enabled'));
  }
  causes.push(...sysctlCauses(spec, at.child('sysctls')));
  causes.push(...choiceCauses(context.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], at.child('fsGroupChangePolicy')));
  causes.push(...seccompCauses(context.seccompProfile, at.child('seccompProfile')));
  causes.push(...windowsOptionsCauses(context.windowsOptions, at.child('windowsOptions')));
  causes.push(...appArmorCauses(context.appArmorProfile, at.child('appArmorProfile')));
  causes.push(...choiceCauses(context.supplementalGroupsPolicy, ['Merge', 'Strict'], at.child('supplementalGroupsPolicy')));
  return [...causes, ...choiceCauses(context.seLinuxChangePolicy, ['Recursive'], at.child('seLinuxChangePolicy'))];
}

function sysctlCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (spec.securityContext?.sysctls ?? []).flatMap(({ name }, index) => {
    const at = path.index(index).child('name');
    const causes: FieldCause[] = [];
    if (!name) causes.push(required(at));
    else if (name.length > 253 || !SYSCTL.test(name)) causes.push(invalidValue(at, name, SYSCTL_RULE));
    else if (seen.has(name)) causes.push(duplicateValue(at, name));
    else seen.add(name);
    const plain = (name ?? '').replaceAll('/', '.');
    if (spec.hostNetwork === true && plain.startsWith('net.'))
      causes.push(invalidValue(at, name, `may not be specified when 'hostNetwork' is true`));
    if (
      spec.hostIPC === true &&
      (plain.startsWith('kernel.shm') || plain.startsWith('kernel.msg') || plain === 'kernel.sem' || plain.startsWith('fs.mqueue.'))
    ) {
      causes.push(invalidValue(at, name, `may not be specified when 'hostIPC' is true`));
    }
    return causes;
  });
}

export function hostUsersCauses(spec: Spec, path: FieldPath): FieldCause[] {
  if (spec.hostUsers !== false) return [];
  const why = 'when `hostUsers` is false';
  return [
    ...(spec.hostNetwork ? [forbiddenField(path.child('hostNetwork'), why)] : []),
    ...(spec.hostPID ? [forbiddenField(path.child('HostPID'), why)] : []),
    ...(spec.hostIPC ? [forbiddenField(path.child('HostIPC'), why)] : []),
  ];
}

const WINDOWS_POD_FORBIDDEN = [
  'appArmorProfile',
  'seLinuxOptions',
  'hostUsers',
  'hostPID',
  'hostIPC',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'shareProcessNamespace',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
  'seLinuxChangePolicy',
] as const;
/** Those of a Pod's security context as upstream keeps it that are beside it in the API. */
const OF_SPEC = new Set<string>(['hostUsers', 'hostPID', 'hostIPC', 'shareProcessNamespace']);
const WINDOWS_FORBIDDEN = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'capabilities',
  'readOnlyRootFilesystem',
  'privileged',
  'allowPrivilegeEscalation',
  'procMount',
  'runAsUser',
  'runAsGroup',
] as const;
const CONTAINER_LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const;
type Context = Readonly<Record<string, unknown>>;

/** What the named operating system does not have. */
export function osCauses(spec: Spec, path: FieldPath): FieldCause[] {
  if (!spec.os) return [];
  const os = spec.os.name;
  if (!os) return [required(path.child('os', 'name'), 'cannot be empty')];
  if (os === 'linux') return linuxCauses(spec, path);
  return os === 'windows' ? windowsCauses(spec, path) : [notSupported(path.child('os'), os, ['linux', 'windows'])];
}

function linuxCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const why = 'windows options cannot be set for a linux pod';
  const check = (context: Context | undefined, at: FieldPath) =>
    context?.['windowsOptions'] ? [forbiddenField(at.child('securityContext', 'windowsOptions'), why)] : [];
  const own = CONTAINER_LISTS.flatMap((list) =>
    (spec[list] ?? []).flatMap(({ securityContext }, index) => check(securityContext as Context, path.child(list).index(index))),
  );
  return [...check(spec.securityContext as Context | undefined, path), ...own];
}

function windowsCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const why = 'cannot be set for a windows pod';
  const causes: FieldCause[] = [];
  const context = (spec.securityContext ?? {}) as Context;
  for (const name of WINDOWS_POD_FORBIDDEN) {
    const isOutside = OF_SPEC.has(name);
    const value = isOutside ? (spec as unknown as Context)[name] : context[name];
    const isGiven =
      name === 'hostPID' || name === 'hostIPC' ? value === true : isSet(value) && !(name === 'sysctls' && (value as []).length === 0);
    if (isGiven) causes.push(forbiddenField(isOutside ? path.child(name) : path.child('securityContext', name), why));
  }
  for (const list of CONTAINER_LISTS) {
    for (const [index, { securityContext }] of (spec[list] ?? []).entries()) {
      const at = path.child(list).index(index).child('securityContext');
      for (const name of WINDOWS_FORBIDDEN) if (isSet(securityContext?.[name])) causes.push(forbiddenField(at.child(name), why));
    }
  }
  return causes;
}
