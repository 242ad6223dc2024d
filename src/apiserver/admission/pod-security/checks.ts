// SPDX-License-Identifier: Apache-2.0
// The Pod Security Standards as pure rules: each check of the baseline and restricted levels gives a reason and a detail, as
// upstream's pod-security-admission words them. Which checks a version has, and in what order, is in standards.ts.
import type { Capabilities, Container, PodSpec, SELinuxOptions } from '#api/core/v1';
import { type DeepReadonly, type ObjectMeta, quote } from '#machinery';

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export interface Subject {
  readonly metadata: DeepReadonly<Pick<ObjectMeta, 'annotations'>>;
  readonly spec: DeepReadonly<PodSpec>;
}

/** @param minor Of the policy's version, 1.`minor`; infinite for `latest`. */
export type Check = (subject: Subject, minor: number) => Violation | undefined;
type Box = DeepReadonly<Container>;

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');
const plural = (word: string, names: readonly string[]) => `${word}${names.length === 1 ? '' : 's'}`;
const containersText = (names: readonly string[]) => `${plural('container', names)} ${quoted(names)}`;
const unique = (names: Iterable<string>) => [...new Set(names)].sort();

function boxes({ initContainers, containers, ephemeralContainers }: DeepReadonly<PodSpec>): Box[] {
  return [...(initContainers ?? []), ...(containers ?? []), ...(ephemeralContainers ?? [])] as Box[];
}

function failing(spec: DeepReadonly<PodSpec>, isBad: (container: Box) => boolean): string[] {
  return boxes(spec)
    .filter(isBad)
    .map(({ name }) => name);
}

function violation(reason: string, ...details: readonly (string | undefined)[]): Violation | undefined {
  const said = details.filter((it) => it !== undefined);
  return said.length === 0 ? undefined : { reason, detail: said.join('; ') };
}

/** Since 1.25 a Pod that says it is for Windows need not set what only Linux has. */
const isWindows = ({ os }: DeepReadonly<PodSpec>, minor: number) => minor >= 25 && os?.name === 'windows';
/** Since 1.35 root in a Pod's own user namespace is not root. */
const isRemapped = ({ hostUsers }: DeepReadonly<PodSpec>, minor: number) => minor >= 35 && hostUsers === false;

const APPARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const isAllowedAppArmor = (value: string) => value === '' || value === 'runtime/default' || value.startsWith('localhost/');

