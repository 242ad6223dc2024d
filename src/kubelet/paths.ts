// SPDX-License-Identifier: Apache-2.0
// Where the kubelet keeps what belongs to a Pod: upstream's layout below its root directory.
import { join } from 'node:path';
import type { PodView } from './pod/pod.ts';

export class Paths {
  readonly root: string;
  readonly podLogs: string;

  constructor(root: string, podLogs = join(root, 'pod-logs')) {
    this.root = root;
    this.podLogs = podLogs;
  }

  get pods(): string {
    return join(this.root, 'pods');
  }

  get seccomp(): string {
    return join(this.root, 'seccomp');
  }

  pod(uid: string): string {
    return join(this.pods, uid);
  }

  volumes(uid: string): string {
    return join(this.pod(uid), 'volumes');
  }

  /** @param plugin `empty-dir`, as in `kubernetes.io~empty-dir`. */
  volume(uid: string, plugin: string, name: string): string {
    return join(this.volumes(uid), `kubernetes.io~${plugin}`, name);
  }

  hosts(uid: string): string {
    return join(this.pod(uid), 'etc-hosts');
  }

  container(uid: string, name: string): string {
    return join(this.pod(uid), 'containers', name);
  }

  subPaths(uid: string): string {
    return join(this.pod(uid), 'volume-subpaths');
  }

  logs(pod: Pick<PodView, 'metadata'>): string {
    return join(this.podLogs, `${pod.metadata.namespace}_${pod.metadata.name}_${pod.metadata.uid}`);
  }
}
