// SPDX-License-Identifier: Apache-2.0
// Amounts of resources as plain numbers: CPU in thousandths, everything else in whole units. Pod requests follow upstream's
// component-helpers resource.PodRequests: containers, restartable init containers, the largest init step, overhead, Pod level.
import type { Container, Pod } from '#api/core/v1';
import { type DeepReadonly, milliOf, unitsOf } from '#machinery';

export interface Resources {
  milliCpu: number;
  memory: number;
  ephemeralStorage: number;
  /** Extended resources and huge pages. */
  scalars: Map<string, number>;
}

type List = Readonly<Record<string, string>> | undefined;

export function emptyResources(): Resources {
  return { milliCpu: 0, memory: 0, ephemeralStorage: 0, scalars: new Map() };
}

export function parseResources(list: List): Resources {
  const found = emptyResources();
  for (const [name, amount] of Object.entries(list ?? {})) {
    if (name === 'cpu') found.milliCpu = milliOf(amount);
    else if (name === 'memory') found.memory = unitsOf(amount);
    else if (name === 'ephemeral-storage') found.ephemeralStorage = unitsOf(amount);
    else if (name !== 'pods') found.scalars.set(name, unitsOf(amount));
  }
  return found;
}

export function addResources(to: Resources, more: Resources, factor: 1 | -1): void {
  to.milliCpu += factor * more.milliCpu;
  to.memory += factor * more.memory;
  to.ephemeralStorage += factor * more.ephemeralStorage;
  for (const [name, amount] of more.scalars) to.scalars.set(name, (to.scalars.get(name) ?? 0) + factor * amount);
}

function raise(to: Resources, other: Resources): void {
  to.milliCpu = Math.max(to.milliCpu, other.milliCpu);
  to.memory = Math.max(to.memory, other.memory);
  to.ephemeralStorage = Math.max(to.ephemeralStorage, other.ephemeralStorage);
  for (const [name, amount] of other.scalars) to.scalars.set(name, Math.max(to.scalars.get(name) ?? 0, amount));
}

/** @source upstream: what a container without requests counts for when nodes are compared */
const DEFAULT_MILLI_CPU = 100;
const DEFAULT_MEMORY = 200 * 1024 * 1024;

type RequestsOf = (container: DeepReadonly<Container>) => Resources;

export const plainRequests: RequestsOf = ({ resources }) => parseResources(resources?.requests);

/** With a default for what is not said. */
export const nonZeroRequests: RequestsOf = ({ resources }) => {
  const found = parseResources(resources?.requests);
  if (resources?.requests?.['cpu'] === undefined) found.milliCpu = DEFAULT_MILLI_CPU;
  if (resources?.requests?.['memory'] === undefined) found.memory = DEFAULT_MEMORY;
  return found;
};

/** What a Pod needs of a node. */
export function podRequests({ spec }: DeepReadonly<Pod>, requestsOf: RequestsOf): Resources {
  const total = emptyResources();
  for (const container of spec.containers) addResources(total, requestsOf(container), 1);
  const restartable = emptyResources();
  const initial = emptyResources();
  for (const container of spec.initContainers ?? []) {
    const step = requestsOf(container);
    if (container.restartPolicy === 'Always') {
      addResources(total, step, 1);
      addResources(restartable, step, 1);
      raise(initial, restartable);
    } else {
      addResources(step, restartable, 1);
      raise(initial, step);
    }
  }
  raise(total, initial);
  overrideByPod(total, spec.resources?.requests);
  if (spec.overhead !== undefined) addResources(total, parseResources(spec.overhead), 1);
  return total;
}

/** Pod-level requests win over the sum of the containers'. */
function overrideByPod(total: Resources, requests: List): void {
  if (requests === undefined) return;
  const stated = parseResources(requests);
  if (requests['cpu'] !== undefined) total.milliCpu = stated.milliCpu;
  if (requests['memory'] !== undefined) total.memory = stated.memory;
  for (const [name, amount] of stated.scalars) total.scalars.set(name, amount);
}
