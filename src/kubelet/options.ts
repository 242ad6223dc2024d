// SPDX-License-Identifier: Apache-2.0
// What a kubelet is given, with upstream's defaults beside each option. @source upstream kubelet/config/v1beta1/defaults.go
import type { Taint } from '#api/core/v1';
import type { Client } from '#client';
import type { Clock, Logger, Metrics } from '#component';
import type { PodNetwork } from '#network';
import type { Runtime } from '#runtime';
import type { PodCgroups } from './container/cgroups.ts';
import type { Machine } from './node/machine.ts';
import type { Mounter } from './volumes/mounter.ts';

export interface EvictionThresholds {
  /** @default 100 Mi */
  readonly memoryAvailableBytes: number;
  /** Share of the file system. @default 0.1 */
  readonly nodefsAvailable: number;
  /** @default 0.05 */
  readonly nodefsInodesFree: number;
  /** @default 0.15 */
  readonly imagefsAvailable: number;
  /** Share of the PIDs; 0: off, as upstream. @default 0 */
  readonly pidAvailable: number;
}

export const DEFAULT_EVICTION: EvictionThresholds = {
  memoryAvailableBytes: 100 * 1024 * 1024,
  nodefsAvailable: 0.1,
  nodefsInodesFree: 0.05,
  imagefsAvailable: 0.15,
  pidAvailable: 0,
};

/** Nothing is ever evicted: test machines with full disks, simulated nodes. */
export const NO_EVICTION: EvictionThresholds = {
  memoryAvailableBytes: 0,
  nodefsAvailable: 0,
  nodefsInodesFree: 0,
  imagefsAvailable: 0,
  pidAvailable: 0,
};

export interface ImageGcPolicy {
  /** @default 85 */
  readonly highThresholdPercent: number;
  /** @default 80 */
  readonly lowThresholdPercent: number;
  /** @default 2 minutes */
  readonly minimumAgeMs: number;
}

export const DEFAULT_IMAGE_GC: ImageGcPolicy = { highThresholdPercent: 85, lowThresholdPercent: 80, minimumAgeMs: 120_000 };

export interface KubeletServerOptions {
  /** @default 0.0.0.0 */
  readonly address?: string;
  /** 0: any free one. @default 10250 */
  readonly port?: number;
  /** PEM. */
  readonly certificate: () => { readonly cert: string; readonly key: string };
  /** PEM; signs the client certificates that are accepted. */
  readonly clientCa?: string;
  /** Overrides the delegated checks (TokenReview, SubjectAccessReview): for tests. */
  readonly authenticate?: Authenticate;
  readonly authorize?: Authorize;
}

export interface UserInfo {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** @returns The bearer of the token, undefined if it is nobody's. */
export type Authenticate = (token: string, signal: AbortSignal) => Promise<UserInfo | undefined>;

export interface NodeAccess {
  readonly user: UserInfo;
  readonly verb: string;
  /** `nodes/proxy`, `nodes/log`, `nodes/stats`, `nodes/metrics`, `nodes/exec`... without the `nodes/`. */
  readonly subresources: readonly string[];
}

export type Authorize = (access: NodeAccess, signal: AbortSignal) => Promise<{ allowed: boolean; reason: string }>;

export interface KubeletOptions {
  readonly client: Client;
  readonly nodeName: string;
  /** First is the primary one. */
  readonly nodeIps: readonly string[];
  /** Name of the machine as its network knows it. @default nodeName */
  readonly hostname?: string;
  readonly runtime: Runtime;
  readonly network: Pick<PodNetwork, 'notReadyReason'>;
  /** Pods' files: volumes, hosts files. Kept over a restart. */
  readonly rootDir: string;
  /** @default rootDir/pod-logs */
  readonly podLogsDir?: string;
  /** A folder of Pod manifests that run without the API. */
  readonly staticPodPath?: string | undefined;
  readonly clusterDns?: readonly string[];
  /** @default cluster.local */
  readonly clusterDomain?: string;
  /** @default /etc/resolv.conf */
  readonly resolvConf?: string;
  /** Undefined: no server. */
  readonly server?: KubeletServerOptions | undefined;
  /** @default 110 */
  readonly maxPods?: number;
  readonly podPidsLimit?: number | undefined;
  readonly clock?: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  /** Only set when the node is registered for the first time. */
  readonly taints?: readonly Taint[];
  readonly providerId?: string;
  /** @default plain kernel facts of this machine */
  readonly machine?: Machine;
  /** @default none: only the runtime's own cgroups */
  readonly cgroups?: PodCgroups;
  /** @default systemMounter */
  readonly mounter?: Mounter;
  /** Taken off capacity. */
  readonly reserved?: Readonly<Record<'cpu' | 'memory', string>>;
  readonly imageGc?: ImageGcPolicy;
  readonly eviction?: EvictionThresholds;
  /** @default 10 s: how often figures are looked at; what changed is written then */
  readonly nodeStatusUpdateFrequencyMs?: number;
  /** @default 5 min: an unchanged status is written this often */
  readonly nodeStatusReportFrequencyMs?: number;
  /** @default 40 */
  readonly leaseDurationSeconds?: number;
  /** @default 10 Mi */
  readonly containerLogMaxBytes?: number;
  /** @default 5 */
  readonly containerLogMaxFiles?: number;
  /** @default v1.36.0 */
  readonly version?: string;
}
