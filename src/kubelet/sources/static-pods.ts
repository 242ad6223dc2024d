// SPDX-License-Identifier: Apache-2.0
// Pods from a folder of manifests (YAML or JSON): they run with no API server, under the name `<name>-<node>`. A changed file is a
// new Pod. @source upstream pkg/kubelet/config/{file,common}.go
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Pod } from '#api/core/v1';
import { type Clock, formatTime, type Logger } from '#component';
import { CONFIG_HASH, CONFIG_SEEN, CONFIG_SOURCE, type PodView } from '../pod/pod.ts';

export interface StaticPodOptions {
  readonly folder: string;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** All static Pods there are now, by UID. */
  changed(pods: ReadonlyMap<string, PodView>): void;
}

/** Runs until `signal`. */
export async function watchStaticPods(options: StaticPodOptions, signal: AbortSignal): Promise<void> {
  await mkdir(options.folder, { recursive: true });
  const known = new Map<string, PodView>();
  let wake: () => void = () => {};
  let changed = true;
  const watcher = watch(options.folder, () => {
    changed = true;
    wake();
  });
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    while (!signal.aborted) {
      if (changed) {
        changed = false;
        options.changed(await readFolder(options, known));
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    watcher.close();
  }
}

async function readFolder(
  { folder, nodeName, clock, logger }: StaticPodOptions,
  known: Map<string, PodView>,
): Promise<Map<string, PodView>> {
  const pods = new Map<string, PodView>();
  const names = await readdir(folder).catch((error: unknown) => {
    // A folder that is gone says nothing about its Pods: they go on running.
    logger.warn({ err: String(error), folder }, 'Static Pod folder was not read');
    return undefined;
  });
  if (names === undefined) return new Map(known);
  for (const name of names.sort()) {
    if (name.startsWith('.') || !/\.(ya?ml|json)$/.test(name)) continue;
    const path = join(folder, name);
    try {
      const pod = readStaticPod(await readFile(path, 'utf8'), { path, nodeName, seen: formatTime(clock.now()) });
      // The same text is the same Pod: it keeps when it was seen first.
      const kept = known.get(pod.metadata.uid) ?? pod;
      pods.set(kept.metadata.uid, kept);
    } catch (error) {
      logger.warn({ err: String(error), path }, 'Static Pod manifest was not read');
    }
  }
  known.clear();
  for (const [uid, pod] of pods) known.set(uid, pod);
  return pods;
}

/** @throws {TypeError} If the text is no Pod. */
export function readStaticPod(text: string, { path, nodeName, seen }: { path: string; nodeName: string; seen: string }): PodView {
  const value: unknown = parse(text, { logLevel: 'error' });
  if (!isPod(value)) throw new TypeError(`Static manifest "${path}": is no v1 Pod`);
  const uid = value.metadata.uid || createHash('sha256').update(`host:${nodeName}\0file:${path}\0${text}`).digest('hex').slice(0, 32);
  const name = `${value.metadata.name}-${nodeName.toLowerCase()}`;
  const pod: Pod = {
    ...value,
    metadata: {
      ...value.metadata,
      name,
      namespace: value.metadata.namespace || 'default',
      uid,
      creationTimestamp: seen,
      annotations: { ...value.metadata.annotations, [CONFIG_HASH]: uid, [CONFIG_SEEN]: seen, [CONFIG_SOURCE]: 'file' },
    },
    spec: defaulted(value.spec, nodeName),
    status: { phase: 'Pending' },
  };
  return pod;
}

function isPod(value: unknown): value is Pod {
  if (typeof value !== 'object' || value === null) return false;
  const { apiVersion, kind, metadata, spec } = value as Record<string, unknown>;
  if (apiVersion !== 'v1' || kind !== 'Pod' || typeof metadata !== 'object' || metadata === null) return false;
  const { containers } = (spec ?? {}) as { containers?: unknown };
  const named = (entry: unknown) => typeof (entry as { name?: unknown } | null)?.name === 'string';
  return named(metadata) && Array.isArray(containers) && containers.length > 0 && containers.every(named);
}

/** What the API server would have filled in and the kubelet counts on. Static Pods tolerate every NoExecute taint. */
function defaulted(spec: Pod['spec'], nodeName: string): Pod['spec'] {
  return {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    enableServiceLinks: true,
    schedulerName: 'default-scheduler',
    ...spec,
    nodeName,
    tolerations: [...(spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }],
  };
}
