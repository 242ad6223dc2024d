// SPDX-License-Identifier: Apache-2.0
// Services: families and addresses are settled before admission sees the object's final form, addresses and ports are taken in
// `allocate`. Rules of upstream's registry/core/service (strategy.go, storage.go, alloc.go): an update inherits what it leaves
// out, and a changed type drops what only the old type had.
import { serviceFamilyCauses, services, validateObject, validateObjectUpdate } from '#api';
import type { Service, ServicePort } from '#api/core/v1';
import { type DeepReadonly, deepCopy, type FieldCause, invalid, semanticEqual } from '#machinery';
import { defaultStrategy } from '../default-strategy.ts';
import type { ServiceAllocator } from '../service-allocation.ts';
import type { MutableObject, Strategy } from '../strategy.ts';

const OF = { group: '', version: 'v1', kind: 'Service' };
type Old = DeepReadonly<Service>;
const asService = (object: MutableObject | DeepReadonly<MutableObject>) => object as unknown as Service;

const needsClusterIp = ({ spec }: Old) => spec.type !== 'ExternalName';
const needsNodePort = ({ spec }: Old) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
const needsHealthPort = ({ spec }: Old) => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
const isExternal = ({ spec }: Old) =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);
const isHeadless = ({ spec }: Old) => spec.clusterIP === 'None' || spec.clusterIPs?.[0] === 'None';

/** What an update leaves out but the type still has, stays. */
function inherit(next: Service, previous: Old): void {
  if (needsClusterIp(next) && needsClusterIp(previous)) {
    if (!next.spec.clusterIP) next.spec.clusterIP = previous.spec.clusterIP ?? '';
    if ((next.spec.clusterIPs ?? []).length === 0 && next.spec.clusterIP === previous.spec.clusterIP) {
      next.spec.clusterIPs = [...(previous.spec.clusterIPs ?? [])];
    }
  }
  if (needsClusterIp(next) && needsClusterIp(previous)) {
    if (!next.spec.ipFamilyPolicy && previous.spec.ipFamilyPolicy) {
      next.spec.ipFamilyPolicy = previous.spec.ipFamilyPolicy;
      if ((next.spec.ipFamilies ?? []).length === 0) next.spec.ipFamilies = [...(previous.spec.ipFamilies ?? [])];
    }
  }
  if (needsNodePort(next) && needsNodePort(previous)) inheritNodePorts(next, previous);
  if (needsHealthPort(next) && needsHealthPort(previous) && !next.spec.healthCheckNodePort && previous.spec.healthCheckNodePort) {
    next.spec.healthCheckNodePort = previous.spec.healthCheckNodePort;
  }
}

function inheritNodePorts(next: Service, previous: Old): void {
  const key = (port: DeepReadonly<ServicePort>) => `${port.protocol ?? 'TCP'}/${port.port}`;
  const had = new Map((previous.spec.ports ?? []).map((port) => [key(port), port.nodePort]));
  const used = new Set((next.spec.ports ?? []).flatMap((port) => (port.nodePort ? [`${port.protocol}/${port.nodePort}`] : [])));
  for (const port of next.spec.ports ?? []) {
    const before = had.get(key(port));
    if (port.nodePort || !before || used.has(`${port.protocol}/${before}`)) continue;
    port.nodePort = before;
    used.add(`${port.protocol}/${before}`);
  }
}

