// SPDX-License-Identifier: Apache-2.0
// Validation of Services and of load balancers' status. Families against the cluster's are service-families.ts.
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
import { cidrProblems, ipProblems, isDualStackPair } from './ip.ts';
import { labelCauses } from './object-meta.ts';
import { enumCauses, isSet, portCauses, portOrNameCauses, problems } from './rules.ts';

const SPEC = field('spec');
export const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const KUBELET_PORT = 10_250;
const [TOPOLOGY_MODE, TOPOLOGY_HINTS] = ['service.kubernetes.io/topology-mode', 'service.kubernetes.io/topology-aware-hints'];
type Spec = DeepReadonly<Service>['spec'];
const isHeadless = (spec: Spec) => spec.clusterIPs?.[0] === 'None' || spec.clusterIP === 'None';

export function serviceCauses(service: DeepReadonly<Service>): FieldCause[] {
  const { spec } = service;
  const causes: FieldCause[] = [];
  const ports = SPEC.child('ports');
  if ((spec.ports ?? []).length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') causes.push(required(ports));
  if (spec.type === 'LoadBalancer') {
    for (const [index, { port }] of (spec.ports ?? []).entries()) {
      const why = `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`;
      if (port === KUBELET_PORT) causes.push(invalidValue(ports.index(index).child('port'), port, why));
    }
    if (isHeadless(spec))
      causes.push(
        invalidValue(
          SPEC.child('clusterIPs').index(0),
          spec.clusterIPs?.[0] ?? 'None',
          `may not be set to 'None' for LoadBalancer services`,
        ),
      );
  } else if (spec.type === 'NodePort') {
    if (isHeadless(spec))
      causes.push(
        invalidValue(SPEC.child('clusterIPs').index(0), spec.clusterIPs?.[0] ?? 'None', `may not be set to 'None' for NodePort services`),
      );
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
  causes.push(...clusterIpCauses(service));
  for (const [index, address] of (spec.externalIPs ?? []).entries())
    causes.push(...hostAddressCauses(address, SPEC.child('externalIPs').index(index)));
  causes.push(...enumCauses(spec.type, TYPES, SPEC.child('type'), true));
  causes.push(...portUseCauses(spec, ports), ...balancerCauses(spec), ...trafficCauses(spec));
  return [...causes, ...topologyCauses(service)];
}

/** The old and the new name of the same annotation. */
function topologyCauses({ metadata }: DeepReadonly<Service>): FieldCause[] {
  const [mode, hints] = [metadata.annotations?.[TOPOLOGY_MODE], metadata.annotations?.[TOPOLOGY_HINTS]];
  if (!isSet(mode) || !isSet(hints) || mode === hints) return [];
  const path = field('metadata', 'annotations').key(TOPOLOGY_HINTS);
  return [invalidValue(path, hints, `must match annotations[${TOPOLOGY_MODE}] when both are specified`)];
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

/** Protocol names follow the rule of label keys, and its words. */
const labelKeyRule = (problem: string) => problem.replace('a qualified name', 'a valid label key');

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
  if (port.appProtocol)
    causes.push(...problems(checkQualifiedName(port.appProtocol).map(labelKeyRule), path.child('appProtocol'), port.appProtocol));
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

function clusterIpCauses({ spec }: DeepReadonly<Service>): FieldCause[] {
  const path = SPEC.child('clusterIPs');
  const causes: FieldCause[] = [];
  const addresses = spec.clusterIPs ?? [];
  if (spec.ipFamilyPolicy)
    causes.push(...enumCauses(spec.ipFamilyPolicy, ['PreferDualStack', 'RequireDualStack', 'SingleStack'], SPEC.child('ipFamilyPolicy')));
  const seen = new Set<string>();
  for (const [index, family] of (spec.ipFamilies ?? []).entries()) {
    const at = SPEC.child('ipFamilies').index(index);
    causes.push(...enumCauses(family, ['IPv4', 'IPv6'], at));
    if (seen.has(family)) causes.push(duplicateValue(at, family));
    seen.add(family);
  }
  if (addresses.length > 0) {
    if (!spec.clusterIP) causes.push(invalidValue(path, addresses, 'must be empty when `clusterIP` is not specified'));
    else if (spec.clusterIP !== addresses[0]) causes.push(invalidValue(path, addresses, 'first value must match `clusterIP`'));
  } else if (spec.clusterIP) {
    causes.push(required(path));
  }
  if (spec.type === 'ExternalName') return causes;
  for (const [index, address] of addresses.entries()) {
    if (address === 'None') {
      if (addresses.length > 1) causes.push(invalidValue(path, addresses, "'None' must be the first and only value"));
      continue;
    }
    causes.push(...problems(ipProblems(address), path.index(index), address));
  }
  if (addresses.length > 2) causes.push(invalidValue(path, addresses, 'may only hold up to 2 values'));
  else if (addresses.length === 2 && !isDualStackPair(addresses))
    causes.push(invalidValue(path, addresses, 'may specify no more than one IP for each IP family'));
  return causes;
}

/** Ports of the nodes: not of every type of Service. That each is used once is the allocator's business. */
function nodePortCauses({ type, ports }: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, { nodePort }] of (ports ?? []).entries()) {
    if (!nodePort) continue;
    const at = path.index(index).child('nodePort');
    if (type === 'ClusterIP' || type === 'ExternalName') causes.push(forbiddenField(at, `may not be used when \`type\` is '${type}'`));
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

function balancerCauses(spec: Spec): FieldCause[] {
  const causes: FieldCause[] = [];
  const isBalancer = spec.type === 'LoadBalancer';
  const ranges = spec.loadBalancerSourceRanges ?? [];
  if (ranges.length > 0) {
    const path = SPEC.child('LoadBalancerSourceRanges');
    if (!isBalancer) causes.push(forbiddenField(path, `may only be used when \`type\` is 'LoadBalancer'`));
    for (const [index, range] of ranges.entries()) causes.push(...problems(cidrProblems(range.trim()), path.index(index), range.trim()));
  }
  const only = `may only be used when \`type\` is 'LoadBalancer'`;
  if (isSet(spec.allocateLoadBalancerNodePorts) && !isBalancer)
    causes.push(forbiddenField(SPEC.child('allocateLoadBalancerNodePorts'), only));
  if (isBalancer && !isSet(spec.allocateLoadBalancerNodePorts)) causes.push(required(SPEC.child('allocateLoadBalancerNodePorts')));
  if (isSet(spec.loadBalancerClass)) {
    const path = SPEC.child('loadBalancerClass');
    if (!isBalancer) causes.push(forbiddenField(path, only));
    causes.push(...problems(checkQualifiedName(spec.loadBalancerClass), path, spec.loadBalancerClass));
  }
  return causes;
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
  const health = SPEC.child('healthCheckNodePort');
  if (spec.healthCheckNodePort) {
    const needed = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
    if (!needed)
      causes.push(
        invalidValue(
          health,
          spec.healthCheckNodePort,
          `may only be set when \`type\` is 'LoadBalancer' and \`externalTrafficPolicy\` is 'Local'`,
        ),
      );
    else causes.push(...portCauses(spec.healthCheckNodePort, health));
  }
  const internal = SPEC.child('internalTrafficPolicy');
  if (spec.type !== 'ExternalName') causes.push(...enumCauses(spec.internalTrafficPolicy, ['Cluster', 'Local'], internal, true));
  else if (isSet(spec.internalTrafficPolicy)) causes.push(forbiddenField(internal, 'may not be set for ExternalName services'));
  if (isSet(spec.trafficDistribution)) {
    causes.push(
      ...enumCauses(spec.trafficDistribution, ['PreferClose', 'PreferSameZone', 'PreferSameNode'], SPEC.child('trafficDistribution')),
    );
  }
  return causes;
}

export function serviceUpdateCauses(next: DeepReadonly<Service>, previous: DeepReadonly<Service>): FieldCause[] {
  const causes: FieldCause[] = [];
  const [old, spec] = [previous.spec, next.spec];
  if (old.type !== 'ExternalName' && spec.type !== 'ExternalName') {
    causes.push(...keptCauses(spec, old, 'clusterIPs', 'clusterIP'));
    const isFree = isHeadless(old) && isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
    if (!isFree) causes.push(...keptCauses(spec, old, 'ipFamilies', 'ipFamily'));
  }
  if (old.type === 'LoadBalancer' && spec.type === 'LoadBalancer' && !semanticEqual(old.loadBalancerClass, spec.loadBalancerClass)) {
    causes.push(invalidValue(SPEC.child('loadBalancerClass'), spec.loadBalancerClass ?? null, 'may not change once set'));
  }
  return [...causes, ...serviceCauses(next)];
}

/** Addresses and families stay; a second one may come, and goes when one stack is asked for. */
function keptCauses(next: Spec, previous: Spec, name: 'clusterIPs' | 'ipFamilies', one: string): FieldCause[] {
  const path = SPEC.child(name);
  const [now, before]: readonly (readonly string[])[] = [next[name] ?? [], previous[name] ?? []];
  if (!now || !before || before.length === 0 || before[0] === '') return [];
  if (now.length === 0 && name === 'ipFamilies') return []; // They follow from the addresses.
  if (now.length === 0) return [invalidValue(path.index(0), now, `primary ${one} can not be unset`)];
  const causes = now[0] === before[0] ? [] : [invalidValue(path.index(0), now, 'may not change once set')];
  if (before.length < 2) return causes;
  if (now.length > 1 && now[1] !== before[1]) causes.push(invalidValue(path.index(1), now, 'may not change once set'));
  if (now.length === 1 && next.ipFamilyPolicy !== 'SingleStack') {
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
      if (ipProblems(hostname).length === 0)
        causes.push(invalidValue(at.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
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
  const odd = isOdd ? [forbiddenField(path.child('ingress'), "may only be used when `spec.type` is 'LoadBalancer'")] : [];
  return [...odd, ...loadBalancerStatusCauses(status?.loadBalancer, path, true)];
}

/** An address of a host: not unspecified, loopback, link-local or multicast. */
function hostAddressCauses(address: string, path: FieldPath): FieldCause[] {
  const wrong = problems(ipProblems(address), path, address);
  return wrong.length > 0 ? wrong : specialAddressCauses(address, path);
}

export function specialAddressCauses(address: string, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (address === '0.0.0.0' || address === '::') causes.push(invalidValue(path, address, `may not be unspecified (${address})`));
  if (address.startsWith('127.') || address === '::1')
    causes.push(invalidValue(path, address, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  if (address.startsWith('169.254.') || /^fe[89ab]/i.test(address)) {
    causes.push(invalidValue(path, address, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (address.startsWith('224.0.0.') || /^ff02/i.test(address)) {
    causes.push(invalidValue(path, address, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
  return causes;
}
