// SPDX-License-Identifier: Apache-2.0
// Validation of networking, RBAC, policy, scheduling, coordination, node, autoscaling and registration kinds.
import {
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { APIService } from '../generated/apiregistration/v1.ts';
import type { HorizontalPodAutoscaler } from '../generated/autoscaling/v2.ts';
import type { CertificateSigningRequest } from '../generated/certificates/v1.ts';
import type { Lease } from '../generated/coordination/v1.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IPAddress, NetworkPolicy, ServiceCIDR } from '../generated/networking/v1.ts';
import type { RuntimeClass } from '../generated/node/v1.ts';
import type { PodDisruptionBudget } from '../generated/policy/v1.ts';
import type { ClusterRole, PolicyRule, Role, RoleBinding } from '../generated/rbac/v1.ts';
import type { ResourceSlice } from '../generated/resource/v1.ts';
import type { PriorityClass } from '../generated/scheduling/v1.ts';
import type { StorageClass } from '../generated/storage/v1.ts';
import { internalForm } from './difference.ts';
import { cidrProblems, ipProblems, isDualStackPair } from './ip.ts';
import { immutableCauses } from './object-meta.ts';
import {
  countOrPercentCauses,
  enumCauses,
  isSelectable,
  nonNegative,
  notOver100Percent,
  portCauses,
  portNameProblems,
  problems,
  selectorCauses,
} from './rules.ts';
import { loadBalancerStatusCauses } from './services.ts';

const SPEC = field('spec');
const WILDCARD_RULE = `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;

function hostCauses(host: string, path: FieldPath): FieldCause[] {
  if (!host.includes('*')) return problems(checkDns1123Subdomain(host), path, host);
  const rest = host.startsWith('*.') ? host.slice(2) : '*';
  return checkDns1123Subdomain(rest).length === 0 ? [] : [invalidValue(path, host, WILDCARD_RULE)];
}

export function ingressCauses({ metadata, spec }: DeepReadonly<Ingress>): FieldCause[] {
  const causes: FieldCause[] = [];
  const own = spec ?? {};
  const annotation = metadata.annotations?.['kubernetes.io/ingress.class'];
  if (annotation !== undefined && own.ingressClassName !== undefined && annotation !== own.ingressClassName) {
    causes.push(
      invalidValue('annotations.kubernetes.io/ingress.class', annotation, 'must match `ingressClassName` when both are specified'),
    );
  }
  if ((own.rules ?? []).length === 0 && !own.defaultBackend) {
    causes.push(invalidValue(SPEC, own.rules ?? null, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (own.defaultBackend) causes.push(...backendCauses(own.defaultBackend, SPEC.child('defaultBackend')));
  for (const [index, rule] of (own.rules ?? []).entries()) {
    const at = SPEC.child('rules').index(index);
    if (rule.host) {
      if (ipProblems(rule.host).length === 0)
        causes.push(invalidValue(at.child('host'), rule.host, 'must be a DNS name, not an IP address'));
      else causes.push(...hostCauses(rule.host, at.child('host')));
    }
    if (!rule.http) continue;
    const paths = at.child('http', 'paths');
    if ((rule.http.paths ?? []).length === 0) causes.push(required(paths));
    for (const [position, path] of (rule.http.paths ?? []).entries()) causes.push(...pathCauses(path, paths.index(position)));
  }
  for (const [index, tls] of (own.tls ?? []).entries()) {
    for (const [position, host] of (tls.hosts ?? []).entries()) {
      causes.push(...hostCauses(host, SPEC.child('tls').index(index).child('hosts').index(position)));
    }
  }
  if (own.ingressClassName !== undefined)
    causes.push(...problems(checkDns1123Subdomain(own.ingressClassName), SPEC.child('ingressClassName'), own.ingressClassName));
  return causes;
}

const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];
const PATH_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const PATH_ENDS = ['/..', '/.'];

function pathCauses(rule: DeepReadonly<HTTPIngressPath>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const at = path.child('path');
  const text = rule.path ?? '';
  if (!rule.pathType) causes.push(required(path.child('pathType'), 'pathType must be specified'));
  else if (!PATH_TYPES.includes(rule.pathType)) causes.push(notSupported(path.child('pathType'), rule.pathType, PATH_TYPES));
  else if (rule.pathType === 'ImplementationSpecific') {
    if (text !== '' && !text.startsWith('/')) causes.push(invalidValue(at, text, 'must be an absolute path'));
  } else {
    if (!text.startsWith('/')) causes.push(invalidValue(at, text, 'must be an absolute path'));
    for (const part of PATH_SEQUENCES) if (text.includes(part)) causes.push(invalidValue(at, text, `must not contain '${part}'`));
    for (const part of PATH_ENDS) if (text.endsWith(part)) causes.push(invalidValue(at, text, `cannot end with '${part}'`));
  }
  return [...causes, ...backendCauses(rule.backend, path.child('backend'))];
}

function backendCauses(backend: DeepReadonly<IngressBackend> | undefined, path: FieldPath): FieldCause[] {
  const { service, resource } = backend ?? {};
  if (service && resource) return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (resource) {
    return [
      ...(resource.kind ? [] : [required(path.child('resource', 'kind'))]),
      ...(resource.name ? [] : [required(path.child('resource', 'name'))]),
    ];
  }
  if (!service) return [invalidValue(path, '', 'resource or service backend is required')];
  const causes: FieldCause[] = [];
  const at = path.child('service');
  if (!service.name) causes.push(required(at.child('name')));
  else causes.push(...problems(checkDns1123Label(service.name), at.child('name'), service.name));
  const { name, number } = service.port ?? {};
  if (name && number) return [...causes, invalidValue(path, '', 'cannot set both port name & port number')];
  if (name) return [...causes, ...problems(portNameProblems(name), at.child('port', 'name'), name)];
  return number
    ? [...causes, ...portCauses(number, at.child('port', 'number'))]
    : [...causes, required(path, 'port name or number is required')];
}

export function ingressStatusCauses(next: DeepReadonly<Ingress>): FieldCause[] {
  return loadBalancerStatusCauses(next.status?.loadBalancer as never, field('status', 'loadBalancer'));
}

export function networkPolicyCauses({ spec }: DeepReadonly<NetworkPolicy>): FieldCause[] {
  const causes = selectorCauses(spec.podSelector, SPEC.child('podSelector'));
  for (const [name, peers] of [
    ['ingress', 'from'],
    ['egress', 'to'],
  ] as const) {
    for (const [index, rule] of (spec[name] ?? []).entries()) {
      const at = SPEC.child(name).index(index);
      for (const [position, port] of (rule.ports ?? []).entries()) {
        const here = at.child('ports').index(position);
        causes.push(...enumCauses(port.protocol, ['SCTP', 'TCP', 'UDP'], here.child('protocol')));
        if (typeof port.port === 'number') causes.push(...portCauses(port.port, here.child('port')));
        else if (typeof port.port === 'string') causes.push(...problems(portNameProblems(port.port), here.child('port'), port.port));
        if (port.endPort !== undefined && typeof port.port === 'number' && port.endPort < port.port) {
          causes.push(invalidValue(here.child('endPort'), port.endPort, 'must be greater than or equal to `port`'));
        }
      }
      const list = (rule as Record<string, unknown>)[peers] as
        | NonNullable<NonNullable<NetworkPolicy['spec']['ingress']>[number]['from']>
        | undefined;
      for (const [position, peer] of (list ?? []).entries()) {
        const here = at.child(peers).index(position);
        const count = [peer.podSelector ?? peer.namespaceSelector, peer.ipBlock].filter((it) => it !== undefined).length;
        if (count === 0) causes.push(required(here, 'must specify a peer'));
        else if (count > 1) causes.push(forbiddenField(here, 'may not specify both ipBlock and another peer'));
        causes.push(
          ...selectorCauses(peer.podSelector, here.child('podSelector')),
          ...selectorCauses(peer.namespaceSelector, here.child('namespaceSelector')),
        );
        if (peer.ipBlock) causes.push(...problems(cidrProblems(peer.ipBlock.cidr), here.child('ipBlock', 'cidr'), peer.ipBlock.cidr));
      }
    }
  }
  const types = spec.policyTypes ?? [];
  if (types.length > 2) return [...causes, invalidValue(SPEC.child('policyTypes'), types, 'may not specify more than two policyTypes')];
  for (const [index, type] of types.entries())
    causes.push(...enumCauses(type, ['Egress', 'Ingress'], SPEC.child('policyTypes').index(index), true));
  return causes;
}

export function ipAddressCauses({ spec }: DeepReadonly<IPAddress>): FieldCause[] {
  const parent = spec?.parentRef;
  const at = SPEC.child('parentRef');
  if (!parent) return [required(at)];
  return (['resource', 'name'] as const).filter((name) => !parent[name]).map((name) => required(at.child(name)));
}

export function ipAddressUpdateCauses(next: DeepReadonly<IPAddress>, previous: DeepReadonly<IPAddress>): FieldCause[] {
  return immutableCauses(next.spec?.parentRef, previous.spec?.parentRef, SPEC.child('parentRef'));
}

/** The ranges stay, save that a second family may be added. */
export function serviceCidrUpdateCauses(next: DeepReadonly<ServiceCIDR>, previous: DeepReadonly<ServiceCIDR>): FieldCause[] {
  const [now, before] = [next.spec?.cidrs ?? [], previous.spec?.cidrs ?? []];
  const isUpgrade = before.length === 1 && now.length === 2 && now[0] === before[0];
  return isUpgrade ? serviceCidrCauses(next) : immutableCauses(now, before, SPEC.child('cidrs'));
}

/** What a slice is of stays. */
export function resourceSliceUpdateCauses(
  { spec: next }: DeepReadonly<ResourceSlice>,
  { spec: previous }: DeepReadonly<ResourceSlice>,
): FieldCause[] {
  return [
    ...immutableCauses(next.pool?.name, previous.pool?.name, SPEC.child('pool', 'name')),
    ...immutableCauses(next.driver, previous.driver, SPEC.child('driver')),
    ...immutableCauses(next.nodeName, previous.nodeName, SPEC.child('nodeName')),
  ];
}

export function serviceCidrCauses({ spec }: DeepReadonly<ServiceCIDR>): FieldCause[] {
  const cidrs = spec?.cidrs ?? [];
  const path = SPEC.child('cidrs');
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalidValue(path, cidrs, 'may only hold up to 2 values')];
  const pair = cidrs.length === 2 && !isDualStackPair(cidrs);
  return [
    ...(pair
      ? [invalidValue(path, cidrs, 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64')]
      : []),
    ...cidrs.flatMap((cidr, index) => problems(cidrProblems(cidr), path.index(index), cidr)),
  ];
}

function ruleCauses(rule: DeepReadonly<PolicyRule>, namespaced: boolean, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if ((rule.verbs ?? []).length === 0) causes.push(required(path.child('verbs'), 'verbs must contain at least one value'));
  const urls = rule.nonResourceURLs ?? [];
  if (urls.length > 0) {
    const at = path.child('nonResourceURLs');
    if (namespaced) causes.push(invalidValue(at, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if ((rule.apiGroups ?? []).length + (rule.resources ?? []).length + (rule.resourceNames ?? []).length > 0) {
      causes.push(invalidValue(at, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return causes;
  }
  if ((rule.apiGroups ?? []).length === 0)
    causes.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  if ((rule.resources ?? []).length === 0)
    causes.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  return causes;
}

export function roleCauses({ rules }: DeepReadonly<Role>): FieldCause[] {
  return (rules ?? []).flatMap((rule, index) => ruleCauses(rule, true, field('rules').index(index)));
}

export function clusterRoleCauses({ rules, aggregationRule }: DeepReadonly<ClusterRole>): FieldCause[] {
  const causes = (rules ?? []).flatMap((rule, index) => ruleCauses(rule, false, field('rules').index(index)));
  if (!aggregationRule) return causes;
  const path = field('aggregationRule', 'clusterRoleSelectors');
  const selectors = aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) return [...causes, required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  for (const [index, selector] of selectors.entries()) {
    const wrong = selectorCauses(selector, path.index(index));
    causes.push(...wrong);
    if (wrong.length > 0 || !isSelectable(selector)) causes.push(invalidValue(path.index(index), null, 'invalid label selector.'));
  }
  return causes;
}

const RBAC = 'rbac.authorization.k8s.io';

function bindingCauses(binding: DeepReadonly<RoleBinding>, kinds: readonly string[], namespaced: boolean): FieldCause[] {
  const causes: FieldCause[] = [];
  const ref = binding.roleRef;
  if (ref.apiGroup !== RBAC) causes.push(notSupported('roleRef.apiGroup', ref.apiGroup, [RBAC]));
  if (!kinds.includes(ref.kind)) causes.push(notSupported('roleRef.kind', ref.kind, kinds));
  if (!ref.name) causes.push(required('roleRef.name'));
  else if (/[/%]/.test(ref.name))
    causes.push(invalidValue('roleRef.name', ref.name, `may not contain '${ref.name.includes('/') ? '/' : '%'}'`));
  for (const [index, subject] of (binding.subjects ?? []).entries()) {
    const at = field('subjects').index(index);
    if (!subject.name) causes.push(required(at.child('name')));
    switch (subject.kind) {
      case 'ServiceAccount':
        if (subject.name) causes.push(...problems(checkDns1123Subdomain(subject.name), at.child('name'), subject.name));
        if (subject.apiGroup) causes.push(notSupported(at.child('apiGroup'), subject.apiGroup, ['']));
        if (!namespaced && !subject.namespace) causes.push(required(at.child('namespace')));
        break;
      case 'User':
      case 'Group':
        if (subject.apiGroup !== RBAC) causes.push(notSupported(at.child('apiGroup'), subject.apiGroup ?? '', [RBAC]));
        break;
      default:
        causes.push(notSupported(at.child('kind'), subject.kind, ['Group', 'ServiceAccount', 'User']));
    }
  }
  return causes;
}

export const roleBindingCauses = (binding: DeepReadonly<RoleBinding>) => bindingCauses(binding, ['ClusterRole', 'Role'], true);
export const clusterRoleBindingCauses = (binding: DeepReadonly<RoleBinding>) => bindingCauses(binding, ['ClusterRole'], false);

export function bindingUpdateCauses(next: DeepReadonly<RoleBinding>, previous: DeepReadonly<RoleBinding>): FieldCause[] {
  const causes = next.kind === 'RoleBinding' ? roleBindingCauses(next) : clusterRoleBindingCauses(next);
  const changed = semanticEqual(next.roleRef, previous.roleRef)
    ? []
    : [invalidValue(field('roleRef'), internalForm(next.roleRef), 'cannot change roleRef')];
  return [...causes, ...changed];
}

export function budgetCauses({ spec }: DeepReadonly<PodDisruptionBudget>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
    causes.push(invalidValue(SPEC, internalForm(spec), 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const name of ['minAvailable', 'maxUnavailable'] as const) {
    causes.push(...countOrPercentCauses(spec[name], SPEC.child(name)), ...notOver100Percent(spec[name], SPEC.child(name)));
  }
  causes.push(...selectorCauses(spec.selector, SPEC.child('selector')));
  return [
    ...causes,
    ...enumCauses(spec.unhealthyPodEvictionPolicy, ['AlwaysAllow', 'IfHealthyBudget'], SPEC.child('unhealthyPodEvictionPolicy')),
  ];
}

const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

export function priorityClassCauses({ metadata, value, preemptionPolicy }: DeepReadonly<PriorityClass>): FieldCause[] {
  const name = metadata.name ?? '';
  const causes: FieldCause[] = [];
  if (name.startsWith('system-')) {
    if (SYSTEM_PRIORITIES[name] !== value) {
      const why =
        SYSTEM_PRIORITIES[name] === undefined
          ? `${name} is not a known system priority class`
          : `value of ${name} PriorityClass must be ${SYSTEM_PRIORITIES[name]}`;
      causes.push(
        forbiddenField('metadata.name', `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`),
      );
    }
  } else if (value > HIGHEST_USER_PRIORITY) {
    causes.push(forbiddenField('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`));
  }
  if (preemptionPolicy && preemptionPolicy !== 'Never' && preemptionPolicy !== 'PreemptLowerPriority') {
    causes.push(notSupported('preemptionPolicy', preemptionPolicy, ['PreemptLowerPriority', 'Never']));
  }
  return causes;
}

