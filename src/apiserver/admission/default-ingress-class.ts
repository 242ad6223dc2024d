// SPDX-License-Identifier: Apache-2.0
// DefaultIngressClass: an Ingress that names no class gets the one marked as default.
import { ingressclasses } from '#api';
import type { Ingress } from '#api/networking/v1';
import { internalError } from '#machinery';
import type { AdmissionPlugin } from './admission.ts';
import { isFor, isOperation } from './match.ts';

const IS_DEFAULT = 'ingressclass.kubernetes.io/is-default-class';
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

export const defaultIngressClass: AdmissionPlugin = {
  name: 'DefaultIngressClass',
  handles: (request) => isFor(request, 'ingresses', 'networking.k8s.io') && isOperation(request, 'CREATE'),
  admit(request, { reader }) {
    const ingress = request.object as unknown as Ingress;
    if (ingress.spec?.ingressClassName !== undefined || ingress.metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
    const defaults = reader.list(ingressclasses).filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === 'true');
    const [first] = [...defaults].sort((a, b) => {
      const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
      return x === y ? ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1) : x > y ? -1 : 1;
    });
    if (first?.metadata.name === undefined) return;
    if (ingress.spec === undefined) throw internalError('ingress without a spec');
    ingress.spec.ingressClassName = first.metadata.name;
  },
};
