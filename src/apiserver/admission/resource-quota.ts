// SPDX-License-Identifier: Apache-2.0
// ResourceQuota: last of all plugins, it counts what a write would use against every quota of the namespace, and records it in
// their status before the object is written. Writes to one namespace are counted one after another.
import { isInQuotaScope, isOfQuota, missingAmounts, quotaUsageOf, resourcequotas } from '#api';
import type { Pod, ResourceList, ResourceQuota } from '#api/core/v1';
import {
  addQuantity,
  compareQuantity,
  type DeepReadonly,
  deepCopy,
  formatQuantity,
  isConflict,
  parseQuantity,
  subtractQuantity,
} from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isOperation, refusal } from './match.ts';

type Quota = DeepReadonly<ResourceQuota>;
const ATTEMPTS = 5;
/** What can use more than before by an update. */
const GROWING = new Set(['services', 'persistentvolumeclaims', 'pods/resize']);

/** What is used more than before, of what the quota limits. */
function deltaOf(request: AdmissionRequest, hard: Readonly<Record<string, string>>): ResourceList {
  if (request.object === undefined) return {};
  const now = quotaUsageOf(request.resource, request.object);
  const before = request.oldObject === undefined ? {} : quotaUsageOf(request.resource, request.oldObject);
  const delta: ResourceList = {};
  for (const name of Object.keys(hard)) {
    const more = subtractQuantity(parseQuantity(now[name] ?? '0'), parseQuantity(before[name] ?? '0'));
    if (more.nanos > 0n) delta[name] = formatQuantity(more);
  }
  return delta;
}

const listText = (list: Readonly<Record<string, string>>, names: readonly string[]) =>
  names.map((name) => `${name}=${list[name] ?? '0'}`).join(',');

function check(request: AdmissionRequest, quota: Quota): ResourceList | undefined {
  // What the quota controller has not taken over into the status yet is not in force.
  const hard = quota.status?.hard ?? {};
  const matching = Object.keys(hard)
    .filter((name) => isOfQuota(request.resource, name))
    .sort();
  if (matching.length === 0) return undefined;
  if (request.resource.group === '' && request.resource.resource === 'pods') {
    const missing = missingAmounts(matching, request.object as unknown as Pod);
    if (missing !== '') throw refusal(request, `failed quota: ${quota.metadata.name}: must specify ${missing}`);
  }
  if (matching.some((name) => quota.status?.used?.[name] === undefined))
    throw refusal(request, `status unknown for quota: ${quota.metadata.name}, resources: ${matching.join(',')}`);
  const delta = deltaOf(request, hard);
  const names = Object.keys(delta).sort();
  if (names.length === 0) return undefined;
  const used: ResourceList = { ...quota.status?.used };
  const over: string[] = [];
  const next: ResourceList = { ...used };
  for (const name of names) {
    const sum = addQuantity(parseQuantity(used[name] ?? '0'), parseQuantity(delta[name] ?? '0'));
    next[name] = formatQuantity(sum);
    if (compareQuantity(sum, parseQuantity(hard[name] ?? '0')) > 0) over.push(name);
  }
  if (over.length > 0) {
    const text = `exceeded quota: ${quota.metadata.name}, requested: ${listText(delta, over)}, used: ${listText(used, over)}, limited: ${listText(hard, over)}`;
    throw refusal(request, text);
  }
  return next;
}

/** What may not be used at all unless some quota allows it: `limitedResources` of the plugin's configuration. */
interface LimitedResource {
  readonly apiGroup?: string;
  readonly resource: string;
  readonly matchContains?: readonly string[];
  readonly matchScopes?: readonly { readonly scopeName: string; readonly operator: string; readonly values?: readonly string[] }[];
}

interface Configuration {
  readonly limitedResources?: readonly LimitedResource[];
}

/** @throws {ApiError} 403 if the request uses what is limited, and no quota covers that. */
function checkCovered(request: AdmissionRequest, quotas: readonly Quota[], limited: readonly LimitedResource[]): void {
  const { group, resource } = request.resource;
  const { object } = request;
  const mine = limited.filter((entry) => (entry.apiGroup ?? '') === group && entry.resource === resource);
  if (mine.length === 0 || object === undefined) return;
  const used = Object.keys(quotaUsageOf(request.resource, object));
  const names = used.filter((name) => mine.some(({ matchContains = [] }) => matchContains.some((part) => name.includes(part))));
  const covered = new Set(quotas.flatMap(({ spec }) => Object.keys(spec.hard ?? {})));
  const lacking = names.filter((name) => !covered.has(name)).sort();
  if (lacking.length > 0) throw refusal(request, `insufficient quota to consume: ${lacking.join(',')}`);
  const scopes = mine
    .flatMap(({ matchScopes = [] }) => matchScopes)
    .filter((scope) => isInQuotaScope({ spec: { scopeSelector: { matchExpressions: [scope] } } } as never, request.resource, object));
  const uncovered = scopes.filter(
    (scope) =>
      !quotas.some(
        ({ spec }) =>
          spec.scopeSelector?.matchExpressions?.some((it) => it.scopeName === scope.scopeName) ||
          spec.scopes?.includes(scope.scopeName as never),
      ),
  );
  if (uncovered.length === 0) return;
  const texts = uncovered.map(({ scopeName, operator, values = [] }) => `{${scopeName} ${operator} [${values.join(' ')}]}`);
  throw refusal(request, `insufficient quota to match these scopes: [${texts.join(' ')}]`);
}

async function count(request: AdmissionRequest, deps: AdmissionDeps, limited: readonly LimitedResource[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const quotas = [...deps.reader.list(resourcequotas, request.namespace)]
      .filter((quota) => request.object !== undefined && isInQuotaScope(quota, request.resource, request.object))
      .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
    checkCovered(request, quotas, limited);
    const updates = quotas.flatMap((quota) => {
      const used = check(request, quota);
      return used === undefined ? [] : [{ quota, used }];
    });
    if (request.dryRun) return;
    try {
      for (const { quota, used } of updates) await record(quota, used, deps);
      return;
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

async function record(quota: Quota, used: ResourceList, deps: AdmissionDeps): Promise<void> {
  const next = deepCopy(quota) as ResourceQuota;
  next.status = { ...next.status, used };
  await deps.update(resourcequotas, next as unknown as MutableObject, 'status');
}

/** Makes the plugin; it holds the queues of running counts. */
export function resourceQuota(configuration?: unknown): AdmissionPlugin {
  const { limitedResources = [] } = (configuration ?? {}) as Configuration;
  const queues = new Map<string, Promise<void>>();
  return {
    name: 'ResourceQuota',
    handles: (request) =>
      request.resource.namespaced &&
      request.resource.resource !== 'resourcequotas' &&
      ((isOperation(request, 'CREATE') && request.subresource === '') ||
        (isOperation(request, 'UPDATE') &&
          request.resource.group === '' &&
          GROWING.has(request.subresource === '' ? request.resource.resource : `${request.resource.resource}/${request.subresource}`))),
    validate(request, deps) {
      if (limitedResources.length === 0 && deps.reader.list(resourcequotas, request.namespace).length === 0) return;
      const before = queues.get(request.namespace) ?? Promise.resolve();
      const mine = before.then(() => count(request, deps, limitedResources));
      const settled = mine.catch(() => undefined);
      queues.set(request.namespace, settled);
      void settled.then(() => {
        if (queues.get(request.namespace) === settled) queues.delete(request.namespace);
      });
      return mine;
    },
  };
}
