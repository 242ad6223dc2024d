// SPDX-License-Identifier: Apache-2.0
// Validation of Services and of load balancers' status, as far as it goes without the cluster's families.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { LoadBalancerStatus, Service } from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { canonicalAddress, cidrProblems, ipProblems, isAddress, specialKindOf } from './ip.ts';
import { labelCauses } from './object-meta.ts';
import { choiceCauses, enumCauses, isSet, portCauses, portOrNameCauses, problems } from './rules.ts';

const SPEC = field('spec');
const ANNOTATIONS = field('metadata', 'annotations');
const SOURCE_RANGES = 'service.beta.kubernetes.io/load-balancer-source-ranges';
export const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const [TOPOLOGY_MODE, TOPOLOGY_HINTS] = ['service.kubernetes.io/topology-mode', 'service.kubernetes.io/topology-aware-hints'];
type Spec = DeepReadonly<Service>['spec'];
const isHeadless = (spec: Spec) => spec.clusterIPs?.[0] === 'None' || spec.clusterIP === 'None';

export function serviceCauses(service: DeepReadonly<Service>): FieldCause[] {
  const { spec } = service;
  const causes = topologyCauses(service);
  const ports = SPEC.child('ports');
  if ((spec.ports ?? []).length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') causes.push(required(ports));
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec)) {
    const why = `may not be set to 'None' for ${spec.type} services`;
    causes.push(invalidValue(SPEC.child('clusterIPs').index(0), spec.clusterIPs?.[0] ?? 'None', why));
  } else if (spec.type === 'ExternalName') {
    causes.push(...externalNameCauses(spec));
  }
  const names = new Set<string>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    causes.push(...servicePortCauses(port, (spec.ports ?? []).length > 1, names, ports.index(index)));
  }
  causes.push(...labelCauses(spec.selector, SPEC.child('selector')));
  causes.push(
    ...enumCauses(spec.sessionAffinity, ['ClientIP', 'None'], SPEC.child('sessionAffinity'), true),
    ...affinityConfigCauses(spec),
  );
  causes.push(...clusterIpCauses(spec));
  for (const [index, address] of (spec.externalIPs ?? []).entries())
    causes.push(...hostAddressCauses(address, SPEC.child('externalIPs').index(index)));
  causes.push(...enumCauses(spec.type, TYPES, SPEC.child('type'), true));
  return [...causes, ...portUseCauses(spec, ports), ...balancerCauses(service), ...classCauses(spec), ...trafficCauses(spec)];
}

/** The old and the new name of the same annotation. */
function topologyCauses({ metadata }: DeepReadonly<Service>): FieldCause[] {
  const [mode, hints] = [metadata.annotations?.[TOPOLOGY_MODE], metadata.annotations?.[TOPOLOGY_HINTS]];
  if (!isSet(mode) || !isSet(hints) || mode === hints) return [];
  const path = ANNOTATIONS.key(TOPOLOGY_MODE);
  return [invalidValue(path, mode, `must match annotations[${TOPOLOGY_HINTS}] when both are specified`)];
}

function externalNameCauses(spec: Spec): FieldCause[] {
  const causes: FieldCause[] = [];
  const why = 'may not be set for ExternalName services';
  if (spec.clusterIPs?.length) causes.push(forbiddenField(SPEC.child('clusterIPs'), why));
  if (spec.ipFamilies?.length) causes.push(forbiddenField(SPEC.child('ipFamilies'), why));
  if (isSet(spec.ipFamilyPolicy)) causes.push(forbiddenField(SPEC.child('ipFamilyPolicy'), why));
  const name = (spec.externalName ?? '').replace(/\.$/, '');
  if (name === '') causes.push(required(SPEC.child('externalName')));
  else causes.push(...problems(checkDns1123Subdomain(name), SPEC.child('externalName'), name));
  return causes;
}

type Port = NonNullable<Spec['ports']>[number];

function servicePortCauses(port: Port, needsName: boolean, names: Set<string>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (needsName && !port.name) causes.push(required(path.child('name')));
  else if (port.name) {
    causes.push(...problems(checkDns1123Label(port.name), path.child('name'), port.name));
    if (names.has(port.name)) causes.push(duplicateValue(path.child('name'), port.name));
    else names.add(port.name);
  }
  causes.push(...portCauses(port.port ?? 0, path.child('port')));
  if (!port.protocol) causes.push(required(path.child('protocol')));
  else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(path.child('protocol'), port.protocol, PROTOCOLS));
  causes.push(...portOrNameCauses(port.targetPort, path.child('targetPort')));
  if (isSet(port.appProtocol)) causes.push(...problems(checkQualifiedName(port.appProtocol), path.child('appProtocol'), port.appProtocol));
  return causes;
}

