// SPDX-License-Identifier: Apache-2.0
// ResourceQuota: last of all plugins, it counts what a write would use against every quota of the namespace, and records it in
// their status before the object is written. Writes to one namespace are counted one after another.
import { resourcequotas } from '#api';
import type { ResourceList, ResourceQuota } from '#api/core/v1';
import { deepCopy, isConflict } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isOperation } from './match.ts';
import { checkQuotas, type LimitedResource, type Quota } from './resource-quota-check.ts';

const ATTEMPTS = 4;
/** What can use more than before by an update. */
const GROWING = new Set(['services', 'persistentvolumeclaims', 'pods/resize']);
/** What is never kept, or in such numbers that nobody counts it. @source upstream pkg/quota/v1/install/registry.go */
const IGNORED: ReadonlySet<string> = new Set([
  '/bindings',
  '/events',
  'events.k8s.io/events',
  'authorization.k8s.io/localsubjectaccessreviews',
]);

interface Configuration {
  readonly limitedResources?: readonly LimitedResource[];
}

const nameOfQuota = ({ metadata }: Quota) => metadata.name ?? '';

/** After a conflict only the quotas that could not be written are counted again: the others have the write already. */
async function count(request: AdmissionRequest, deps: AdmissionDeps, limited: readonly LimitedResource[]): Promise<void> {
  const recorded = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    const quotas = [...deps.reader.list(resourcequotas, request.namespace)]
      .filter((quota) => !recorded.has(nameOfQuota(quota)))
      .sort((a, b) => (nameOfQuota(a) < nameOfQuota(b) ? -1 : 1));
    const updates = checkQuotas(request, quotas, attempt === 1 ? limited : []);
    if (request.dryRun) return;
    try {
      for (const { quota, used } of updates) {
        await record(quota, used, deps);
        recorded.add(nameOfQuota(quota));
      }
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

/** @throws {RangeError} If an entry does not say what it limits. */
function limitsOf(configuration: unknown): readonly LimitedResource[] {
  const { limitedResources = [] } = (configuration ?? {}) as Configuration;
  for (const [index, { resource }] of limitedResources.entries())
    if (!resource) throw new RangeError(`configure ResourceQuota: limitedResources[${index}].resource: Required value`);
  return limitedResources;
}

function isCounted(request: AdmissionRequest): boolean {
  const { group, resource, namespaced } = request.resource;
  if (!namespaced || IGNORED.has(`${group}/${resource}`)) return false;
  const { subresource } = request;
  if (isOperation(request, 'CREATE')) return subresource === '';
  return isOperation(request, 'UPDATE') && group === '' && GROWING.has(subresource === '' ? resource : `${resource}/${subresource}`);
}

/** Makes the plugin; it holds the queues of running counts. @throws {RangeError} If its configuration is wrong. */
export function resourceQuota(configuration?: unknown): AdmissionPlugin {
  const limited = limitsOf(configuration);
  const queues = new Map<string, Promise<void>>();
  return {
    name: 'ResourceQuota',
    handles: isCounted,
    validate(request, deps) {
      if (limited.length === 0 && deps.reader.list(resourcequotas, request.namespace).length === 0) return;
      const before = queues.get(request.namespace) ?? Promise.resolve();
      const mine = before.then(() => count(request, deps, limited));
      const settled = mine.catch(() => undefined);
      queues.set(request.namespace, settled);
      void settled.then(() => {
        if (queues.get(request.namespace) === settled) queues.delete(request.namespace);
      });
      return mine;
    },
  };
}
