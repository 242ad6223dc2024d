// SPDX-License-Identifier: Apache-2.0
// Priority: a Pod's priority and preemption policy are those of its PriorityClass, or of the default one; one default at most.
import { priorityclasses } from '#api';
import type { Pod } from '#api/core/v1';
import type { PriorityClass } from '#api/scheduling/v1';
import type { DeepReadonly } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';

const GROUP = 'scheduling.k8s.io';
type Class = DeepReadonly<PriorityClass>;

function admit(request: AdmissionRequest, deps: AdmissionDeps): void {
  if (!isFor(request, 'pods')) return;
  const { spec } = request.object as unknown as Pod;
  if (request.operation === 'UPDATE') {
    const old = (request.oldObject as unknown as Pod).spec;
    if (old.priority !== undefined) spec.priority ??= old.priority;
    if (old.preemptionPolicy !== undefined) spec.preemptionPolicy ??= old.preemptionPolicy;
    return;
  }
  const found = classOf(request, spec.priorityClassName ?? '', deps);
  const value = found?.value ?? 0;
  if (!spec.priorityClassName && found !== undefined) spec.priorityClassName = found.metadata.name;
  if (spec.priority !== undefined && spec.priority !== null && spec.priority !== value) {
    const why = `must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
    throw refusal(request, `the integer value of priority (${spec.priority}) ${why}`);
  }
  spec.priority = value;
  const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
  if (spec.preemptionPolicy && spec.preemptionPolicy !== policy) {
    const why = `must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`;
    throw refusal(request, `the string value of PreemptionPolicy (${spec.preemptionPolicy}) ${why}`);
  }
  spec.preemptionPolicy = policy;
}

function defaultClass(reader: AdmissionDeps['reader']): Class | undefined {
  const defaults = reader.list(priorityclasses).filter(({ globalDefault }) => globalDefault === true);
  return defaults.sort((a, b) => a.value - b.value)[0];
}

function classOf(request: AdmissionRequest, name: string, { reader }: AdmissionDeps): Class | undefined {
  if (name === '') return defaultClass(reader);
  const found = reader.find(priorityclasses, { name });
  if (found === undefined) throw refusal(request, `no PriorityClass with name ${name} was found`);
  return found;
}

function validate(request: AdmissionRequest, { reader }: AdmissionDeps): void {
  if (!isFor(request, 'priorityclasses', GROUP)) return;
  const next = request.object as unknown as PriorityClass;
  if (next.globalDefault !== true) return;
  // The one in force: the lowest, should there be several.
  const present = defaultClass(reader);
  if (present === undefined || (request.operation === 'UPDATE' && present.metadata.name === next.metadata.name)) return;
  throw refusal(request, `PriorityClass ${present.metadata.name} is already marked as default. Only one default can exist`);
}

export const priority: AdmissionPlugin = {
  name: 'Priority',
  handles: (request) => isOperation(request, 'CREATE', 'UPDATE') && (isFor(request, 'pods') || isFor(request, 'priorityclasses', GROUP)),
  admit,
  validate,
};
