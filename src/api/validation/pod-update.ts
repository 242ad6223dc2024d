// SPDX-License-Identifier: Apache-2.0
// What may change in a Pod that exists, per endpoint (upstream's ValidatePodUpdate and its siblings).
import {
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  deepCopy,
  deepEqual,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  quote,
  required,
  semanticEqual,
} from '../../machinery/mod.ts';
import type { Container, Pod, PodSpec, ResourceRequirements, Toleration } from '../generated/core/v1.ts';
import { differenceText, internalForm } from './difference.ts';
import { ipProblems, isDualStackPair } from './ip.ts';
import { validateObjectMetaUpdate } from './object-meta.ts';
import { ephemeralContainerCauses, scopeOf } from './pod-containers.ts';
import { qosClassOf } from './pod-qos.ts';
import { podSpecCauses, wholePodCauses } from './pod-spec.ts';
import { soundVolumes } from './pod-volumes.ts';
import { isSet, problems } from './rules.ts';

type Old = DeepReadonly<Pod>;
const SPEC = field('spec');
const ALLOWED =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function commonCauses(next: Old, previous: Old): FieldCause[] {
  const metadata = validateObjectMetaUpdate(next.metadata, previous.metadata); // Twice, as upstream has it for every kind.
  return [...metadata, ...metadata, ...wholePodCauses(next)];
}

