// SPDX-License-Identifier: Apache-2.0
// What PUT and PATCH of `resize` may change: cpu and memory of containers, of sidecars and of the Pod as a whole, within its class of
// service. @source upstream pkg/apis/core/validation/validation.go ValidatePodResize
import {
  type DeepReadonly,
  deepCopy,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../generated/core/v1.ts';
import { MIRROR } from './pod-annotations.ts';
import { qosClassOf } from './pod-qos.ts';
import { commonUpdateCauses } from './pod-update.ts';

type Old = DeepReadonly<Pod>;
type Resources = DeepReadonly<ResourceRequirements> | undefined;
const SPEC = field('spec');
const RESIZABLE = ['cpu', 'memory'];
const PARTS = ['requests', 'limits'] as const;
const LISTS = ['containers', 'initContainers'] as const;

export function podResizeCauses(next: Old, previous: Old): FieldCause[] {
  if (previous.metadata.annotations?.[MIRROR] !== undefined) return [forbiddenField('[]', 'static pods cannot be resized')];
  if (previous.spec.os?.name === 'windows') return [forbiddenField('[]', 'windows pods cannot be resized')];
  const causes = commonUpdateCauses(next, previous, 'resize');
  if (qosClassOf(next) !== (previous.status?.qosClass || qosClassOf(previous)))
    causes.push(invalidValue(SPEC, next.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing'));
  if (!isSupported(previous)) causes.push(forbiddenField(SPEC, 'Pod running on node without support for resize'));
  const order = LISTS.flatMap((list) => orderCauses(next.spec, previous.spec, list));
  if (order.length > 0) return [...causes, ...order];
  causes.push(...removalCauses(next.spec, previous.spec));
  const masked = mask(next.spec, previous.spec);
  causes.push(...changeCauses(masked, previous.spec));
  if (causes.length > 0 || semanticEqual(masked, previous.spec)) return causes;
  return [forbiddenField(SPEC, 'only cpu and memory resources are mutable')];
}

/** A node that resizes tells what its running containers have. */
function isSupported({ status }: Old): boolean {
  const running = status?.containerStatuses?.find(({ state }) => state?.running);
  return running === undefined || running.resources !== undefined;
}

function orderCauses(next: DeepReadonly<PodSpec>, previous: DeepReadonly<PodSpec>, list: (typeof LISTS)[number]): FieldCause[] {
  const [now, before] = [next[list] ?? [], previous[list] ?? []];
  const path = SPEC.child(list);
  if (now.length !== before.length) return [forbiddenField(path, `${list} may not be added or removed on resize`)];
  return now.flatMap(({ name }, index) =>
    name === before[index]?.name
      ? []
      : [forbiddenField(path.index(index).child('name'), `${list} may not be renamed or reordered on resize`)],
  );
}

const isSidecar = ({ restartPolicy }: DeepReadonly<Container>) => restartPolicy === 'Always';

/** What was asked for is asked for still. */
function removalCauses(next: DeepReadonly<PodSpec>, previous: DeepReadonly<PodSpec>): FieldCause[] {
  const causes = removedCauses(next.resources, previous.resources, SPEC.child('resources'));
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [index, old] of (previous[list] ?? []).entries()) {
      if (list === 'initContainers' && !isSidecar(old)) continue;
      causes.push(...removedCauses(next[list]?.[index]?.resources, old.resources, SPEC.child(list).index(index).child('resources')));
    }
  }
  return causes;
}

function removedCauses(next: Resources, previous: Resources, path: FieldPath): FieldCause[] {
  return PARTS.flatMap((part) => {
    const isGone = Object.keys(previous?.[part] ?? {}).some((name) => next?.[part]?.[name] === undefined);
    return isGone ? [forbiddenField(path.child(part), `resource ${part} cannot be removed`)] : [];
  });
}

/** What is left of the change without cpu and memory of those that may be resized. */
function mask(next: DeepReadonly<PodSpec>, previous: DeepReadonly<PodSpec>): PodSpec {
  const masked = deepCopy(next) as PodSpec;
  for (const list of LISTS) {
    for (const [index, container] of (masked[list] ?? []).entries())
      if (list === 'containers' || isSidecar(container)) maskResources(container, previous[list]?.[index]);
  }
  if (masked.resources !== undefined || previous.resources !== undefined) maskResources(masked, previous);
  return masked;
}

interface Sized {
  resources?: ResourceRequirements;
}

function maskResources(sized: Sized, previous: DeepReadonly<Sized> | undefined): void {
  if (previous === undefined) return;
  const resources: ResourceRequirements = sized.resources ?? {};
  for (const part of PARTS) {
    const old = previous.resources?.[part];
    const merged = { ...resources[part] };
    for (const name of RESIZABLE) {
      if (old?.[name] === undefined) delete merged[name];
      else merged[name] = old[name];
    }
    if (old !== undefined && Object.keys(merged).length > 0) resources[part] = merged;
    else delete resources[part];
  }
  if (Object.keys(resources).length > 0 || previous.resources !== undefined) sized.resources = resources;
  else delete sized.resources;
}

function changeCauses(masked: PodSpec, previous: DeepReadonly<PodSpec>): FieldCause[] {
  const changed = (list: (typeof LISTS)[number]) =>
    (masked[list] ?? []).filter((container, index) => !semanticEqual(container, previous[list]?.[index]));
  return [
    ...changed('containers').map(() => 'only cpu and memory resources are mutable'),
    ...changed('initContainers').map((container) =>
      isSidecar(container)
        ? 'only cpu and memory resources for sidecar containers are mutable'
        : 'resources for non-sidecar init containers are immutable',
    ),
  ].map((why) => forbiddenField(SPEC, why));
}
