// SPDX-License-Identifier: Apache-2.0
// AlwaysAdmit and AlwaysDeny: deprecated, off unless named; and AlwaysPullImages: credentials are checked for each Pod, since an
// image that is on the node already could be used without them.
// @source upstream plugin/pkg/admission/{admit,deny,alwayspullimages}
import type { Pod } from '#api/core/v1';
import { type DeepReadonly, type FieldCause, field, forbidden, notSupported, semanticEqual } from '#machinery';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, nameOf, refusal } from './match.ts';

export const alwaysAdmit: AdmissionPlugin = { name: 'AlwaysAdmit', handles: () => false };

function deny(request: AdmissionRequest): never {
  throw refusal(request, 'admission control is denying all modifications');
}

export const alwaysDeny: AdmissionPlugin = { name: 'AlwaysDeny', handles: () => true, admit: deny, validate: deny };

type Spec = DeepReadonly<Pod>['spec'];
const LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const;

function imagesOf(spec: Spec): string[] {
  return LISTS.flatMap((list) => (spec[list] ?? []).map(({ image }) => image ?? '')).sort();
}

/** An update that brings no new image changes nothing about pulling. */
function concerns(request: AdmissionRequest): boolean {
  if (request.resource.group !== '' || request.resource.resource !== 'pods') return false;
  if (request.subresource !== '' && request.subresource !== 'ephemeralcontainers') return false;
  if (!isOperation(request, 'CREATE', 'UPDATE')) return false;
  if (request.operation === 'CREATE' || request.oldObject === undefined) return true;
  const [next, old] = [request.object, request.oldObject].map((object) => new Set(imagesOf((object as unknown as Pod).spec)));
  return [...(next ?? [])].some((image) => !old?.has(image));
}

export const alwaysPullImages: AdmissionPlugin = {
  name: 'AlwaysPullImages',
  handles: concerns,
  admit(request) {
    const { spec } = request.object as unknown as Pod;
    for (const list of LISTS) for (const container of spec[list] ?? []) container.imagePullPolicy = 'Always';
    for (const volume of spec.volumes ?? []) if (volume.image !== undefined) volume.image.pullPolicy = 'Always';
  },
  validate(request) {
    const { spec } = request.object as unknown as Pod;
    const causes: FieldCause[] = [];
    for (const list of LISTS) {
      for (const [index, { imagePullPolicy = '' }] of (spec[list] ?? []).entries()) {
        const at = field('spec', list).index(index).child('imagePullPolicy');
        if (imagePullPolicy !== 'Always') causes.push(notSupported(at, imagePullPolicy, ['Always']));
      }
    }
    const [first] = causes;
    if (first !== undefined) throw refusal(request, causes.map(({ field: at, message }) => `${at}: ${message}`).join(', '));
  },
};

const TOPOLOGY_KEY = 'kubernetes.io/hostname';

/** LimitPodHardAntiAffinityTopology: a Pod may demand to be alone on a node, not in a zone. */
export const limitPodHardAntiAffinityTopology: AdmissionPlugin = {
  name: 'LimitPodHardAntiAffinityTopology',
  handles: (request) => isFor(request, 'pods') && isOperation(request, 'CREATE', 'UPDATE'),
  validate(request) {
    const { spec } = request.object as unknown as Pod;
    const terms = spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const wrong = terms.find(({ topologyKey }) => topologyKey !== TOPOLOGY_KEY);
    if (wrong === undefined) return;
    const rule = `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${wrong.topologyKey} but only key ${TOPOLOGY_KEY} is allowed`;
    throw forbidden(request.resource, nameOf(request), rule);
  },
};

type ServiceLike = { readonly spec?: { readonly externalIPs?: readonly string[] } };

/** DenyServiceExternalIPs: no Service gets external addresses that it did not have. */
export const denyServiceExternalIPs: AdmissionPlugin = {
  name: 'DenyServiceExternalIPs',
  handles: (request) => isFor(request, 'services') && isOperation(request, 'CREATE', 'UPDATE'),
  validate(request) {
    const next = (request.object as unknown as ServiceLike).spec?.externalIPs ?? [];
    const old = (request.oldObject as unknown as ServiceLike | undefined)?.spec?.externalIPs ?? [];
    if (next.length === 0 || semanticEqual(next, old) || next.every((address) => old.includes(address))) return;
    throw refusal(request, 'Use of external IPs is denied by admission control');
  },
};
