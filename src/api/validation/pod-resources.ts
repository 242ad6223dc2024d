// SPDX-License-Identifier: Apache-2.0
// Validation of resource requests and limits: names, amounts, requests against limits, huge pages.
import {
  checkDns1123Label,
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
  parseQuantity,
  required,
} from '../../machinery/mod.ts';
import { aggregateRequests } from '../core/aggregate-requests.ts';
import type { PodSpec, ResourceRequirements } from '../generated/core/v1.ts';
import { NON_NEGATIVE, problems, sortedEntries } from './rules.ts';

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
export const isNativeResource = (name: string) =>
  !name.includes('/') || name.startsWith('kubernetes.io/') || name.includes('.kubernetes.io/');
export const isExtendedResource = (name: string): boolean =>
  !isNativeResource(name) && !name.startsWith('requests.') && checkQualifiedName(`requests.${name}`).length === 0;
export const isOvercommitable = (name: string): boolean => isNativeResource(name) && !isHuge(name);
/** Counted things of quotas. */
const WHOLE = new Set([
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

/** A resource name anywhere. */
export function resourceNameCauses(name: string, path: FieldPath): FieldCause[] {
  const wrong = problems(checkQualifiedName(name), path, name);
  if (wrong.length > 0) return wrong;
  return name.includes('/') || STANDARD.has(name) || isHuge(name) || name.startsWith(`requests.${HUGE}`)
    ? []
    : [invalidValue(path, name, 'must be a standard resource type or fully qualified')];
}

export function containerResourceNameCauses(name: string, path: FieldPath): FieldCause[] {
  const causes = resourceNameCauses(name, path);
  if (!name.includes('/')) {
    if (!CONTAINER.has(name) && !isHuge(name)) causes.push(invalidValue(path, name, 'must be a standard resource for containers'));
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    causes.push(invalidValue(path, name, "doesn't follow extended resource name standard"));
  }
  return causes;
}

const ONE = 1_000_000_000n;

/** An amount of status: not negative, rounded up to whole ones. */
export function basicAmountCauses(value: string, path: FieldPath): FieldCause[] {
  const quantity = findQuantity(String(value));
  if (quantity === undefined || quantity.nanos > -ONE) return [];
  return [invalidValue(path, Number(quantity.nanos / ONE), 'must be a valid resource quantity')];
}

/** An amount: not negative, whole where the resource comes in pieces. */
export function amountCauses(name: string, value: string, path: FieldPath): FieldCause[] {
  const quantity = findQuantity(String(value));
  if (quantity === undefined) return [];
  const causes: FieldCause[] = [];
  if (quantity.nanos < 0n) causes.push(invalidValue(path, formatQuantity(quantity), NON_NEGATIVE));
  if (quantity.nanos % ONE !== 0n && (WHOLE.has(name) || isExtendedResource(name)))
    causes.push(invalidValue(path, formatQuantity(quantity), 'must be an integer'));
  return causes;
}

/** An amount that a container asks for. */
function containerAmountCauses(name: string, value: string, path: FieldPath): FieldCause[] {
  const causes = amountCauses(name, value, path);
  const quantity = isHuge(name) ? findQuantity(String(value)) : undefined;
  if (quantity !== undefined) {
    const size = findQuantity(name.slice(HUGE.length));
    if (size !== undefined && size.nanos > 0n && (quantity.nanos % size.nanos !== 0n || quantity.nanos < 0n)) {
      const text = formatQuantity(quantity);
      causes.push(invalidValue(path, text, `${text} is not positive integer multiple of ${name}`));
    }
  }
  return causes;
}

type NameRule = (name: string, path: FieldPath) => FieldCause[];

/** Limits and requests against each other, with the rule for names that the place has. */
function requirementCauses(resources: DeepReadonly<ResourceRequirements>, path: FieldPath, nameRule: NameRule): FieldCause[] {
  const causes: FieldCause[] = [];
  const [limits, requests] = [path.child('limits'), path.child('requests')];
  let [hasCpuOrMemory, hasHuge] = [false, false];
  const note = (name: string) => {
    if (name === 'cpu' || name === 'memory') hasCpuOrMemory = true;
    if (isHuge(name)) hasHuge = true;
  };
  for (const [name, value] of sortedEntries(resources.limits)) {
    const at = limits.key(name);
    note(name);
    causes.push(...nameRule(name, at), ...containerAmountCauses(name, value, at));
  }
  for (const [name, value] of sortedEntries(resources.requests)) {
    const at = requests.key(name);
    note(name);
    // A huge page request of odd size is told so after it is compared with the limit.
    const plain = amountCauses(name, value, at);
    const huge = isHuge(name) ? containerAmountCauses(name, value, at).slice(plain.length) : [];
    causes.push(...nameRule(name, at), ...plain, ...againstLimit(name, value, resources, path), ...huge);
  }
  if (hasHuge && !hasCpuOrMemory) causes.push(forbiddenField(path, 'HugePages require cpu or memory'));
  return causes;
}

/** The resources of a container. @param claims Names of the Pod's resource claims. */
export function containerResourceCauses(
  resources: DeepReadonly<ResourceRequirements> | undefined,
  path: FieldPath,
  claims: ReadonlySet<string>,
): FieldCause[] {
  if (!resources) return [];
  const causes = requirementCauses(resources, path, containerResourceNameCauses);
  return resources.claims ? [...causes, ...claimNameCauses(resources.claims, path.child('claims'), claims)] : causes;
}

/** Overhead is a list of limits that are requested as well. */
export function overheadCauses(overhead: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldCause[] {
  return overhead ? requirementCauses({ limits: overhead }, path, containerResourceNameCauses) : [];
}

function againstLimit(name: string, value: string, { limits }: DeepReadonly<ResourceRequirements>, path: FieldPath): FieldCause[] {
  const limitText = limits?.[name];
  if (limitText === undefined) {
    return isOvercommitable(name) ? [] : [required(path.child('limits'), 'Limit must be set for non overcommitable resources')];
  }
  const [request, limit] = [findQuantity(String(value)), findQuantity(String(limitText))];
  if (request === undefined || limit === undefined) return [];
  const order = compareQuantity(request, limit);
  if (order === 0) return [];
  const shown = formatQuantity(limit);
  const wrong = (what: string) => [
    invalidValue(path.child('requests'), formatQuantity(request), `must be ${what} ${name} limit of ${shown}`),
  ];
  if (!isOvercommitable(name)) return wrong('equal to');
  return order > 0 ? wrong('less than or equal to') : [];
}

/** Which claims, and which of their requests, a container uses: each once, and known to the Pod. */
function claimNameCauses(
  claims: NonNullable<DeepReadonly<ResourceRequirements>['claims']>,
  path: FieldPath,
  known: ReadonlySet<string>,
): FieldCause[] {
  const seen = new Set<string>();
  return claims.flatMap(({ name, request }, index) => {
    const at = path.index(index);
    if (!name) return [required(at)];
    const causes = seenCauses(name, request, at, seen);
    if (!known.has(name)) {
      const all = known.size === 0 ? ' which is empty' : `: ${[...known].sort().join(', ')}`;
      const found = notFoundValue(at, name);
      causes.push({ ...found, message: `${found.message}: must be one of the names in pod.spec.resourceClaims${all}` });
    }
    return causes;
  });
}

function seenCauses(name: string, request: string | undefined, at: FieldPath, seen: Set<string>): FieldCause[] {
  if (seen.has(name)) return [duplicateValue(at, name)];
  const causes = request ? problems(checkDns1123Label(request), at.child('request'), request) : [];
  const key = request ? `${name}/${request}` : name;
  if (seen.has(key)) causes.push(duplicateValue(at, key));
  else if (!request) for (const other of seen) if (other.startsWith(`${name}/`)) causes.push(duplicateValue(at, name));
  seen.add(key);
  return causes;
}

const POD_LEVEL = ['cpu', 'hugepages-', 'memory'];

function podResourceNameCauses(name: string, path: FieldPath): FieldCause[] {
  const wrong = resourceNameCauses(name, path);
  if (wrong.length > 0) return wrong;
  return name === 'cpu' || name === 'memory' || isHuge(name) ? [] : [notSupported(path, name, POD_LEVEL)];
}

/** The resources of a Pod as a whole, and those of its containers against them. */
export function podLevelResourceCauses(spec: DeepReadonly<PodSpec>, path: FieldPath): FieldCause[] {
  const { resources } = spec;
  if (!resources) return [];
  const causes: FieldCause[] = [];
  if (resources.claims) causes.push(forbiddenField(path.child('claims'), 'claims cannot be set for Resources at pod-level'));
  causes.push(...requirementCauses(resources, path, podResourceNameCauses));
  const total = aggregateRequests(spec);
  for (const [name, sum] of sortedEntries(total)) {
    const own = findQuantity(String(resources.requests?.[name] ?? '0'));
    if (own === undefined || compareQuantity(parseQuantity(sum), own) <= 0) continue;
    const why = `must be greater than or equal to aggregate container requests of ${sum}`;
    causes.push(invalidValue(path.child('requests').key(name), formatQuantity(own), why));
  }
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [name, value] of sortedEntries(container.resources?.limits)) {
      const [own, most] = [findQuantity(String(value)), findQuantity(String(resources.limits?.[name] ?? ''))];
      if (own === undefined || most === undefined || compareQuantity(own, most) <= 0) continue;
      const at = path.child('containers').index(index).key(name).child('limits');
      causes.push(invalidValue(at, formatQuantity(own), `must be less than or equal to pod limits of ${formatQuantity(most)}`));
    }
  }
  return causes;
}
