// SPDX-License-Identifier: Apache-2.0
// What the parts of a Pod's worker share: one of each per kubelet.
import type { Clock, Logger } from '#component';
import type { RegistryAuth, Runtime } from '#runtime';
import type { Backoff } from '../backoff.ts';
import type { PodCgroups } from '../container/cgroups.ts';
import type { DnsSettings } from '../container/dns.ts';
import type { EnvironmentSources } from '../container/environment.ts';
import type { ImagePuller } from '../images/image-puller.ts';
import type { Paths } from '../paths.ts';
import type { ProbeManager } from '../probes/probe-manager.ts';
import type { EventRecorder } from '../recorder.ts';
import type { StatusManager } from '../status/status-manager.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import type { PodView } from './pod.ts';

export interface PodDeps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly paths: Paths;
  readonly volumes: VolumeManager;
  readonly images: ImagePuller;
  readonly statuses: StatusManager;
  readonly probes: ProbeManager;
  readonly cgroups: PodCgroups;
  readonly crashes: Backoff;
  readonly nodeIps: readonly string[];
  readonly memoryCapacity: number;
  readonly podPidsLimit: number | undefined;
  dns(): DnsSettings;
  hostHostsFile(): string;
  /** Of one Pod: reading makes its objects watched. */
  sourcesFor(pod: PodView): EnvironmentSources;
  credentials(pod: PodView, image: string): Promise<readonly RegistryAuth[]>;
  networkNotReady(): string | undefined;
  /** When the Pod's files should be written anew though no watched object changed: a token grows old. */
  nextVolumeRefresh(podUid: string): number | undefined;
}
