// SPDX-License-Identifier: Apache-2.0
// Validation of resource requests and limits: names, amounts, requests against limits, huge pages.
import {
  checkQualifiedName,
  compareQuantity,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { ResourceRequirements } from '../generated/core/v1.ts';
import { NON_NEGATIVE, problems } from './rules.ts';

const CONTAINER = new Set(['cpu', 'memory', 'ephemeral-storage']);
const STANDARD = new Set([
  ...CONTAINER,
  'storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
]);
const HUGE = 'hugepages-';
const isHuge = (name: string) => name.startsWith(HUGE);
const isNative = (name: string) => !name.includes('/') || name.startsWith('kubernetes.io/') || name.includes('.kubernetes.io/');
export const isExtendedResource = (name: string): boolean => name.includes('/') && !isNative(name) && !name.startsWith('requests.');
const isOvercommitable = (name: string) => isNative(name) && !isHuge(name);

/** A resource name anywhere. */
export function resourceNameCauses(name: string, path: FieldPath): FieldCause[] {
  const wrong = problems(checkQualifiedName(name), path, name);
  if (wrong.length > 0) return wrong;
  return name.includes('/') || STANDARD.has(name) || isHuge(name)
    ? []
    : [invalidValue(path, name, 'must be a standard resource type or fully qualified')];
}

function containerResourceNameCauses(name: string, path: FieldPath): FieldCause[] {
  const causes = resourceNameCauses(name, path);
  if (!name.includes('/')) {
    if (!CONTAINER.has(name) && !isHuge(name)) causes.push(invalidValue(path, name, 'must be a standard resource for containers'));
  } else if (!isNative(name) && checkQualifiedName(`requests.${name}`).length > 0) {
    causes.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  }
  return causes;
}

/** An amount: not negative, whole where the resource comes in pieces. */
export function amountCauses(name: string, value: string, path: FieldPath): FieldCause[] {
  const quantity = findQuantity(String(value));
  if (quantity === undefined) return [];
  const causes: FieldCause[] = [];
  if (quantity.nanos < 0n) causes.push(invalidValue(path, formatQuantity(quantity), NON_NEGATIVE));
  if (isExtendedResource(name) && quantity.nanos % 1_000_000_000n !== 0n)
    causes.push(invalidValue(path, formatQuantity(quantity), 'must be an integer'));
  if (isHuge(name)) {
    const size = findQuantity(name.slice(HUGE.length));
    if (size !== undefined && size.nanos > 0n && (quantity.nanos % size.nanos !== 0n || quantity.nanos < 0n)) {
      const text = formatQuantity(quantity);
      causes.push(invalidValue(path, text, `${text} is not positive integer multiple of ${name}`));
    }
  }
  return causes;
}

const sorted = (list: Readonly<Record<string, string>> | undefined) => Object.entries(list ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

/** The resources of a container. */
export function containerResourceCauses(
  resources: DeepReadonly<ResourceRequirements> | undefined,
  path: FieldPath,
  claims: ReadonlySet<string>,
): FieldCause[] {
  if (!resources) return [];
  const causes: FieldCause[] = [];
  const [limits, requests] = [path.child('limits'), path.child('requests')];
  let [hasCpuOrMemory, hasHuge] = [false, false];
  const note = (name: string) => {
    if (name === 'cpu' || name === 'memory') hasCpuOrMemory = true;
    if (isHuge(name)) hasHuge = true;
  };
  for (const [name, value] of sorted(resources.limits)) {
    note(name);
    causes.push(...containerResourceNameCauses(name, limits.key(name)), ...amountCauses(name, value, limits.key(name)));
  }
  for (const [name, value] of sorted(resources.requests)) {
    note(name);
    causes.push(...containerResourceNameCauses(name, requests.key(name)), ...amountCauses(name, value, requests.key(name)));
    causes.push(...againstLimit(name, value, resources, path));
  }
  if (hasHuge && !hasCpuOrMemory) causes.push(forbiddenField(path, 'HugePages require cpu or memory'));
  return [...causes, ...claimCauses(resources, path.child('claims'), claims)];
}

function againstLimit(name: string, value: string, { limits }: DeepReadonly<ResourceRequirements>, path: FieldPath): FieldCause[] {
  const limitText = limits?.[name];
  if (limitText === undefined) {
    return isOvercommitable(name) ? [] : [required(path.child('limits'), 'Limit must be set for non overcommitable resources')];
  }
  const [request, limit] = [findQuantity(String(value)), findQuantity(String(limitText))];
  if (request === undefined || limit === undefined) return [];
  const at = path.child('requests');
  const order = compareQuantity(request, limit);
  if (order !== 0 && !isOvercommitable(name))
    return [invalidValue(at, formatQuantity(request), `must be equal to ${name} limit of ${formatQuantity(limit)}`)];
  if (order > 0)
    return [invalidValue(at, formatQuantity(request), `must be less than or equal to ${name} limit of ${formatQuantity(limit)}`)];
  return [];
}

function claimCauses({ claims }: DeepReadonly<ResourceRequirements>, path: FieldPath, known: ReadonlySet<string>): FieldCause[] {
  const seen = new Set<string>();
  return (claims ?? []).flatMap(({ name, request }, index) => {
    if (!name) return [required(path.index(index))];
    const key = request ? `${name}/${request}` : name;
    if (seen.has(key)) return [duplicateValue(path.index(index), name)];
    seen.add(key);
    return known.has(name) ? [] : [notFoundValue(path.index(index), name)];
  });
}

const POD_LEVEL = ['cpu', 'hugepages-', 'memory'];

/** The resources of a Pod as a whole. */
export function podLevelResourceCauses(resources: DeepReadonly<ResourceRequirements> | undefined, path: FieldPath): FieldCause[] {
  if (!resources) return [];
  const causes: FieldCause[] = [];
  for (const part of ['limits', 'requests'] as const) {
    for (const [name, value] of sorted(resources[part])) {
      const at = path.child(part).key(name);
      if (name !== 'cpu' && name !== 'memory' && !isHuge(name)) causes.push(notSupported(at, name, POD_LEVEL));
      causes.push(...amountCauses(name, value, at));
      if (part === 'requests') causes.push(...againstLimit(name, value, resources, path));
    }
  }
  if ((resources.claims ?? []).length > 0)
    causes.push(forbiddenField(path.child('claims'), 'claims may not be set for Resources at pod-level'));
  return causes;
}
