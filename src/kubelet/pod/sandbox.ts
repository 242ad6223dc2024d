// SPDX-License-Identifier: Apache-2.0
// The sandbox of a Pod as the runtime takes it. @source upstream pkg/kubelet/kuberuntime/kuberuntime_sandbox.go
import type { PortMapping, SandboxConfig } from '#runtime';
import { podDns, podHostname } from '../container/dns.ts';
import { podLabels } from '../container/labels.ts';
import { cgroupParent } from '../container/resources.ts';
import { refuseUnsupportedPod } from '../container/unsupported.ts';
import type { PodDeps } from './deps.ts';
import { allContainers, CONFIG_SEEN, CONFIG_SOURCE, type PodView } from './pod.ts';

/** @throws {RangeError} If the full host name is too long. @throws {ConfigError} For a runtime class. */
export function sandboxConfig(pod: PodView, attempt: number, deps: PodDeps): SandboxConfig {
  refuseUnsupportedPod(pod);
  const dns = deps.dns();
  const { spec, metadata } = pod;
  const hostNetwork = spec.hostNetwork === true;
  return {
    metadata: { name: metadata.name, namespace: metadata.namespace ?? '', uid: metadata.uid, attempt },
    hostname: hostNetwork ? '' : podHostname(pod, dns.clusterDomain).hostname,
    logDirectory: deps.paths.logs(pod),
    dns: podDns(pod, dns),
    portMappings: hostNetwork ? [] : portMappings(pod),
    labels: podLabels(pod),
    annotations: sandboxAnnotations(pod),
    cgroupParent: cgroupParent(pod),
    namespaces: {
      network: hostNetwork ? 'node' : 'pod',
      pid: spec.hostPID === true ? 'node' : spec.shareProcessNamespace === true ? 'pod' : 'container',
      ipc: spec.hostIPC === true ? 'node' : 'pod',
    },
    sysctls: Object.fromEntries((spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name.replaceAll('/', '.'), value])),
  };
}

function sandboxAnnotations(pod: PodView): Record<string, string> {
  const { [CONFIG_SEEN]: seen, [CONFIG_SOURCE]: source, ...rest } = pod.metadata.annotations ?? {};
  return { ...rest, [CONFIG_SOURCE]: source ?? 'api', ...(seen === undefined ? {} : { [CONFIG_SEEN]: seen }) };
}

function portMappings(pod: PodView): PortMapping[] {
  return allContainers(pod).flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({
        protocol: port.protocol ?? 'TCP',
        containerPort: port.containerPort,
        hostPort: port.hostPort ?? 0,
        hostIp: port.hostIP ?? '',
      })),
  );
}
