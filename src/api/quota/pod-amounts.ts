// SPDX-License-Identifier: Apache-2.0
// What a Pod as a whole asks for: containers and sidecars together, or the largest init container with the sidecars before it,
// whichever is more, plus overhead; pod-level resources stand where they are set.
import { addQuantity, compareQuantity, type DeepReadonly, formatQuantity, parseQuantity } from '../../machinery/mod.ts';
import type { PodSpec, ResourceList } from '../generated/core/v1.ts';

type Spec = DeepReadonly<PodSpec>;
type Part = 'requests' | 'limits';

function addTo(into: ResourceList, list: Readonly<Record<string, string>> | undefined): void {
  for (const [name, value] of Object.entries(list ?? {})) {
    into[name] = formatQuantity(addQuantity(parseQuantity(into[name] ?? '0'), parseQuantity(value)));
  }
}

function raiseTo(into: ResourceList, list: ResourceList): void {
  for (const [name, value] of Object.entries(list)) {
    const now = into[name];
    if (now === undefined || compareQuantity(parseQuantity(value), parseQuantity(now)) > 0) into[name] = value;
  }
}

function total(spec: Spec, part: Part): ResourceList {
  const sum: ResourceList = {};
  const sidecars: ResourceList = {};
  const peak: ResourceList = {};
  for (const container of spec.containers ?? []) addTo(sum, container.resources?.[part]);
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      addTo(sum, container.resources?.[part]);
      addTo(sidecars, container.resources?.[part]);
      raiseTo(peak, sidecars);
    } else {
      const now = { ...sidecars };
      addTo(now, container.resources?.[part]);
      raiseTo(peak, now);
    }
  }
  raiseTo(sum, peak);
  for (const [name, value] of Object.entries(spec.resources?.[part] ?? {})) sum[name] = value;
  return sum;
}

export function podRequests(spec: Spec): ResourceList {
  const sum = total(spec, 'requests');
  addTo(sum, spec.overhead);
  return sum;
}

/** Overhead counts only where there is a limit at all. */
export function podLimits(spec: Spec): ResourceList {
  const sum = total(spec, 'limits');
  for (const [name, value] of Object.entries(spec.overhead ?? {})) if (sum[name] !== undefined) addTo(sum, { [name]: value });
  return sum;
}
