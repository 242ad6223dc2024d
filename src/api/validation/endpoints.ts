// SPDX-License-Identifier: Apache-2.0
// Validation of Endpoints and EndpointSlices. @source upstream pkg/apis/discovery/validation, pkg/apis/core/validation ValidateEndpoints
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '../../machinery/mod.ts';
import type { Endpoints } from '../generated/core/v1.ts';
import type { EndpointSlice } from '../generated/discovery/v1.ts';
import { ipProblems, isAddress } from './ip.ts';
import { immutableCauses, labelCauses } from './object-meta.ts';
import { enumCauses, isSet, portCauses, problems } from './rules.ts';
import { PROTOCOLS, specialAddressCauses } from './services.ts';

const NO_ADDRESS = 'must be a valid IP address';
const [MOST_ENDPOINTS, MOST_ADDRESSES, MOST_LABELS, MOST_PORTS, MOST_HINTS] = [1000, 100, 16, 20_000, 8];

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
        const { ip = '' } = address;
        causes.push(...problems(ipProblems(ip), here.child('ip'), ip));
        if (address.hostname) causes.push(...problems(checkDns1123Label(address.hostname), here.child('hostname'), address.hostname));
        if (isSet(address.nodeName))
          causes.push(...problems(checkDns1123Subdomain(address.nodeName), here.child('nodeName'), address.nodeName));
        causes.push(...(isAddress(ip) ? specialAddressCauses(ip, here.child('ip')) : [invalidValue(here.child('ip'), ip, NO_ADDRESS)]));
      }
    }
    for (const [position, port] of (subset.ports ?? []).entries()) {
      const here = at.child('ports').index(position);
      if ((subset.ports ?? []).length > 1 && !port.name) causes.push(required(here.child('name')));
      else if (port.name) causes.push(...problems(checkDns1123Label(port.name), here.child('name'), port.name));
      causes.push(...portCauses(port.port ?? 0, here.child('port')));
      if (!port.protocol) causes.push(required(here.child('protocol')));
      else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(here.child('protocol'), port.protocol, PROTOCOLS));
      if (isSet(port.appProtocol))
        causes.push(...problems(checkQualifiedName(port.appProtocol), here.child('appProtocol'), port.appProtocol));
    }
    return causes;
  });
}

export function endpointSliceCauses(slice: DeepReadonly<EndpointSlice>): FieldCause[] {
  const type = slice.addressType;
  const causes = enumCauses(type, ['FQDN', 'IPv4', 'IPv6'], field('addressType'), true);
  const endpoints = slice.endpoints ?? [];
  if (endpoints.length > MOST_ENDPOINTS)
    return [...causes, tooMany(field('endpoints'), endpoints.length, MOST_ENDPOINTS), ...slicePortCauses(slice)];
  for (const [index, endpoint] of endpoints.entries()) {
    const at = field('endpoints').index(index);
    const list = at.child('addresses');
    if ((endpoint.addresses ?? []).length === 0) causes.push(required(list, 'must contain at least 1 address'));
    else if (endpoint.addresses.length > MOST_ADDRESSES) causes.push(tooMany(list, endpoint.addresses.length, MOST_ADDRESSES));
    for (const [position, address] of (endpoint.addresses ?? []).entries()) {
      const here = list.index(position);
      if (type === 'FQDN') {
        causes.push(...domainCauses(address, here));
        continue;
      }
      if (type !== 'IPv4' && type !== 'IPv6') continue;
      const wrong = problems(ipProblems(address), here, address);
      causes.push(...wrong);
      if (wrong.length > 0) continue;
      if (address.includes(':') !== (type === 'IPv6')) causes.push(invalidValue(list, address, `must be an ${type} address`));
      causes.push(...specialAddressCauses(address, here));
    }
    if (isSet(endpoint.nodeName))
      causes.push(...problems(checkDns1123Subdomain(endpoint.nodeName), at.child('nodeName'), endpoint.nodeName));
    const topology = at.child('deprecatedTopology');
    const labels = Object.keys(endpoint.deprecatedTopology ?? {}).length;
    if (labels > MOST_LABELS) causes.push(tooMany(topology, labels, MOST_LABELS));
    causes.push(...labelCauses(endpoint.deprecatedTopology, topology));
    if (isSet(endpoint.hostname)) causes.push(...problems(checkDns1123Label(endpoint.hostname), at.child('hostname'), endpoint.hostname));
    causes.push(...hintCauses(endpoint.hints?.forZones, at.child('hints', 'forZones'), checkLabelValue));
    causes.push(...hintCauses(endpoint.hints?.forNodes, at.child('hints', 'forNodes'), checkDns1123Subdomain));
  }
  return [...causes, ...slicePortCauses(slice)];
}

/** A domain name of at least two labels, which may end with a dot: the first thing that is wrong with it. */
function domainCauses(name: string, path: FieldPath): FieldCause[] {
  if (name === '') return [required(path)];
  const domain = name.replace(/\.$/, '');
  const labels = domain.split('.');
  const wrong = checkDns1123Subdomain(domain);
  if (wrong.length > 0) return [invalidValue(path, domain, wrong.join(','))];
  if (labels.length < 2) return [invalidValue(path, domain, 'should be a domain with at least two segments separated by dots')];
  const odd = labels.find((label) => checkDns1123Label(label).length > 0);
  return odd === undefined ? [] : [invalidValue(path, odd, checkDns1123Label(odd).join(','))];
}

type Rule = (name: string) => readonly string[];

/** Zones or nodes that traffic should come from. */
function hintCauses(hints: readonly { readonly name: string }[] | undefined, path: FieldPath, rule: Rule): FieldCause[] {
  if (!hints) return [];
  if (hints.length > MOST_HINTS) return [tooMany(path, hints.length, MOST_HINTS)];
  const seen = new Set<string>();
  return hints.flatMap(({ name }, index) => {
    const at = path.index(index).child('name');
    const causes = seen.has(name) ? [duplicateValue(at, name)] : [];
    seen.add(name);
    return [...causes, ...problems(rule(name), at, name)];
  });
}

function slicePortCauses({ ports }: DeepReadonly<EndpointSlice>): FieldCause[] {
  if ((ports ?? []).length > MOST_PORTS) return [tooMany(field('ports'), (ports ?? []).length, MOST_PORTS)];
  const names = new Set<string>();
  return (ports ?? []).flatMap((port, index) => {
    const at = field('ports').index(index);
    const causes: FieldCause[] = [];
    if (port.name) causes.push(...problems(checkDns1123Label(port.name), at.child('name'), port.name));
    if (names.has(port.name ?? '')) causes.push(duplicateValue(at.child('name'), port.name ?? ''));
    names.add(port.name ?? '');
    if (!isSet(port.protocol)) causes.push(required(at.child('protocol')));
    else if (!PROTOCOLS.includes(port.protocol)) causes.push(notSupported(at.child('protocol'), port.protocol, PROTOCOLS));
    if (isSet(port.appProtocol)) causes.push(...problems(checkQualifiedName(port.appProtocol), at.child('appProtocol'), port.appProtocol));
    return causes;
  });
}

export function endpointSliceUpdateCauses(next: DeepReadonly<EndpointSlice>, previous: DeepReadonly<EndpointSlice>): FieldCause[] {
  return [...endpointSliceCauses(next), ...immutableCauses(next.addressType, previous.addressType, field('addressType'))];
}
