// SPDX-License-Identifier: Apache-2.0
// CNI: what plugins are given, chaining and caching with scripts for plugins, and a real bridge inside a network namespace.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { mustRun, runProgram } from '../commands.ts';
import type { PodNetworkRequest } from '../network.ts';
import { type CniNetwork, createCniNetwork, pluginInput } from './cni-network.ts';
import { decodeConfList } from './conflist.ts';
import { writeDefaultConfList } from './default-conflist.ts';

const REQUEST: PodNetworkRequest = {
  sandboxId: 'sandbox1',
  podName: 'web',
  podNamespace: 'default',
  podUid: 'uid-1',
  networkNamespace: '/nonexistent/netns',
  portMappings: [],
};

interface Lab {
  readonly folder: string;
  readonly network: CniNetwork;
}

/** Plugins are shell scripts that append what they were given to a file and answer. */
async function lab(t: TestContext, scripts: Record<string, string>): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'sagong-cni-'));
  await mkdir(join(folder, 'bin'));
  for (const [name, body] of Object.entries(scripts)) await writeFile(join(folder, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  const stop = new AbortController();
  const options = { confDir: join(folder, 'conf'), binDirs: [join(folder, 'bin')], cacheDir: join(folder, 'cache') };
  const network = await createCniNetwork(options, stop.signal);
  t.after(async () => {
    stop.abort();
    await rm(folder, { recursive: true, force: true });
  });
  return { folder, network };
}

const RECORD = 'F="$(dirname "$0")/../calls"; echo "$(basename "$0") $CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME $(cat)" >> "$F"';
const CHAIN = {
  cniVersion: '1.0.0',
  name: 'net',
  plugins: [
    { type: 'first', key: 1 },
    { type: 'second', capabilities: { portMappings: true } },
  ],
};

async function configure({ folder, network }: Lab, list: object): Promise<void> {
  await writeFile(join(folder, 'conf/10-net.conflist'), JSON.stringify(list));
  await network.reload();
}

test('setUp() chains results through the plugins and tearDown() runs them in reverse from the cache', async (t) => {
  const first = `${RECORD}; [ $CNI_COMMAND = DEL ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.2.3/24"}]}'`;
  const made = await lab(t, {
    first,
    second: `${RECORD}; [ $CNI_COMMAND = DEL ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.1.2.4/24"}]}'`,
  });
  await configure(made, CHAIN);
  const portMappings = [{ protocol: 'TCP', containerPort: 80, hostPort: 8080, hostIp: '' }] as const;

  const { ips } = await made.network.setUp({ ...REQUEST, portMappings });
  await rm(join(made.folder, 'conf/10-net.conflist'));
  await made.network.reload();
  await made.network.tearDown(REQUEST);
  await made.network.tearDown(REQUEST);

  assert.deepEqual(ips, ['10.1.2.4']);
  const calls = (await readFile(join(made.folder, 'calls'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  assert.deepEqual(
    calls.map(([name, command]) => `${name} ${command}`),
    ['first ADD', 'second ADD', 'second DEL', 'first DEL'],
  );
  const second = JSON.parse(calls[1]?.[4] ?? '');
  assert.equal(second.prevResult.ips[0].address, '10.1.2.3/24');
  assert.deepEqual(second.runtimeConfig.portMappings, [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]);
  assert.deepEqual(await readdir(join(made.folder, 'cache')), []);
});

test('setUp() tears down and tells the words of the plugin that failed', async (t) => {
  const made = await lab(t, {
    first: `${RECORD}; [ $CNI_COMMAND = DEL ] || echo '{"ips":[]}'`,
    second: `${RECORD}; [ $CNI_COMMAND = DEL ] && exit 0; echo '{"code":11,"msg":"no room","details":"in the boat"}'; exit 1`,
  });
  await configure(made, CHAIN);
  await assert.rejects(made.network.setUp(REQUEST), /plugin type="second" failed \(add\): no room; in the boat/);
  assert.match(await readFile(join(made.folder, 'calls'), 'utf8'), /first DEL/);
});

test('notReadyReason() is given until a valid configuration appears, and a missing plugin is named', async (t) => {
  const made = await lab(t, {});
  assert.match(made.network.notReadyReason() ?? '', /cni plugin not initialized/);
  let changes = 0;
  made.network.onChange(() => changes++);
  await configure(made, CHAIN);
  assert.equal(made.network.notReadyReason(), undefined);
  assert.ok(changes >= 1);
  await assert.rejects(made.network.setUp(REQUEST), /failed to find plugin "first" in path/);
});

test('decodeConfList() decodes or throws an Error, for any JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        assert.ok(decodeConfList(value).plugins.length > 0);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
  );
});

test('pluginInput() leaves capabilities out and host ports only where they were asked for', () => {
  const input = pluginInput(decodeConfList(CHAIN), { type: 'first', capabilities: { bandwidth: true } }, REQUEST, undefined);
  assert.deepEqual(input, { type: 'first', name: 'net', cniVersion: '1.0.0' });
});

const PLUGINS = '/usr/lib/cni';
const skip = process.getuid?.() !== 0 ? 'not root' : existsSync(join(PLUGINS, 'bridge')) ? undefined : 'no CNI plugins';

test(`the default network connects two Pods and their node${skip === undefined ? '' : ` (skipped: ${skip})`}`, {
  skip: skip !== undefined,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sagong-cni-'));
  const [node, a, b] = ['node', 'a', 'b'].map((name) => join(folder, name)) as [string, string, string];
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    await runProgram('umount', ['-l', node, a, b]);
    await rm(folder, { recursive: true, force: true });
  });
  for (const path of [node, a, b]) {
    await writeFile(path, '');
    await mustRun('unshare', [`--net=${path}`, 'ip', 'link', 'set', 'lo', 'up']);
  }
  await mkdir(join(folder, 'bin')); // Plugins run where the agent runs: here, in the namespace of the "node".
  for (const type of ['bridge', 'host-local', 'portmap'])
    await writeFile(join(folder, 'bin', type), `#!/bin/sh\nexec nsenter --net=${node} ${PLUGINS}/${type}\n`, { mode: 0o755 });
  const options = { confDir: join(folder, 'conf'), binDirs: [join(folder, 'bin')], cacheDir: join(folder, 'cache') };
  await writeDefaultConfList(options.confDir, { podCidrs: ['10.77.1.0/24'], ipamDir: join(folder, 'ipam') });
  const network = await createCniNetwork(options, stop.signal);

  const first = await network.setUp({ ...REQUEST, sandboxId: 'a', networkNamespace: a });
  const second = await network.setUp({ ...REQUEST, sandboxId: 'b', networkNamespace: b });
  assert.deepEqual([first.ips, second.ips], [['10.77.1.2'], ['10.77.1.3']]);
  await network.check('a');
  await mustRun('nsenter', [`--net=${a}`, 'busybox', 'ping', '-c1', '-W2', '10.77.1.3']);
  await mustRun('nsenter', [`--net=${a}`, 'busybox', 'ping', '-c1', '-W2', '10.77.1.1']);

  for (const sandboxId of ['a', 'b']) await network.tearDown({ ...REQUEST, sandboxId });
  assert.deepEqual(
    (await readdir(join(folder, 'ipam/sagong'))).filter((name) => name.startsWith('10.')),
    [],
  );
});
