// SPDX-License-Identifier: Apache-2.0
// The downward API: fields of the Pod and resources of its containers as text, for variables and volumes.
// @source upstream pkg/fieldpath, pkg/api/v1/resource/helpers.go
import { milliOf, parseQuantity } from '#machinery';
import { allContainers, type ContainerSpec, type PodView } from '../pod/pod.ts';

export interface PodAddresses {
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
}

/** @throws {RangeError} With upstream's text, for a path that names nothing. */
export function fieldValue(pod: PodView, fieldPath: string, addresses: PodAddresses): string {
  const subscript = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(fieldPath);
  if (subscript !== null) return pod.metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2] ?? ''] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return pod.metadata.name;
    case 'metadata.namespace':
      return pod.metadata.namespace ?? '';
    case 'metadata.uid':
      return pod.metadata.uid;
    case 'metadata.labels':
      return formatMap(pod.metadata.labels);
    case 'metadata.annotations':
      return formatMap(pod.metadata.annotations);
    case 'spec.nodeName':
      return pod.spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return pod.spec.serviceAccountName ?? '';
    case 'spec.host':
      return pod.spec.nodeName ?? '';
    case 'status.hostIP':
      return addresses.hostIps[0] ?? '';
    case 'status.hostIPs':
      return addresses.hostIps.join(',');
    case 'status.podIP':
      return addresses.podIps[0] ?? '';
    case 'status.podIPs':
      return addresses.podIps.join(',');
    default:
      throw new RangeError(`unsupported fieldPath: ${fieldPath}`);
  }
}

/** `key="value"` lines, keys in order, as Go's %q would quote. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

export type Allocatable = Readonly<Record<string, string>>;

/** @throws {RangeError} For a container or resource that does not exist. */
export function resourceValue(
  pod: PodView,
  ref: { readonly containerName?: string; readonly resource: string; readonly divisor?: string },
  { self, allocatable }: { self: ContainerSpec | undefined; allocatable: Allocatable },
): string {
  const spec = ref.containerName ? allContainers(pod).find((candidate) => candidate.name === ref.containerName) : self;
  if (spec === undefined) throw new RangeError(`container ${ref.containerName ?? ''} not found`);
  const dot = ref.resource.indexOf('.');
  const side = ref.resource.slice(0, dot);
  const name = ref.resource.slice(dot + 1);
  if (side !== 'limits' && side !== 'requests') throw new RangeError(`unsupported container resource : ${ref.resource}`);
  // A limit that is not set is what the node can give.
  const text = spec.resources?.[side]?.[name] ?? (side === 'limits' ? allocatable[name] : undefined) ?? '0';
  return divide(text, ref.divisor, name === 'cpu');
}

function divide(text: string, divisor: string | undefined, isCpu: boolean): string {
  const parsed = divisor === undefined ? undefined : parseQuantity(divisor);
  const by = parsed === undefined || parsed.nanos === 0n ? 1_000_000_000n : parsed.nanos;
  // CPU is counted in thousandths on both sides, so that a divisor of 1m works; all rounds up.
  const value = isCpu ? BigInt(milliOf(text)) * 1_000_000n : parseQuantity(text).nanos;
  return String((value + by - 1n) / by);
}
