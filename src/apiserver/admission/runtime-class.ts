// SPDX-License-Identifier: Apache-2.0
// RuntimeClass: a Pod that names one gets its overhead, node selector and tolerations; overhead cannot be set by hand.
import { runtimeclasses } from '#api';
import type { Pod } from '#api/core/v1';
import type { RuntimeClass } from '#api/node/v1';
import { type DeepReadonly, semanticEqual } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';
import { mergedTolerations } from './tolerations.ts';

function classOf(request: AdmissionRequest, pod: Pod, { reader }: AdmissionDeps): DeepReadonly<RuntimeClass> | undefined {
  const name = pod.spec.runtimeClassName;
  if (name === undefined || name === null) return undefined;
  const found = reader.find(runtimeclasses, { name });
  if (found === undefined) throw refusal(request, `pod rejected: RuntimeClass "${name}" not found`);
  return found;
}

function admit(request: AdmissionRequest, deps: AdmissionDeps): void {
  const pod = request.object as unknown as Pod;
  const found = classOf(request, pod, deps);
  if (found?.overhead?.podFixed !== undefined) {
    if (pod.spec.overhead !== undefined && !semanticEqual(pod.spec.overhead, found.overhead.podFixed)) {
      throw refusal(request, `pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead`);
    }
    pod.spec.overhead = { ...found.overhead.podFixed };
  }
  if (found?.scheduling === undefined) return;
  const selector = found.scheduling.nodeSelector ?? {};
  for (const [key, value] of Object.entries(selector)) {
    const own = pod.spec.nodeSelector?.[key];
    if (own === undefined || own === value) continue;
    const why = `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`;
    throw refusal(request, why);
  }
  if (Object.keys(selector).length > 0) pod.spec.nodeSelector = { ...pod.spec.nodeSelector, ...selector };
  const more = (found.scheduling.tolerations ?? []).map((it) => ({ ...it }));
  const merged = mergedTolerations(pod.spec.tolerations ?? [], more);
  if (merged.length > 0) pod.spec.tolerations = merged;
}

function validate(request: AdmissionRequest, deps: AdmissionDeps): void {
  const pod = request.object as unknown as Pod;
  const found = classOf(request, pod, deps);
  if (found?.overhead !== undefined) {
    if (semanticEqual(pod.spec.overhead ?? {}, found.overhead.podFixed ?? {})) return;
    throw refusal(request, `pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead`);
  }
  if (pod.spec.overhead !== undefined && Object.keys(pod.spec.overhead).length > 0) {
    throw refusal(request, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
  }
}

export const runtimeClass: AdmissionPlugin = {
  name: 'RuntimeClass',
  handles: (request) => isFor(request, 'pods') && isOperation(request, 'CREATE'),
  admit,
  validate,
};
