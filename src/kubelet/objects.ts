// SPDX-License-Identifier: Apache-2.0
// ConfigMaps and Secrets that Pods of this node name, each watched by itself, as the node authorizer demands. Watching begins
// with the first Pod that needs an object and ends with the last. @source upstream pkg/kubelet/util/manager/watch_based_manager.go

import type { ConfigMap, Secret } from '#api/core/v1';
import { configmaps, secrets } from '#api/resources';
import type { Client } from '#client';
import type { Clock, Logger } from '#component';
import type { DeepReadonly, KubeObject, Resource } from '#machinery';
import { Selection } from './selection.ts';

export type ObjectKind = 'configmaps' | 'secrets';

interface Entry {
  readonly selection: Selection<KubeObject>;
  readonly stop: AbortController;
  readonly users: Set<string>;
  readonly done: Promise<void>;
}

interface Deps {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  /** An object that this Pod uses has changed. */
  changed(podUid: string): void;
}

export class WatchedObjects {
  readonly #deps: Deps;
  readonly #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  configMap(podUid: string, namespace: string, name: string): Promise<DeepReadonly<ConfigMap> | undefined> {
    return this.#find(configmaps, podUid, { namespace, name }) as Promise<DeepReadonly<ConfigMap> | undefined>;
  }

  secret(podUid: string, namespace: string, name: string): Promise<DeepReadonly<Secret> | undefined> {
    return this.#find(secrets, podUid, { namespace, name }) as Promise<DeepReadonly<Secret> | undefined>;
  }

  /** A Pod is gone: what only it used is not watched any more. */
  release(podUid: string): void {
    for (const [key, entry] of this.#entries) {
      if (!entry.users.delete(podUid) || entry.users.size > 0) continue;
      entry.stop.abort();
      this.#entries.delete(key);
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    const running = [...this.#entries.values()].map((entry) => entry.done);
    this.#entries.clear();
    await Promise.all(running);
  }

  async #find<T extends KubeObject>(resource: Resource<T>, podUid: string, ref: { namespace: string; name: string }) {
    const key = `${resource.resource}/${ref.namespace}/${ref.name}`;
    const entry = this.#entries.get(key) ?? this.#open(key, resource as unknown as Resource, ref);
    entry.users.add(podUid);
    await entry.selection.synced;
    return entry.selection.objects.get(`${ref.namespace}/${ref.name}`);
  }

  #open(key: string, resource: Resource, { namespace, name }: { namespace: string; name: string }): Entry {
    const stop = new AbortController();
    const users = new Set<string>();
    let synced = false;
    const selection = new Selection<KubeObject>({
      client: this.#deps.client,
      clock: this.#deps.clock,
      logger: this.#deps.logger,
      resource,
      where: { namespace, fieldSelector: `metadata.name=${name}` },
      changed: () => {
        if (synced) for (const uid of users) this.#deps.changed(uid);
      },
    });
    void selection.synced.then(() => {
      synced = true;
    });
    const entry: Entry = { selection, stop, users, done: selection.run(AbortSignal.any([stop.signal, this.#stop.signal])) };
    this.#entries.set(key, entry);
    return entry;
  }
}
