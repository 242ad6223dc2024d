// SPDX-License-Identifier: Apache-2.0
// Turns a container of a Pod into what the runtime takes: command, environment, mounts, resources, security.
// @source upstream pkg/kubelet/kuberuntime/kuberuntime_container.go generateContainerConfig, kubelet_pods.go makeMounts
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerConfig, Image, Mount } from '#runtime';
import type { Paths } from '../paths.ts';
import type { ContainerSpec, EphemeralSpec, PodView } from '../pod/pod.ts';
import { safeSubPath } from '../volumes/sub-path.ts';
import type { ReadyVolumes } from '../volumes/volume-manager.ts';
import { ConfigError, type EnvironmentSources, environmentOf } from './environment.ts';
import { expand } from './expansion.ts';
import type { PodAddresses } from './field-ref.ts';
import { containerAnnotations, containerLabels, hashOf } from './labels.ts';
import { containerResources } from './resources.ts';
import { securityOf } from './security.ts';
import { refuseUnsupported } from './unsupported.ts';

export interface ConfigDeps {
  readonly paths: Paths;
  readonly sources: EnvironmentSources;
  readonly memoryCapacity: number;
  readonly pidsLimit: number | undefined;
}

export interface ConfigInput {
  readonly pod: PodView;
  readonly spec: ContainerSpec | EphemeralSpec;
  readonly restartCount: number;
  readonly image: Image;
  readonly volumes: ReadyVolumes;
  readonly addresses: PodAddresses;
  /** Path of the Pod's hosts file, undefined if it has none. */
  readonly hostsFile: string | undefined;
}

/** @throws {ConfigError} */
export async function containerConfig(input: ConfigInput, deps: ConfigDeps): Promise<ContainerConfig> {
  const { pod, image, restartCount } = input;
  refuseUnsupported(pod, input.spec);
  const spec = input.spec as ContainerSpec;
  const env = await environmentOf(pod, spec, { sources: deps.sources, addresses: input.addresses });
  const values = new Map(env.map(({ name, value }) => [name, value]));
  const expandAll = (texts: readonly string[] | undefined) => (texts ?? []).map((text) => expand(text, (name) => values.get(name)));
  const messageFile = await makeMessageFile(deps.paths, pod, spec, restartCount);
  const messagePath = spec.terminationMessagePath ?? '/dev/termination-log';
  return {
    metadata: { name: spec.name, attempt: restartCount },
    image: image.id,
    command: expandAll(spec.command),
    args: expandAll(spec.args),
    workingDir: spec.workingDir ?? '',
    env,
    mounts: await mountsOf(input, spec, { values, messageFile, messagePath }),
    devices: [],
    labels: containerLabels(pod, spec),
    annotations: containerAnnotations({
      hash: hashOf(spec),
      restartCount,
      messagePath,
      messagePolicy: spec.terminationMessagePolicy ?? 'File',
      graceSeconds: pod.spec.terminationGracePeriodSeconds,
      messageFile,
    }),
    logPath: join(spec.name, `${restartCount}.log`),
    stdin: spec.stdin ?? false,
    stdinOnce: spec.stdinOnce ?? false,
    tty: spec.tty ?? false,
    resources: containerResources(pod, spec, deps.memoryCapacity, deps.pidsLimit),
    security: securityOf(pod, spec, { seccompRoot: deps.paths.seccomp, imageUser: image.user }),
  };
}

async function makeMessageFile(paths: Paths, pod: PodView, spec: ContainerSpec, restartCount: number): Promise<string> {
  const directory = paths.container(pod.metadata.uid, spec.name);
  await mkdir(directory, { recursive: true });
  const file = join(directory, `termination-${restartCount}`);
  await writeFile(file, '');
  await chmod(file, 0o666); // Whatever user the container has must be able to write it.
  return file;
}

async function mountsOf(
  { volumes, hostsFile }: ConfigInput,
  spec: ContainerSpec,
  { values, messageFile, messagePath }: { values: ReadonlyMap<string, string>; messageFile: string; messagePath: string },
): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of spec.volumeMounts ?? []) {
    const volume = volumes.get(mount.name);
    if (volume === undefined) throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${spec.name}"`);
    const subPath = mount.subPathExpr === undefined ? (mount.subPath ?? '') : expandStrict(mount.subPathExpr, values);
    const containerPath = mount.mountPath.startsWith('/') ? mount.mountPath : join('/', mount.mountPath);
    mounts.push({
      containerPath,
      hostPath: subPath === '' ? volume.hostPath : await safeSubPath(volume.hostPath, subPath),
      readOnly: (mount.readOnly ?? false) || volume.readOnly,
      propagation: PROPAGATION[mount.mountPropagation ?? 'None'] ?? 'private',
    });
  }
  const taken = new Set(mounts.map((mount) => mount.containerPath));
  if (hostsFile !== undefined && !taken.has('/etc/hosts')) {
    await stat(hostsFile);
    mounts.push({
      containerPath: '/etc/hosts',
      hostPath: hostsFile,
      readOnly: spec.securityContext?.readOnlyRootFilesystem ?? false,
      propagation: 'private',
    });
  }
  if (messagePath !== '' && !taken.has(messagePath)) {
    mounts.push({ containerPath: messagePath, hostPath: messageFile, readOnly: false, propagation: 'private' });
  }
  return mounts;
}

const PROPAGATION: Readonly<Record<string, Mount['propagation']>> = {
  None: 'private',
  HostToContainer: 'hostToContainer',
  Bidirectional: 'bidirectional',
};

/** A name that is not there is an error here: a silent empty part would name another place. */
function expandStrict(text: string, values: ReadonlyMap<string, string>): string {
  const missing: string[] = [];
  const result = expand(text, (name) => {
    if (!values.has(name)) missing.push(name);
    return values.get(name);
  });
  if (missing.length > 0) throw new ConfigError(`failed to expand subPath: missing value for "${missing[0]}"`);
  return result;
}
