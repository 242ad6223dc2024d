// SPDX-License-Identifier: Apache-2.0
// What may stay wrong on update because it was wrong before: objects that were stored when rules were looser can still be changed.
// Data by kind: which causes are let be, and what has to have been wrong. Nothing is done for a change that has no such cause.
// @source upstream pkg/api/pod/util.go GetValidationOptionsFromPodSpecAndMeta, and the options of other kinds' strategies
import type { FieldCause } from '../../machinery/mod.ts';

interface Ratchet {
  /** Of causes as `field: message`: those that are let be. */
  readonly drop: RegExp;
  /** What the object has to have said of itself before; `same`: this very message, wherever. */
  readonly when: RegExp | 'same';
}

const VALUE = String.raw`\.matchExpressions\[\d+\]\.values\[\d+\]: `;
const ADDRESS = ': Invalid value: "[^"]*": must not (?:have|be an IPv4)';
const any = (pattern: string): Ratchet => ({ drop: new RegExp(pattern), when: new RegExp(pattern) });
/** Values in label selectors at a place, if there was anything wrong with such a selector. */
const values = (place: string): Ratchet => ({ drop: new RegExp(`${place}${VALUE}`), when: new RegExp(place) });
/** Addresses and CIDRs in forms that are no longer taken. */
const addresses = (place: string): Ratchet => ({ drop: new RegExp(`${place}.*${ADDRESS}`), when: 'same' });

const POD: readonly Ratchet[] = [
  any(String.raw`annotations\[controller\.kubernetes\.io/pod-deletion-cost\]: `),
  any(String.raw`\[hugepages-[^\]]+\]: .* is not positive integer multiple of `),
  values(String.raw`affinity\.pod(?:Anti)?Affinity\..*(?:label|namespace)Selector`),
  any(String.raw`nodeAffinity\.requiredDuringSchedulingIgnoredDuringExecution\.nodeSelectorTerms\[\d+\]${VALUE}`),
  any(String.raw`topologySpreadConstraints\[\d+\]\.labelSelector`),
  any(String.raw`topologySpreadConstraints\[\d+\]\.matchLabelKeys`),
  any(String.raw`\.projected\.path: Invalid value: .*: must (?:be a relative path|not (?:contain|start with) )`),
  any(String.raw`securityContext\.sysctls\[\d+\]\.name: .* may not be specified when 'host`),
  addresses(String.raw`(?:nameservers\[\d+\]|hostAliases\[\d+\]\.ip)`),
];

const RATCHETS: Readonly<Record<string, readonly Ratchet[]>> = {
  '/Pod': POD,
  '/Pod/status': [addresses(String.raw`^status\.(?:pod|host)IPs\[\d+\]`)],
  '/PodTemplate': POD,
  '/ReplicationController': POD,
  '/Service': [addresses(String.raw`^(?:spec\.|metadata\.annotations)`)],
  '/Service/status': [addresses('^status')],
  '/Endpoints': [addresses('^subsets')],
  '/Node': [addresses(String.raw`^spec\.podCIDRs`)],
  '/PersistentVolumeClaim': [values(String.raw`^spec\.selector`)],
  'apps/Deployment': POD,
  'apps/ReplicaSet': POD,
  'apps/DaemonSet': POD,
  'apps/StatefulSet': POD,
  'batch/Job': POD,
  'batch/CronJob': POD,
  'discovery.k8s.io/EndpointSlice': [addresses('^endpoints')],
  'networking.k8s.io/Ingress/status': [addresses('^status')],
  'networking.k8s.io/NetworkPolicy': [
    { drop: new RegExp(`[sS]elector${VALUE}`), when: /^spec\.podSelector/ },
    addresses(String.raw`^spec\..*ipBlock`),
  ],
  'policy/PodDisruptionBudget': [values(String.raw`^spec\.selector`)],
  'rbac.authorization.k8s.io/ClusterRole': [values('^aggregationRule')],
  'storage.k8s.io/CSIStorageCapacity': [values('^nodeTopology')],
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration': [values('(?:namespace|object)Selector')],
  'admissionregistration.k8s.io/MutatingWebhookConfiguration': [values('(?:namespace|object)Selector')],
};

const lineOf = ({ field, message }: FieldCause) => `${field}: ${message}`;

/**
 * The causes of a change without those that may stay.
 *
 * @param key Group and kind, and the subresource: `apps/Deployment`, `/Pod/status`.
 * @param before What is wrong with the object as it was; asked only where it matters.
 */
export function ratcheted(key: string, causes: FieldCause[], before: () => readonly FieldCause[]): FieldCause[] {
  const all = causes.length === 0 ? undefined : RATCHETS[key];
  const concerned = all?.filter(({ drop }) => causes.some((cause) => drop.test(lineOf(cause)))) ?? [];
  if (concerned.length === 0) return causes;
  const old = before();
  const said = new Set(old.map(({ message }) => message));
  const active = concerned.filter(({ when }) => when === 'same' || old.some((cause) => when.test(lineOf(cause))));
  const mayStay = (cause: FieldCause) =>
    active.some(({ drop, when }) => drop.test(lineOf(cause)) && (when !== 'same' || said.has(cause.message)));
  return causes.filter((cause) => !mayStay(cause));
}