export function priorityClassUpdateCauses(next: DeepReadonly<PriorityClass>, previous: DeepReadonly<PriorityClass>): FieldCause[] {
  return [
    ...((next.value ?? 0) === (previous.value ?? 0) ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...immutableCauses(next.preemptionPolicy, previous.preemptionPolicy, field('preemptionPolicy')),
  ];
}

export function leaseCauses({ spec }: DeepReadonly<Lease>): FieldCause[] {
  const seconds = spec?.leaseDurationSeconds;
  return [
    ...(seconds !== undefined && seconds !== null && seconds <= 0
      ? [invalidValue(SPEC.child('leaseDurationSeconds'), seconds, 'must be greater than 0')]
      : []),
    ...nonNegative(spec?.leaseTransitions, SPEC.child('leaseTransitions')),
  ];
}

export function runtimeClassCauses({ handler }: DeepReadonly<RuntimeClass>): FieldCause[] {
  return handler ? problems(checkDns1123Label(handler), field('handler'), handler) : [required('handler')];
}

export function runtimeClassUpdateCauses(next: DeepReadonly<RuntimeClass>, previous: DeepReadonly<RuntimeClass>): FieldCause[] {
  return immutableCauses(next.handler, previous.handler, field('handler'));
}

export function autoscalerCauses({ spec }: DeepReadonly<HorizontalPodAutoscaler>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (spec.minReplicas !== undefined && spec.minReplicas < 1)
    causes.push(invalidValue(SPEC.child('minReplicas'), spec.minReplicas, 'must be greater than or equal to 1'));
  if ((spec.maxReplicas ?? 0) < 1) causes.push(invalidValue(SPEC.child('maxReplicas'), spec.maxReplicas ?? 0, 'must be greater than 0'));
  if (spec.minReplicas !== undefined && (spec.maxReplicas ?? 0) < spec.minReplicas) {
    causes.push(invalidValue(SPEC.child('maxReplicas'), spec.maxReplicas ?? 0, 'must be greater than or equal to `minReplicas`'));
  }
  const target = spec.scaleTargetRef;
  const at = SPEC.child('scaleTargetRef');
  if (!target?.kind) causes.push(required(at.child('kind')));
  if (!target?.name) causes.push(required(at.child('name')));
  const version = target?.apiVersion ?? '';
  if (!version.includes('/') && target?.kind !== 'ReplicationController') {
    causes.push(invalidValue(at.child('apiVersion'), version, 'apiVersion must specify API group'));
  }
  return causes;
}

export function apiServiceCauses({ metadata, spec }: DeepReadonly<APIService>): FieldCause[] {
  const causes: FieldCause[] = [];
  const name = `${spec.version ?? ''}.${spec.group ?? ''}`;
  if (metadata.name !== name)
    causes.push(invalidValue('metadata.name', metadata.name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(name)}`));
  if (!spec.group && spec.version !== 'v1')
    causes.push(required(SPEC.child('group'), 'only v1 may have an empty group and it better be legacy kube'));
  if (spec.group) causes.push(...problems(checkDns1123Subdomain(spec.group), SPEC.child('group'), spec.group));
  causes.push(...problems(checkDns1035Label(spec.version ?? ''), SPEC.child('version'), spec.version ?? ''));
  const [group, version] = [spec.groupPriorityMinimum ?? 0, spec.versionPriority ?? 0];
  if (group <= 0 || group > 20_000)
    causes.push(invalidValue(SPEC.child('groupPriorityMinimum'), group, 'must be positive and less than 20000'));
  if (version <= 0 || version > 1000)
    causes.push(invalidValue(SPEC.child('versionPriority'), version, 'must be positive and less than 1000'));
  if (!spec.service) {
    if (spec.caBundle)
      causes.push(
        invalidValue(
          SPEC.child('caBundle'),
          `${Buffer.byteLength(spec.caBundle, 'base64')} bytes`,
          'local APIServices may not have a caBundle',
        ),
      );
    if (spec.insecureSkipTLSVerify)
      causes.push(invalidValue(SPEC.child('insecureSkipTLSVerify'), true, 'local APIServices may not have insecureSkipTLSVerify'));
    return causes;
  }
  for (const key of ['namespace', 'name'] as const) if (!spec.service[key]) causes.push(required(SPEC.child('service', key)));
  const port = spec.service.port ?? 443;
  if (port < 1 || port > 65_535)
    causes.push(invalidValue(SPEC.child('service', 'port'), port, 'port is not valid: must be between 1 and 65535, inclusive'));
  if (spec.insecureSkipTLSVerify && spec.caBundle)
    causes.push(invalidValue(SPEC.child('insecureSkipTLSVerify'), true, 'may not be true if caBundle is present'));
  return causes;
}

const KEY_USAGES =
  'any,cert sign,client auth,code signing,content commitment,crl sign,data encipherment,decipher only,digital signature,email protection,encipher only,ipsec end system,ipsec tunnel,ipsec user,key agreement,key encipherment,microsoft sgc,netscape sgc,ocsp signing,s/mime,server auth,signing,timestamping'.split(
    ',',
  );

export function signingRequestCauses({ spec }: DeepReadonly<CertificateSigningRequest>): FieldCause[] {
  const causes: FieldCause[] = [];
  const text = Buffer.from(spec.request ?? '', 'base64').toString();
  if (!/-----BEGIN CERTIFICATE REQUEST-----/.test(text))
    causes.push(invalidValue(SPEC.child('request'), spec.request ?? '', 'PEM block type must be CERTIFICATE REQUEST'));
  if ((spec.usages ?? []).length === 0) causes.push(required(SPEC.child('usages')));
  for (const [index, usage] of (spec.usages ?? []).entries())
    causes.push(...enumCauses(usage, KEY_USAGES, SPEC.child('usages').index(index)));
  if (spec.signerName === 'kubernetes.io/legacy-unknown') {
    causes.push(invalidValue(SPEC.child('signerName'), spec.signerName, 'the legacy signerName is not allowed via this API version'));
  }
  if (!spec.signerName) causes.push(required(SPEC.child('signerName')));
  else if (!/^[^/]+\.[^/]+\/.+$/.test(spec.signerName)) {
    causes.push(
      invalidValue(
        SPEC.child('signerName'),
        spec.signerName,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    );
  }
  if (spec.expirationSeconds !== undefined && spec.expirationSeconds < 600) {
    causes.push(
      invalidValue(
        SPEC.child('expirationSeconds'),
        spec.expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    );
  }
  return causes;
}

const CLASS_FIELDS = ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const;

export function storageClassCauses(object: DeepReadonly<StorageClass>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!object.provisioner) causes.push(required('provisioner'));
  causes.push(...enumCauses(object.reclaimPolicy, ['Delete', 'Retain'], field('reclaimPolicy')));
  return [...causes, ...enumCauses(object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], field('volumeBindingMode'), true)];
}

export function storageClassUpdateCauses(next: DeepReadonly<StorageClass>, previous: DeepReadonly<StorageClass>): FieldCause[] {
  const why: Readonly<Record<string, string>> = {
    parameters: 'updates to parameters are forbidden.',
    reclaimPolicy: 'updates to reclaimPolicy are forbidden.',
  };
  return CLASS_FIELDS.flatMap((name) => {
    const changed = immutableCauses(next[name], previous[name], field(name));
    const text = why[name];
    return changed.length > 0 && text !== undefined ? [forbiddenField(name, text)] : changed;
  });
}

const CONDITIONS = field('status', 'conditions');
const DECISIONS = ['Approved', 'Denied', 'Failed'];

/** `status` and `approval` of a request: what was decided stays, and decisions are True. */
export function signingRequestStatusCauses(
  next: DeepReadonly<CertificateSigningRequest>,
  previous: DeepReadonly<CertificateSigningRequest>,
): FieldCause[] {
  const causes: FieldCause[] = [];
  const conditions = next.status?.conditions ?? [];
  const certificate = next.status?.certificate;
  if (certificate && !/-----BEGIN CERTIFICATE-----/.test(Buffer.from(certificate, 'base64').toString())) {
    causes.push(invalidValue(field('status', 'certificate'), '<certificate data>', 'must contain at least one CERTIFICATE PEM block'));
  }
  for (const [index, { type, status }] of conditions.entries()) {
    const at = CONDITIONS.index(index);
    if (!type) causes.push(required(at.child('type')));
    else if (DECISIONS.includes(type) && status !== 'True') causes.push(notSupported(at.child('status'), status, ['True']));
  }
  for (const type of ['Approved', 'Denied', 'Failed']) {
    const had = previous.status?.conditions?.some((condition) => condition.type === type);
    if (had && !conditions.some((condition) => condition.type === type)) {
      causes.push(forbiddenField(CONDITIONS, `updates may not remove a condition of type ${JSON.stringify(type)}`));
    }
  }
  return causes;
}