/** `clusterIP` and the first of `clusterIPs` are one value. */
function normalizeClusterIps(next: Service, previous: Old | undefined): void {
  const { spec } = next;
  if (previous === undefined) {
    if (spec.clusterIP && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  if (!semanticEqual(spec.clusterIPs, previous.spec.clusterIPs)) return;
  if ((spec.clusterIP ?? '') === (previous.spec.clusterIP ?? '')) return;
  if (!spec.clusterIP) delete spec.clusterIPs;
  else spec.clusterIPs = [spec.clusterIP, ...(spec.clusterIPs ?? []).slice(1)];
}

/** What only the former type had goes, unless the update set it anew. */
function dropTypeDependent(next: Service, previous: Old): void {
  const { spec } = next;
  const old = previous.spec;
  const same = (name: keyof Service['spec']) => semanticEqual(spec[name], old[name]);
  if (needsClusterIp(previous) && !needsClusterIp(next)) {
    if (same('clusterIP') && same('clusterIPs')) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    if (same('ipFamilies')) delete spec.ipFamilies;
    if (same('ipFamilyPolicy')) delete spec.ipFamilyPolicy;
  }
  const ports = (list: DeepReadonly<ServicePort[]> | undefined) => (list ?? []).map((port) => port.nodePort ?? 0);
  if (needsNodePort(previous) && !needsNodePort(next) && semanticEqual(ports(spec.ports), ports(old.ports))) {
    for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (needsHealthPort(previous) && !needsHealthPort(next) && same('healthCheckNodePort')) delete spec.healthCheckNodePort;
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (same('allocateLoadBalancerNodePorts')) delete spec.allocateLoadBalancerNodePorts;
    if (same('loadBalancerClass')) delete spec.loadBalancerClass;
  }
  if (isExternal(previous) && !isExternal(next) && same('externalTrafficPolicy')) delete spec.externalTrafficPolicy;
  if (old.type !== 'ExternalName' && spec.type === 'ExternalName' && same('internalTrafficPolicy')) delete spec.internalTrafficPolicy;
}

/** Families and policy that follow from the addresses, the policy and what the cluster has. */
function defaultFamilies(next: Service, previous: Old | undefined, families: readonly ('IPv4' | 'IPv6')[]): void {
  const { spec } = next;
  if (spec.type === 'ExternalName') return;
  if (previous !== undefined && downgrade(next, previous)) return;
  for (const [index, address] of (spec.clusterIPs ?? []).entries()) {
    if (address === 'None' || address === '' || spec.ipFamilies?.[index] !== undefined) continue;
    const family = address.includes(':') ? 'IPv6' : 'IPv4';
    // Of a family that the cluster has not, the refusal is to show the address: no family is put in its place.
    if (!families.includes(family)) return;
    spec.ipFamilies = [...(spec.ipFamilies ?? []), family];
  }
  const own = families[0] ?? 'IPv4';
  const other = own === 'IPv4' ? 'IPv6' : 'IPv4';
  if (isHeadless(next) && Object.keys(spec.selector ?? {}).length === 0) {
    spec.ipFamilyPolicy ??= 'RequireDualStack';
    spec.ipFamilies = spec.ipFamilies?.length ? spec.ipFamilies : [own];
    if (spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilies.length === 1) {
      spec.ipFamilies.push(spec.ipFamilies[0] === own ? other : own);
    }
    return;
  }
  spec.ipFamilyPolicy ??= 'SingleStack';
  spec.ipFamilies = spec.ipFamilies?.length ? spec.ipFamilies : [own];
  if (spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilies.length === 1 && families.length === 2) {
    spec.ipFamilies.push(spec.ipFamilies[0] === families[0] ? (families[1] ?? own) : own);
  }
}

/** From two families to one: the second address and family go with the policy. */
function downgrade({ spec }: Service, previous: Old): boolean {
  const isDowngrade = previous.spec.ipFamilyPolicy !== 'SingleStack' && spec.ipFamilyPolicy === 'SingleStack';
  if (!isDowngrade || !semanticEqual(spec.ipFamilies, previous.spec.ipFamilies)) return false;
  if (spec.ipFamilies?.[0] !== undefined) spec.ipFamilies = [spec.ipFamilies[0]];
  if (spec.clusterIPs?.[0] !== undefined) spec.clusterIPs = [spec.clusterIPs[0]];
  return true;
}

function familyCausesOf(
  next: DeepReadonly<MutableObject>,
  before: DeepReadonly<MutableObject>,
  families: readonly ('IPv4' | 'IPv6')[],
): readonly FieldCause[] {
  const [service, previous] = [deepCopy(asService(next)), asService(before)];
  defaultFamilies(service, previous, families);
  return serviceFamilyCauses(service, previous, families);
}

export function serviceStrategy(allocator: ServiceAllocator): Strategy {
  return defaultStrategy(services, {
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: true,
    selectableFields: ['spec.clusterIP', 'spec.type'],
    fieldValue: (object, name) => {
      const { spec } = asService(object);
      return name === 'spec.clusterIP' ? (spec.clusterIP ?? '') : name === 'spec.type' ? (spec.type ?? '') : undefined;
    },
    initialStatus: () => ({ loadBalancer: {} }),
    afterPrepareForCreate: (object) => normalizeClusterIps(asService(object), undefined),
    afterPrepareForUpdate(object, before) {
      const [next, previous] = [asService(object), asService(before)];
      inherit(next, previous);
      normalizeClusterIps(next, previous);
      if (next.spec.type !== previous.spec.type || next.spec.externalTrafficPolicy !== previous.spec.externalTrafficPolicy) {
        dropTypeDependent(next, previous);
      }
      if (next.spec.type !== 'LoadBalancer') next.status = { ...next.status, loadBalancer: {} };
    },
    validate: (object) => validateObject(OF, object),
    validateUpdate(next, previous) {
      // Addresses are taken before the object is looked at as a whole, and what forbids that is all there is to say.
      const families = familyCausesOf(next, previous, allocator.families);
      return families.length > 0 ? families : validateObjectUpdate(OF, next, previous, '');
    },
    async allocate(object, before, scope) {
      const service = asService(object);
      const previous = before === undefined ? undefined : asService(before);
      defaultFamilies(service, previous, allocator.families);
      const causes = serviceFamilyCauses(service, previous, allocator.families);
      if (causes.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', causes);
      return allocator.allocate(service, previous, scope.dryRun);
    },
    release: (object) => allocator.release(asService(object)),
  });
}
