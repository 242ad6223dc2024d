// SPDX-License-Identifier: Apache-2.0
// Fields of features that 1.36 keeps switched off: dropped from what clients write, unless the stored object uses them already.
// By kind, so that a kind without such fields costs nothing. @source upstream pkg/api/pod/util.go DropDisabled*Fields and the strategies
// of the kinds; pkg/api/persistentvolumeclaim/util.go
import type { StatefulSet } from '#api/apps/v1';
import type { Container, Node, PersistentVolumeClaim, PersistentVolumeClaimSpec, PodSpec } from '#api/core/v1';
import type { ResourceSlice } from '#api/resource/v1';
import type { CSIDriver } from '#api/storage/v1';
import type { DeepReadonly } from '#machinery';
import type { MutableObject } from './strategy.ts';

type Old = DeepReadonly<MutableObject>;
/** @param previous Undefined on create. */
export type DropDisabled = (object: MutableObject, previous: Old | undefined) => void;

const as = <T>(object: unknown) => object as T;

type Holder = {
  spec?: { template?: { spec?: PodSpec }; jobTemplate?: { spec?: { template?: { spec?: PodSpec } } } };
  template?: { spec?: PodSpec };
};

const ofTemplate: DropDisabled = (object, previous) => {
  const specOf = (of: unknown) => as<Holder | undefined>(of)?.spec?.template?.spec;
  dropFromPod(specOf(object), specOf(previous));
};

const BY_KIND: Readonly<Record<string, DropDisabled>> = {
  // The spec of a Pod that is there does not change by these.
  '/Pod'(object, previous) {
    if (previous === undefined) dropFromPod(as<{ spec?: PodSpec }>(object).spec, undefined);
  },
  '/Node': dropConfigSource,
  '/ReplicationController': ofTemplate,
  'apps/Deployment': ofTemplate,
  'apps/ReplicaSet': ofTemplate,
  'apps/DaemonSet': ofTemplate,
  'apps/StatefulSet'(object, previous) {
    ofTemplate(object, previous);
    dropMaxUnavailable(as<StatefulSet>(object), previous);
  },
  'batch/Job': ofTemplate,
  'batch/CronJob'(object, previous) {
    const specOf = (of: unknown) => as<Holder | undefined>(of)?.spec?.jobTemplate?.spec?.template?.spec;
    dropFromPod(specOf(object), specOf(previous));
  },
  '/PodTemplate'(object, previous) {
    const specOf = (of: unknown) => as<Holder | undefined>(of)?.template?.spec;
    dropFromPod(specOf(object), specOf(previous));
  },
  '/PersistentVolumeClaim'(object, previous) {
    dropForeignSource(as<PersistentVolumeClaim>(object).spec, as<PersistentVolumeClaim | undefined>(previous)?.spec);
    dropOddSource(as<PersistentVolumeClaim>(object).spec, as<PersistentVolumeClaim | undefined>(previous)?.spec);
  },
  'storage.k8s.io/CSIDriver'(object, previous) {
    if (as<CSIDriver | undefined>(previous)?.spec.preventPodSchedulingIfMissing === undefined)
      delete as<CSIDriver>(object).spec?.preventPodSchedulingIfMissing;
  },
  'resource.k8s.io/ResourceSlice': (object, previous) => dropFromDevices(as<ResourceSlice>(object), previous),
};

/** What drops the disabled fields of a kind; undefined where it has none. */
export function dropDisabledOf({ group, kind }: { readonly group: string; readonly kind: string }): DropDisabled | undefined {
  return BY_KIND[`${group}/${kind}`];
}

/** DynamicKubeletConfig, which is gone. */
function dropConfigSource(object: MutableObject, previous: Old | undefined): void {
  const { spec, status } = as<Partial<Node>>(object);
  if (as<DeepReadonly<Node> | undefined>(previous)?.spec?.configSource === undefined) delete spec?.configSource;
  if (previous === undefined) delete status?.config;
}

type OldSpec = DeepReadonly<PodSpec> | undefined;

/** GenericWorkload, ClusterTrustBundleProjection, PodCertificateRequest, ContainerStopSignals. */
function dropFromPod(spec: PodSpec | undefined, previous: OldSpec): void {
  if (spec === undefined || spec === null) return;
  if (previous?.schedulingGroup === undefined) delete spec.schedulingGroup;
  dropProjections(spec, previous);
  const isUsed = containersOf(previous).some((container) => container.lifecycle?.stopSignal !== undefined);
  if (!isUsed) for (const container of containersOf(spec)) dropStopSignal(container as Container);
}

function containersOf(spec: OldSpec): readonly DeepReadonly<Container>[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

function dropStopSignal(container: Container): void {
  const { lifecycle } = container;
  if (lifecycle?.stopSignal === undefined) return;
  delete lifecycle.stopSignal;
  if (lifecycle.postStart === undefined && lifecycle.preStop === undefined) delete container.lifecycle;
}

function dropProjections(spec: PodSpec, previous: OldSpec): void {
  for (const { projected } of spec.volumes ?? []) {
    for (const source of projected?.sources ?? []) {
      for (const name of ['clusterTrustBundle', 'podCertificate'] as const)
        if (source[name] !== undefined && !projects(previous, name)) delete source[name];
    }
  }
}

function projects(spec: OldSpec, name: 'clusterTrustBundle' | 'podCertificate'): boolean {
  return (spec?.volumes ?? []).some(({ projected }) => projected?.sources?.some((source) => source[name] !== undefined) === true);
}

/** MaxUnavailableStatefulSet. */
function dropMaxUnavailable({ spec }: StatefulSet, previous: Old | undefined): void {
  const before = as<DeepReadonly<StatefulSet> | undefined>(previous)?.spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
  if (before === undefined) delete spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
}

type OldClaim = DeepReadonly<PersistentVolumeClaimSpec> | undefined;

/** CrossNamespaceVolumeDataSource: a source elsewhere is none. */
function dropForeignSource(spec: PersistentVolumeClaimSpec, previous: OldClaim): void {
  if (spec?.dataSourceRef?.namespace && !previous?.dataSourceRef) delete spec.dataSourceRef;
}

const SNAPSHOTS = 'snapshot.storage.k8s.io';

/** `dataSource` names claims and snapshots only; with anything else an empty volume was meant, as it always was. */
function dropOddSource(spec: PersistentVolumeClaimSpec, previous: OldClaim): void {
  const source = spec?.dataSource;
  if (!source || previous?.dataSource || previous?.dataSourceRef || spec.dataSourceRef) return;
  const group = source.apiGroup ?? '';
  const isKnown = source.kind === 'PersistentVolumeClaim' ? group === '' : source.kind === 'VolumeSnapshot' && group === SNAPSHOTS;
  if (!isKnown) delete spec.dataSource;
}

const LISTS = ['ints', 'bools', 'strings', 'versions'] as const;

/** DRAListTypeAttributes and DRANodeAllocatableResources. */
function dropFromDevices({ spec }: ResourceSlice, previous: Old | undefined): void {
  const before = as<DeepReadonly<ResourceSlice> | undefined>(previous)?.spec?.devices ?? [];
  const usesLists = before.some(({ attributes }) =>
    Object.values(attributes ?? {}).some((one) => LISTS.some((name) => one[name] !== undefined)),
  );
  const usesMappings = before.some((device) => device.nodeAllocatableResourceMappings !== undefined);
  for (const device of spec?.devices ?? []) {
    if (!usesMappings) delete device.nodeAllocatableResourceMappings;
    if (!usesLists) for (const attribute of Object.values(device.attributes ?? {})) for (const name of LISTS) delete attribute[name];
  }
}
