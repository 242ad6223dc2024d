// SPDX-License-Identifier: Apache-2.0
// PodTopologyLabels: a Pod gets the zone and region of its node as labels, when it is bound and when it is made for a node; what it
// has already stays. ExtendedResourceToleration: Pods that ask for a device tolerate the taint of nodes kept for it. Off unless named.
// @source upstream plugin/pkg/admission/{podtopologylabels,extendedresourcetoleration}
import { nodes } from '#api';
import type { Binding, Pod } from '#api/core/v1';
import type { AdmissionDeps, AdmissionPlugin } from './admission.ts';
import { isFor, isOperation } from './match.ts';

const LABELS = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'] as const;

function labelsOfNode(name: string, { reader }: AdmissionDeps): Record<string, string> {
  const node = reader.find(nodes, { name });
  const given = node?.metadata.labels ?? {};
  return Object.fromEntries(LABELS.flatMap((label) => (given[label] === undefined ? [] : [[label, given[label]]])));
}

export const podTopologyLabels: AdmissionPlugin = {
  name: 'PodTopologyLabels',
  handles: (request) => isOperation(request, 'CREATE') && (isFor(request, 'pods/binding') || isFor(request, 'pods')),
  admit(request, deps) {
    const { object } = request;
    if (object === undefined) return;
    const target = (object as unknown as Binding).target;
    const nodeName =
      request.subresource === '' ? (object as unknown as Pod).spec.nodeName : (target?.kind ?? 'Node') === 'Node' ? target?.name : '';
    if (!nodeName) return;
    const labels = labelsOfNode(nodeName, deps);
    if (Object.keys(labels).length > 0) object.metadata.labels = { ...labels, ...object.metadata.labels };
  },
};

/** Named by a domain that is not Kubernetes' own. */
function isExtended(name: string): boolean {
  return name.includes('/') && !name.split('/')[0]?.endsWith('kubernetes.io') && !name.startsWith('requests.');
}

export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  handles: (request) => isFor(request, 'pods') && isOperation(request, 'CREATE', 'UPDATE'),
  admit(request) {
    const { spec } = request.object as unknown as Pod;
    const asked = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
      Object.keys(resources?.requests ?? {}),
    );
    for (const key of [...new Set(asked)].filter(isExtended).sort()) {
      const toleration = { key, operator: 'Exists' as const, effect: 'NoSchedule' as const };
      const has = spec.tolerations?.some((it) => it.key === key && it.operator === 'Exists' && it.effect === 'NoSchedule' && !it.value);
      if (!has) spec.tolerations = [...(spec.tolerations ?? []), toleration];
    }
  },
};
