// SPDX-License-Identifier: Apache-2.0
// ResourceQuota: last of all plugins, it counts what a write would use against every quota of the namespace, and records it in
// their status before the object is written. Writes to one namespace are counted one after another.
import { resourcequotas } from '#api';
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
import { isInScope, missingText, usageOf } from './quota-usage.ts';

type Quota = DeepReadonly<ResourceQuota>;
const ATTEMPTS = 5;
/** Kinds whose updates can use more than before. */
const GROWING = new Set(['pods', 'services', 'persistentvolumeclaims']);

/** What is used more than before, of what the quota limits. */
function deltaOf(request: AdmissionRequest, hard: Readonly<Record<string, string>>): ResourceList {
  if (request.object === undefined) return {};
  const now = usageOf(request.resource, request.object);
  const before = request.oldObject === undefined ? {} : usageOf(request.resource, request.oldObject);
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
  const hard = quota.status?.hard ?? {};
  const specHard = quota.spec.hard ?? {};
  if (request.resource.resource === 'pods' && request.operation === 'CREATE') {
    const missing = missingText(specHard, request.object as unknown as Pod);
    if (missing !== '') throw refusal(request, `failed quota: ${quota.metadata.name}: must specify ${missing}`);
  }
  const delta = deltaOf(request, specHard);
  const names = Object.keys(delta).sort();
  if (names.length === 0) return undefined;
  const unknown = names.filter((name) => hard[name] === undefined || quota.status?.used?.[name] === undefined);
  if (unknown.length > 0) throw refusal(request, `status unknown for quota: ${quota.metadata.name}, resources: ${unknown.join(',')}`);
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

async function count(request: AdmissionRequest, deps: AdmissionDeps): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const quotas = [...deps.reader.list(resourcequotas, request.namespace)]
      .filter((quota) => request.object !== undefined && isInScope(quota, request.resource, request.object))
      .sort((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
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
export function resourceQuota(): AdmissionPlugin {
  const queues = new Map<string, Promise<void>>();
  return {
    name: 'ResourceQuota',
    handles: (request) =>
      request.resource.namespaced &&
      request.resource.resource !== 'resourcequotas' &&
      ((isOperation(request, 'CREATE') && request.subresource === '') ||
        (isOperation(request, 'UPDATE') &&
          request.resource.group === '' &&
          GROWING.has(request.resource.resource) &&
          ['', 'resize'].includes(request.subresource))),
    validate(request, deps) {
      if (deps.reader.list(resourcequotas, request.namespace).length === 0) return;
      const before = queues.get(request.namespace) ?? Promise.resolve();
      const mine = before.then(() => count(request, deps));
      const settled = mine.catch(() => undefined);
      queues.set(request.namespace, settled);
      void settled.then(() => {
        if (queues.get(request.namespace) === settled) queues.delete(request.namespace);
      });
      return mine;
    },
  };
}