export const appArmorProfile: Check = ({ metadata, spec }) => {
  const setters: string[] = [];
  const types: string[] = [];
  if (spec.securityContext?.appArmorProfile?.type === 'Unconfined') setters.push('pod');
  const names = failing(spec, ({ securityContext }) => securityContext?.appArmorProfile?.type === 'Unconfined');
  if (names.length > 0) setters.push(containersText(names));
  if (setters.length > 0) types.push('Unconfined');
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(APPARMOR_PREFIX) && !isAllowedAppArmor(value))
    .map(([key, value]) => `${key}=${quote(value)}`)
    .sort();
  if (annotations.length > 0) setters.push(plural('annotation', annotations));
  if (setters.length === 0) return undefined;
  const values = [...types, ...annotations];
  return violation(
    `forbidden AppArmor ${plural('profile', values)}`,
    `${setters.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  );
};

const BASELINE_CAPABILITIES = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(' '),
);

function addedBeyond(spec: DeepReadonly<PodSpec>, allowed: ReadonlySet<string>): string | undefined {
  const wrong: string[] = [];
  const names = failing(spec, ({ securityContext }) => {
    const bad = ((securityContext?.capabilities as Capabilities | undefined)?.add ?? []).filter((name) => !allowed.has(name));
    wrong.push(...bad);
    return bad.length > 0;
  });
  return names.length === 0
    ? undefined
    : `${containersText(names)} must not include ${quoted(unique(wrong))} in securityContext.capabilities.add`;
}

export const capabilitiesBaseline: Check = ({ spec }) => violation('non-default capabilities', addedBeyond(spec, BASELINE_CAPABILITIES));

export const hostNamespaces: Check = ({ spec }) => {
  const set = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true).map((name) => `${name}=true`);
  return violation('host namespaces', set.length === 0 ? undefined : set.join(', '));
};

export const hostPathVolumes: Check = ({ spec }) => {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return violation('hostPath volumes', names.length === 0 ? undefined : `${plural('volume', names)} ${quoted(names)}`);
};

export const hostPorts: Check = ({ spec }) => {
  const ports = new Set<number>();
  const names = failing(spec, (container) => {
    const used = (container.ports ?? []).flatMap(({ hostPort }) => (hostPort ? [hostPort] : []));
    for (const port of used) ports.add(port);
    return used.length > 0;
  });
  if (names.length === 0) return undefined;
  const list = [...ports].map(String).sort();
  return violation(
    'hostPort',
    `${containersText(names)} ${names.length === 1 ? 'uses' : 'use'} ${plural('hostPort', list)} ${list.join(', ')}`,
  );
};

export const hostProbes: Check = ({ spec }) => {
  const hosts = new Set<string>();
  const names = failing(spec, ({ livenessProbe, readinessProbe, startupProbe, lifecycle }) => {
    const handlers = [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop];
    const used = handlers.flatMap((handler) =>
      [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => host !== undefined && host !== ''),
    );
    for (const host of used) hosts.add(host as string);
    return used.length > 0;
  });
  if (names.length === 0) return undefined;
  const list = unique(hosts);
  const verb = names.length === 1 ? 'uses' : 'use';
  return violation(
    'probe or lifecycle host',
    `${containersText(unique(names))} ${verb} probe or lifecycle ${plural('host', list)} ${quoted(list)}`,
  );
};

export const privileged: Check = ({ spec }) => {
  const names = failing(spec, ({ securityContext }) => securityContext?.privileged === true);
  return violation('privileged', names.length === 0 ? undefined : `${containersText(names)} must not set securityContext.privileged=true`);
};

export const procMount: Check = (subject, minor) => (isRemapped(subject.spec, minor) ? undefined : procMountRestricted(subject, minor));

/** Whatever the user namespace. */
export const procMountRestricted: Check = ({ spec }) => {
  const values = new Set<string>();
  const names = failing(spec, ({ securityContext }) => {
    const value = securityContext?.procMount;
    if (value === undefined || value === 'Default') return false;
    values.add(value);
    return true;
  });
  return violation(
    'procMount',
    names.length === 0 ? undefined : `${containersText(names)} must not set securityContext.procMount to ${quoted(unique(values))}`,
  );
};

const SECCOMP_ALLOWED = new Set(['RuntimeDefault', 'Localhost']);

function badSeccomp({ spec }: Subject): string | undefined {
  const parts: string[] = [];
  const values: string[] = [];
  const isBad = (type: string | undefined) => type !== undefined && !SECCOMP_ALLOWED.has(type) && values.push(type) > 0;
  if (isBad(spec.securityContext?.seccompProfile?.type)) parts.push('pod');
  const names = failing(spec, ({ securityContext }) => isBad(securityContext?.seccompProfile?.type));
  if (names.length > 0) parts.push(containersText(names));
  return parts.length === 0
    ? undefined
    : `${parts.join(' and ')} must not set securityContext.seccompProfile.type to ${quoted(unique(values))}`;
}

export const seccompBaseline: Check = (subject, minor) =>
  minor < 19 ? seccompAnnotations(subject) : violation('seccompProfile', badSeccomp(subject));

const SECCOMP_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER_PREFIX = 'container.seccomp.security.alpha.kubernetes.io/';
const isAllowedSeccomp = (value: string) => value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');

/** How profiles were named before 1.19. */
function seccompAnnotations({ metadata, spec }: Subject): Violation | undefined {
  const keys = [SECCOMP_ANNOTATION, ...boxes(spec).map(({ name }) => SECCOMP_CONTAINER_PREFIX + name)];
  const bad = unique(
    keys.flatMap((key) => {
      const value = metadata.annotations?.[key];
      return value === undefined || isAllowedSeccomp(value) ? [] : [`${key}=${quote(value)}`];
    }),
  );
  return violation('seccompProfile', bad.length === 0 ? undefined : `forbidden ${plural('annotation', bad)} ${bad.join(', ')}`);
}

const SELINUX_TYPES = new Set(['', 'container_t', 'container_init_t', 'container_kvm_t']);
const isAllowedSELinux = (type: string, minor: number) => SELINUX_TYPES.has(type) || (minor >= 31 && type === 'container_engine_t');

export const seLinuxOptions: Check = ({ spec }, minor) => {
  const types = new Set<string>();
  let [user, role] = [false, false];
  const isBad = (options: DeepReadonly<SELinuxOptions> | undefined): boolean => {
    if (options === undefined) return false;
    const badType = !isAllowedSELinux(options.type ?? '', minor);
    if (badType) types.add(options.type ?? '');
    if (options.user) user = true;
    if (options.role) role = true;
    return badType || Boolean(options.user) || Boolean(options.role);
  };
  const parts: string[] = [];
  if (isBad(spec.securityContext?.seLinuxOptions)) parts.push('pod');
  const names = failing(spec, ({ securityContext }) => isBad(securityContext?.seLinuxOptions));
  if (names.length > 0) parts.push(containersText(names));
  if (parts.length === 0) return undefined;
  const list = unique(types);
  const rules = [
    ...(list.length > 0 ? [`${plural('type', list)} ${quoted(list)}`] : []),
    ...(user ? ['user may not be set'] : []),
    ...(role ? ['role may not be set'] : []),
  ];
  return violation('seLinuxOptions', `${parts.join(' and ')} set forbidden securityContext.seLinuxOptions: ${rules.join('; ')}`);
};

/** Since which version each is allowed, 1.x. */
const SAFE_SYSCTLS: Readonly<Record<string, number>> = {
  'kernel.shm_rmid_forced': 0,
  'net.ipv4.ip_local_port_range': 0,
  'net.ipv4.tcp_syncookies': 0,
  'net.ipv4.ping_group_range': 0,
  'net.ipv4.ip_unprivileged_port_start': 0,
  'net.ipv4.ip_local_reserved_ports': 27,
  'net.ipv4.tcp_keepalive_time': 29,
  'net.ipv4.tcp_fin_timeout': 29,
  'net.ipv4.tcp_keepalive_intvl': 29,
  'net.ipv4.tcp_keepalive_probes': 29,
  'net.ipv4.tcp_rmem': 32,
  'net.ipv4.tcp_wmem': 32,
};

const isSafeSysctl = (name: string, minor: number) => Object.hasOwn(SAFE_SYSCTLS, name) && minor >= (SAFE_SYSCTLS[name] ?? 0);

export const sysctls: Check = ({ spec }, minor) => {
  const names = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !isSafeSysctl(name, minor));
  return violation('forbidden sysctls', names.length === 0 ? undefined : names.join(', '));
};

export const windowsHostProcess: Check = ({ spec }) => {
  const parts: string[] = [];
  if (spec.securityContext?.windowsOptions?.hostProcess === true) parts.push('pod');
  const names = failing(spec, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  if (names.length > 0) parts.push(containersText(names));
  return violation(
    'hostProcess',
    parts.length === 0 ? undefined : `${parts.join(' and ')} must not set securityContext.windowsOptions.hostProcess=true`,
  );
};

export const allowPrivilegeEscalation: Check = ({ spec }, minor) => {
  if (isWindows(spec, minor)) return undefined;
  const names = failing(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  const detail = `${containersText(names)} must set securityContext.allowPrivilegeEscalation=false`;
  return violation('allowPrivilegeEscalation != false', names.length === 0 ? undefined : detail);
};

export const capabilitiesRestricted: Check = ({ spec }, minor) => {
  if (isWindows(spec, minor)) return undefined;
  const names = failing(spec, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const drop = names.length === 0 ? undefined : `${containersText(names)} must set securityContext.capabilities.drop=["ALL"]`;
  return violation('unrestricted capabilities', drop, addedBeyond(spec, new Set(['NET_BIND_SERVICE'])));
};

const ALLOWED_VOLUMES = new Set(
  'name configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' '),
);

export const restrictedVolumes: Check = ({ spec }) => {
  const types = new Set<string>();
  const names = (spec.volumes ?? []).flatMap((volume) => {
    const bad = Object.entries(volume).filter(([key, value]) => value !== undefined && value !== null && !ALLOWED_VOLUMES.has(key));
    for (const [key] of bad) types.add(key);
    return bad.length > 0 ? [volume.name] : [];
  });
  if (names.length === 0) return undefined;
  const list = unique(types);
  const verb = names.length === 1 ? 'uses' : 'use';
  return violation(
    'restricted volume types',
    `${plural('volume', names)} ${quoted(names)} ${verb} restricted volume ${plural('type', list)} ${quoted(list)}`,
  );
};

export const runAsNonRoot: Check = ({ spec }, minor) => {
  if (isRemapped(spec, minor)) return undefined;
  const podValue = spec.securityContext?.runAsNonRoot;
  const explicit = failing(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const implicit =
    podValue === true ? [] : failing(spec, ({ securityContext }) => (securityContext?.runAsNonRoot ?? undefined) === undefined);
  const bad = [...(podValue === false ? ['pod'] : []), ...(explicit.length > 0 ? [containersText(explicit)] : [])];
  const set = bad.length === 0 ? undefined : `${bad.join(' and ')} must not set securityContext.runAsNonRoot=false`;
  const lacking = implicit.length === 0 ? undefined : `pod or ${containersText(implicit)} must set securityContext.runAsNonRoot=true`;
  return violation('runAsNonRoot != true', set ?? lacking);
};

export const runAsUser: Check = ({ spec }, minor) => {
  if (isRemapped(spec, minor)) return undefined;
  const names = failing(spec, ({ securityContext }) => securityContext?.runAsUser === 0);
  const parts = [...(spec.securityContext?.runAsUser === 0 ? ['pod'] : []), ...(names.length > 0 ? [containersText(names)] : [])];
  return violation('runAsUser=0', parts.length === 0 ? undefined : `${parts.join(' and ')} must not set runAsUser=0`);
};

export const seccompRestricted: Check = (subject, minor) => {
  const { spec } = subject;
  if (isWindows(spec, minor)) return undefined;
  const podSet = SECCOMP_ALLOWED.has(spec.securityContext?.seccompProfile?.type ?? '');
  const names = podSet ? [] : failing(spec, ({ securityContext }) => securityContext?.seccompProfile?.type === undefined);
  const lacking =
    names.length === 0
      ? undefined
      : `pod or ${containersText(names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`;
  return violation('seccompProfile', badSeccomp(subject) ?? lacking);
};
