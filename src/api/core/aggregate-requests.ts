// SPDX-License-Identifier: Apache-2.0
// What the containers of a Pod request, or may use, together (component-helpers' AggregateContainerRequests and -Limits, without overhead).
import { addQuantity, compareQuantity, formatQuantity, parseQuantity } from '../../machinery/mod.ts';

type List = Readonly<Record<string, string>>;
type Sum = Record<string, string>;

interface Requesting {
  readonly restartPolicy?: string;
  readonly resources?: { readonly requests?: List; readonly limits?: List };
}

interface Spec {
  readonly containers?: readonly Requesting[];
  readonly initContainers?: readonly Requesting[];
}

function add(into: Sum, list: List | undefined): void {
  for (const [name, value] of Object.entries(list ?? {}))
    into[name] = formatQuantity(addQuantity(parseQuantity(into[name] ?? '0'), parseQuantity(value)));
}

function isMore(value: string, than: string | undefined): boolean {
  return than === undefined || compareQuantity(parseQuantity(value), parseQuantity(than)) > 0;
}

/**
 * The sum of containers and sidecars, or the largest init container where that is more.
 *
 * @throws {RangeError} If a quantity does not parse.
 */
export function aggregateResources(spec: Spec, kind: 'requests' | 'limits'): Record<string, string> {
  const total: Sum = {};
  for (const container of spec.containers ?? []) add(total, container.resources?.[kind]);
  const sidecars: Sum = {};
  const peak: Sum = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      add(total, container.resources?.[kind]);
      add(sidecars, container.resources?.[kind]);
      continue;
    }
    const now = { ...sidecars };
    add(now, container.resources?.[kind]);
    for (const [name, value] of Object.entries(now)) if (isMore(value, peak[name])) peak[name] = value;
  }
  for (const [name, value] of Object.entries(peak)) if (isMore(value, total[name])) total[name] = value;
  return total;
}

/** What they request. @throws {RangeError} If a quantity does not parse. */
export function aggregateRequests(spec: Spec): Record<string, string> {
  return aggregateResources(spec, 'requests');
}
