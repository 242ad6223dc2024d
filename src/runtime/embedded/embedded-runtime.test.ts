// SPDX-License-Identifier: Apache-2.0
// Real containers: the contract, and what only processes show. Needs root, conmon and an OCI runtime; skipped elsewhere.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { settle, silentLogger, systemClock } from '#component';
import { containerConfig, type Opened, reason, runtimeContract, sandboxConfig } from '../runtime.contract.ts';
import type { ContainerConfig, ExecSession } from '../runtime.ts';
import { namesIn } from './files.ts';
import { findProgram } from './host.ts';
import { createEmbeddedRuntime, type EmbeddedRuntime, importRootfs } from './mod.ts';
import { identify } from './processes.ts';
import { busyboxFolder } from './testing.ts';

const never = new AbortController().signal;
const CGROUP_ROOT = '/sagong-test';
const skip = await missing();

after(async () => {
  for (const name of await namesIn('/sys/fs/cgroup'))
    for (const path of ['kubepods/poduid-1', 'kubepods', '']) await rmdir(join('/sys/fs/cgroup', name, CGROUP_ROOT, path)).catch(() => {});
});

async function missing(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'not root';
  for (const name of ['conmon', 'runc', 'busybox', 'unshare', 'cc'])
    if ((await findProgram(name)) === undefined) return `${name} is not installed`;
  return undefined;
}

interface Node extends Opened {
  readonly runtime: EmbeddedRuntime;
  readonly folder: string;
  /** As if the process ended: containers stay. */
  leave(): Promise<void>;
}