function affinityConfigCauses(spec: Spec): FieldCause[] {
  const config = spec.sessionAffinityConfig;
  const path = SPEC.child('sessionAffinityConfig');
  if (spec.sessionAffinity === 'ClientIP') {
    const why = 'when session affinity type is ClientIP';
    if (!config) return [required(path, why)];
    if (!config.clientIP) return [required(path.child('clientIP'), why)];
    const seconds = config.clientIP.timeoutSeconds;
    if (!isSet(seconds)) return [required(path.child('clientIP', 'timeoutSeconds'), why)];
    if (seconds <= 0 || seconds > 86_400) {
      return [invalidValue(path.child('clientIP', 'timeoutSeconds'), seconds, 'must be greater than 0 and less than 86400')];
    }
    return [];
  }
  return spec.sessionAffinity === 'None' && config ? [forbiddenField(path, 'must not be set when session affinity is None')] : [];
}

const FAMILIES = ['IPv4', 'IPv6'];
const FAMILY_POLICIES = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];

/** Addresses, families and their policy against each other. */
export function clusterIpCauses(spec: Spec): FieldCause[] {
  if (spec.type === 'ExternalName') return [];
  const path = SPEC.child('clusterIPs');
  const causes: FieldCause[] = [];
  const addresses = spec.clusterIPs ?? [];
  if (spec.clusterIP) {
    if (addresses.length === 0) causes.push(required(path));
    else if (spec.clusterIP !== addresses[0]) causes.push(invalidValue(path, addresses, 'first value must match `clusterIP`'));
  } else if (addresses.length > 0) causes.push(invalidValue(path, addresses, 'must be empty when `clusterIP` is not specified'));
  causes.push(...familyCauses(spec), ...choiceCauses(spec.ipFamilyPolicy, FAMILY_POLICIES, SPEC.child('ipFamilyPolicy')));
  const wrong = addresses.flatMap((address, index) => {
    if (index > 0 || address !== 'None') return problems(ipProblems(address), path.index(index), address);
    return addresses.length > 1 ? [invalidValue(path, addresses, "'None' must be the first and only value")] : [];
  });
  causes.push(...wrong);
  if (addresses.length > 2) causes.push(invalidValue(path, addresses, 'may only hold up to 2 values'));
  return wrong.length > 0 ? causes : [...causes, ...stackCauses(spec, addresses, path)];
}

function familyCauses({ ipFamilies }: Spec): FieldCause[] {
  const seen = new Set<string>();
  return (ipFamilies ?? []).flatMap((family, index) => {
    const at = SPEC.child('ipFamilies').index(index);
    const causes = choiceCauses(family, FAMILIES, at);
    if (seen.has(family)) causes.push(duplicateValue(at, family));
    seen.add(family);
    return causes;
  });
}

/** Several addresses are of both families, each of the one that is asked for in its place. */
function stackCauses(spec: Spec, addresses: readonly string[], path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const isV6 = addresses.map((address) => address.includes(':'));
  if (addresses.length > 1 && !(isV6.includes(true) && isV6.includes(false)))
    causes.push(invalidValue(path, addresses, 'may specify no more than one IP for each IP family'));
  if (isHeadless(spec)) return causes;
  for (const [index, family] of (spec.ipFamilies ?? []).slice(0, addresses.length).entries()) {
    if (!FAMILIES.includes(family) || (family === 'IPv6') === isV6[index]) continue;
    const why = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``;
    causes.push(invalidValue(path.index(index), addresses[index], why));
  }
  return causes;
}

/** Ports of the nodes: not of every type of Service. That each is used once is the allocator's business. */
function nodePortCauses({ type, ports }: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, { nodePort }] of (ports ?? []).entries()) {
    if (!nodePort) continue;
    const at = path.index(index).child('nodePort');
    if (type === 'ClusterIP') causes.push(forbiddenField(at, `may not be used when \`type\` is '${type}'`));
  }
  return causes;
}

function portUseCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const causes = nodePortCauses(spec, path);
  const seen = new Set<string>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    const at = path.index(index);
    const key = `${port.protocol}/${port.port}`;
    if (seen.has(key)) causes.push(duplicateValue(at, internalForm({ protocol: port.protocol, port: port.port })));
    seen.add(key);
  }
  return causes;
}