/** PUT and PATCH of the Pod itself. */
export function podUpdateCauses(next: Old, previous: Old): FieldCause[] {
  const causes = commonCauses(next, previous);
  for (const name of ['containers', 'initContainers'] as const) {
    if ((next.spec[name] ?? []).length !== (previous.spec[name] ?? []).length) {
      const what = name === 'containers' ? 'containers' : 'init containers';
      return [...causes, forbiddenField(SPEC.child(name), `pod updates may not add or remove ${what}`)];
    }
    causes.push(...imageCauses(next.spec[name], SPEC.child(name)));
  }
  const deadline = deadlineCauses(next, previous);
  causes.push(...deadline);
  if (deadline.length > 0 && isSet(next.spec.activeDeadlineSeconds)) return causes;
  const tolerations = tolerationUpdateCauses(next.spec.tolerations, previous.spec.tolerations);
  causes.push(...tolerations, ...gateCauses(next, previous));
  if (tolerations.length > 0) return causes;
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
  return kept ? [] : [forbiddenField(SPEC.child('tolerations'), 'existing toleration can not be modified except its tolerationSeconds')];
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
    return [invalidValue(path, internalForm(now), 'no additions/deletions to non-empty NodeSelectorTerms list are allowed')];
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

const SYSTEM_CONDITIONS = new Set(['PodScheduled', 'Ready', 'Initialized']);

function conditionCauses({ status }: Old): FieldCause[] {
  return (status?.conditions ?? []).flatMap(({ type }, index) =>
    SYSTEM_CONDITIONS.has(type) ? [] : problems(checkQualifiedName(type), field('status', 'conditions').index(index).child('Type'), type),
  );
}

/** Addresses: of each family one. */
function addressCauses(list: readonly { readonly ip: string }[] | undefined, path: FieldPath, areUnique: boolean): FieldCause[] {
  const all = list ?? [];
  const causes = all.flatMap(({ ip }, index) => problems(ipProblems(ip), path.index(index), ip));
  if (all.length > 1 && !isDualStackPair(all.map(({ ip }) => ip))) {
    const why = 'may specify no more than one IP for each IP family';
    causes.push(
      invalidValue(
        path,
        all.map(({ ip }) => ({ IP: ip })),
        why,
      ),
    );
    for (const [index, { ip }] of areUnique ? all.entries() : [])
      if (all.findIndex((it) => it.ip === ip) < index) causes.push(duplicateValue(path.index(index), { IP: ip }));
  }
  return causes;
}

function claimStatusCauses({ spec, status }: Old, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (status?.resourceClaimStatuses ?? []).flatMap(({ name, resourceClaimName: claim }, index) => {
    const at = path.index(index);
    const causes: FieldCause[] = [];
    if (!spec.resourceClaims?.some((it) => it.name === name))
      causes.push(invalidValue(at.child('name'), name, 'must match the name of an entry in `spec.resourceClaims`'));
    if (seen.has(name)) causes.push(duplicateValue(at.child('name'), name));
    seen.add(name);
    return claim ? [...causes, ...problems(checkDns1123Subdomain(claim), at.child('resourceClaimName'), claim)] : causes;
  });
}

function statusFieldCauses({ status }: Old, previous: Old, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const { nominatedNodeName, observedGeneration = 0, qosClass, hostIP, hostIPs = [], podIPs = [] } = status ?? {};
  if (nominatedNodeName) {
    for (const problem of checkDns1123Subdomain(nominatedNodeName))
      causes.push(invalidValue(path.child('nominatedNodeName'), nominatedNodeName, problem));
  }
  if (observedGeneration < 0)
    causes.push(invalidValue(path.child('observedGeneration'), observedGeneration, 'must be a non-negative integer'));
  const firstHost = hostIPs?.[0]?.ip;
  if (firstHost !== undefined && firstHost !== hostIP)
    causes.push(invalidValue(path.child('hostIPs').index(0).child('ip'), firstHost, 'must be equal to `hostIP`'));
  causes.push(...addressCauses(podIPs, path.child('podIPs'), true), ...addressCauses(hostIPs, path.child('hostIPs'), false));
  if (previous.status?.qosClass && qosClass !== previous.status.qosClass)
    causes.push(invalidValue(path.child('qosClass'), qosClass ?? '', 'field is immutable'));
  return causes;
}

export function podStatusCauses(next: Old, previous: Old): FieldCause[] {
  const causes = [...validateObjectMetaUpdate(next.metadata, previous.metadata), ...conditionCauses(next)];
  const path = field('status');
  if ((next.spec.nodeName ?? '') !== (previous.spec.nodeName ?? '')) {
    causes.push(forbiddenField(path.child('nodeName'), 'may not be changed directly'));
  }
  causes.push(...statusFieldCauses(next, previous, path));
  for (const name of ['containerStatuses', 'initContainerStatuses'] as const) {
    causes.push(...restartCauses(next, previous, name));
  }
  return [...causes, ...claimStatusCauses(next, path.child('resourceClaimStatuses'))];
}

/** A container that may not restart stays terminated. */
function restartCauses(next: Old, previous: Old, name: 'containerStatuses' | 'initContainerStatuses'): FieldCause[] {
  if (next.spec.restartPolicy === 'Always') return [];
  return (previous.status?.[name] ?? []).flatMap((old) => {
    const { terminated } = old.state ?? {};
    if (terminated === undefined) return [];
    if (next.spec.restartPolicy === 'OnFailure' && terminated.exitCode !== 0) return [];
    const own = [...(next.spec.initContainers ?? []), ...(next.spec.containers ?? [])].find((it) => it.name === old.name);
    if (own?.restartPolicy !== undefined) return [];
    const now = next.status?.[name]?.findIndex((it) => it.name === old.name) ?? -1;
    const state = next.status?.[name]?.[now]?.state;
    if (now < 0 || state?.terminated !== undefined) return [];
    return [forbiddenField(field('status').child(name).index(now).child('state'), 'may not be transitioned to non-terminated state')];
  });
}

export function ephemeralContainersCauses(next: Old, previous: Old): FieldCause[] {
  const path = SPEC.child('ephemeralContainers');
  const causes = [
    ...validateObjectMetaUpdate(next.metadata, previous.metadata),
    ...ephemeralContainerCauses(next.spec, path, scopeOf(next.spec, soundVolumes(next.spec.volumes, [], SPEC.child('volumes')))),
  ];
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

const RESIZABLE = new Set(['cpu', 'memory']);

export function podResizeCauses(next: Old, previous: Old): FieldCause[] {
  const causes = [
    ...validateObjectMetaUpdate(next.metadata, previous.metadata),
    ...podSpecCauses(next.spec, SPEC, { podName: next.metadata.name, isPod: true }),
  ];
  if (causes.length > 0) return causes;
  const now = qosClassOf(next);
  if (now !== qosClassOf(previous))
    causes.push(invalidValue(SPEC, next.status?.qosClass ?? now, 'Pod QOS Class may not change as a result of resizing'));
  for (const name of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (next.spec[name] ?? []).entries()) {
      causes.push(...removedCauses(container, previous.spec[name]?.[index], SPEC.child(name).index(index).child('resources')));
    }
  }
  const masked = deepCopy(next.spec) as PodSpec;
  for (const [index, container] of masked.containers.entries()) maskResources(container, previous.spec.containers?.[index]);
  for (const [index, container] of (masked.initContainers ?? []).entries()) {
    const old = previous.spec.initContainers?.[index];
    const isSidecar = container.restartPolicy === 'Always';
    if (isSidecar) maskResources(container, old);
    if (semanticEqual(container, old)) continue;
    const why = isSidecar
      ? 'only cpu and memory resources for sidecar containers are mutable'
      : 'resources for non-sidecar init containers are immutable';
    causes.push(forbiddenField(SPEC, why));
  }
  if (!semanticEqual(masked, previous.spec)) causes.push(forbiddenField(SPEC, 'only cpu and memory resources are mutable'));
  return causes;
}

function removedCauses(
  next: DeepReadonly<Container>,
  previous: DeepReadonly<Container> | undefined,
  path: ReturnType<typeof field>,
): FieldCause[] {
  return (['limits', 'requests'] as const).flatMap((part) => {
    const gone = Object.keys(previous?.resources?.[part] ?? {}).some(
      (name) => RESIZABLE.has(name) && next.resources?.[part]?.[name] === undefined,
    );
    const what = part === 'limits' ? 'limits' : 'requests';
    return gone ? [forbiddenField(path.child(part), `resource ${what} cannot be removed`)] : [];
  });
}

function maskResources(container: Container, previous: DeepReadonly<Container> | undefined): void {
  if (previous === undefined) return;
  for (const part of ['limits', 'requests'] as const) {
    const merged = { ...container.resources?.[part] };
    for (const name of RESIZABLE) {
      const old = previous.resources?.[part]?.[name];
      if (old === undefined) delete merged[name];
      else merged[name] = old;
    }
    const resources: ResourceRequirements = container.resources ?? {};
    if (Object.keys(merged).length > 0) resources[part] = merged;
    else delete resources[part];
    container.resources = resources;
  }
  if (previous.resizePolicy !== undefined)
    container.resizePolicy = deepCopy(previous.resizePolicy) as NonNullable<Container['resizePolicy']>;
  else delete container.resizePolicy;
}
