// SPDX-License-Identifier: Apache-2.0
// SetDefaults of Pods and pod templates: containers, probes, volumes, requests from limits, host ports (upstream
// pkg/apis/core/v1/defaults.go). What admission fills (service account, tolerations, priority) is not here.
import { findQuantity, formatQuantity } from '../../machinery/mod.ts';
import { setDefault, setNonZero, setPointer, structAt } from '../defaulting.ts';
import type {
  Container,
  DownwardAPIVolumeFile,
  EphemeralContainer,
  HTTPGetAction,
  LifecycleHandler,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
  ResourceList,
  ResourceRequirements,
  Volume,
} from '../generated/core/v1.ts';
import { aggregateResources } from './aggregate-requests.ts';

const MODE_0644 = 0o644;

/** `Always` for `latest` or no tag, else `IfNotPresent`; a digest counts as a tag. */
function pullPolicyOf(image: string): 'Always' | 'IfNotPresent' {
  if (image.includes('@')) return 'IfNotPresent';
  const last = image.slice(image.lastIndexOf('/') + 1);
  const tag = last.includes(':') ? last.slice(last.indexOf(':') + 1) : 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function defaultHttpGet(action: HTTPGetAction): void {
  setDefault(action, 'path', '/');
  setDefault(action, 'scheme', 'HTTP');
}

function defaultProbe(probe: Probe): void {
  setNonZero(probe, 'timeoutSeconds', 1);
  setNonZero(probe, 'periodSeconds', 10);
  setNonZero(probe, 'successThreshold', 1);
  setNonZero(probe, 'failureThreshold', 3);
  if (probe.httpGet) defaultHttpGet(probe.httpGet);
  if (probe.grpc) setPointer(probe.grpc, 'service', '');
}

function defaultHandler(handler: LifecycleHandler | undefined): void {
  if (handler?.httpGet) defaultHttpGet(handler.httpGet);
}

function defaultContainer(container: Container | EphemeralContainer): void {
  roundToMilli(container.resources?.limits);
  roundToMilli(container.resources?.requests);
  setDefault(container, 'imagePullPolicy', pullPolicyOf(container.image ?? ''));
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  for (const port of container.ports ?? []) setDefault(port, 'protocol', 'TCP');
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) setDefault(valueFrom.fieldRef, 'apiVersion', 'v1');
    if (valueFrom?.resourceFieldRef) setDefault(valueFrom.resourceFieldRef, 'divisor', '0');
    if (valueFrom?.fileKeyRef) setPointer(valueFrom.fileKeyRef, 'optional', false);
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe) defaultProbe(probe);
  defaultHandler(container.lifecycle?.postStart);
  defaultHandler(container.lifecycle?.preStop);
}

function defaultDownwardItems(items: readonly DownwardAPIVolumeFile[] | undefined): void {
  for (const item of items ?? []) {
    if (item.fieldRef) setDefault(item.fieldRef, 'apiVersion', 'v1');
    if (item.resourceFieldRef) setDefault(item.resourceFieldRef, 'divisor', '0');
  }
}

function defaultVolume(volume: Volume): void {
  if (Object.entries(volume).every(([key, source]) => key === 'name' || source === undefined || source === null)) volume.emptyDir = {};
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected]) {
    if (source) setPointer(source, 'defaultMode', MODE_0644);
  }
  defaultDownwardItems(volume.downwardAPI?.items);
  for (const source of volume.projected?.sources ?? []) {
    if (source.serviceAccountToken) setPointer(source.serviceAccountToken, 'expirationSeconds', 3600);
    defaultDownwardItems(source.downwardAPI?.items);
  }
  if (volume.hostPath) setPointer(volume.hostPath, 'type', '');
  if (volume.iscsi) setDefault(volume.iscsi, 'iscsiInterface', 'default');
  if (volume.rbd) defaultRbd(volume.rbd);
  if (volume.azureDisk) defaultAzureDisk(volume.azureDisk);
  if (volume.scaleIO) defaultScaleIo(volume.scaleIO);
  if (volume.ephemeral?.volumeClaimTemplate) {
    const claim = structAt(volume.ephemeral.volumeClaimTemplate, 'spec');
    setPointer(claim, 'volumeMode', 'Filesystem');
    roundToMilli(claim.resources?.limits);
    roundToMilli(claim.resources?.requests);
  }
  if (volume.image) setDefault(volume.image, 'pullPolicy', pullPolicyOf(volume.image.reference ?? ''));
}

