// SPDX-License-Identifier: Apache-2.0
// PodNodeSelector: Pods of a namespace run only on the nodes that its annotation, or the cluster's default, selects. Off unless named.
// @source upstream plugin/pkg/admission/podnodeselector
import { namespaces } from '#api';
import type { Pod } from '#api/core/v1';
import { notFound } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';

const ANNOTATION = 'scheduler.alpha.kubernetes.io/node-selector';
const DEFAULT_KEY = 'clusterDefaultNodeSelector';
type Labels = Readonly<Record<string, string>>;

/** `a=b,c=d`. @throws {Error} */
function labelsOf(text: string): Labels {
  if (text.trim() === '') return {};
  return Object.fromEntries(
    text.split(',').map((part) => {
      const equals = part.indexOf('=');
      if (equals < 0) throw new Error(`invalid selector: ${text}`);
      return [part.slice(0, equals).trim(), part.slice(equals + 1).trim()];
    }),
  );
}

function conflicts(a: Labels, b: Labels): boolean {
  return Object.entries(a).some(([key, value]) => b[key] !== undefined && b[key] !== value);
}

/** @param configuration `{ podNodeSelectorPluginConfig: { clusterDefaultNodeSelector, <namespace>: allowed } }` */
export function podNodeSelector(configuration: unknown): AdmissionPlugin {
  const given = (configuration ?? {}) as { podNodeSelectorPluginConfig?: Readonly<Record<string, string>> };
  const selectors = new Map(Object.entries(given.podNodeSelectorPluginConfig ?? {}).map(([name, text]) => [name, labelsOf(text)]));
  const selectorOf = (request: AdmissionRequest, { reader }: AdmissionDeps): Labels => {
    const namespace = reader.find(namespaces, { name: request.namespace });
    if (namespace === undefined) throw notFound(namespaces, request.namespace);
    const annotated = namespace.metadata.annotations?.[ANNOTATION];
    return annotated === undefined ? (selectors.get(DEFAULT_KEY) ?? {}) : labelsOf(annotated);
  };
  const check = (request: AdmissionRequest, deps: AdmissionDeps) => {
    const { spec } = request.object as unknown as Pod;
    const wanted = selectorOf(request, deps);
    if (conflicts(wanted, spec.nodeSelector ?? {})) {
      throw refusal(request, 'pod node label selector conflicts with its namespace node label selector');
    }
    return wanted;
  };
  return {
    name: 'PodNodeSelector',
    handles: (request) => isFor(request, 'pods') && isOperation(request, 'CREATE'),
    admit(request, deps) {
      const wanted = check(request, deps);
      const { spec } = request.object as unknown as Pod;
      if (Object.keys(wanted).length > 0) spec.nodeSelector = { ...wanted, ...spec.nodeSelector };
    },
    validate(request, deps) {
      check(request, deps);
      const allowed = selectors.get(request.namespace) ?? {};
      const { nodeSelector = {} } = (request.object as unknown as Pod).spec;
      if (Object.keys(allowed).length === 0 || Object.entries(nodeSelector).every(([key, value]) => allowed[key] === value)) return;
      throw refusal(request, 'pod node label selector labels conflict with its namespace whitelist');
    },
  };
}
