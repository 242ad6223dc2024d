// SPDX-License-Identifier: Apache-2.0
// What may change in the spec of a Pod that exists (upstream's ValidatePodUpdate). Its other endpoints are in pod-status-update.ts,
// pod-resize.ts and, for ephemeral containers, here.
import {
  type DeepReadonly,
  deepCopy,
  deepEqual,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  quote,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { Pod, PodSpec, Toleration } from '../generated/core/v1.ts';
import { differenceText, internalForm } from './difference.ts';
import { metaUpdateCauses } from './meta-update.ts';
import { tolerationCauses } from './pod-affinity.ts';
import { annotationUpdateCauses, MIRROR, podAnnotationCauses } from './pod-annotations.ts';
import { wholePodCauses } from './pod-spec.ts';
import { ratcheted } from './ratchets.ts';
import { isSet } from './rules.ts';

type Old = DeepReadonly<Pod>;
const POD = { group: '', version: 'v1', kind: 'Pod' };
const SPEC = field('spec');
const ALLOWED =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** `metadata`, the annotations that mean something, and of changed specs all that a new Pod has to obey. */
export function commonUpdateCauses(next: Old, previous: Old, subresource: string): FieldCause[] {
  const { annotations } = next.metadata;
  const path = field('metadata', 'annotations');
  return [
    ...metaUpdateCauses(POD, next, previous, subresource),
    ...(subresource === 'status' ? [] : keptPodCauses(wholePodCauses(next), previous)),
    ...annotationUpdateCauses(annotations, previous.metadata.annotations, path),
    ...keptPodCauses(podAnnotationCauses(annotations, next.spec, path), previous),
  ];
}

const keptPodCauses = (causes: FieldCause[], previous: Old) => ratcheted('/Pod', causes, () => wholePodCauses(previous));

/** PUT and PATCH of the Pod itself. */
export function podUpdateCauses(next: Old, previous: Old): FieldCause[] {
  const causes = commonUpdateCauses(next, previous, '');
  for (const name of ['containers', 'initContainers'] as const) {
    if ((next.spec[name] ?? []).length !== (previous.spec[name] ?? []).length)
      return [...causes, forbiddenField(SPEC.child(name), 'pod updates may not add or remove containers')];
    causes.push(...imageCauses(next.spec[name], SPEC.child(name)));
  }
  const deadline = deadlineCauses(next, previous);
  causes.push(...deadline);
  if (deadline.length > 0 && isSet(next.spec.activeDeadlineSeconds)) return causes;
  causes.push(...tolerationUpdateCauses(next.spec.tolerations, previous.spec.tolerations), ...gateCauses(next, previous));
  if (semanticEqual(next.spec, previous.spec)) return causes;
  causes.push(...nodeSelectorCauses(next, previous), ...nodeAffinityCauses(next, previous));
  const masked = maskChangeable(next.spec, previous.spec);
  if (!semanticEqual(masked, previous.spec))
    causes.push(forbiddenField(SPEC, `${ALLOWED}\n${differenceText(masked, previous.spec, 'spec')}`));
  return causes;
}

/** The image is what may change, and is looked at once more. */
function imageCauses(containers: readonly { readonly image?: string }[] | undefined, path: FieldPath): FieldCause[] {
  return (containers ?? []).flatMap(({ image = '' }, index) => {
    const at = path.index(index).child('image');
    if (image === '') return [required(at)];
    return image.trim() === image ? [] : [invalidValue(at, image, 'must not have leading or trailing whitespace')];
  });
}

function deadlineCauses({ spec: next }: Old, { spec: previous }: Old): FieldCause[] {
  const path = SPEC.child('activeDeadlineSeconds');
  const [now, before] = [next.activeDeadlineSeconds, previous.activeDeadlineSeconds];
  if (now !== undefined && now !== null) {
    if (now < 0 || now > 2_147_483_647) return [invalidValue(path, now, 'must be between 0 and 2147483647, inclusive')];
    return before !== undefined && before !== null && before < now
      ? [invalidValue(path, now, 'must be less than or equal to previous value')]
      : [];
  }
  return before !== undefined && before !== null ? [invalidValue(path, null, 'must not update from a positive integer to nil value')] : [];
}

function tolerationUpdateCauses(
  next: readonly DeepReadonly<Toleration>[] | undefined,
  previous: readonly DeepReadonly<Toleration>[] | undefined,
): FieldCause[] {
  const strip = (toleration: DeepReadonly<Toleration>) => ({ ...toleration, tolerationSeconds: undefined });
  const kept = (previous ?? []).every((old) => (next ?? []).some((it) => deepEqual(strip(it), strip(old))));
  const path = SPEC.child('tolerations');
  if (!kept) return [forbiddenField(path, 'existing toleration can not be modified except its tolerationSeconds')];
  return tolerationCauses(next, path);
}

function gateCauses(next: Old, previous: Old): FieldCause[] {
  const had = new Set((previous.spec.schedulingGates ?? []).map(({ name }) => name));
  return (next.spec.schedulingGates ?? []).flatMap(({ name }, index) =>
    had.has(name)
      ? []
      : [
          forbiddenField(
            SPEC.child('schedulingGates').index(index).child('name'),
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  );
}

/** The new spec with all that may change put back. */
function maskChangeable(next: DeepReadonly<PodSpec>, previous: DeepReadonly<PodSpec>): PodSpec {
  const masked = deepCopy(next) as PodSpec;
  for (const name of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (masked[name] ?? []).entries()) {
      const image = previous[name]?.[index]?.image;
      if (image !== undefined) container.image = image;
    }
  }
  const keep = (name: 'activeDeadlineSeconds' | 'tolerations' | 'schedulingGates') => {
    if (previous[name] === undefined) delete masked[name];
    else Object.assign(masked, { [name]: deepCopy(previous[name]) });
  };
  keep('activeDeadlineSeconds');
  keep('tolerations');
  keep('schedulingGates');
  if (
    previous.terminationGracePeriodSeconds !== undefined &&
    previous.terminationGracePeriodSeconds < 0 &&
    next.terminationGracePeriodSeconds === 1
  ) {
    masked.terminationGracePeriodSeconds = previous.terminationGracePeriodSeconds;
  }
  if ((previous.schedulingGates ?? []).length > 0) loosenGated(masked, previous);
  return masked;
}

/** The node selector of a gated Pod may get more terms, and lose none. */
function nodeSelectorCauses({ spec: next }: Old, { spec: previous }: Old): FieldCause[] {
  if ((previous.schedulingGates ?? []).length === 0) return [];
  const kept = Object.entries(previous.nodeSelector ?? {}).every(([key, value]) => next.nodeSelector?.[key] === value);
  if (kept) return [];
  const at = SPEC.child('nodeSelector');
  return [invalidValue(at, next.nodeSelector ?? {}, 'only additions to spec.nodeSelector are allowed (no mutations or deletions)')];
}

/** A Pod that is not yet scheduled may have its placement narrowed, which is checked apart. */
function loosenGated(masked: PodSpec, previous: DeepReadonly<PodSpec>): void {
  if (previous.nodeSelector === undefined) delete masked.nodeSelector;
  else masked.nodeSelector = { ...previous.nodeSelector };
  const { nodeAffinity: _own, ...rest } = masked.affinity ?? {};
  const node = previous.affinity?.nodeAffinity;
  const affinity = { ...rest, ...(node ? { nodeAffinity: deepCopy(node) as NonNullable<typeof _own> } : {}) };
  if (Object.keys(affinity).length === 0 && previous.affinity === undefined) delete masked.affinity;
  else masked.affinity = affinity;
}

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';

/** Terms that there are may get more expressions; there may be no more terms. */
function nodeAffinityCauses({ spec: next }: Old, { spec: previous }: Old): FieldCause[] {
  if ((previous.schedulingGates ?? []).length === 0) return [];
  const [now, before] = [next, previous].map((spec) => spec.affinity?.nodeAffinity?.[REQUIRED]?.nodeSelectorTerms ?? []);
  if (now === undefined || before === undefined || before.length === 0) return [];
  const path = SPEC.child('affinity', 'nodeAffinity', REQUIRED, 'nodeSelectorTerms');
  if (now.length !== before.length)
    return [
      invalidValue(
        path,
        now.length === 0 ? null : internalForm(now),
        'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
      ),
    ];
  return before.flatMap((old, index) => {
    const own = now[index];
    const kept = (['matchExpressions', 'matchFields'] as const).every((name) =>
      (old[name] ?? []).every((it, position) => semanticEqual(it, own?.[name]?.[position])),
    );
    const isEmpty = (old.matchExpressions ?? []).length + (old.matchFields ?? []).length === 0;
    const isGrown = !isEmpty || semanticEqual(own, old);
    return kept && isGrown
      ? []
      : [invalidValue(path.index(index), internalForm(own), 'only additions are allowed (no mutations or deletions)')];
  });
}

/** PUT and PATCH of `ephemeralcontainers`: there may be more of them. */
export function ephemeralContainersCauses(next: Old, previous: Old): FieldCause[] {
  if (previous.metadata.annotations?.[MIRROR] !== undefined)
    return [forbiddenField('[]', 'static pods do not support ephemeral containers')];
  const path = SPEC.child('ephemeralContainers');
  const causes = commonUpdateCauses(next, previous, 'ephemeralcontainers');
  const now = new Map((next.spec.ephemeralContainers ?? []).map((it) => [it.name, it]));
  for (const old of previous.spec.ephemeralContainers ?? []) {
    const own = now.get(old.name);
    if (own === undefined) causes.push(forbiddenField(path, `existing ephemeral containers ${quote(old.name)} may not be removed\n`));
    else if (!semanticEqual(own, old)) {
      causes.push(
        forbiddenField(path, `existing ephemeral containers ${quote(old.name)} may not be changed\n${differenceText(own, old, 'spec')}`),
      );
    }
  }
  return causes;
}
