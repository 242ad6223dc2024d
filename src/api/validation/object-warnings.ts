// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of a write: those of the kind (`warnings.ts`) and those of kinds outside of core, in upstream's order. Templates are
// spoken of when something but metadata and status has changed. @source upstream WarningsOnCreate and WarningsOnUpdate of pkg/registry
import { type DeepReadonly, type FieldPath, field, findQuantity, type KubeObject, quote } from '../../machinery/mod.ts';
import type { StatefulSet } from '../generated/apps/v1.ts';
import type { CronJob, Job, JobSpec } from '../generated/batch/v1.ts';
import type { Endpoints, NodeSelectorTerm, ResourceQuota } from '../generated/core/v1.ts';
import type { EndpointSlice } from '../generated/discovery/v1.ts';
import type { Ingress, NetworkPolicy } from '../generated/networking/v1.ts';
import type { RuntimeClass } from '../generated/node/v1.ts';
import type { ResourceSlice } from '../generated/resource/v1.ts';
import type { CSIStorageCapacity, StorageClass } from '../generated/storage/v1.ts';
import { cidrWarnings, ipWarnings } from './ip-warnings.ts';
import { claimSpecWarnings, DEPRECATED_LABELS, nameWarnings, termWarnings } from './pod-warnings.ts';
import { isSet, sortedEntries } from './rules.ts';
import { warningsOf } from './warnings.ts';

type AnyObject = DeepReadonly<KubeObject>;
const SPEC = field('spec');

/** What is said before and after the texts that the kind has anyway. */
interface More {
  readonly before?: (object: never, isNew: boolean) => readonly string[];
  readonly after?: (object: never, isNew: boolean, previous: AnyObject | undefined) => readonly string[];
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

const ZONED =
  'cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details';

/** New ones are refused. */
const zoneWarnings = ({ spec }: DeepReadonly<CronJob>, isNew: boolean) => (!isNew && spec.schedule.includes('TZ') ? [ZONED] : []);

function setWarnings({ spec }: DeepReadonly<StatefulSet>, isNew: boolean): string[] {
  const claims = (spec.volumeClaimTemplates ?? []).flatMap((claim, index) => {
    const path = SPEC.child('volumeClaimTemplates').index(index);
    return claimSpecWarnings(claim.spec, isNew ? path : path.child('Spec')); // Upstream's own paths.
  });
  const isEndless = (spec.revisionHistoryLimit ?? 0) < 0;
  const endless = 'spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended';
  return isEndless ? [...claims, endless] : claims;
}

const ENFORCE = 'kubernetes.io/enforce-mountable-secrets';

function accountWarnings({ metadata }: AnyObject, _isNew: boolean, previous: AnyObject | undefined): string[] {
  const isSaid = metadata.annotations?.[ENFORCE] === undefined || previous?.metadata.annotations?.[ENFORCE] !== undefined;
  if (isSaid) return [];
  return [`metadata.annotations[${ENFORCE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`];
}

const [ENDPOINTS_BY, SLICE_BY] = ['endpoints.kubernetes.io/managed-by', 'endpointslice.kubernetes.io/managed-by'];
const SLICE_CONTROLLERS = new Set(['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io']);

/** What the controllers write is well written. */
function endpointsWarnings({ metadata, subsets }: DeepReadonly<Endpoints>): string[] {
  if (metadata.labels?.[ENDPOINTS_BY] === 'endpoint-controller') return [];
  return (subsets ?? []).flatMap((subset, index) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
      (subset[list] ?? []).flatMap(({ ip }, position) =>
        ipWarnings(ip, field('subsets').index(index).child(list).index(position).child('ip')),
      ),
    ),
  );
}

function sliceWarnings({ metadata, addressType, endpoints }: DeepReadonly<EndpointSlice>, isNew: boolean): string[] {
  const warnings = isNew && addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
  if (SLICE_CONTROLLERS.has(metadata.labels?.[SLICE_BY] ?? '')) return warnings;
  for (const [index, { addresses }] of (endpoints ?? []).entries())
    for (const [position, address] of (addresses ?? []).entries())
      warnings.push(...ipWarnings(address, field('endpoints').index(index).child('addresses').index(position)));
  return warnings;
}

