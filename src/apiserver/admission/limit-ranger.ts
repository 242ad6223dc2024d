// SPDX-License-Identifier: Apache-2.0
// LimitRanger: defaults for containers, and the minimum, maximum and ratio of containers, Pods and claims, per LimitRange.
import { limitranges, podLimits, podRequests } from '#api';
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod, ResourceList } from '#api/core/v1';
import { compareQuantity, type DeepReadonly, formatQuantity, parseQuantity, type Quantity } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';
type Range = DeepReadonly<LimitRange>;
type List = Readonly<Record<string, string>>;

function rangesOf(request: AdmissionRequest, { reader }: AdmissionDeps): readonly Range[] {
  return [...reader.list(limitranges, request.namespace)].sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
}

function admit(request: AdmissionRequest, deps: AdmissionDeps): void {
  if (request.resource.resource !== 'pods' || isEnding(request)) return;
  const pod = request.object as unknown as Pod;
  for (const range of rangesOf(request, deps)) {
    const requests = merged(range, 'defaultRequest');
    const limits = merged(range, 'default');
    const set: string[] = [];
    for (const container of pod.spec.containers ?? []) set.push(...fill(container, requests, limits, 'container'));
    for (const container of pod.spec.initContainers ?? []) set.push(...fill(container, requests, limits, 'init container'));
    if (set.length === 0) continue;
    pod.metadata.annotations = { ...pod.metadata.annotations };
    pod.metadata.annotations[ANNOTATION] = `LimitRanger plugin set: ${set.join('; ')}`;
  }
}

function merged(range: Range, name: 'default' | 'defaultRequest'): List {
  return Object.assign({}, ...(range.spec.limits ?? []).filter(({ type }) => type === 'Container').map((item) => item[name])) as List;
}

function fill(container: Container, requests: List, limits: List, kind: string): string[] {
  container.resources ??= {};
  const { resources } = container;
  const said: string[] = [];
  for (const [name, defaults] of [
    ['requests', requests],
    ['limits', limits],
  ] as const) {
    const missing = Object.keys(defaults).filter((key) => resources[name]?.[key] === undefined);
    if (missing.length === 0) continue;
    resources[name] = { ...resources[name], ...Object.fromEntries(missing.map((key) => [key, defaults[key] ?? '0'])) };
    said.push(`${missing.sort().join(', ')} ${name === 'requests' ? 'request' : 'limit'} for ${kind} ${container.name}`);
  }
  return said;
}

/** What is being deleted may be changed as it is. */
const isEnding = ({ oldObject }: AdmissionRequest) => oldObject?.metadata.deletionTimestamp !== undefined;

/** The first range that is not kept to has all the say; it says the same but once. */
function validate(request: AdmissionRequest, deps: AdmissionDeps): void {
  if (isEnding(request)) return;
  for (const range of rangesOf(request, deps)) {
    const problems = (range.spec.limits ?? []).flatMap((item) =>
      isFor(request, 'persistentvolumeclaims')
        ? claimProblems(request.object as unknown as PersistentVolumeClaim, item)
        : podProblems(request.object as unknown as Pod, item),
    );
    const said = [...new Set(problems)];
    if (said.length > 0) throw refusal(request, said.length === 1 ? (said[0] ?? '') : `[${said.join(', ')}]`);
  }
}

function podProblems({ spec }: Pod, item: DeepReadonly<LimitRangeItem>): string[] {
  if (item.type === 'Container') {
    return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
      constraints(item, resources?.requests ?? {}, resources?.limits ?? {}),
    );
  }
  if (item.type !== 'Pod') return [];
  // The overhead of a Pod is not its own doing: only quotas count it.
  const { overhead: _, ...own } = spec;
  return constraints(item, podRequests(own), podLimits(own));
}

function constraints(item: DeepReadonly<LimitRangeItem>, requests: ResourceList, limits: ResourceList): string[] {
  const each = (list: List | undefined, check: (name: string, bound: string) => string | undefined) =>
    Object.entries(list ?? {})
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, bound]) => check(name, bound) ?? []);
  return [
    ...each(item.min, (name, bound) => minimum(item.type, name, bound, requests[name], limits[name])),
    ...each(item.max, (name, bound) => maximum(item.type, name, bound, requests[name], limits[name])),
    ...each(item.maxLimitRequestRatio, (name, bound) => ratio(item.type, name, bound, requests[name], limits[name])),
  ];
}

const isLess = (a: string, b: string) => compareQuantity(parseQuantity(a), parseQuantity(b)) < 0;

function minimum(type: string, name: string, bound: string, request: string | undefined, limit: string | undefined): string | undefined {
  const rule = `minimum ${name} usage per ${type} is ${bound}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (isLess(request, bound)) return `${rule}, but request is ${request}`;
  return limit !== undefined && isLess(limit, bound) ? `${rule}, but limit is ${limit}` : undefined;
}

function maximum(type: string, name: string, bound: string, request: string | undefined, limit: string | undefined): string | undefined {
  const rule = `maximum ${name} usage per ${type} is ${bound}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (isLess(bound, limit)) return `${rule}, but limit is ${limit}`;
  return request !== undefined && isLess(bound, request) ? `${rule}, but request is ${request}` : undefined;
}

function ratio(type: string, name: string, bound: string, request: string | undefined, limit: string | undefined): string | undefined {
  const rule = `${name} max limit to request ratio per ${type} is ${bound}`;
  const [given, most] = [quantity(request), quantity(limit)];
  if (given === undefined) return `${rule}, but no request is specified or request is 0`;
  if (most === undefined) return `${rule}, but no limit is specified or limit is 0`;
  const actual = Number(most.nanos) / Number(given.nanos);
  return actual > Number(parseQuantity(bound).nanos) / 1e9 ? `${rule}, but provided ratio is ${actual.toFixed(6)}` : undefined;
}

function quantity(text: string | undefined): Quantity | undefined {
  const parsed = text === undefined ? undefined : parseQuantity(text);
  return parsed === undefined || parsed.nanos === 0n ? undefined : parsed;
}

function claimProblems({ spec }: PersistentVolumeClaim, item: DeepReadonly<LimitRangeItem>): string[] {
  if (item.type !== 'PersistentVolumeClaim') return [];
  const problems: string[] = [];
  for (const [name, bound] of Object.entries(item.min ?? {})) {
    problems.push(...[minimum(item.type, name, bound, spec.resources?.requests?.[name], undefined)].filter((it) => it !== undefined));
  }
  for (const [name, bound] of Object.entries(item.max ?? {})) {
    const request = spec.resources?.requests?.[name];
    const rule = `maximum ${name} usage per ${item.type} is ${formatQuantity(parseQuantity(bound))}`;
    if (request === undefined) problems.push(`${rule}.  No request is specified`);
    else if (isLess(bound, request)) problems.push(`${rule}, but request is ${request}`);
  }
  return problems;
}

export const limitRanger: AdmissionPlugin = {
  name: 'LimitRanger',
  handles: (request) =>
    (isFor(request, 'pods') && isOperation(request, 'CREATE')) ||
    (isFor(request, 'pods/resize') && isOperation(request, 'UPDATE')) ||
    (isFor(request, 'persistentvolumeclaims') && isOperation(request, 'CREATE', 'UPDATE')),
  admit,
  validate,
};
