// SPDX-License-Identifier: Apache-2.0
// Validation of Services, Endpoints and EndpointSlices. Families against the cluster's are service-families.ts.
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
import type { Endpoints, LoadBalancerStatus, Service } from '../generated/core/v1.ts';
import type { EndpointSlice } from '../generated/discovery/v1.ts';
import { internalForm } from './difference.ts';
import { cidrProblems, ipProblems, isDualStackPair } from './ip.ts';
import { immutableCauses, labelCauses } from './object-meta.ts';
import { enumCauses, portCauses, portOrNameCauses, problems } from './rules.ts';

const SPEC = field('spec');
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const TYPES = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
type Spec = DeepReadonly<Service>['spec'];
const isHeadless = (spec: Spec) => spec.clusterIPs?.[0] === 'None' || spec.clusterIP === 'None';

export function serviceCauses(service: DeepReadonly<Service>): FieldCause[] {
  const { spec } = service;
  const causes: FieldCause[] = [];
  const ports = SPEC.child('ports');
  if ((spec.ports ?? []).length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') causes.push(required(ports));
  if (spec.type === 'LoadBalancer') {
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
  return causes;
}

function externalNameCauses(spec: Spec): FieldCause[] {
  const causes: FieldCause[] = [];
  const why = 'may not be set for ExternalName services';
  if (spec.clusterIPs?.length) causes.push(forbiddenField(SPEC.child('clusterIPs'), why));
  if (spec.ipFamilies?.length) causes.push(forbiddenField(SPEC.child('ipFamilies'), why));
  if (spec.ipFamilyPolicy !== undefined) causes.push(forbiddenField(SPEC.child('ipFamilyPolicy'), why));
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
    const seconds = config?.clientIP?.timeoutSeconds;
    if (seconds === undefined || seconds === null) return [required(path, 'when session affinity type is ClientIP')];
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

function portUseCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const seen = new Set<string>();
  for (const [index, port] of (spec.ports ?? []).entries()) {
    const at = path.index(index);
    if (port.nodePort && (spec.type === 'ClusterIP' || spec.type === 'ExternalName')) {
      causes.push(forbiddenField(at.child('nodePort'), `may not be used when \`type\` is '${spec.type}'`));
    }
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
    const path = SPEC.child('loadBalancerSourceRanges');
    if (!isBalancer) causes.push(forbiddenField(path, `may only be used when \`type\` is 'LoadBalancer'`));
    for (const [index, range] of ranges.entries()) causes.push(...problems(cidrProblems(range.trim()), path.index(index), range));
  }
  const only = `may only be used when \`type\` is 'LoadBalancer'`;
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalancer)
    causes.push(forbiddenField(SPEC.child('allocateLoadBalancerNodePorts'), only));
  if (isBalancer && spec.allocateLoadBalancerNodePorts === undefined) causes.push(required(SPEC.child('allocateLoadBalancerNodePorts')));
  if (spec.loadBalancerClass !== undefined) {
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
  }
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
  else if (spec.internalTrafficPolicy !== undefined) causes.push(forbiddenField(internal, 'may not be set for ExternalName services'));
  if (spec.trafficDistribution !== undefined) {
    causes.push(
      ...enumCauses(spec.trafficDistribution, ['PreferClose', 'PreferSameZone', 'PreferSameNode'], SPEC.child('trafficDistribution')),
    );
  }
  return causes;
}

export function serviceUpdateCauses(next: DeepReadonly<Service>, previous: DeepReadonly<Service>): FieldCause[] {
  const causes: FieldCause[] = [];
  const [old, spec] = [previous.spec, next.spec];
  const bothHaveAddresses = old.type !== 'ExternalName' && spec.type !== 'ExternalName';
  const [before, now] = [old.clusterIPs?.[0], spec.clusterIPs?.[0]];
  if (bothHaveAddresses && before && before !== now) {
    causes.push(invalidValue(SPEC.child('clusterIPs').index(0), spec.clusterIPs, 'may not change once set'));
  }
  if (old.type === 'LoadBalancer' && spec.type === 'LoadBalancer' && !semanticEqual(old.loadBalancerClass, spec.loadBalancerClass)) {
    causes.push(invalidValue(SPEC.child('loadBalancerClass'), spec.loadBalancerClass ?? null, 'may not change once set'));
  }
  return [...causes, ...serviceCauses(next)];
}

export function loadBalancerStatusCauses(status: DeepReadonly<LoadBalancerStatus> | undefined, path: FieldPath): FieldCause[] {
  return (status?.ingress ?? []).flatMap((ingress, index) => {
    const at = path.child('ingress').index(index);
    const causes: FieldCause[] = [];
    if (ingress.ip) causes.push(...problems(ipProblems(ingress.ip), at.child('ip'), ingress.ip));
    if (ingress.hostname) {
      causes.push(...problems(checkDns1123Subdomain(ingress.hostname), at.child('hostname'), ingress.hostname));
      if (ipProblems(ingress.hostname).length === 0)
        causes.push(invalidValue(at.child('hostname'), ingress.hostname, 'must be a DNS name, not an IP address'));
    }
    return causes;
  });
}

export function serviceStatusCauses(next: DeepReadonly<Service>): FieldCause[] {
  return loadBalancerStatusCauses(next.status?.loadBalancer, field('status', 'loadBalancer'));
}

/** An address of a host: not unspecified, loopback, link-local or multicast. */
function hostAddressCauses(address: string, path: FieldPath): FieldCause[] {
  const wrong = problems(ipProblems(address), path, address);
  return wrong.length > 0 ? wrong : specialAddressCauses(address, path);
}

function specialAddressCauses(address: string, path: FieldPath): FieldCause[] {
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

export function endpointsCauses({ subsets }: DeepReadonly<Endpoints>): FieldCause[] {
  return (subsets ?? []).flatMap((subset, index) => {
    const at = field('subsets').index(index);
    const causes: FieldCause[] = [];
    if ((subset.addresses ?? []).length + (subset.notReadyAddresses ?? []).length === 0) {
      causes.push(required(at, 'must specify `addresses` or `notReadyAddresses`'));
    }
    for (const name of ['addresses', 'notReadyAddresses'] as const) {
      for (const [position, address] of (subset[name] ?? []).entries()) {
        const here = at.child(name).index(position);
        const wrong = ipProblems(address.ip);
        causes.push(...problems(wrong, here.child('ip'), address.ip));
        if (address.hostname) causes.push(...problems(checkDns1123Label(address.hostname), here.child('hostname'), address.hostname));
        if (wrong.length > 0) causes.push(invalidValue(here.child('ip'), address.ip, 'must be a valid IP address'));
        else causes.push(...specialAddressCauses(address.ip, here.child('ip')));
      }
    }
    for (const [position, port] of (subset.ports ?? []).entries()) {
      const here = at.child('ports').index(position);
      if ((subset.ports ?? []).length > 1 && !port.name) causes.push(required(here.child('name')));
      else if (port.name) causes.push(...problems(checkDns1123Label(port.name), here.child('name'), port.name));
      causes.push(...portCauses(port.port ?? 0, here.child('port')));
      if (!PROTOCOLS.includes(port.protocol ?? '')) causes.push(notSupported(here.child('protocol'), port.protocol ?? '', PROTOCOLS));
    }
    return causes;
  });
}

export function endpointSliceCauses(slice: DeepReadonly<EndpointSlice>): FieldCause[] {
  const type = slice.addressType;
  const causes = enumCauses(type, ['FQDN', 'IPv4', 'IPv6'], field('addressType'), true);
  for (const [index, endpoint] of (slice.endpoints ?? []).entries()) {
    const at = field('endpoints').index(index);
    const list = at.child('addresses');
    if ((endpoint.addresses ?? []).length === 0) causes.push(required(list, 'must contain at least 1 address'));
    for (const [position, address] of (endpoint.addresses ?? []).entries()) {
      const here = list.index(position);
      if (type === 'FQDN') {
        causes.push(...problems(checkDns1123Subdomain(address), here, address));
        continue;
      }
      if (type !== 'IPv4' && type !== 'IPv6') continue;
      const wrong = problems(ipProblems(address), here, address);
      causes.push(...wrong);
      if (wrong.length > 0) continue;
      if (address.includes(':') !== (type === 'IPv6')) causes.push(invalidValue(list, address, `must be an ${type} address`));
      causes.push(...specialAddressCauses(address, here));
    }
    if (endpoint.hostname) causes.push(...problems(checkDns1123Label(endpoint.hostname), at.child('hostname'), endpoint.hostname));
  }
  return [...causes, ...slicePortCauses(slice)];
}

function slicePortCauses({ ports }: DeepReadonly<EndpointSlice>): FieldCause[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap((port, index) => {
    const at = field('ports').index(index);
    const causes: FieldCause[] = [];
    if (port.name) causes.push(...problems(checkDns1123Label(port.name), at.child('name'), port.name));
    if (names.has(port.name ?? '')) causes.push(duplicateValue(at.child('name'), port.name ?? ''));
    names.add(port.name ?? '');
    if (!PROTOCOLS.includes(port.protocol ?? '')) causes.push(notSupported(at.child('protocol'), port.protocol ?? '', PROTOCOLS));
    return causes;
  });
}

export function endpointSliceUpdateCauses(next: DeepReadonly<EndpointSlice>, previous: DeepReadonly<EndpointSlice>): FieldCause[] {
  return [...endpointSliceCauses(next), ...immutableCauses(next.addressType, previous.addressType, field('addressType'))];
}
