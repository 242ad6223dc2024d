// SPDX-License-Identifier: Apache-2.0
// Validation of security contexts of containers and Pods, host namespaces and operating systems.
import {
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile, SecurityContext } from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { backstepCauses, enumCauses } from './rules.ts';

const ID_RANGE = 'must be between 0 and 2147483647, inclusive';
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const SYSCTL_RULE =
  'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
type Spec = DeepReadonly<PodSpec>;

function idCauses(value: number | undefined, path: FieldPath): FieldCause[] {
  return value !== undefined && value !== null && (value < 0 || value > 2_147_483_647) ? [invalidValue(path, value, ID_RANGE)] : [];
}

function seccompCauses(profile: DeepReadonly<SeccompProfile> | undefined, path: FieldPath): FieldCause[] {
  if (!profile) return [];
  const causes: FieldCause[] = [];
  const at = path.child('localhostProfile');
  if (!profile.type) causes.push(required(path.child('type'), 'type is required when seccompProfile is set'));
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined || profile.localhostProfile === '')
      causes.push(required(at, 'must be set when seccomp type is Localhost'));
    else causes.push(...localPathCauses(profile.localhostProfile, at));
  } else {
    if (profile.localhostProfile !== undefined)
      causes.push(invalidValue(at, internalForm(profile), 'can only be set when seccomp type is Localhost'));
    causes.push(...enumCauses(profile.type, ['Localhost', 'RuntimeDefault', 'Unconfined'], path.child('type')));
  }
  return causes;
}

function localPathCauses(text: string, path: FieldPath): FieldCause[] {
  if (text.startsWith('/')) return [invalidValue(path, text, 'must be a relative path')];
  return backstepCauses(text, path);
}

function appArmorCauses(profile: DeepReadonly<AppArmorProfile> | undefined, path: FieldPath): FieldCause[] {
  if (!profile) return [];
  const at = path.child('localhostProfile');
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined) return [required(at, 'must be set when AppArmor type is Localhost')];
    const text = profile.localhostProfile.trim();
    if (text !== profile.localhostProfile) return [invalidValue(at, profile.localhostProfile, 'must not be padded with whitespace')];
    return text === '' ? [required(at, 'must be set when AppArmor type is Localhost')] : [];
  }
  if (!profile.type) return [required(path.child('type'), 'type is required when appArmorProfile is set')];
  const causes = enumCauses(profile.type, ['Localhost', 'RuntimeDefault', 'Unconfined'], path.child('type'));
  if (profile.localhostProfile !== undefined)
    causes.push(invalidValue(at, profile.localhostProfile, 'can only be set when AppArmor type is Localhost'));
  return causes;
}

export function securityContextCauses(
  context: DeepReadonly<SecurityContext> | undefined,
  path: FieldPath,
  hostUsers: boolean,
): FieldCause[] {
  if (!context) return [];
  const causes = [...idCauses(context.runAsUser, path.child('runAsUser')), ...idCauses(context.runAsGroup, path.child('runAsGroup'))];
  if (context.procMount) {
    causes.push(...enumCauses(context.procMount, ['Default', 'Unmasked'], path.child('procMount')));
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
  return [...causes, ...appArmorCauses(context.appArmorProfile, path.child('appArmorProfile'))];
}

export function podSecurityContextCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const context = spec.securityContext;
  if (!context) return [];
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
  causes.push(...enumCauses(context.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], at.child('fsGroupChangePolicy')));
  causes.push(...enumCauses(context.supplementalGroupsPolicy, ['Merge', 'Strict'], at.child('supplementalGroupsPolicy')));
  causes.push(...seccompCauses(context.seccompProfile, at.child('seccompProfile')));
  causes.push(...enumCauses(context.seLinuxChangePolicy, ['Recursive'], at.child('seLinuxChangePolicy')));
  return [...causes, ...appArmorCauses(context.appArmorProfile, at.child('appArmorProfile'))];
}

function sysctlCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (spec.securityContext?.sysctls ?? []).flatMap(({ name }, index) => {
    const at = path.index(index).child('name');
    const causes: FieldCause[] = [];
    if (!name) causes.push(required(at));
    else if (name.length > 253 || !SYSCTL.test(name)) causes.push(invalidValue(at, name, SYSCTL_RULE));
    else seen.add(name);
    const plain = name.replaceAll('/', '.');
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

export function windowsHostProcessCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const isPodSet = spec.securityContext?.windowsOptions?.hostProcess;
  const flags = all.map(({ securityContext }) => securityContext?.windowsOptions?.hostProcess ?? isPodSet ?? false);
  if (!flags.includes(true)) return [];
  if (flags.includes(false)) {
    const why = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    return [invalidValue(path, '', why)];
  }
  if (spec.hostNetwork === true) return [];
  return [
    invalidValue(
      path.child('hostNetwork'),
      spec.hostNetwork ?? false,
      'hostNetwork must be true if pod contains any hostProcess containers',
    ),
  ];
}

const WINDOWS_FORBIDDEN = [
  'appArmorProfile',
  'seLinuxOptions',
  'seccompProfile',
  'fsGroup',
  'fsGroupChangePolicy',
  'sysctls',
  'runAsUser',
  'runAsGroup',
  'supplementalGroups',
  'supplementalGroupsPolicy',
] as const;

/** What the named operating system does not have. */
export function osCauses(spec: Spec, path: FieldPath): FieldCause[] {
  if (!spec.os) return [];
  const os = spec.os.name;
  if (!os) return [required(path.child('os', 'name'))];
  const at = path.child('securityContext');
  if (os === 'linux') {
    const pod = spec.securityContext?.windowsOptions
      ? [forbiddenField(at.child('windowsOptions'), 'windows options cannot be set for a linux pod')]
      : [];
    const own = (spec.containers ?? []).flatMap(({ securityContext }, index) =>
      securityContext?.windowsOptions
        ? [
            forbiddenField(
              path.child('containers').index(index).child('securityContext', 'windowsOptions'),
              'windows options cannot be set for a linux pod',
            ),
          ]
        : [],
    );
    return [...pod, ...own];
  }
  if (os !== 'windows') return [notSupported(path.child('os'), os, ['linux', 'windows'])];
  const why = 'cannot be set for a windows pod';
  const causes: FieldCause[] = [];
  for (const name of ['hostPID', 'hostIPC', 'hostUsers'] as const) if (spec[name]) causes.push(forbiddenField(path.child(name), why));
  for (const name of WINDOWS_FORBIDDEN) if (spec.securityContext?.[name] !== undefined) causes.push(forbiddenField(at.child(name), why));
  return causes;
}
