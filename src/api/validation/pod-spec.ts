// SPDX-License-Identifier: Apache-2.0
// Validation of a PodSpec, in Pods and in templates, in upstream's order (ValidatePodSpec), and of Pods on create.
import {
  checkDns1123Label,
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
  required,
} from '../../machinery/mod.ts';
import type { Pod, PodSpec, PodTemplateSpec } from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { ipProblems } from './ip.ts';
import { annotationCauses, labelCauses } from './object-meta.ts';
import { affinityCauses, spreadCauses, tolerationCauses } from './pod-affinity.ts';
import { podAnnotationCauses, profileMatchCauses } from './pod-annotations.ts';
import {
  containerCauses,
  ephemeralContainerCauses,
  hostNetworkCauses,
  imageCauses,
  initContainerCauses,
  scopeOf,
} from './pod-containers.ts';
import { overheadCauses, podLevelResourceCauses } from './pod-resources.ts';
import { hostUsersCauses, osCauses, podSecurityContextCauses } from './pod-security-context.ts';
import { soundVolumes, type VolumeScope, volumeCauses } from './pod-volumes.ts';
import { enumCauses, isSet, problems } from './rules.ts';
import { windowsHostProcessCauses } from './windows-options.ts';

type Spec = DeepReadonly<PodSpec>;
const SPEC = field('spec');
const MAX_INT32 = 2_147_483_647;

export function podSpecCauses(spec: Spec, path: FieldPath, volumeScope: VolumeScope = TEMPLATE): FieldCause[] {
  const faults = volumeCauses(spec.volumes, path.child('volumes'), volumeScope);
  const scope = scopeOf(spec, soundVolumes(spec.volumes, faults, path.child('volumes')));
  // Paths cost time: most of these fields are absent, and then nothing is to be said of them.
  const causes = isSet(spec.terminationGracePeriodSeconds) ? [] : [required(path.child('terminationGracePeriodSeconds'))];
  const add = (found: readonly FieldCause[]) => {
    if (found.length > 0) causes.push(...found);
  };
  add(faults);
  if (spec.resourceClaims) add(resourceClaimCauses(spec, path.child('resourceClaims')));
  add(containerCauses(spec.containers, path.child('containers'), scope));
  if (spec.initContainers) add(initContainerCauses(spec.initContainers, spec.containers, path.child('initContainers'), scope));
  if (spec.ephemeralContainers) add(ephemeralContainerCauses(spec, path.child('ephemeralContainers'), scope));
  if (spec.resources) add(podLevelResourceCauses(spec, path.child('resources')));
  if (spec.hostNetwork) add(hostNetworkCauses(spec, path.child('containers'), volumeScope.isPod));
  add(enumCauses(spec.restartPolicy, RESTARTS, path.child('restartPolicy'), true));
  add(dnsPolicyCauses(spec, path));
  if (spec.nodeSelector) add(labelCauses(spec.nodeSelector, path.child('nodeSelector')));
  add(podSecurityContextCauses(spec, path));
  if (spec.affinity) add(affinityCauses(spec.affinity, path.child('affinity')));
  if (spec.dnsConfig || spec.dnsPolicy === 'None') add(dnsConfigCauses(spec, path.child('dnsConfig')));
  if (spec.readinessGates) add(readinessGateCauses(spec, path.child('readinessGates')));
  if (spec.schedulingGates) add(schedulingGateCauses(spec, path.child('schedulingGates')));
  if (spec.topologySpreadConstraints) add(spreadCauses(spec, path.child('topologySpreadConstraints')));
  add(windowsHostProcessCauses(spec, path));
  add(hostUsersCauses(spec, path));
  if (isSet(spec.hostnameOverride)) add(hostnameOverrideCauses(spec, path.child('hostnameOverride')));
  add(nameCauses(spec, path));
  if (spec.tolerations) add(tolerationCauses(spec.tolerations, path.child('tolerations')));
  if (spec.hostAliases) add(hostAliasCauses(spec, path.child('hostAliases')));
  add(classCauses(spec, path));
  if (spec.overhead) add(overheadCauses(spec.overhead, path.child('overhead')));
  add(osCauses(spec, path));
  return causes;
}

const RESTARTS = ['Always', 'OnFailure', 'Never'];
const TEMPLATE: VolumeScope = { podName: undefined, isPod: false };

