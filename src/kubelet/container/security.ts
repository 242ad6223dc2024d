// SPDX-License-Identifier: Apache-2.0
// The security context of a container as the runtime takes it: the Pod's settings with the container's on top.
// What this kubelet cannot enforce (AppArmor and SELinux where the kernel has none) is refused rather than ignored.
// @source upstream pkg/securitycontext/util.go, pkg/kubelet/kuberuntime/security_context.go
import { join } from 'node:path';
import type { ContainerSecurity } from '#runtime';
import type { ContainerSpec, EphemeralSpec, PodView } from '../pod/pod.ts';
import { ConfigError } from './environment.ts';

export interface SecurityFacts {
  /** Where Localhost seccomp profiles are. */
  readonly seccompRoot: string;
  /** The image config's user: a number, a name, or ''. */
  readonly imageUser: string;
  /** @default RuntimeDefault off, as upstream's `seccompDefault: false` */
  readonly seccompDefault?: boolean;
}

/** @throws {ConfigError} */
export function securityOf(pod: PodView, spec: ContainerSpec | EphemeralSpec, facts: SecurityFacts): ContainerSecurity {
  const own = spec.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  refuseUnsupported(pod, spec);
  const privileged = own.privileged ?? false;
  const user = own.runAsUser ?? shared.runAsUser;
  const group = own.runAsGroup ?? shared.runAsGroup;
  if (own.runAsNonRoot ?? shared.runAsNonRoot ?? false) verifyNonRoot(pod, spec.name, user, facts.imageUser);
  return {
    privileged,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    user: user === undefined ? imageUserWith(group, facts.imageUser) : { uid: user, gid: group },
    supplementalGroups: [...(shared.supplementalGroups ?? []), ...(shared.fsGroup === undefined ? [] : [shared.fsGroup])],
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    allowPrivilegeEscalation: privileged || (own.allowPrivilegeEscalation ?? true),
    procMount: own.procMount === 'Unmasked' ? 'Unmasked' : 'Default',
    seccomp: privileged ? { type: 'Unconfined' } : seccompOf(own.seccompProfile ?? shared.seccompProfile, facts),
  };
}

/** A group without a user needs the image's user spelled out; a name cannot carry it. */
function imageUserWith(group: number | undefined, imageUser: string): ContainerSecurity['user'] {
  if (group === undefined) return undefined;
  const uid = imageUser === '' ? 0 : Number(imageUser.split(':')[0]);
  if (!Number.isInteger(uid)) throw new ConfigError(`runAsGroup without runAsUser needs a numeric image user: image has "${imageUser}"`);
  return { uid, gid: group };
}

function verifyNonRoot(pod: PodView, name: string, user: number | undefined, imageUser: string): void {
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${name})`;
  if (user === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (user !== undefined) return;
  const image = imageUser.split(':')[0] ?? '';
  if (image === '' || image === '0') throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (!/^\d+$/.test(image)) {
    throw new ConfigError(`container has runAsNonRoot and image has non-numeric user (${image}), cannot verify user is non-root ${where}`);
  }
}

function seccompOf(
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
  { seccompRoot, seccompDefault = false }: SecurityFacts,
): ContainerSecurity['seccomp'] {
  if (profile === undefined) return { type: seccompDefault ? 'RuntimeDefault' : 'Unconfined' };
  if (profile.type === 'Localhost') {
    const path = profile.localhostProfile ?? '';
    if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
      throw new ConfigError('localhostProfile must be a relative path inside the seccomp profile directory');
    }
    return { type: 'Localhost', path: join(seccompRoot, path) };
  }
  return { type: profile.type === 'RuntimeDefault' ? 'RuntimeDefault' : 'Unconfined' };
}

function refuseUnsupported(pod: PodView, spec: ContainerSpec | EphemeralSpec): void {
  const armor = spec.securityContext?.appArmorProfile ?? pod.spec.securityContext?.appArmorProfile;
  if (armor?.type === 'Localhost') throw new ConfigError('AppArmor profile "localhost" is not supported by this node');
  if (pod.spec.hostUsers === false) throw new ConfigError('user namespaces (hostUsers: false) are not supported by this node');
}
