// SPDX-License-Identifier: Apache-2.0
// Validation of what annotations of a Pod still mean: mirror Pods, profiles of seccomp and AppArmor, the cost of deletion.
// @source upstream pkg/apis/core/validation/validation.go ValidatePodSpecificAnnotations, validateSeccompAnnotationsAndFields
import { type DeepReadonly, type FieldCause, type FieldPath, forbiddenField, invalidValue } from '../../machinery/mod.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile } from '../generated/core/v1.ts';
import { annotatedTolerationCauses } from './annotated-values.ts';
import { relativePathCauses, sortedEntries } from './rules.ts';

type Spec = DeepReadonly<PodSpec>;
type Annotations = Readonly<Record<string, string>> | undefined;
export const MIRROR = 'kubernetes.io/config.mirror';
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';
const APPARMOR_CONTAINER = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const LOCALHOST = 'localhost/';
const MAX_INT32 = 2_147_483_647;
const WHOLE_NUMBER = /^[-+]?[0-9]+$/;

const isInt32 = (text: string) => {
  const value = Number(text);
  return WHOLE_NUMBER.test(text) && !/^(\+|-?0[0-9])/.test(text) && value <= MAX_INT32 && value >= -MAX_INT32 - 1;
};

function seccompAnnotationCauses(value: string, path: FieldPath): FieldCause[] {
  if (value === 'runtime/default' || value === 'docker/default' || value === 'unconfined') return [];
  if (value.startsWith(LOCALHOST)) return relativePathCauses(value.slice(LOCALHOST.length), path);
  return [invalidValue(path, value, 'must be a valid seccomp profile')];
}

function appArmorAnnotationCauses(key: string, value: string, spec: Spec, path: FieldPath): FieldCause[] {
  const name = key.slice(APPARMOR_CONTAINER.length);
  const has = (list: readonly { readonly name: string }[] | undefined) => list?.some((it) => it.name === name) === true;
  const causes: FieldCause[] = [];
  if (!has(spec.containers) && !has(spec.initContainers) && !has(spec.ephemeralContainers))
    causes.push(invalidValue(path.key(key), name, 'container not found'));
  const isKnown = value === '' || value === 'runtime/default' || value === 'unconfined' || value.startsWith(LOCALHOST);
  return isKnown ? causes : [...causes, invalidValue(path.key(key), value, `invalid AppArmor profile name: ${JSON.stringify(value)}`)];
}

export function podAnnotationCauses(annotations: Annotations, spec: Spec, path: FieldPath): FieldCause[] {
  if (!annotations) return [];
  const causes: FieldCause[] = [];
  const mirror = annotations[MIRROR];
  if (mirror !== undefined && !spec.nodeName)
    causes.push(invalidValue(path.key(MIRROR), mirror, 'must set spec.nodeName if mirror pod annotation is set'));
  causes.push(...annotatedTolerationCauses(annotations, path));
  const cost = annotations[DELETION_COST];
  if (cost !== undefined && !isInt32(cost)) causes.push(invalidValue(path.key(DELETION_COST), cost, 'must be a 32bit integer'));
  const entries = sortedEntries(annotations);
  const pod = annotations[SECCOMP_POD];
  if (pod !== undefined) causes.push(...seccompAnnotationCauses(pod, path.child(SECCOMP_POD)));
  for (const [key, value] of entries)
    if (key.startsWith(SECCOMP_CONTAINER)) causes.push(...seccompAnnotationCauses(value, path.child(key)));
  for (const [key, value] of entries)
    if (key.startsWith(APPARMOR_CONTAINER)) causes.push(...appArmorAnnotationCauses(key, value, spec, path));
  return causes;
}

/** AppArmor profiles stay as they are, and whether a Pod is another one's mirror. */
export function annotationUpdateCauses(next: Annotations, previous: Annotations, path: FieldPath): FieldCause[] {
  if (!next && !previous) return [];
  const causes: FieldCause[] = [];
  const note = (key: string, verb: string) => {
    if (key.startsWith(APPARMOR_CONTAINER)) causes.push(forbiddenField(path.key(key), `may not ${verb} AppArmor annotations`));
    if (key === MIRROR) causes.push(forbiddenField(path.key(key), `may not ${verb} mirror pod annotation`));
  };
  for (const [key, before] of sortedEntries(previous)) if (next?.[key] !== before) note(key, 'remove or update');
  for (const [key] of sortedEntries(next)) if (previous?.[key] === undefined) note(key, 'add');
  return causes;
}

type Profile = DeepReadonly<SeccompProfile> | DeepReadonly<AppArmorProfile> | undefined;

/** Where both say something of a profile, they have to say the same. @param what `seccomp` or `apparmor`. */
function matchCauses(annotation: string | undefined, profile: Profile, what: string, path: FieldPath): FieldCause[] {
  if (annotation === undefined || !profile) return [];
  const odd = [forbiddenField(path.child('type'), `${what} type in annotation and field must match`)];
  switch (profile.type) {
    case 'Unconfined':
      return annotation === 'unconfined' ? [] : odd;
    case 'RuntimeDefault':
      return annotation === 'runtime/default' || (what === 'seccomp' && annotation === 'docker/default') ? [] : odd;
    case 'Localhost':
      if (!annotation.startsWith(LOCALHOST)) return odd;
      return annotation.slice(LOCALHOST.length) === profile.localhostProfile
        ? []
        : [forbiddenField(path.child('localhostProfile'), `${what} profile in annotation and field must match`)];
    default:
      return [];
  }
}

const LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Profiles in annotations against those in fields. */
export function profileMatchCauses(annotations: Annotations, spec: Spec, path: FieldPath): FieldCause[] {
  if (!annotations) return [];
  const own = spec.securityContext;
  const causes = matchCauses(annotations[SECCOMP_POD], own?.seccompProfile, 'seccomp', path.child('securityContext', 'seccompProfile'));
  const appArmor: FieldCause[] = [];
  for (const list of LISTS) {
    for (const [index, { name, securityContext }] of (spec[list] ?? []).entries()) {
      const at = path.child(list).index(index).child('securityContext');
      const seccomp = annotations[`${SECCOMP_CONTAINER}${name}`];
      causes.push(...matchCauses(seccomp, securityContext?.seccompProfile, 'seccomp', at.child('seccompProfile')));
      if (spec.os?.name === 'windows') continue;
      const profile = securityContext?.appArmorProfile ?? own?.appArmorProfile;
      appArmor.push(...matchCauses(annotations[`${APPARMOR_CONTAINER}${name}`], profile, 'apparmor', at.child('appArmorProfile')));
    }
  }
  return [...causes, ...appArmor];
}
