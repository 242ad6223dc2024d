// SPDX-License-Identifier: Apache-2.0
// The quality-of-service class of a Pod: Guaranteed where CPU and memory are fully limited at what is requested, BestEffort where
// neither is named, Burstable between. Pod-level resources, where set, decide alone.
import { compareQuantity, type DeepReadonly, findQuantity } from '../../machinery/mod.ts';
import type { Pod, PodQOSClass, ResourceRequirements } from '../generated/core/v1.ts';

const COUNTED = ['cpu', 'memory'] as const;

function positive(text: string | undefined): boolean {
  const quantity = text === undefined ? undefined : findQuantity(String(text));
  return quantity !== undefined && quantity.nanos > 0n;
}

function isGuaranteed({ requests, limits }: DeepReadonly<ResourceRequirements>): boolean {
  return COUNTED.every((name) => {
    const [request, limit] = [findQuantity(String(requests?.[name] ?? '')), findQuantity(String(limits?.[name] ?? ''))];
    if (limit === undefined || limit.nanos === 0n) return false;
    return request === undefined || request.nanos === 0n ? true : compareQuantity(request, limit) === 0;
  });
}

function isBestEffort({ requests, limits }: DeepReadonly<ResourceRequirements>): boolean {
  return COUNTED.every((name) => !positive(requests?.[name]) && !positive(limits?.[name]));
}

export function qosClassOf(pod: DeepReadonly<Pod>): PodQOSClass {
  if (pod.spec.resources !== undefined && !isBestEffort(pod.spec.resources))
    return isGuaranteed(pod.spec.resources) ? 'Guaranteed' : 'Burstable';
  const resources = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])].map((container) => container.resources ?? {});
  if (resources.every(isBestEffort)) return 'BestEffort';
  return resources.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}