export function defaultRbd(source: { pool?: string; user?: string; keyring?: string }): void {
  setDefault(source, 'pool', 'rbd');
  setDefault(source, 'user', 'admin');
  setDefault(source, 'keyring', '/etc/ceph/keyring');
}

export function defaultAzureDisk(source: { cachingMode?: string; kind?: string; fsType?: string; readOnly?: boolean }): void {
  setPointer(source, 'cachingMode', 'ReadWrite');
  setPointer(source, 'kind', 'Shared');
  setPointer(source, 'fsType', 'ext4');
  setPointer(source, 'readOnly', false);
}

export function defaultScaleIo(source: { storageMode?: string; fsType?: string }): void {
  setDefault(source, 'storageMode', 'ThinProvisioned');
  setDefault(source, 'fsType', 'xfs');
}

export function defaultPodSpec(spec: PodSpec): void {
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'restartPolicy', 'Always');
  structAt(spec, 'securityContext');
  setPointer(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'schedulerName', 'default-scheduler');
  roundToMilli(spec.overhead);
  roundToMilli(spec.resources?.limits);
  roundToMilli(spec.resources?.requests);
  for (const container of everyContainer(spec)) defaultContainer(container);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  // Both names of the service account are one value.
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
}

function everyContainer(spec: PodSpec): (Container | EphemeralContainer)[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

export function defaultPodTemplate(template: PodTemplateSpec): void {
  defaultPodSpec(structAt(template, 'spec'));
}

function requestsFromLimits(resources: ResourceRequirements | undefined): void {
  if (!resources?.limits) return;
  const requests = structAt(resources, 'requests');
  for (const [name, limit] of Object.entries(resources.limits)) requests[name] ??= limit;
}

const isPodLevel = (name: string) => name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');

const isHugePage = (name: string) => name.startsWith('hugepages-');

/** Huge pages cannot be shared out: where containers have limits for them, so has the Pod. */
function defaultPodLevelLimits(spec: PodSpec, resources: ResourceRequirements): void {
  if (isEmpty(resources.limits) && isEmpty(resources.requests)) return;
  const limits: ResourceList = { ...resources.limits };
  for (const [name, sum] of Object.entries(aggregateResources(spec, 'limits'))) if (isHugePage(name)) limits[name] ??= sum;
  if (!isEmpty(limits)) resources.limits = limits;
}

/** What a Pod with limits requests: the sum over its containers, or its limits. */
function defaultPodLevelRequests(spec: PodSpec, resources: ResourceRequirements): void {
  if (isEmpty(resources.limits)) return;
  const requests: ResourceList = { ...resources.requests };
  for (const [name, sum] of Object.entries(aggregateResources(spec, 'requests'))) {
    if (isPodLevel(name) && !isHugePage(name)) requests[name] ??= sum;
  }
  for (const [name, limit] of Object.entries(resources.limits ?? {})) if (isPodLevel(name)) requests[name] ??= limit;
  if (!isEmpty(requests)) resources.requests = requests;
}

const isEmpty = (list: ResourceList | undefined) => list === undefined || Object.keys(list).length === 0;

/** As upstream's SetDefaults_Pod followed by those of its parts. Quantities that do not parse are left for validation. */
export function defaultPod(pod: Pod): void {
  const spec = structAt(pod, 'spec');
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) requestsFromLimits(container.resources);
  try {
    if (spec.resources) {
      defaultPodLevelLimits(spec, spec.resources);
      defaultPodLevelRequests(spec, spec.resources);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  setPointer(spec, 'enableServiceLinks', true);
  if (spec.hostNetwork) {
    for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
      for (const port of container.ports ?? []) if (!port.hostPort && port.containerPort) port.hostPort = port.containerPort;
    }
  }
  defaultPodSpec(spec);
}

const MILLI = 1_000_000n;

/** How quantities are mostly written: nothing to round, and not worth parsing. */
const WHOLE = /^\d+(m|k|[KMGTPE]i?)?$/;

/** No resource is finer than a thousandth: what is, is rounded up. */
export function roundToMilli(list: ResourceList | undefined): void {
  for (const [name, value] of Object.entries(list ?? {})) {
    if (WHOLE.test(String(value))) continue;
    const quantity = findQuantity(String(value));
    if (list === undefined || quantity === undefined || quantity.nanos % MILLI === 0n) continue;
    const up = quantity.nanos > 0n ? MILLI - 1n : 0n;
    list[name] = formatQuantity({ nanos: ((quantity.nanos + up) / MILLI) * MILLI, format: quantity.format });
  }
}
