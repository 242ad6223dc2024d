// SPDX-License-Identifier: Apache-2.0
// What every runtime does: the suite each implementation's test calls with a way to open one and the name of a present image.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ContainerConfig, type Runtime, RuntimeError, type RuntimeEvent, type SandboxConfig } from './runtime.ts';

export interface Opened extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly image: string;
  /** An existing folder for logs. */
  readonly logs: string;
}

export interface ContractOptions {
  /** Why nothing can be tested here. */
  readonly skip?: string | undefined;
  readonly open: (t: TestContext) => Promise<Opened>;
}

const never = new AbortController().signal;

export function sandboxConfig(overrides: Partial<SandboxConfig> = {}): SandboxConfig {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'uid-1', attempt: 0 },
    hostname: 'web',
    logDirectory: '/nonexistent',
    dns: { servers: ['10.96.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    portMappings: [],
    labels: { app: 'web' },
    annotations: { note: 'kept' },
    cgroupParent: 'kubepods/poduid-1',
    namespaces: { network: 'node', pid: 'container', ipc: 'pod' },
    sysctls: {},
    ...overrides,
  };
}

export function containerConfig(image: string, overrides: Partial<ContainerConfig> = {}): ContainerConfig {
  return {
    metadata: { name: 'main', attempt: 0 },
    image,
    command: ['sleep', '1000'],
    args: [],
    workingDir: '',
    env: [],
    mounts: [],
    devices: [],
    labels: { role: 'test' },
    annotations: {},
    logPath: 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: { cpuShares: 2, cpuQuotaUs: undefined, cpuPeriodUs: 100_000, memoryLimitBytes: undefined, oomScoreAdj: 1000 },
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      user: undefined,
      supplementalGroups: [],
      addCapabilities: [],
      dropCapabilities: [],
      allowPrivilegeEscalation: true,
      procMount: 'Default',
      seccomp: { type: 'Unconfined' },
    },
    ...overrides,
  };
}

export function runtimeContract(name: string, { skip, open }: ContractOptions): void {
  const it = (sentence: string, body: (opened: Opened) => Promise<void>): void => {
    test(`${name}: ${sentence}${skip === undefined ? '' : ` (skipped: ${skip})`}`, { skip: skip !== undefined }, async (t) => {
      await using opened = await open(t);
      await body(opened);
    });
  };

  it('a container goes from created to running to exited, with events in order', async ({ runtime, image, logs }) => {
    const stop = new AbortController();
    const events = collect(runtime.events(stop.signal));
    const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
    const id = await runtime.createContainer(sandbox.id, containerConfig(image), never);
    assert.equal(runtime.findContainer(id)?.state, 'created');

    await runtime.startContainer(id);
    assert.equal(runtime.findContainer(id)?.state, 'running');
    await runtime.stopContainer(id, 0);
    const exited = runtime.findContainer(id);
    await runtime.removeSandbox(sandbox.id);
    stop.abort();

    assert.equal(exited?.state, 'exited');
    assert.equal(exited?.exitCode, 137);
    assert.equal(exited?.reason, 'Error');
    assert.deepEqual(
      (await events).map((event) => event.type),
      ['sandbox-changed', 'container-started', 'container-exited', 'sandbox-changed', 'container-removed', 'sandbox-removed'],
    );
    assert.deepEqual([runtime.listContainers(), runtime.listSandboxes()], [[], []]);
  });

  it('labels, annotations and metadata come back as they were given', async ({ runtime, image, logs }) => {
    const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
    const id = await runtime.createContainer(sandbox.id, containerConfig(image), never);

    assert.deepEqual(runtime.listSandboxes()[0]?.labels, { app: 'web' });
    assert.deepEqual(runtime.listSandboxes()[0]?.annotations, { note: 'kept' });
    assert.deepEqual(runtime.findContainer(id)?.metadata, { name: 'main', attempt: 0 });
    assert.deepEqual(runtime.findContainer(id)?.labels, { role: 'test' });
    await runtime.removeSandbox(sandbox.id);
  });

  it('stop and remove are idempotent and do not mind what is gone', async ({ runtime, image, logs }) => {
    const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
    const id = await runtime.createContainer(sandbox.id, containerConfig(image), never);
    for (let round = 0; round < 2; round++) {
      await runtime.stopContainer(id, 0);
      await runtime.removeContainer(id);
      await runtime.stopSandbox(sandbox.id);
      await runtime.removeSandbox(sandbox.id);
    }
    assert.deepEqual(runtime.listSandboxes(), []);
  });

  it('starting twice, and an image that is absent, are refused', async ({ runtime, image, logs }) => {
    const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
    await assert.rejects(runtime.createContainer(sandbox.id, containerConfig('absent:v9'), never), reason('CreateContainerError'));
    const id = await runtime.createContainer(sandbox.id, containerConfig(image), never);
    await runtime.startContainer(id);
    await assert.rejects(runtime.startContainer(id), reason('RunContainerError'));
    await assert.rejects(runtime.startContainer('nothing'), reason('NotFound'));
    await runtime.removeSandbox(sandbox.id);
  });

  it('images are found by every form of their name, and an invalid name is refused', async ({ runtime, image }) => {
    const found = runtime.images.find(image);
    assert.ok(found);
    assert.equal(runtime.images.find(found.id)?.id, found.id);
    for (const tag of found.tags) assert.equal(runtime.images.find(tag)?.id, found.id);
    assert.equal(runtime.images.find('absent'), undefined);
    await assert.rejects(runtime.images.pull('team/UPPER', undefined, never), reason('InvalidImageName'));
  });
}

export function reason(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof RuntimeError && error.reason === wanted;
}

async function collect(events: AsyncIterable<RuntimeEvent>): Promise<RuntimeEvent[]> {
  const all: RuntimeEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
