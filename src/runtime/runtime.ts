// SPDX-License-Identifier: Apache-2.0
// The node runtime as the kubelet sees it: the CRI's verbs in TypeScript. `embedded` runs containers by conmon and runc or crun,
// `simulated` runs none, `cri` speaks to a containerd or CRI-O socket. Nothing here knows Pods of the API beyond names and labels.
import type { Duplex } from 'node:stream';

export type SandboxState = 'ready' | 'notready';
export type ContainerState = 'created' | 'running' | 'exited' | 'unknown';
export type NamespaceMode = 'pod' | 'container' | 'node' | 'target';

export interface SandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Counts the sandboxes a Pod has had. */
  readonly attempt: number;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export interface SandboxConfig {
  readonly metadata: SandboxMetadata;
  readonly hostname: string;
  /** Where container logs go: `<logDirectory>/<container's logPath>`. */
  readonly logDirectory: string;
  /** Absent: the host's resolv.conf. */
  readonly dns: DnsConfig | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `kubepods/burstable/pod<uid>`, below the runtime's cgroup root. */
  readonly cgroupParent: string;
  readonly namespaces: { readonly network: 'pod' | 'node'; readonly pid: 'pod' | 'container' | 'node'; readonly ipc: 'pod' | 'node' };
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface Sandbox {
  readonly id: string;
  readonly metadata: SandboxMetadata;
  readonly state: SandboxState;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Empty for host network. First is the primary one. */
  readonly ips: readonly string[];
  /** The pinned network namespace, or undefined for the node's. */
  readonly networkNamespace: string | undefined;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
  readonly propagation: 'private' | 'hostToContainer' | 'bidirectional';
}

export interface ContainerSecurity {
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  /** Absent: the image's. */
  readonly user: { readonly uid: number; readonly gid: number | undefined } | { readonly name: string } | undefined;
  readonly supplementalGroups: readonly number[];
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly allowPrivilegeEscalation: boolean;
  readonly procMount: 'Default' | 'Unmasked';
  readonly seccomp: { readonly type: 'RuntimeDefault' | 'Unconfined' } | { readonly type: 'Localhost'; readonly path: string };
}

export interface ContainerResources {
  readonly cpuShares: number;
  /** Microseconds of each `cpuPeriodUs`; undefined: no limit. */
  readonly cpuQuotaUs: number | undefined;
  readonly cpuPeriodUs: number;
  readonly memoryLimitBytes: number | undefined;
  readonly oomScoreAdj: number;
  readonly pidsLimit?: number | undefined;
}

export interface ContainerConfig {
  readonly metadata: { readonly name: string; readonly attempt: number };
  /** An image ID or reference that is present. */
  readonly image: string;
  /** Empty: the image's entrypoint. */
  readonly command: readonly string[];
  /** Empty with an empty `command`: the image's. */
  readonly args: readonly string[];
  /** Empty: the image's. */
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly { readonly hostPath: string; readonly containerPath: string; readonly permissions: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's `logDirectory`. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** Joins the PID namespace of this running container (ephemeral containers with `targetContainerName`). */
  readonly pidTarget?: string | undefined;
  readonly resources: ContainerResources;
  readonly security: ContainerSecurity;
}

export interface Container {
  readonly id: string;
  readonly sandboxId: string;
  readonly metadata: { readonly name: string; readonly attempt: number };
  readonly state: ContainerState;
  /** The image as asked for, and its ID (`sha256:…`). */
  readonly image: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly createdAt: number;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly exitCode: number | undefined;
  /** `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, as the container status shows. */
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly logPath: string;
  readonly pid: number | undefined;
}

export interface Image {
  /** `sha256:…` of the image config. */
  readonly id: string;
  readonly tags: readonly string[];
  /** `repository@sha256:…` */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** The user of the image config: a number, a name, or ''. */
  readonly user: string;
}

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
}

/** What happened in the runtime; the kubelet's event source in place of polling. */
export interface RuntimeEvent {
  readonly type: 'container-started' | 'container-exited' | 'container-removed' | 'sandbox-changed' | 'sandbox-removed';
  readonly sandboxId: string;
  readonly containerId: string | undefined;
  /** Of the Pod. */
  readonly podUid: string;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** A running exec or attach. Streams that were not asked for are absent. */
export interface ExecSession {
  readonly stdin: NodeJS.WritableStream | undefined;
  readonly stdout: NodeJS.ReadableStream;
  /** Absent with a tty. */
  readonly stderr: NodeJS.ReadableStream | undefined;
  resize(width: number, height: number): void;
  /** The exit code (attach: of the container), once the streams are drained. */
  readonly exit: Promise<number>;
  close(): void;
}

export interface ContainerStats {
  readonly containerId: string;
  readonly cpuUsageNanos: number;
  readonly memoryWorkingSetBytes: number;
  readonly memoryUsageBytes: number;
  readonly writableLayerBytes: number;
  readonly pids: number;
}

export interface RuntimeInfo {
  readonly name: string;
  readonly version: string;
  /** `containerd://` style prefix of container IDs in the API. */
  readonly scheme: string;
  /** What running containers may use can change. @default false */
  readonly canResize?: boolean;
}

/**
 * Guarantees: calls are idempotent where the CRI's are (stop, remove). State survives a restart of the process that embeds the
 * runtime: containers keep running and are found again by `start`. Errors are `RuntimeError`s with a reason.
 */
export interface Runtime extends AsyncDisposable {
  readonly info: RuntimeInfo;
  /** Finds again what an earlier process left running. Call once, first. */
  start(signal: AbortSignal): Promise<void>;
  runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<Sandbox>;
  /** Tears down the network and kills what still runs. */
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  listSandboxes(): readonly Sandbox[];
  createContainer(sandboxId: string, config: ContainerConfig, signal: AbortSignal): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** Sends the stop signal, then SIGKILL after `graceMs`. Resolves when it is gone. */
  stopContainer(id: string, graceMs: number): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(): readonly Container[];
  findContainer(id: string): Container | undefined;
  updateResources(id: string, resources: ContainerResources): Promise<void>;
  /** Makes conmon open the log file anew after rotation. */
  reopenLog(id: string): Promise<void>;
  exec(id: string, options: ExecOptions): Promise<ExecSession>;
  /** Runs to the end and collects at most `limitBytes` of each stream. @throws {RuntimeError} `Timeout` after `timeoutMs`. */
  execSync(
    id: string,
    command: readonly string[],
    options: { timeoutMs: number; limitBytes?: number },
  ): Promise<{ exitCode: number; stdout: Buffer; stderr: Buffer }>;
  attach(id: string, options: { stdin: boolean }): Promise<ExecSession>;
  /** A byte stream to a TCP port inside the sandbox's network namespace. */
  portForward(sandboxId: string, port: number): Promise<Duplex>;
  stats(): Promise<readonly ContainerStats[]>;
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
  readonly images: ImageService;
}

export interface ImageService {
  list(): readonly Image[];
  /** By reference (normalised as docker does: `nginx` is `docker.io/library/nginx:latest`) or ID. */
  find(reference: string): Image | undefined;
  /** Pulls and returns the image's ID. @throws {RuntimeError} `ErrImagePull` with the registry's words, `InvalidImageName`. */
  pull(reference: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<Image>;
  remove(id: string): Promise<void>;
  usage(): Promise<{ usedBytes: number; capacityBytes: number }>;
}

export type RuntimeErrorReason =
  | 'NotFound'
  | 'ErrImagePull'
  | 'InvalidImageName'
  | 'ErrImageNeverPull'
  | 'CreateContainerError'
  | 'RunContainerError'
  | 'CreatePodSandboxError'
  | 'Timeout'
  | 'NotRunning'
  | 'Unavailable';

/** Thrown when the runtime cannot do what was asked; `reason` is what the container status shows. */
export class RuntimeError extends Error {
  readonly reason: RuntimeErrorReason;

  constructor(reason: RuntimeErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RuntimeError';
    this.reason = reason;
  }
}
