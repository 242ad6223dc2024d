// SPDX-License-Identifier: Apache-2.0
// Which node ports a Service gets: on creation ports of one number share one, on an update every port without one gets its own. The
// port for health checks of a load balancer comes of the same range.
// @source upstream registry/core/service/storage/alloc.go initNodePorts, updateNodePorts, updateHealthCheckNodePort
import type { Service } from '#api/core/v1';
import { apiError, type DeepReadonly, field, internalError, invalid, invalidValue } from '#machinery';
import type { AllocationCount, AllocationMetrics } from '../metrics/allocation-metrics.ts';

type Old = DeepReadonly<Service>;
type Port = NonNullable<Service['spec']['ports']>[number];

/** One request's way to the range. It holds its ports until it is finished: afterwards the Service that was written does. */
export interface NodePortOperation {
  /** @returns What forbids it. */
  take(port: number): string | undefined;
  /** A free one; undefined if there is none. */
  next(): number | undefined;
  finish(): void;
}

export interface NodePortRange {
  readonly first: number;
  readonly last: number;
  /** By Services. */
  readonly used: () => Iterable<number>;
  readonly pick: (below: number) => number;
  readonly metrics: AllocationMetrics;
}

const TAKEN = 'provided port is already allocated';

/** Node ports of all requests that run. */
export class NodePorts {
  readonly #range: NodePortRange;
  readonly #held = new Set<number>();

  constructor(range: NodePortRange) {
    this.#range = range;
  }

  counts(): AllocationCount {
    const { first, last, used } = this.#range;
    const allocated = new Set(used()).size;
    return { allocated, available: last - first + 1 - allocated };
  }

