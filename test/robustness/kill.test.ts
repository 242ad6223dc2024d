// SPDX-License-Identifier: Apache-2.0
// The promises of the store, with a real control plane that is killed in the middle of writing, again and again: nothing answered is
// lost, nothing is half-written, revisions never go back, and a watch goes on where it was. Nodes are simulated: no root needed.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { configmaps } from '#api';
import type { ConfigMap } from '#api/core/v1';
import { type Client, createClient, HttpsTransport, loadKubeconfig } from '#client';
import type { DeepReadonly } from '#machinery';
import { clusterEnv, freePort, ROOT } from '../e2e/cluster.ts';
import { output, run } from '../e2e/commands.ts';

const ROUNDS = 4;
const WRITERS = 6;
const WRITES_PER_ROUND = 150;
const linux = process.platform === 'linux';

describe(linux ? 'a control plane that is killed' : 'a control plane that is killed (skipped: needs Linux)', {
  skip: !linux,
  timeout: 120_000,
}, () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sagong-kill-'));
  const sagong = (...args: string[]) => output(join(ROOT, 'bin/sagong'), args, { env: clusterEnv(dataDir) });
  before(async () => {
    await sagong('up', '--runtime', 'simulated', '--port', String(await freePort()));
  });
  after(async () => {
    await run(join(ROOT, 'bin/sagong'), ['down'], { env: clusterEnv(dataDir) });
    rmSync(dataDir, { recursive: true, force: true });
  });
  const connect = () => {
    const transport = new HttpsTransport(loadKubeconfig(join(dataDir, 'admin.conf')));
    return { transport, client: createClient(transport) };
  };

  test('loses no answered write, shows none twice, and never takes a revision back', async (t) => {
    const answered = new Map<string, { readonly count: string; readonly resourceVersion: number }>();
    let before: string | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      await writeUntilKilled(answered, round);
      await sagong('start');
      const { transport, client } = connect();
      using _transport = transport;
      const { items, resourceVersion: revision } = await client.list(configmaps, { namespace: 'default' });
      const found = new Map(items.map((item) => [item.metadata.name, item]));
      assert.equal(found.size, items.length, 'no object is there twice');
      for (const [name, { count, resourceVersion }] of answered) {
        const item = found.get(name);
        assert.ok(item !== undefined, `${name} is still there`);
        // One write more may have been done and not answered.
        assert.ok(Number(item.data?.['count']) >= Number(count), `${name} is at ${item.data?.['count']}, answered was ${count}`);
        assert.ok(Number(item.metadata.resourceVersion) >= resourceVersion);
        assert.equal(item.data?.['again'], item.data?.['count'], 'no object is half-written');
      }
      const newest = Math.max(...[...answered.values()].map(({ resourceVersion }) => resourceVersion));
      assert.ok(Number(revision) >= newest);
      if (before !== undefined) await resume(client, before, items);
      before = revision;
    }
    t.diagnostic(`${answered.size} objects over ${ROUNDS} kills`);
  });

  /** A watch from before the kill tells of every write since, in order, up to what the list shows. */
  async function resume(client: Client, resourceVersion: string, items: readonly DeepReadonly<ConfigMap>[]): Promise<void> {
    const seen = new Map<string, string>();
    let last = Number(resourceVersion);
    for await (const event of client.watch(configmaps, {
      namespace: 'default',
      resourceVersion,
      timeoutSeconds: 1,
      allowWatchBookmarks: false,
    })) {
      assert.ok(event.type === 'ADDED' || event.type === 'MODIFIED', `a watch that resumes sees no ${event.type}`);
      const { metadata } = event.object;
      assert.ok(Number(metadata.resourceVersion) > last, 'events come in order, each once');
      last = Number(metadata.resourceVersion);
      seen.set(metadata.name, metadata.resourceVersion);
    }
    for (const { metadata } of items) {
      if (Number(metadata.resourceVersion) > Number(resourceVersion)) assert.equal(seen.get(metadata.name), metadata.resourceVersion);
    }
  }

  /** Every writer creates an object and counts in it; in the middle the process is killed. */
  async function writeUntilKilled(answered: Map<string, { count: string; resourceVersion: number }>, round: number): Promise<void> {
    const { transport, client } = connect();
    using _transport = transport;
    let done = 0;
    const killInTheMiddle = () => {
      if (++done === WRITES_PER_ROUND) process.kill(pidOfControlPlane(), 'SIGKILL');
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => count(client, `round-${round}-${writer}`, answered, killInTheMiddle)));
    assert.ok(done >= WRITES_PER_ROUND, 'the writers ended because the process was killed');
  }

  async function count(
    client: Client,
    name: string,
    answered: Map<string, { count: string; resourceVersion: number }>,
    wrote: () => void,
  ): Promise<void> {
    const data = (number: number) => ({ count: String(number), again: String(number), text: 'x'.repeat(500) });
    try {
      let object = await client.create(configmaps, { metadata: { name, namespace: 'default' }, data: data(0) });
      for (let number = 1; ; number++) {
        answered.set(name, { count: object.data?.['count'] ?? '', resourceVersion: Number(object.metadata.resourceVersion) });
        wrote();
        object = await client.update(configmaps, { ...object, data: data(number) });
      }
    } catch {
      return; // The server is gone.
    }
  }

  function pidOfControlPlane(): number {
    return Number(readFileSync(join(dataDir, 'run/control-plane.pid'), 'utf8').split(' ')[0]);
  }
});
