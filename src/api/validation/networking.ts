// SPDX-License-Identifier: Apache-2.0
// Validation of networking.k8s.io: Ingresses and their classes, NetworkPolicies, addresses and ranges of Services.
// @source upstream pkg/apis/networking/validation/validation.go
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkPathSegmentName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../machinery/mod.ts';
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  IPAddress,
  NetworkPolicy,
  ServiceCIDR,
} from '../generated/networking/v1.ts';
import { bitsOf, canonicalCidrProblems, cidrProblems, isAddress, isDualStackPair, type Range, rangeIn } from './ip.ts';
import { immutableCauses } from './object-meta.ts';
import { domainPathCauses, isSet, portCauses, portNameProblems, problems, selectorCauses } from './rules.ts';
import { loadBalancerStatusCauses } from './services.ts';

const SPEC = field('spec');
const WILDCARD_RULE = `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`;

function hostCauses(host: string, path: FieldPath): FieldCause[] {
  if (!host.includes('*')) return problems(checkDns1123Subdomain(host), path, host);
  const rest = host.startsWith('*.') ? host.slice(2) : '*';
  return checkDns1123Subdomain(rest).length === 0 ? [] : [invalidValue(path, host, WILDCARD_RULE)];
}

export function ingressCauses(ingress: DeepReadonly<Ingress>): FieldCause[] {
  const causes = ingressSpecCauses(ingress, {});
  const { metadata, spec: own = {} } = ingress;
  const annotation = metadata.annotations?.['kubernetes.io/ingress.class'];
  if (annotation !== undefined && isSet(own.ingressClassName) && annotation !== own.ingressClassName) {
    causes.push(
      invalidValue('annotations.kubernetes.io/ingress.class', annotation, 'must match `ingressClassName` when both are specified'),
    );
  }
  return causes;
}

const hasWrongSecret = ({ spec }: DeepReadonly<Ingress>) =>
  spec?.tls?.some(({ secretName }) => secretName && checkDns1123Subdomain(secretName).length > 0) === true;

/** Rules for all hosts of a name may be as wrong as they were. */
const hasWrongWildcard = ({ spec }: DeepReadonly<Ingress>) =>
  spec?.rules?.some((rule) => rule.host?.includes('*') === true && ruleCauses(rule, SPEC).length > 0) === true;

export function ingressUpdateCauses(next: DeepReadonly<Ingress>, previous: DeepReadonly<Ingress>): FieldCause[] {
  return ingressSpecCauses(next, { anySecret: hasWrongSecret(previous), anyWildcard: hasWrongWildcard(previous) });
}

interface IngressTolerance {
  /** Names of secrets that none may have. */
  readonly anySecret?: boolean;
  /** Whatever rules for hosts with a wildcard say. */
  readonly anyWildcard?: boolean;
}

type Rule = NonNullable<NonNullable<DeepReadonly<Ingress>['spec']>['rules']>[number];

function ruleCauses({ http }: Rule, path: FieldPath): FieldCause[] {
  if (!http) return [];
  const paths = path.child('http', 'paths');
  if ((http.paths ?? []).length === 0) return [required(paths)];
  return http.paths.flatMap((rule, position) => pathCauses(rule, paths.index(position)));
}

