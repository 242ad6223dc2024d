// SPDX-License-Identifier: Apache-2.0
// Which node ports a Service gets: on creation ports of one number share one, on an update every port without one gets its own. The
// port for health checks of a load balancer comes of the same range.
// @source upstream registry/core/service/storage/alloc.go initNodePorts, updateNodePorts, updateHealthCheckNodePort
import type { Service } from '#api/core/v1';
import { apiError, type DeepReadonly, field, internalError, invalid, invalidValue } from '#machinery';

type Old = DeepReadonly<Service>;
type Port = NonNullable<Service['spec']['ports']>[number];

/** What one request takes of the range. It holds its ports until it is finished: afterwards the Service that was written does. */
export class NodePortOperation {
  readonly #range: { readonly first: number; readonly last: number };
  readonly #used: Set<number>;
  readonly #held: Set<number>;
  readonly #pick: (below: number) => number;
  readonly #taken: number[] = [];

  /** @param used By Services and other requests. @param held By all requests that run. */
  constructor(
    range: { readonly first: number; readonly last: number },
    used: Set<number>,
    held: Set<number>,
    pick: (below: number) => number,
  ) {
    this.#range = range;
    this.#used = used;
    this.#held = held;
    this.#pick = pick;
  }

  /** @returns What forbids it. */
  take(port: number): string | undefined {
    const { first, last } = this.#range;
    if (port < first || port > last) return `provided port is not in the valid range. The range of valid ports is ${first}-${last}`;
    if (this.#used.has(port)) return 'provided port is already allocated';
    this.#keep(port);
    return undefined;
  }

  /** A free one; undefined if there is none. */
  next(): number | undefined {
    const { first, last } = this.#range;
    const size = last - first + 1;
    const start = this.#pick(size);
    for (let step = 0; step < size; step++) {
      const port = first + ((start + step) % size);
      if (this.#used.has(port)) continue;
      this.#keep(port);
      return port;
    }
    return undefined;
  }

  finish(): void {
    for (const port of this.#taken) this.#held.delete(port);
  }

  #keep(port: number): void {
    this.#used.add(port);
    this.#held.add(port);
    this.#taken.push(port);
  }
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
