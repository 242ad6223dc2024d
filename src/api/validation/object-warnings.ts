// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of a write: those of the kind (`warnings.ts`) and those of kinds outside of core, in upstream's order. Templates are
// spoken of when something but metadata and status has changed. @source upstream WarningsOnCreate and WarningsOnUpdate of pkg/registry
import { type DeepReadonly, type FieldPath, field, type KubeObject } from '../../machinery/mod.ts';
import type { StatefulSet } from '../generated/apps/v1.ts';
import type { CronJob, Job, JobSpec } from '../generated/batch/v1.ts';
import type { Ingress, NetworkPolicy, ServiceCIDR } from '../generated/networking/v1.ts';
import type { RuntimeClass } from '../generated/node/v1.ts';
import type { CSIStorageCapacity, StorageClass } from '../generated/storage/v1.ts';
import { cidrWarnings } from './ip.ts';
import { DEPRECATED_LABELS, nameWarnings } from './pod-warnings.ts';
import { isSet, sortedEntries } from './rules.ts';
import { warningsOf } from './warnings.ts';

type AnyObject = DeepReadonly<KubeObject>;
const SPEC = field('spec');

/** What is said before and after the texts that the kind has anyway. */
interface More {
  readonly before?: (object: never, isNew: boolean) => readonly string[];
  readonly after?: (object: never, isNew: boolean) => readonly string[];
}

const [MANY, WIDE] = [100_000, 10_000];
const HARD_TO_TRACK =
  'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';

function largeJobWarnings(spec: DeepReadonly<JobSpec> | undefined, path: FieldPath): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = spec ?? {};
  return completionMode === 'Indexed' && completions > MANY && parallelism > WIDE ? [`${path}: ${HARD_TO_TRACK}`] : [];
}

function cronJobWarnings({ metadata, spec }: DeepReadonly<CronJob>, isNew: boolean): string[] {
  const named = isNew ? nameWarnings(metadata.name, 'Pod names and hostnames') : [];
  return [...named, ...largeJobWarnings(spec.jobTemplate?.spec, SPEC.child('jobTemplate', 'spec'))];
}

function setWarnings({ spec }: DeepReadonly<StatefulSet>): string[] {
  const isEndless = (spec.revisionHistoryLimit ?? 0) < 0;
  return isEndless ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended'] : [];
}

const INGRESS_CLASS = 'kubernetes.io/ingress.class';

function ingressWarnings({ metadata, spec }: DeepReadonly<Ingress>, isNew: boolean): string[] {
  const isOld = metadata.annotations?.[INGRESS_CLASS] !== undefined && !isSet(spec?.ingressClassName);
  return isNew && isOld ? [`annotation "${INGRESS_CLASS}" is deprecated, please use 'spec.ingressClassName' instead`] : [];
}

function policyWarnings({ spec }: DeepReadonly<NetworkPolicy>): string[] {
  const blocks = [
    ...(spec?.ingress ?? []).flatMap(({ from }, i) =>
      (from ?? []).map(({ ipBlock }, j) => [SPEC.child('ingress').index(i).child('from').index(j), ipBlock] as const),
    ),
    ...(spec?.egress ?? []).flatMap(({ to }, i) =>
      (to ?? []).map(({ ipBlock }, j) => [SPEC.child('egress').index(i).child('to').index(j), ipBlock] as const),
    ),
  ];
  return blocks.flatMap(([path, block]) => {
    if (!block) return [];
    const at = path.child('ipBlock');
    const inner = (block.except ?? []).flatMap((cidr, index) => cidrWarnings(cidr, at.child('except').index(index)));
    return [...cidrWarnings(block.cidr, at.child('cidr')), ...inner];
  });
}

const rangeWarnings = ({ spec }: DeepReadonly<ServiceCIDR>) =>
  (spec?.cidrs ?? []).flatMap((cidr, index) => cidrWarnings(cidr, SPEC.child('cidrs').index(index)));

const labelWarnings = (key: string, path: FieldPath) => (key in DEPRECATED_LABELS ? [`${path}: ${DEPRECATED_LABELS[key]}`] : []);

function classWarnings({ allowedTopologies }: DeepReadonly<StorageClass>): string[] {
  return (allowedTopologies ?? []).flatMap(({ matchLabelExpressions }, index) =>
    (matchLabelExpressions ?? []).flatMap(({ key }, position) =>
      labelWarnings(key, field('allowedTopologies').index(index).child('matchLabelExpressions').index(position).child('key')),
    ),
  );
}

function runtimeWarnings({ scheduling }: DeepReadonly<RuntimeClass>): string[] {
  return sortedEntries(scheduling?.nodeSelector).flatMap(([key]) => labelWarnings(key, field('scheduling', 'nodeSelector')));
}

function capacityWarnings({ nodeTopology }: DeepReadonly<CSIStorageCapacity>): string[] {
  const path = field('nodeTopology');
  return [
    ...(nodeTopology?.matchExpressions ?? []).flatMap(({ key }, index) =>
      labelWarnings(key, path.child('matchExpressions').index(index).child('key')),
    ),
    ...sortedEntries(nodeTopology?.matchLabels).flatMap(([key]) => labelWarnings(key, path.child('matchLabels').child(key))),
  ];
}

const MORE: Readonly<Record<string, More>> = {
  'batch/Job': { before: ({ spec }: DeepReadonly<Job>) => largeJobWarnings(spec, SPEC) },
  'batch/CronJob': { before: cronJobWarnings },
  'apps/StatefulSet': { after: setWarnings },
  'networking.k8s.io/Ingress': { after: ingressWarnings },
  'networking.k8s.io/NetworkPolicy': { after: policyWarnings },
  'networking.k8s.io/ServiceCIDR': { after: rangeWarnings },
  'storage.k8s.io/StorageClass': { after: classWarnings },
  'storage.k8s.io/CSIStorageCapacity': { after: capacityWarnings },
  'node.k8s.io/RuntimeClass': { after: runtimeWarnings },
};

/** Kinds that speak on update only of what has changed the generation. */
const SILENT_IF_SAME = new Set([
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/DaemonSet',
  'batch/Job',
  'batch/CronJob',
  '/ReplicationController',
  '/PodTemplate',
]);

/** What is said of a kind's objects; made once per resource. */
export function objectWarnings(of: {
  readonly group: string;
  readonly kind: string;
}): (object: AnyObject, previous?: AnyObject) => string[] {
  const key = `${of.group}/${of.kind}`;
  const isSilent = SILENT_IF_SAME.has(key);
  const { before, after } = MORE[key] ?? {};
  return (object, previous) => {
    if (isSilent && previous !== undefined && object.metadata.generation === previous.metadata.generation) return [];
    const isNew = previous === undefined;
    const usual = warningsOf(of, object, isNew);
    if (before === undefined && after === undefined) return usual;
    return [...(before?.(object as never, isNew) ?? []), ...usual, ...(after?.(object as never, isNew) ?? [])];
  };
}
