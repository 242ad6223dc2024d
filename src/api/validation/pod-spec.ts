// SPDX-License-Identifier: Apache-2.0
// Validation of a PodSpec, in Pods and in templates, in upstream's order (ValidatePodSpec), and of Pods on create.
import {
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  type ObjectMeta,
  required,
} from '../../machinery/mod.ts';
import type { Pod, PodSpec, PodTemplateSpec } from '../generated/core/v1.ts';
import { ipProblems } from './ip.ts';
import { annotationCauses, labelCauses } from './object-meta.ts';
import { affinityCauses, spreadCauses, tolerationCauses } from './pod-affinity.ts';
import { containerCauses, ephemeralContainerCauses, initContainerCauses, scopeOf } from './pod-containers.ts';
import { podLevelResourceCauses } from './pod-resources.ts';
import { hostUsersCauses, osCauses, podSecurityContextCauses, windowsHostProcessCauses } from './pod-security-context.ts';
import { volumeCauses } from './pod-volumes.ts';
import { dnsLabelProblems, enumCauses, problems } from './rules.ts';

type Spec = DeepReadonly<PodSpec>;
type Meta = DeepReadonly<Pick<ObjectMeta, 'annotations'>>;
const MAX_INT32 = 2_147_483_647;
const APPARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';
const MIRROR = 'kubernetes.io/config.mirror';

export function podSpecCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const scope = scopeOf(spec);
  return [
    ...volumeCauses(spec.volumes, path.child('volumes')),
    ...containerCauses(spec.containers, path.child('containers'), scope),
    ...initContainerCauses(spec.initContainers, spec.containers, path.child('initContainers'), scope),
    ...ephemeralContainerCauses(spec, path.child('ephemeralContainers'), scope),
    ...podLevelResourceCauses(spec.resources, path.child('resources')),
    ...enumCauses(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], path.child('restartPolicy'), true),
    ...dnsPolicyCauses(spec, path),
    ...labelCauses(spec.nodeSelector, path.child('nodeSelector')),
    ...podSecurityContextCauses(spec, path),
    ...affinityCauses(spec.affinity, path.child('affinity')),
    ...dnsConfigCauses(spec, path.child('dnsConfig')),
    ...readinessGateCauses(spec, path.child('readinessGates')),
    ...schedulingGateCauses(spec, path.child('schedulingGates')),
    ...spreadCauses(spec, path.child('topologySpreadConstraints')),
    ...windowsHostProcessCauses(spec, path),
    ...hostUsersCauses(spec, path),
    ...hostnameOverrideCauses(spec, path.child('hostnameOverride')),
    ...nameCauses(spec, path),
    ...tolerationCauses(spec.tolerations, path.child('tolerations')),
    ...hostAliasCauses(spec, path.child('hostAliases')),
    ...classCauses(spec, path),
    ...osCauses(spec, path),
  ];
}

function dnsPolicyCauses(spec: Spec, path: FieldPath): FieldCause[] {
  return enumCauses(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], path.child('dnsPolicy'), true);
}

const SEARCH_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')`;
const SEARCH = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;

function dnsConfigCauses({ dnsPolicy, dnsConfig }: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const why = 'when `dnsPolicy` is None';
  if (dnsPolicy === 'None') {
    if (!dnsConfig) return [required(path, `must provide \`dnsConfig\` ${why}`)];
    if ((dnsConfig.nameservers ?? []).length === 0)
      return [required(path.child('nameservers'), `must provide at least one DNS nameserver ${why}`)];
  }
  if (!dnsConfig) return causes;
  const servers = dnsConfig.nameservers ?? [];
  if (servers.length > 3) causes.push(invalidValue(path.child('nameservers'), servers, 'must not have more than 3 nameservers'));
  for (const [index, server] of servers.entries())
    causes.push(...problems(ipProblems(server), path.child('nameservers').index(index), server));
  const searches = dnsConfig.searches ?? [];
  if (searches.length > 32) causes.push(invalidValue(path.child('searches'), searches, 'must not have more than 32 search paths'));
  if (searches.join(' ').length > 2048) {
    causes.push(
      invalidValue(path.child('searches'), searches, 'must not have more than 2048 characters (including spaces) in the search list'),
    );
  }
  for (const [index, search] of searches.entries()) {
    if (search !== '.' && !SEARCH.test(search.replace(/\.$/, '')))
      causes.push(invalidValue(path.child('searches').index(index), search, SEARCH_RULE));
  }
  for (const [index, option] of (dnsConfig.options ?? []).entries()) {
    if (!option.name) causes.push(required(path.child('options').index(index), 'must not be empty'));
  }
  return causes;
}

function readinessGateCauses({ readinessGates }: Spec, path: FieldPath): FieldCause[] {
  return (readinessGates ?? []).flatMap(({ conditionType }, index) =>
    problems(checkQualifiedName(conditionType), path.index(index).child('conditionType'), conditionType),
  );
}

function schedulingGateCauses({ schedulingGates }: Spec, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (schedulingGates ?? []).flatMap(({ name }, index) => {
    const causes = problems(checkQualifiedName(name), path.index(index), name);
    if (seen.has(name)) causes.push(duplicateValue(path.index(index), name));
    seen.add(name);
    return causes;
  });
}

function hostnameOverrideCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const value = spec.hostnameOverride;
  if (value === undefined || value === null) return [];
  const causes: FieldCause[] = [];
  if (spec.hostNetwork === true) causes.push(forbiddenField(path, 'may not be specified when hostNetwork is true'));
  if (spec.setHostnameAsFQDN === true) causes.push(forbiddenField(path, 'may not be specified when setHostnameAsFQDN is true'));
  if (value.length > 64)
    causes.push({ reason: 'FieldValueTooLong', field: String(path), message: 'Too long: may not be more than 64 bytes' });
  return [...causes, ...problems(checkDns1123Subdomain(value), path, value)];
}

function nameCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const subdomain = (name: 'serviceAccountName' | 'nodeName') => {
    const value = spec[name];
    if (value) causes.push(...problems(checkDns1123Subdomain(value), path.child(name), value));
  };
  subdomain('serviceAccountName');
  subdomain('nodeName');
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && deadline !== null && (deadline < 1 || deadline > MAX_INT32)) {
    causes.push(invalidValue(path.child('activeDeadlineSeconds'), deadline, `must be between 1 and ${MAX_INT32}, inclusive`));
  }
  if (spec.hostname) causes.push(...problems(dnsLabelProblems(spec.hostname), path.child('hostname'), spec.hostname));
  if (spec.subdomain) causes.push(...problems(dnsLabelProblems(spec.subdomain), path.child('subdomain'), spec.subdomain));
  return causes;
}

function hostAliasCauses({ hostAliases }: Spec, path: FieldPath): FieldCause[] {
  return (hostAliases ?? []).flatMap((alias, index) => {
    const at = path.index(index);
    const names = (alias.hostnames ?? []).flatMap((name, position) =>
      problems(checkDns1123Subdomain(name), at.child('hostnames').index(position), name),
    );
    return [...problems(ipProblems(alias.ip ?? ''), at.child('ip'), alias.ip ?? ''), ...names];
  });
}

function classCauses(spec: Spec, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const name of ['priorityClassName', 'runtimeClassName'] as const) {
    const value = spec[name];
    if (value) causes.push(...problems(checkDns1123Subdomain(value), path.child(name), value));
  }
  const policy = spec.preemptionPolicy;
  if (policy !== undefined && policy !== null && policy !== 'Never' && policy !== 'PreemptLowerPriority') {
    causes.push(notSupported(path.child('preemptionPolicy'), policy, ['PreemptLowerPriority', 'Never']));
  }
  return causes;
}

/** What annotations of a Pod still mean something. */
export function podAnnotationCauses(meta: Meta, spec: Spec, path: FieldPath): FieldCause[] {
  const annotations = meta.annotations ?? {};
  const causes: FieldCause[] = [];
  const mirror = annotations[MIRROR];
  if (mirror !== undefined && !spec.nodeName) {
    causes.push(invalidValue(path.key(MIRROR), mirror, 'must set spec.nodeName if mirror pod annotation is set'));
  }
  const names = new Set(
    [...(spec.containers ?? []), ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])].map(({ name }) => name),
  );
  for (const [key, value] of Object.entries(annotations)) {
    if (!key.startsWith(APPARMOR_PREFIX)) continue;
    const container = key.slice(APPARMOR_PREFIX.length);
    if (!names.has(container)) causes.push(invalidValue(path.key(key), container, 'container not found'));
    const isKnown = value === '' || value === 'runtime/default' || value === 'unconfined' || value.startsWith('localhost/');
    if (!isKnown) causes.push(invalidValue(path.key(key), value, 'invalid AppArmor profile'));
  }
  return causes;
}

/** A template: labels, annotations and the spec. */
export function podTemplateCauses(template: DeepReadonly<PodTemplateSpec>, path: FieldPath): FieldCause[] {
  const causes = [
    ...labelCauses(template.metadata?.labels, path.child('labels')),
    ...annotationCauses(template.metadata?.annotations, path.child('annotations')),
    ...podAnnotationCauses(template.metadata ?? {}, template.spec, path.child('annotations')),
    ...podSpecCauses(template.spec, path.child('spec')),
  ];
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    causes.push(forbiddenField(path.child('spec', 'ephemeralContainers'), 'ephemeral containers not allowed in pod template'));
  }
  return causes;
}

/** A new Pod, `metadata` apart. */
export function podCauses(pod: DeepReadonly<Pod>): FieldCause[] {
  const path = field('spec');
  const causes = [...podAnnotationCauses(pod.metadata, pod.spec, field('metadata', 'annotations')), ...podSpecCauses(pod.spec, path)];
  if ((pod.spec.ephemeralContainers ?? []).length > 0)
    causes.push(forbiddenField(path.child('ephemeralContainers'), 'cannot be set on create'));
  if ((pod.spec.schedulingGates ?? []).length > 0 && pod.spec.nodeName) {
    causes.push(forbiddenField(path.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'));
  }
  return causes;
}