function driverNameWarnings({ spec: { driver = '' } }: DeepReadonly<ResourceSlice>): string[] {
  const why = `driver names should be lowercase; ${quote(driver)} contains uppercase characters`;
  return driver === driver.toLowerCase() ? [] : [`spec.driver: ${why}`];
}

const QUOTA_RESOURCES = ['cpu', 'memory', 'storage', 'ephemeral-storage'];

/** More may be asked for than there may be. Of cpu and memory the bare name means requests. */
function quotaWarnings({ spec }: DeepReadonly<ResourceQuota>, isNew: boolean): string[] {
  const hard = spec?.hard;
  if (!isNew || !hard) return [];
  return QUOTA_RESOURCES.flatMap((resource) => {
    const isBare = hard[`requests.${resource}`] === undefined && (resource === 'cpu' || resource === 'memory');
    const [requests, limits] = [isBare ? resource : `requests.${resource}`, `limits.${resource}`];
    const [request, limit] = [findQuantity(hard[requests] ?? ''), findQuantity(hard[limits] ?? '')];
    if (!request || !limit || request.nanos <= limit.nanos) return [];
    return [`ResourceQuota ${requests} (${hard[requests]}) should be less than ${limits} (${hard[limits]})`];
  });
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
    ...termWarnings({ matchExpressions: nodeTopology?.matchExpressions ?? [] } as DeepReadonly<NodeSelectorTerm>, path),
    ...sortedEntries(nodeTopology?.matchLabels).flatMap(([key]) => labelWarnings(key, path.child('matchLabels').child(key))),
  ];
}

const MORE: Readonly<Record<string, More>> = {
  '/Endpoints': { after: endpointsWarnings },
  '/ResourceQuota': { after: quotaWarnings },
  '/ServiceAccount': { after: accountWarnings },
  'discovery.k8s.io/EndpointSlice': { after: sliceWarnings },
  'resource.k8s.io/ResourceSlice': { after: driverNameWarnings },
  'batch/Job': { before: ({ spec }: DeepReadonly<Job>) => largeJobWarnings(spec, SPEC) },
  'batch/CronJob': { before: cronJobWarnings, after: zoneWarnings },
  'apps/StatefulSet': { after: setWarnings },
  'networking.k8s.io/Ingress': { after: ingressWarnings },
  'networking.k8s.io/NetworkPolicy': { after: policyWarnings },
  'storage.k8s.io/StorageClass': { after: classWarnings },
  'storage.k8s.io/CSIStorageCapacity': { after: capacityWarnings },
  'node.k8s.io/RuntimeClass': { after: runtimeWarnings },
};

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';
const byGeneration = ({ metadata }: AnyObject) => metadata.generation;

/** Of what kinds speak of their templates on update only if it has changed. */
const TEMPLATE_STATES: Readonly<Record<string, (object: AnyObject) => unknown>> = {
  'apps/Deployment': byGeneration,
  'apps/ReplicaSet': byGeneration,
  'apps/DaemonSet': ({ metadata }) => metadata.annotations?.[TEMPLATE_GENERATION],
  'apps/StatefulSet': byGeneration,
  'batch/Job': byGeneration,
  'batch/CronJob': byGeneration,
  '/ReplicationController': byGeneration,
  '/PodTemplate': byGeneration,
};

/** What is said of a kind's objects; made once per resource. */
export function objectWarnings(of: {
  readonly group: string;
  readonly kind: string;
}): (object: AnyObject, previous?: AnyObject) => string[] {
  const key = `${of.group}/${of.kind}`;
  const stateOf = TEMPLATE_STATES[key];
  const { before, after } = MORE[key] ?? {};
  return (object, previous) => {
    const isNew = previous === undefined;
    const isSame = stateOf !== undefined && previous !== undefined && stateOf(object) === stateOf(previous);
    const usual = isSame ? [] : [...(before?.(object as never, isNew) ?? []), ...warningsOf(of, object, isNew)];
    return after === undefined ? usual : [...usual, ...after(object as never, isNew, previous)];
  };
}
