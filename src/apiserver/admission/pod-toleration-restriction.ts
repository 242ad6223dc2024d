// SPDX-License-Identifier: Apache-2.0
// PodTolerationRestriction: Pods get the default tolerations of their namespace, and may have none outside of its list. Off unless named.
// @source upstream plugin/pkg/admission/podtolerationrestriction
import { namespaces } from '#api';
import type { Pod, Toleration } from '#api/core/v1';
import { apiError, notFound } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation } from './match.ts';
import { isCovered, mergedTolerations } from './tolerations.ts';

const DEFAULTS = 'scheduler.alpha.kubernetes.io/defaultTolerations';
const ALLOWED = 'scheduler.alpha.kubernetes.io/tolerationsWhitelist';
const MEMORY_PRESSURE: Toleration = { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' };

interface Configuration {
  readonly default?: readonly Toleration[];
  readonly whitelist?: readonly Toleration[];
}

/** @param configuration `PodTolerationRestriction`'s `default` and `whitelist` for all namespaces that say nothing. */
export function podTolerationRestriction(configuration: unknown): AdmissionPlugin {
  const cluster = (configuration ?? {}) as Configuration;
  const listOf = (request: AdmissionRequest, { reader }: AdmissionDeps, key: string): readonly Toleration[] => {
    const namespace = reader.find(namespaces, { name: request.namespace });
    if (namespace === undefined) throw notFound(namespaces, request.namespace);
    const text = namespace.metadata.annotations?.[key];
    const own = text === undefined || text === '' ? undefined : (JSON.parse(text) as Toleration[] | null);
    // An empty list in the annotation is a statement; no annotation is none.
    return own ?? (key === DEFAULTS ? cluster.default : cluster.whitelist) ?? [];
  };
  return {
    name: 'PodTolerationRestriction',
    handles: (request) => isFor(request, 'pods') && isOperation(request, 'CREATE', 'UPDATE'),
    admit(request, deps) {
      const { spec } = request.object as unknown as Pod;
      if (request.operation === 'CREATE') {
        const defaults = listOf(request, deps, DEFAULTS);
        if (defaults.length > 0) spec.tolerations = mergedTolerations(defaults, spec.tolerations ?? []);
      }
      // Pods that are not best effort stay on a node short of memory.
      const asks = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].some(
        ({ resources }) => Object.keys({ ...resources?.requests, ...resources?.limits }).length > 0,
      );
      if (asks) spec.tolerations = mergedTolerations(spec.tolerations ?? [], [MEMORY_PRESSURE]);
      if (spec.tolerations?.length === 0) delete spec.tolerations;
    },
    validate(request, deps) {
      const { spec } = request.object as unknown as Pod;
      const allowed = listOf(request, deps, ALLOWED);
      if (allowed.length === 0 || (spec.tolerations ?? []).every((it) => allowed.some((by) => isCovered(it, by)))) return;
      throw apiError(500, '', 'pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist');
    },
  };
}
