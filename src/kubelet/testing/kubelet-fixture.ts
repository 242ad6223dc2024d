// SPDX-License-Identifier: Apache-2.0
// A kubelet over the in-memory API and the fake runtime, in a temporary directory, with a clock that stands still.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findSchema, nodes, pods, services } from '#api';
import type { Pod, PodSpec } from '#api/core/v1';
import { FakeApi } from '#client/testing';
import { FakeClock, silentLogger } from '#component';
import { applyStrategicPatch, type DeepReadonly, type Draft } from '#machinery';
import { createKubelet, type Kubelet } from '../kubelet.ts';
import { type KubeletOptions, NO_EVICTION } from '../options.ts';
import { plainMounter } from '../volumes/mounter.ts';
import { FakeRuntime } from './fake-runtime.ts';

export const NODE = 'node1';

/** Lets I/O go on until a condition holds; fails after many turns of the event loop, without waiting on a clock. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 20_000; turn++) {
    if (await holds()) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error(`never happened: ${what}`);
}

export function podDraft(name: string, spec: Draft<PodSpec> = {}, metadata: Draft<Pod['metadata']> = {}): Draft<Pod> {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: `uid-${name}`, ...metadata },
    spec: { nodeName: NODE, restartPolicy: 'Always', containers: [{ name: 'web', image: 'web:1', resources: {} }], ...spec },
    status: { phase: 'Pending' },
  };
}

/** The fake API merges patches plainly; here strategic ones are worked out by the schema, as the server does. */
function withStrategicPatches(api: FakeApi): FakeApi {
  const plain = api.patch.bind(api);
  api.patch = async (resource, ref, type, body, options = {}) => {
    const schema = findSchema(resource);
    if (type !== 'strategic' || schema === undefined) return plain(resource, ref, type, body, options);
    const before = (await api.get(resource, ref)) as unknown as Record<string, unknown>;
    const after = applyStrategicPatch(before, body as Record<string, unknown>, schema);
    const parts = Object.keys(body as object).filter((part) => part !== 'metadata' || options.subresource === undefined);
    const operations = parts.map((part) => ({ op: before[part] === undefined ? 'add' : 'replace', path: `/${part}`, value: after[part] }));
    return plain(resource, ref, 'json', operations, options);
  };
  return api;
}

export class KubeletFixture implements AsyncDisposable {
  readonly api: FakeApi;
  readonly clock: FakeClock;
  readonly runtime: FakeRuntime;
  readonly root: string;
  kubelet: Kubelet;
  #stop = new AbortController();
  #done: Promise<void>;
  readonly #options: Partial<KubeletOptions>;

  constructor(parts: { api: FakeApi; clock: FakeClock; runtime: FakeRuntime; root: string; options: Partial<KubeletOptions> }) {
    this.api = parts.api;
    this.clock = parts.clock;
    this.runtime = parts.runtime;
    this.root = parts.root;
    this.#options = parts.options;
    this.kubelet = this.#make();
    this.#done = this.kubelet.run(this.#stop.signal);
  }

  #make(): Kubelet {
    return createKubelet({
      client: this.api,
      nodeName: NODE,
      nodeIps: ['192.168.0.1'],
      runtime: this.runtime,
      network: { notReadyReason: () => undefined },
      rootDir: this.root,
      logger: silentLogger,
      clock: this.clock,
      mounter: plainMounter,
      eviction: NO_EVICTION,
      clusterDns: ['10.96.0.10'],
      ...this.#options,
    });
  }

  /** A new kubelet over the same runtime and directory. */
  async restart(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.#stop = new AbortController();
    this.kubelet = this.#make();
    this.#done = this.kubelet.run(this.#stop.signal);
  }

  pod(name: string): Promise<DeepReadonly<Pod>> {
    return this.api.get(pods, { namespace: 'default', name });
  }

  async podIs(name: string, holds: (pod: DeepReadonly<Pod>) => boolean): Promise<void> {
    await eventually(`pod ${name}`, async () => holds(await this.pod(name)));
  }

  async isGone(name: string): Promise<void> {
    await eventually(`pod ${name} gone`, () =>
      this.pod(name).then(
        () => false,
        () => true,
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await rm(this.root, { recursive: true, force: true });
  }
}

export async function kubeletFixture(options: Partial<KubeletOptions> = {}, images?: readonly string[]): Promise<KubeletFixture> {
  const clock = new FakeClock();
  const api = withStrategicPatches(new FakeApi({ clock }));
  api.seed(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] },
  });
  const root = await mkdtemp(join(tmpdir(), 'kubelet-'));
  return new KubeletFixture({ api, clock, runtime: new FakeRuntime(clock, images), root, options });
}

export { nodes, pods };