/** Claims of devices: each by its own name, and either one that exists or one made for the Pod. */
function resourceClaimCauses({ resourceClaims }: Spec, path: FieldPath): FieldCause[] {
  if (!resourceClaims) return [];
  const names = new Set<string>();
  return resourceClaims.flatMap((claim, index) => {
    const at = path.index(index);
    const { name, resourceClaimName: own, resourceClaimTemplateName: template } = claim;
    const causes: FieldCause[] = [];
    if (!name) causes.push(required(at.child('name')));
    else if (names.has(name)) causes.push(duplicateValue(at.child('name'), name));
    else causes.push(...problems(checkDns1123Label(name), at.child('name'), name));
    names.add(name);
    const wrong = (why: string) =>
      causes.push(
        invalidValue(at, internalForm({ name, resourceClaimName: own ?? null, resourceClaimTemplateName: template ?? null }), why),
      );
    if (isSet(own) && isSet(template)) wrong('at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified');
    if (!isSet(own) && !isSet(template)) wrong('must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    if (isSet(own)) causes.push(...problems(checkDns1123Subdomain(own), at.child('resourceClaimName'), own));
    if (isSet(template)) causes.push(...problems(checkDns1123Subdomain(template), at.child('resourceClaimTemplateName'), template));
    return causes;
  });
}

function dnsPolicyCauses(spec: Spec, path: FieldPath): FieldCause[] {
  return enumCauses(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], path.child('dnsPolicy'), true);
}

const SEARCH_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')`;
const LONGEST_SEARCH = 253;
const SEARCH = /^_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;

function searchProblems(name: string): string[] {
  const long = Buffer.byteLength(name) > LONGEST_SEARCH ? [`must be no more than ${LONGEST_SEARCH} characters`] : [];
  return SEARCH.test(name) ? long : [...long, SEARCH_RULE];
}

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
    const name = search.replace(/\.$/, '');
    if (search !== '.') causes.push(...problems(searchProblems(name), path.child('searches').index(index), name));
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
  if (spec.hostname) causes.push(...problems(checkDns1123Label(spec.hostname), path.child('hostname'), spec.hostname));
  if (spec.subdomain) causes.push(...problems(checkDns1123Label(spec.subdomain), path.child('subdomain'), spec.subdomain));
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
  const { priorityClassName: priority, runtimeClassName: runtime } = spec;
  if (priority) causes.push(...problems(checkDns1123Subdomain(priority), path.child('priorityClassName'), priority));
  if (isSet(runtime)) causes.push(...problems(checkDns1123Subdomain(runtime), path.child('runtimeClassName'), runtime));
  const policy = spec.preemptionPolicy;
  if (policy === ('' as string)) causes.push(required(path.child('preemptionPolicy')));
  else if (isSet(policy) && policy !== 'Never' && policy !== 'PreemptLowerPriority') {
    causes.push(notSupported(path.child('preemptionPolicy'), policy, ['PreemptLowerPriority', 'Never']));
  }
  return causes;
}

/** A template: labels, annotations and the spec. */
export function podTemplateCauses(template: DeepReadonly<PodTemplateSpec>, path: FieldPath): FieldCause[] {
  const causes = [
    ...labelCauses(template.metadata?.labels, path.child('labels')),
    ...annotationCauses(template.metadata?.annotations, path.child('annotations')),
    ...podAnnotationCauses(template.metadata?.annotations, template.spec, path.child('annotations')),
    ...podSpecCauses(template.spec, path.child('spec')),
    ...profileMatchCauses(template.metadata?.annotations, template.spec, path.child('spec')),
  ];
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    causes.push(forbiddenField(path.child('spec', 'ephemeralContainers'), 'ephemeral containers not allowed in pod template'));
  }
  return causes;
}

/** What Pods have to obey on create and update, `metadata` apart; templates may do otherwise. */
export function wholePodCauses(pod: DeepReadonly<Pod>): FieldCause[] {
  const { spec } = pod;
  return [
    ...podAnnotationCauses(pod.metadata.annotations, spec, field('metadata', 'annotations')),
    ...podSpecCauses(spec, SPEC, { podName: pod.metadata.name, isPod: true }),
    ...tokenCauses(spec),
    ...imageCauses(spec.containers, SPEC.child('containers')),
    ...imageCauses(spec.initContainers, SPEC.child('initContainers')),
  ];
}

/** There are no tokens for Pods without a service account. */
function tokenCauses({ serviceAccountName, volumes }: Spec): FieldCause[] {
  if (serviceAccountName || !volumes) return [];
  return volumes.flatMap(({ projected }, index) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }, position) => {
      const at = SPEC.child('volumes').index(index).child('projected', 'sources').index(position).child('serviceAccountToken');
      return serviceAccountToken ? [forbiddenField(at, 'must not be specified when serviceAccountName is not set')] : [];
    }),
  );
}

/** A new Pod, `metadata` apart. */
export function podCauses(pod: DeepReadonly<Pod>): FieldCause[] {
  const causes = wholePodCauses(pod);
  if ((pod.spec.ephemeralContainers ?? []).length > 0)
    causes.push(forbiddenField(SPEC.child('ephemeralContainers'), 'cannot be set on create'));
  if ((pod.spec.schedulingGates ?? []).length > 0 && pod.spec.nodeName)
    causes.push(forbiddenField(SPEC.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'));
  return pod.metadata.annotations ? [...causes, ...profileMatchCauses(pod.metadata.annotations, pod.spec, SPEC)] : causes;
}
