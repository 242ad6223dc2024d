// SPDX-License-Identifier: Apache-2.0
// Services: families and addresses are settled before admission sees the object's final form, addresses and ports are taken in
// `allocate`. Rules of upstream's registry/core/service (strategy.go, storage.go, alloc.go): an update inherits what it leaves
// out, and a changed type drops what only the old type had.
import { services } from '#api';
import type { Service } from '#api/core/v1';
import { type DeepReadonly, invalid, semanticEqual } from '#machinery';
import { defaultStrategy } from '../default-strategy.ts';
import type { ServiceAllocator } from '../service-allocation.ts';
import type { MutableObject, Strategy } from '../strategy.ts';
import { initFamilies } from './service-families.ts';

type Old = DeepReadonly<Service>;
const asService = (object: MutableObject | DeepReadonly<MutableObject>) => object as unknown as Service;

const needsClusterIp = ({ spec }: Old) => spec.type !== 'ExternalName';
const needsNodePort = ({ spec }: Old) => spec.type === 'NodePort' || spec.type === 'LoadBalancer';
const needsHealthPort = ({ spec }: Old) => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
const isExternal = ({ spec }: Old) =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && (spec.externalIPs ?? []).length > 0);

/** What an update leaves out but the type still has, stays. @source upstream storage.go patchAllocatedValues */
function inherit(next: Service, previous: Old): void {
  if (needsClusterIp(next) && needsClusterIp(previous)) {
    if (!next.spec.clusterIP) next.spec.clusterIP = previous.spec.clusterIP ?? '';
    if ((next.spec.clusterIPs ?? []).length === 0) next.spec.clusterIPs = [...(previous.spec.clusterIPs ?? [])];
  }
  if (needsNodePort(next) && needsNodePort(previous)) inheritNodePorts(next, previous);
  if (needsHealthPort(next) && needsHealthPort(previous) && !next.spec.healthCheckNodePort && previous.spec.healthCheckNodePort) {
    next.spec.healthCheckNodePort = previous.spec.healthCheckNodePort;
  }
}

/** A port keeps the node port that one of its name had, unless the update has given that to another. */
function inheritNodePorts(next: Service, previous: Old): void {
  const given = nodePortsOf(next);
  const had = new Map((previous.spec.ports ?? []).map(({ name = '', nodePort }) => [name, nodePort]));
  for (const port of next.spec.ports ?? []) {
    const before = had.get(port.name ?? '');
    if (!port.nodePort && before && !given.has(before)) port.nodePort = before;
  }
}

const nodePortsOf = ({ spec }: Old) => new Set((spec.ports ?? []).flatMap(({ nodePort }) => nodePort || []));

/** `clusterIP` and the first of `clusterIPs` are one value. */
function normalizeClusterIps(next: Service, previous: Old | undefined): void {
  const { spec } = next;
  if (previous === undefined) {
    if (spec.clusterIP && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [spec.clusterIP];
    return;
  }
  if (!semanticEqual(spec.clusterIPs ?? [], previous.spec.clusterIPs ?? [])) return;
  if ((spec.clusterIP ?? '') === (previous.spec.clusterIP ?? '')) return;
  if (!spec.clusterIP) delete spec.clusterIPs;
  else spec.clusterIPs = [spec.clusterIP];
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
  if (needsNodePort(previous) && !needsNodePort(next) && nodePortsOf(next).isSubsetOf(nodePortsOf(previous))) {
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
      dropTypeDependent(next, previous);
      if (next.spec.type !== 'LoadBalancer') next.status = { ...next.status, loadBalancer: {} };
    },
    async allocate(object, before, scope) {
      const service = asService(object);
      const previous = before === undefined ? undefined : asService(before);
      const causes = initFamilies(service, previous?.spec, allocator.families);
      if (causes.length > 0) throw invalid({ group: '', kind: 'Service' }, service.metadata.name ?? '', causes);
      return allocator.allocate(service, previous, scope.dryRun);
    },
    release: (object) => allocator.release(asService(object)),
  });
}