  /** @param dryRun Takes nothing: ports that nobody has asked for are made up. */
  operation(dryRun: boolean): NodePortOperation {
    const isTaken = lazySet(this.#range.used);
    return dryRun ? new PretendedOperation(isTaken) : new TakingOperation(this.#range, isTaken, this.#held);
  }
}

/** Most Services ask for no port: then nobody looks. */
function lazySet(read: () => Iterable<number>): (port: number) => boolean {
  let found: Set<number> | undefined;
  return (port) => {
    found ??= new Set(read());
    return found.has(port);
  };
}

class TakingOperation implements NodePortOperation {
  readonly #range: NodePortRange;
  readonly #isUsed: (port: number) => boolean;
  readonly #held: Set<number>;
  readonly #taken: number[] = [];

  constructor(range: NodePortRange, isUsed: (port: number) => boolean, held: Set<number>) {
    this.#range = range;
    this.#isUsed = isUsed;
    this.#held = held;
  }

  take(port: number): string | undefined {
    const { first, last, metrics } = this.#range;
    const isOutside = port < first || port > last;
    if (!isOutside && this.#keep(port)) {
      metrics.portTaken('static');
      return undefined;
    }
    metrics.portFailed('static');
    return isOutside ? `provided port is not in the valid range. The range of valid ports is ${first}-${last}` : TAKEN;
  }

  next(): number | undefined {
    const { first, last, pick, metrics } = this.#range;
    const size = last - first + 1;
    const start = pick(size);
    for (let step = 0; step < size; step++) {
      const port = first + ((start + step) % size);
      if (!this.#keep(port)) continue;
      metrics.portTaken('dynamic');
      return port;
    }
    metrics.portFailed('dynamic');
    return undefined;
  }

  finish(): void {
    for (const port of this.#taken) this.#held.delete(port);
  }

  #keep(port: number): boolean {
    if (this.#held.has(port) || this.#isUsed(port)) return false;
    this.#held.add(port);
    this.#taken.push(port);
    return true;
  }
}

/** The port that upstream's dry runs begin behind, whatever the range. */
const BEFORE_FIRST_PRETENDED = 32_768;

/** @source upstream registry/core/service/portallocator/operation.go */
class PretendedOperation implements NodePortOperation {
  readonly #isUsed: (port: number) => boolean;
  readonly #given: number[] = [];

  constructor(isUsed: (port: number) => boolean) {
    this.#isUsed = isUsed;
  }

  take(port: number): string | undefined {
    if (this.#isUsed(port) || this.#given.includes(port)) return TAKEN;
    this.#given.push(port);
    return undefined;
  }

  next(): number {
    const port = (this.#given.length === 0 ? BEFORE_FIRST_PRETENDED : Math.max(...this.#given)) + 1;
    this.#given.push(port);
    return port;
  }

  finish(): void {}
}

const isExposed = ({ spec }: Old) => spec.type === 'NodePort' || spec.type === 'LoadBalancer';
const needsHealthCheck = ({ spec }: Old) => spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
const getsNodePorts = ({ spec }: Old) =>
  spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
const nodePortsOf = ({ spec }: Old) => (spec.ports ?? []).flatMap(({ nodePort }) => nodePort || []);

/** @throws {ApiError} 422 if one is taken, 500 if there are no more. */
export function createNodePorts(service: Service, operation: NodePortOperation): void {
  if (isExposed(service)) initNodePorts(service, operation);
  if (needsHealthCheck(service)) takeHealthCheckPort(service, operation);
}

function initNodePorts(service: Service, operation: NodePortOperation): void {
  const ports = service.spec.ports ?? [];
  const byPort = new Map<number, number>();
  for (const [index, port] of ports.entries()) {
    if (!port.nodePort && !getsNodePorts(service)) continue;
    const shared = byPort.get(port.port);
    if (shared === undefined) {
      const asked = ports.find((other) => other.port === port.port && other.nodePort)?.nodePort;
      port.nodePort = asked === undefined ? nextPort(operation) : takePort(service, index, asked, operation);
      byPort.set(port.port, port.nodePort);
    } else if (!port.nodePort) port.nodePort = shared;
    else if (port.nodePort !== shared) takePort(service, index, port.nodePort, operation);
  }
}

/** @throws {ApiError} 422 if one is taken, 500 if there are no more, or if a port is named twice for one protocol. */
export function updateNodePorts(service: Service, previous: Old, operation: NodePortOperation): void {
  if (isExposed(service)) changeNodePorts(service, nodePortsOf(previous), operation);
  if (!needsHealthCheck(previous) && needsHealthCheck(service)) takeHealthCheckPort(service, operation);
}

function changeNodePorts(service: Service, had: readonly number[], operation: NodePortOperation): void {
  const taken = new Set<number>();
  const seen = new Set<string>();
  for (const [index, port] of (service.spec.ports ?? []).entries()) {
    if (!port.nodePort && !getsNodePorts(service)) continue;
    if (!port.nodePort) port.nodePort = nextPort(operation);
    else if (!had.includes(port.nodePort) && !taken.has(port.nodePort)) taken.add(takePort(service, index, port.nodePort, operation));
    const shown = shownPort(port);
    if (seen.has(shown)) throw apiError(500, '', `duplicate nodePort: ${shown}`);
    seen.add(shown);
  }
}

/** As Go prints it. */
function shownPort({ protocol = 'TCP', nodePort = 0 }: Port): string {
  return `{${protocol} ${nodePort}}`;
}

function takePort({ metadata }: Service, index: number, port: number, operation: NodePortOperation): number {
  const why = operation.take(port);
  if (why === undefined) return port;
  const path = field('spec', 'ports').index(index).child('nodePort');
  throw invalid({ group: '', kind: 'Service' }, metadata.name ?? '', [invalidValue(path, port, why)]);
}

function nextPort(operation: NodePortOperation): number {
  const port = operation.next();
  if (port === undefined) throw internalError('failed to allocate a nodePort: range is full');
  return port;
}

function takeHealthCheckPort({ spec }: Service, operation: NodePortOperation): void {
  const asked = spec.healthCheckNodePort;
  if (asked) {
    const why = operation.take(asked);
    if (why !== undefined) throw internalError(`failed to allocate requested HealthCheck NodePort ${asked}: ${why}`);
    return;
  }
  const port = operation.next();
  if (port === undefined) throw internalError('failed to allocate a HealthCheck NodePort 0: range is full');
  spec.healthCheckNodePort = port;
}