async function openNode(folder?: string): Promise<Node> {
  const home = folder ?? (await mkdtemp(join(tmpdir(), 'sagong-runtime-')));
  const runtime = createEmbeddedRuntime({
    root: join(home, 'root'),
    stateDir: join(home, 'state'),
    network: undefined,
    logger: silentLogger,
    clock: systemClock,
    cgroupRoot: CGROUP_ROOT,
  });
  await runtime.start(never);
  if (runtime.images.find('busybox') === undefined) {
    const rootfs = await busyboxFolder(home);
    await importRootfs(join(home, 'root'), rootfs, { references: ['busybox:latest'], cmd: ['sh'] });
  }
  let closed = false;
  return {
    runtime,
    folder: home,
    async leave() {
      closed = true;
      await runtime[Symbol.asyncDispose]();
    },
    image: 'busybox',
    logs: join(home, 'logs'),
    async [Symbol.asyncDispose]() {
      if (closed) return;
      for (const { id } of runtime.listSandboxes()) await runtime.removeSandbox(id);
      await runtime[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

runtimeContract('embedded', { skip, open: () => openNode() });

/** Runs a command to its end and returns its log. */
async function runToEnd({ runtime, logs }: Node, overrides: Partial<ContainerConfig>): Promise<{ id: string; log: string }> {
  const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
  const stop = new AbortController();
  const events = runtime.events(stop.signal);
  const id = await runtime.createContainer(sandbox.id, containerConfig('busybox', overrides), never);
  await runtime.startContainer(id);
  if (runtime.findContainer(id)?.state === 'running')
    for await (const event of events) if (event.type === 'container-exited' && event.containerId === id) break;
  stop.abort();
  return { id, log: await readFile(join(logs, 'main/0.log'), 'utf8').catch(() => '') };
}

async function startOne({ runtime, logs }: Node, overrides: Partial<ContainerConfig> = {}): Promise<string> {
  const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
  const id = await runtime.createContainer(sandbox.id, containerConfig('busybox', overrides), never);
  await runtime.startContainer(id);
  return id;
}

function it(sentence: string, body: (node: Node) => Promise<void>): void {
  test(`embedded: ${sentence}${skip === undefined ? '' : ` (skipped: ${skip})`}`, { skip: skip !== undefined }, async () => {
    await using node = await openNode();
    await body(node);
  });
}

it('logs are in the CRI format and the exit code is kept', async (node) => {
  const { id, log } = await runToEnd(node, { command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] });

  assert.match(log, /^\d{4}-\d\d-\d\dT[\d:.]+\S+ stdout F out$/m);
  assert.match(log, /^\S+ stderr F err$/m);
  assert.equal(node.runtime.findContainer(id)?.exitCode, 7);
  assert.equal(node.runtime.findContainer(id)?.reason, 'Error');
});

it('hostname, resolv.conf, environment, user and working folder are as asked', async (node) => {
  const base = containerConfig('busybox');
  const { log } = await runToEnd(node, {
    command: ['sh', '-c', 'hostname; cat /etc/hostname /etc/resolv.conf; echo $GREETING $HOME; id; pwd; grep CapEff /proc/self/status'],
    env: [{ name: 'GREETING', value: 'hello' }],
    workingDir: '/tmp',
    security: { ...base.security, user: { name: 'nobody' }, supplementalGroups: [4000] },
  });
  const lines = log
    .trim()
    .split('\n')
    .map((line) => line.split(' F ')[1]);

  assert.deepEqual(lines, [
    'web',
    'web',
    'search default.svc.cluster.local',
    'nameserver 10.96.0.10',
    'options ndots:5',
    'hello /home',
    'uid=65534(nobody) gid=65534(nogroup) groups=4000,65534(nogroup)',
    '/tmp',
    'CapEff:\t0000000000000000',
  ]);
});

it('a program that is not there fails the start in the words of the OCI runtime', async (node) => {
  const { runtime, logs } = node;
  const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
  const id = await runtime.createContainer(sandbox.id, containerConfig('busybox', { command: ['/no/such'] }), never);

  await assert.rejects(runtime.startContainer(id), reason('RunContainerError'));

  const container = runtime.findContainer(id);
  assert.equal(container?.exitCode, 128);
  assert.equal(container?.reason, 'StartError');
  assert.match(container?.message ?? '', /exec: "\/no\/such": stat \/no\/such: no such file or directory/);
});

it('a container over its memory limit ends as OOMKilled', async (node) => {
  const base = containerConfig('busybox');
  const { id } = await runToEnd(node, {
    command: ['sh', '-c', 'x=a; while true; do x=$x$x; done'],
    resources: { ...base.resources, memoryLimitBytes: 16 << 20 },
  });

  assert.equal(node.runtime.findContainer(id)?.reason, 'OOMKilled');
  assert.equal(node.runtime.findContainer(id)?.exitCode, 137);
});

it('stop sends the stop signal first and a container that minds it ends by itself', async (node) => {
  const id = await startOne(node, { command: ['sh', '-c', 'trap "exit 3" TERM; > /tmp/minds; while true; do sleep 0.01; done'] });
  await node.runtime.execSync(id, ['sh', '-c', 'until [ -e /tmp/minds ]; do :; done'], { timeoutMs: 5000 });
  await node.runtime.stopContainer(id, 10_000);
  assert.equal(node.runtime.findContainer(id)?.exitCode, 3);
});

it('the default seccomp profile lets a shell work and forbids unsharing', async (node) => {
  const base = containerConfig('busybox');
  const { log } = await runToEnd(node, {
    command: ['sh', '-c', 'ls / >/dev/null && echo fine; unshare -m true || echo refused'],
    security: { ...base.security, seccomp: { type: 'RuntimeDefault' } },
  });
  assert.match(log, /fine/);
  assert.match(log, /refused/);
});

it('execSync collects output and code, and kills what takes too long', async (node) => {
  const id = await startOne(node);
  const result = await node.runtime.execSync(id, ['sh', '-c', 'echo a; echo b >&2; exit 5'], { timeoutMs: 5000 });

  assert.deepEqual([result.exitCode, result.stdout.toString(), result.stderr.toString()], [5, 'a\n', 'b\n']);
  await assert.rejects(node.runtime.execSync(id, ['sleep', '77'], { timeoutMs: 100 }), reason('Timeout'));
  assert.doesNotMatch((await node.runtime.execSync(id, ['ps'], { timeoutMs: 5000 })).stdout.toString(), /sleep 77/);
});

it('a command that is not there is told apart from one that fails', async (node) => {
  const id = await startOne(node);
  const wanted = /failed to exec in container: .*exec: "nothing": executable file not found in \$PATH: unknown/;
  await assert.rejects(node.runtime.execSync(id, ['nothing'], { timeoutMs: 5000 }), wanted);
  const session = await node.runtime.exec(id, { command: ['nothing'], tty: true, stdin: false });
  await assert.rejects(session.exit, wanted);
});

it('exec passes standard input and its end', async (node) => {
  const id = await startOne(node);
  const session = await node.runtime.exec(id, { command: ['wc', '-c'], tty: false, stdin: true });
  const output = textOf(session);
  session.stdin?.end('12345');

  assert.equal(await session.exit, 0);
  assert.equal((await output).trim(), '5');
});

it('exec with a terminal has its size, and follows resizes', async (node) => {
  const id = await startOne(node);
  const session = await node.runtime.exec(id, {
    command: ['sh', '-c', 'trap "stty size; exit 4" WINCH; stty size; while true; do sleep 0.01; done'],
    tty: true,
    stdin: true,
  });
  const output = textOf(session, (text) => {
    if (text.includes('24 80')) session.resize(132, 50);
  });

  assert.equal(await session.exit, 4);
  assert.match(await output, /24 80\r\n[\s\S]*50 132\r\n/);
});

it('attach sees output, gives input, and ends with the code of the container', async (node) => {
  const id = await startOne(node, { command: ['sh', '-c', 'read line; echo got $line; exit 9'], stdin: true, stdinOnce: true });
  const session = await node.runtime.attach(id, { stdin: true });
  const output = textOf(session);
  session.stdin?.write('ping\n');

  assert.equal(await session.exit, 9);
  assert.equal(await output, 'got ping\n');
});

it('attach to a terminal resizes it', async (node) => {
  const command = ['sh', '-c', 'trap "stty size; exit 6" WINCH; echo ready; while true; do sleep 0.01; done'];
  const id = await startOne(node, { command, tty: true, stdin: true });
  const session = await node.runtime.attach(id, { stdin: true });
  const output = textOf(session);
  session.resize(100, 40);

  assert.equal(await session.exit, 6);
  assert.match(await output, /40 100/);
});

it('port-forward reaches a port inside the sandbox and names one that is closed', async (node) => {
  const id = await startOne(node, { command: ['sh', '-c', 'while true; do echo pong | nc -l -p 18099; done'] });
  const sandboxId = node.runtime.findContainer(id)?.sandboxId ?? '';
  await assert.rejects(node.runtime.portForward(sandboxId, 18098), /failed to connect to localhost:18098 inside namespace.*refused/);
  await node.runtime.execSync(id, ['sh', '-c', 'until netstat -ltn | grep -q 18099; do :; done'], { timeoutMs: 5000 });

  const stream = await node.runtime.portForward(sandboxId, 18099);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  assert.equal(Buffer.concat(chunks).toString(), 'pong\n');
});

it('containers of a shared PID namespace see each other, and end together', async (node) => {
  const { runtime, logs } = node;
  const namespaces = { network: 'node', pid: 'pod', ipc: 'pod' } as const;
  const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs, namespaces }), never);
  const id = await runtime.createContainer(sandbox.id, containerConfig('busybox'), never);
  await runtime.startContainer(id);

  const { stdout } = await runtime.execSync(id, ['ps'], { timeoutMs: 5000 });
  assert.match(stdout.toString(), /1 .*pause|1 .*sagong-node/);
  assert.match(stdout.toString(), /sleep 1000/);
});