const ONLY_BALANCERS = `may only be used when \`type\` is 'LoadBalancer'`;

/** Sources by the field or, where that is empty, by the annotation that came before it. */
function sourceRangeCauses({ metadata, spec }: DeepReadonly<Service>): FieldCause[] {
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const annotation = metadata.annotations?.[SOURCE_RANGES];
  if (ranges.length === 0 && annotation === undefined) return [];
  const path = ranges.length > 0 ? SPEC.child('LoadBalancerSourceRanges') : ANNOTATIONS.key(SOURCE_RANGES);
  const only = spec.type === 'LoadBalancer' ? [] : [forbiddenField(path, ONLY_BALANCERS)];
  const check = (range: string, at: FieldPath) => problems(cidrProblems(range.trim()), at, range.trim());
  if (ranges.length > 0) return [...only, ...ranges.flatMap((range, index) => check(range, path.index(index)))];
  const text = annotation?.trim() ?? '';
  return text === '' ? only : [...only, ...text.split(',').flatMap((range) => check(range, path))];
}

function balancerCauses(service: DeepReadonly<Service>): FieldCause[] {
  const { allocateLoadBalancerNodePorts: allocates, type } = service.spec;
  const causes = sourceRangeCauses(service);
  if (isSet(allocates) && type !== 'LoadBalancer') causes.push(forbiddenField(SPEC.child('allocateLoadBalancerNodePorts'), ONLY_BALANCERS));
  if (!isSet(allocates) && type === 'LoadBalancer') causes.push(required(field('allocateLoadBalancerNodePorts')));
  return causes;
}

function classCauses({ type, loadBalancerClass: name }: Spec): FieldCause[] {
  if (!isSet(name)) return [];
  const path = SPEC.child('loadBalancerClass');
  return type === 'LoadBalancer' ? problems(checkQualifiedName(name), path, name) : [forbiddenField(path, ONLY_BALANCERS)];
}

function trafficCauses(spec: Spec): FieldCause[] {
  const causes: FieldCause[] = [];
  const isExternal =
    spec.type === 'NodePort' || spec.type === 'LoadBalancer' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);
  const external = SPEC.child('externalTrafficPolicy');
  if (spec.externalTrafficPolicy) {
    if (!isExternal) causes.push(invalidValue(external, spec.externalTrafficPolicy, 'may only be set for externally-accessible services'));
    else causes.push(...enumCauses(spec.externalTrafficPolicy, ['Cluster', 'Local'], external));
  } else if (isExternal) causes.push(required(external));
  causes.push(...healthPortCauses(spec, SPEC.child('healthCheckNodePort')));
  const internal = SPEC.child('internalTrafficPolicy');
  if (!isSet(spec.internalTrafficPolicy) && INTERNAL.has(spec.type ?? '')) causes.push(required(internal));
  causes.push(...choiceCauses(spec.internalTrafficPolicy, ['Cluster', 'Local'], internal));
  return [...causes, ...choiceCauses(spec.trafficDistribution, DISTRIBUTIONS, SPEC.child('trafficDistribution'))];
}

const INTERNAL = new Set(['ClusterIP', 'NodePort', 'LoadBalancer']);
const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const HEALTH_RULE = `may only be set when \`type\` is 'LoadBalancer' and \`externalTrafficPolicy\` is 'Local'`;
const needsHealthCheck = ({ type, externalTrafficPolicy }: Spec) => type === 'LoadBalancer' && externalTrafficPolicy === 'Local';

/** That it is there at all where it is needed is the allocator's business. */
function healthPortCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const port = spec.healthCheckNodePort;
  if (!port) return [];
  return needsHealthCheck(spec) ? portCauses(port, path) : [invalidValue(path, port, HEALTH_RULE)];
}

export function serviceUpdateCauses(next: DeepReadonly<Service>, previous: DeepReadonly<Service>): FieldCause[] {
  const causes: FieldCause[] = [];
  const [old, spec] = [previous.spec, next.spec];
  if (old.type !== 'ExternalName' && spec.type !== 'ExternalName') {
    const [was, is] = [isHeadless(old), isHeadless(spec)];
    if (!was || !is) causes.push(...keptCauses(spec, old, 'clusterIPs', 'clusterIP'));
    if (!was && !is) causes.push(...keptCauses(spec, old, 'ipFamilies', 'ipFamily'));
  }
  if (old.type === 'LoadBalancer' && spec.type === 'LoadBalancer' && !semanticEqual(old.loadBalancerClass, spec.loadBalancerClass)) {
    causes.push(invalidValue(SPEC.child('loadBalancerClass'), spec.loadBalancerClass ?? null, 'may not change once set'));
  }
  causes.push(...classCauses(spec));
  if (needsHealthCheck(old) && needsHealthCheck(spec) && (old.healthCheckNodePort ?? 0) !== (spec.healthCheckNodePort ?? 0))
    causes.push(forbiddenField(SPEC.child('healthCheckNodePort'), 'field is immutable'));
  return [...causes, ...serviceCauses(next)];
}