function ingressSpecCauses({ spec }: DeepReadonly<Ingress>, { anySecret = false, anyWildcard = false }: IngressTolerance): FieldCause[] {
  const causes: FieldCause[] = [];
  const own = spec ?? {};
  if ((own.rules ?? []).length === 0 && !own.defaultBackend) {
    causes.push(invalidValue(SPEC, own.rules ?? null, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (own.defaultBackend) causes.push(...backendCauses(own.defaultBackend, SPEC.child('defaultBackend')));
  for (const [index, rule] of (own.rules ?? []).entries()) {
    const at = SPEC.child('rules').index(index);
    if (rule.host) {
      if (isAddress(rule.host)) causes.push(invalidValue(at.child('host'), rule.host, 'must be a DNS name, not an IP address'));
      causes.push(...hostCauses(rule.host, at.child('host')));
    }
    if (!anyWildcard || rule.host?.includes('*') !== true) causes.push(...ruleCauses(rule, at));
  }
  for (const [index, tls] of (own.tls ?? []).entries()) {
    for (const [position, host] of (tls.hosts ?? []).entries()) {
      causes.push(...hostCauses(host, SPEC.child('tls').index(index).child('hosts').index(position)));
    }
    if (!anySecret && tls.secretName)
      causes.push(...problems(checkDns1123Subdomain(tls.secretName), SPEC.child('tls').index(index).child('secretName'), tls.secretName));
  }
  if (isSet(own.ingressClassName))
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
  if (!isSet(rule.pathType)) return [required(path.child('pathType'), 'pathType must be specified')];
  if (!PATH_TYPES.includes(rule.pathType)) causes.push(notSupported(path.child('pathType'), rule.pathType, PATH_TYPES));
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
    return typedReferenceCauses(resource, path.child('resource'));
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

type PolicyPort = NonNullable<NonNullable<NetworkPolicy['spec']['ingress']>[number]['ports']>[number];
type Peer = NonNullable<NonNullable<NetworkPolicy['spec']['ingress']>[number]['from']>[number];
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];

function policyPortCauses({ protocol, port, endPort }: DeepReadonly<PolicyPort>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] =
    isSet(protocol) && !PROTOCOLS.includes(protocol) ? [notSupported(path.child('protocol'), protocol, PROTOCOLS)] : [];
  const end = path.child('endPort');
  if (!isSet(port))
    return isSet(endPort) ? [...causes, invalidValue(end, endPort, 'may not be specified when `port` is not specified')] : causes;
  if (typeof port === 'string') {
    if (isSet(endPort)) causes.push(invalidValue(end, endPort, 'may not be specified when `port` is non-numeric'));
    return [...causes, ...problems(portNameProblems(port), path.child('port'), port)];
  }
  causes.push(...portCauses(port, path.child('port')));
  if (!isSet(endPort)) return causes;
  // Upstream shows the port, not its end.
  if (endPort < port) causes.push(invalidValue(end, port, 'must be greater than or equal to `port`'));
  return [...causes, ...portCauses(endPort, end)];
}

function ipBlockCauses({ cidr, except }: DeepReadonly<NonNullable<Peer['ipBlock']>>, path: FieldPath): FieldCause[] {
  if (!cidr) return [required(path.child('cidr'))];
  const wrong = problems(cidrProblems(cidr), path.child('cidr'), cidr);
  const outer = rangeIn(cidr);
  if (outer === undefined) return wrong;
  for (const [index, inner] of (except ?? []).entries()) {
    const at = path.child('except').index(index);
    wrong.push(...problems(cidrProblems(inner), at, inner));
    const range = rangeIn(inner);
    if (range !== undefined && !isWithin(range, outer)) wrong.push(invalidValue(at, inner, 'must be a strict subset of `cidr`'));
  }
  return wrong;
}

function isWithin(inner: Range, outer: Range): boolean {
  const [bits, others] = [bitsOf(inner.network), bitsOf(outer.network)];
  return bits.length === others.length && outer.prefix < inner.prefix && bits.slice(0, outer.prefix) === others.slice(0, outer.prefix);
}

function peerCauses(peer: DeepReadonly<Peer>, path: FieldPath): FieldCause[] {
  const causes = [
    ...selectorCauses(peer.podSelector, path.child('podSelector')),
    ...selectorCauses(peer.namespaceSelector, path.child('namespaceSelector')),
    ...(peer.ipBlock ? ipBlockCauses(peer.ipBlock, path.child('ipBlock')) : []),
  ];
  const hasSelector = isSet(peer.podSelector) || isSet(peer.namespaceSelector);
  if (!hasSelector && !peer.ipBlock) causes.push(required(path, 'must specify a peer'));
  else if (hasSelector && peer.ipBlock) causes.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  return causes;
}

export function networkPolicyCauses({ spec }: DeepReadonly<NetworkPolicy>): FieldCause[] {
  const causes = selectorCauses(spec?.podSelector, SPEC.child('podSelector'));
  const rule = (
    at: FieldPath,
    ports: readonly DeepReadonly<PolicyPort>[] | undefined,
    peers: readonly DeepReadonly<Peer>[] | undefined,
    name: string,
  ) => {
    for (const [index, port] of (ports ?? []).entries()) causes.push(...policyPortCauses(port, at.child('ports').index(index)));
    for (const [index, peer] of (peers ?? []).entries()) causes.push(...peerCauses(peer, at.child(name).index(index)));
  };
  for (const [index, it] of (spec?.ingress ?? []).entries()) rule(SPEC.child('ingress').index(index), it.ports, it.from, 'from');
  for (const [index, it] of (spec?.egress ?? []).entries()) rule(SPEC.child('egress').index(index), it.ports, it.to, 'to');
  const types: readonly string[] = spec?.policyTypes ?? [];
  if (types.length > 2) return [...causes, invalidValue(SPEC.child('policyTypes'), types, 'may not specify more than two policyTypes')];
  for (const [index, type] of types.entries())
    if (type !== 'Ingress' && type !== 'Egress')
      causes.push(notSupported(SPEC.child('policyTypes').index(index), type, ['Ingress', 'Egress']));
  return causes;
}

/** Upstream looks at the object as a whole and then once more as a change. */
export function networkPolicyUpdateCauses(next: DeepReadonly<NetworkPolicy>): FieldCause[] {
  const causes = networkPolicyCauses(next);
  return [...causes, ...causes];
}

const LONGEST_CONTROLLER = 250;

export function ingressClassCauses({ spec }: DeepReadonly<IngressClass>): FieldCause[] {
  const at = SPEC.child('controller');
  const controller = spec?.controller;
  const causes: FieldCause[] = [];
  if (!controller) causes.push(required(at));
  else {
    if (Buffer.byteLength(controller) > LONGEST_CONTROLLER) causes.push(tooLong(at, LONGEST_CONTROLLER));
    causes.push(...domainPathCauses(controller, at));
  }
  return [...causes, ...classParametersCauses(spec?.parameters, SPEC.child('parameters'))];
}

type Parameters = DeepReadonly<NonNullable<IngressClass['spec']>>['parameters'];

function typedReferenceCauses(
  reference: { readonly apiGroup?: string; readonly kind?: string; readonly name?: string },
  path: FieldPath,
): FieldCause[] {
  const { apiGroup } = reference;
  const group = isSet(apiGroup) ? problems(checkDns1123Subdomain(apiGroup), path.child('apiGroup'), apiGroup) : [];
  return [
    ...group,
    ...(['kind', 'name'] as const).flatMap((name) => {
      const value = reference[name];
      return value ? problems(checkPathSegmentName(value), path.child(name), value) : [required(path.child(name))];
    }),
  ];
}

function classParametersCauses(parameters: Parameters, path: FieldPath): FieldCause[] {
  if (!parameters) return [];
  const causes = typedReferenceCauses(parameters, path);
  const { scope, namespace } = parameters;
  const at = path.child('namespace');
  if (!isSet(scope)) return [...causes, required(path.child('scope'))];
  if (scope !== 'Namespace' && scope !== 'Cluster') return [...causes, notSupported(path.child('scope'), scope, ['Cluster', 'Namespace'])];
  if (scope === 'Cluster') return isSet(namespace) ? [...causes, forbiddenField(at, "`parameters.scope` is set to 'Cluster'")] : causes;
  if (!isSet(namespace)) return [...causes, required(at, "`parameters.scope` is set to 'Namespace'")];
  return [...causes, ...problems(checkDns1123Label(namespace), at, namespace)];
}

export function ingressClassUpdateCauses(next: DeepReadonly<IngressClass>, previous: DeepReadonly<IngressClass>): FieldCause[] {
  return [...immutableCauses(next.spec?.controller, previous.spec?.controller, SPEC.child('controller')), ...ingressClassCauses(next)];
}

export function ipAddressCauses({ spec }: DeepReadonly<IPAddress>): FieldCause[] {
  const parent = spec?.parentRef;
  const at = SPEC.child('parentRef');
  if (!parent) return [required(at)];
  const causes = parent.group ? problems(checkDns1123Subdomain(parent.group), at.child('group'), parent.group) : [];
  for (const name of ['resource', 'name', 'namespace'] as const) {
    const value = parent[name];
    if (value) causes.push(...problems(checkPathSegmentName(value), at.child(name), value));
    else if (name !== 'namespace') causes.push(required(at.child(name)));
  }
  return causes;
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

export function serviceCidrCauses({ spec }: DeepReadonly<ServiceCIDR>): FieldCause[] {
  const cidrs = spec?.cidrs ?? [];
  const path = SPEC.child('cidrs');
  if (cidrs.length === 0) return [required(path, 'at least one CIDR required')];
  if (cidrs.length > 2) return [invalidValue(path, { CIDRs: cidrs }, 'may only hold up to 2 values')];
  const causes = cidrs.flatMap((cidr, index) => problems(canonicalCidrProblems(cidr), path.index(index), cidr));
  const isPair = cidrs.length < 2 || isDualStackPair(cidrs) || !cidrs.every((cidr) => rangeIn(cidr) !== undefined);
  const one = 'may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64';
  return isPair ? causes : [...causes, invalidValue(path, cidrs, one)];
}