it('a second process finds running containers, and exits that happened meanwhile', async (node) => {
  const lives = await startOne(node);
  const ends = await startOne(node, { command: ['sh', '-c', 'sleep 0.1; exit 4'], logPath: 'ends/0.log' });
  const { pid } = node.runtime.findContainer(ends) ?? {};
  await node.leave();
  while (identify(pid ?? 0) !== undefined) await settle();

  await using again = await openNode(node.folder);
  assert.equal(again.runtime.findContainer(lives)?.state, 'running');
  await again.runtime.stopContainer(lives, 0);
  await again.runtime.stopContainer(ends, 0);
  assert.equal(again.runtime.findContainer(lives)?.exitCode, 137);
  assert.equal(again.runtime.findContainer(ends)?.exitCode, 4);
});

it('a start that was cut off by the end of the process shows as failed, not as ready to start', async (node) => {
  const { runtime, logs, folder } = node;
  const sandbox = await runtime.runSandbox(sandboxConfig({ logDirectory: logs }), never);
  const [cut, fresh] = [await runtime.createContainer(sandbox.id, containerConfig('busybox'), never), await startOne(node)];
  await writeFile(join(folder, 'state/containers', cut, 'pidfile'), '1');
  await node.leave();

  await using again = await openNode(folder);
  assert.equal(again.runtime.findContainer(cut)?.reason, 'StartError');
  assert.equal(again.runtime.findContainer(fresh)?.state, 'running');
});

it('stats show memory and processes, and a rotated log is opened anew', async (node) => {
  const id = await startOne(node, { command: ['sh', '-c', 'while read line; do echo $line; done; sleep 1000'], stdin: true });
  const [stats] = await node.runtime.stats();
  assert.equal(stats?.containerId, id);
  assert.ok((stats?.pids ?? 0) >= 1);
  const log = node.runtime.findContainer(id)?.logPath ?? '';
  await rm(log);
  await node.runtime.reopenLog(id);
  const session = await node.runtime.attach(id, { stdin: true });
  session.stdin?.write('after\n');
  await new Promise((resolve) => session.stdout.once('data', resolve));
  session.close();
  await node.runtime.stopContainer(id, 0);
  assert.match(await readFile(log, 'utf8'), /stdout F after/);
});

it('an image in use is not removed; a free one is gone with its layers', async (node) => {
  const id = await startOne(node);
  const image = node.runtime.images.find('busybox');
  assert.ok(image);
  await assert.rejects(node.runtime.images.remove(image.id), /in use by container/);
  await node.runtime.removeContainer(id);
  await node.runtime.images.remove(image.id);
  assert.deepEqual(node.runtime.images.list(), []);
});

async function textOf(session: ExecSession, look: (text: string) => void = () => {}): Promise<string> {
  let text = '';
  for await (const chunk of session.stdout) {
    text += String(chunk);
    look(text);
  }
  return text;
}