/** Addresses and families stay; a second one may come, and goes when one stack is asked for. */
function keptCauses(next: Spec, previous: Spec, name: 'clusterIPs' | 'ipFamilies', one: string): FieldCause[] {
  const path = SPEC.child(name);
  const [now = [], before = []]: readonly (readonly string[])[] = [next[name] ?? [], previous[name] ?? []];
  const isAddress = name === 'clusterIPs';
  const changed = (index: number, shown: unknown = now) => invalidValue(path.index(index), shown, 'may not change once set');
  if (now.length === before.length) return before.flatMap((it, index) => (it === now[index] ? [] : [changed(isAddress ? index : 0)]));
  const causes: FieldCause[] = [];
  if (now.length < before.length && (next.clusterIPs ?? []).length === 0)
    causes.push(invalidValue(path.index(0), now, `primary ${one} can not be unset`));
  // Of families that became more or fewer, upstream shows the addresses.
  if (before.length > 0 && now.length > 0 && now[0] !== before[0]) causes.push(changed(0, next.clusterIPs ?? null));
  if (now.length < before.length && now.length === 1 && next.ipFamilyPolicy !== 'SingleStack') {
    const why = `must be set to 'SingleStack' when releasing the secondary ${one}`;
    causes.push(invalidValue(SPEC.child('ipFamilyPolicy'), next.ipFamilyPolicy ?? null, why));
  }
  return causes;
}

/** @param hasModes Whether addresses say how traffic to them arrives: those of Ingresses do not. */
export function loadBalancerStatusCauses(
  status: DeepReadonly<LoadBalancerStatus> | undefined,
  path: FieldPath,
  hasModes = false,
): FieldCause[] {
  return (status?.ingress ?? []).flatMap(({ ip, ipMode, hostname }, index) => {
    const at = path.child('ingress').index(index);
    const causes: FieldCause[] = [];
    if (ip) causes.push(...problems(ipProblems(ip), at.child('ip'), ip));
    if (hasModes) causes.push(...modeCauses(ip, ipMode, at.child('ipMode')));
    if (hostname) {
      causes.push(...problems(checkDns1123Subdomain(hostname), at.child('hostname'), hostname));
      if (isAddress(hostname)) causes.push(invalidValue(at.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
    }
    return causes;
  });
}

function modeCauses(ip: string | undefined, mode: string | undefined, path: FieldPath): FieldCause[] {
  if (!isSet(mode)) return ip ? [required(path, 'must be specified when `ip` is set')] : [];
  if (!ip) return [forbiddenField(path, 'may not be specified when `ip` is not set')];
  return mode === 'VIP' || mode === 'Proxy' ? [] : [notSupported(path, mode, ['Proxy', 'VIP'])];
}

export function serviceStatusCauses({ spec, status }: DeepReadonly<Service>): FieldCause[] {
  const path = field('status', 'loadBalancer');
  const isOdd = spec.type !== 'LoadBalancer' && (status?.loadBalancer?.ingress ?? []).length > 0;
  if (isOdd) return [forbiddenField(path.child('ingress'), "may only be used when `spec.type` is 'LoadBalancer'")];
  return loadBalancerStatusCauses(status?.loadBalancer, path, true);
}

/** An address of a host: not unspecified, loopback, link-local or multicast. */
function hostAddressCauses(address: string, path: FieldPath): FieldCause[] {
  const wrong = problems(ipProblems(address), path, address);
  return wrong.length > 0 ? wrong : specialAddressCauses(address, path);
}

export function specialAddressCauses(address: string, path: FieldPath): FieldCause[] {
  const kind = specialKindOf(canonicalAddress(address) ?? address);
  if (kind === undefined) return [];
  return [invalidValue(path, address, kind === 'unspecified' ? `may not be unspecified (${address})` : SPECIAL[kind])];
}

const SPECIAL = {
  loopback: 'may not be in the loopback range (127.0.0.0/8, ::1/128)',
  'link-local': 'may not be in the link-local range (169.254.0.0/16, fe80::/10)',
  'link-local multicast': 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
} as const;
