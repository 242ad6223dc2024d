// SPDX-License-Identifier: Apache-2.0
// What goes wrong at the keyboard: busy ports, no root, missing programs, wrong flags, broken manifests, images that are not there,
// broken archives. Each is answered with what is wrong and what to do, and leaves nothing half-made.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Cluster, clusterEnv, freePort, podOf, ROOT, suite } from './cluster.ts';
import { eventually, run } from './commands.ts';

const SAGONG = join(ROOT, 'bin/sagong');

describe(...suite('bad input before there is a cluster'), () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sagong-bad-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const refused = async (args: readonly string[], said: RegExp, env: Readonly<Record<string, string>> = {}) => {
    const dataDir = join(folder, 'data');
    const outcome = await run(SAGONG, args, { env: { ...clusterEnv(dataDir), ...env }, timeoutMs: 20_000 });
    assert.notEqual(outcome.code, 0, `${args.join(' ')} is refused`);
    assert.match(outcome.stderr, said);
    assert.doesNotMatch(outcome.stderr, /\n\s+at /, 'no stack is shown');
    assert.equal(existsSync(dataDir), false, 'nothing was made');
  };

  test('a busy port is named, with the remedy', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    try {
      await refused(['up', '--port', String(port)], new RegExp(`port ${port} is taken by another program.*--port`));
    } finally {
      server.close();
    }
  });

  test('wrong flags and names are refused', async () => {
    await refused(['up', '--nodes', 'many'], /want a whole number/);
    await refused(['up', '--nodes', '0'], /at least one node/);
    await refused(['up', '--pod-cidr', '10.244.0.0'], /--pod-cidr .*is no network/);
    await refused(['up', '--port', '70000'], /port 70000 does not exist/);
    await refused(['up', '--colour'], /unknown option/);
    await refused(['upp'], /unknown command/);
    await refused(['stop', 'kubelet'], /there is no cluster in/);
    await refused(['kube-apiserver', '--no-such-flag=1'], /no-such-flag/);
  });

  test('a missing program is named with its package', async () => {
    // A PATH with everything but conmon and runtimes: the folder only has what bin/sagong itself needs.
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    for (const name of ['sh', 'dirname', 'readlink']) symlinkSync(join('/usr/bin', name), join(bin, name));
    await refused(['up', '--port', String(await freePort())], /conmon is missing: run "apt-get install conmon"/, { PATH: bin });
  });

  test('without root it says what to do', async (t) => {
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const reachable = await run('setpriv', [...nobody, SAGONG, '--help'], { timeoutMs: 20_000 });
    if (reachable.code !== 0) return t.skip('this folder cannot be read by a plain user');
    chmodSync(folder, 0o755);
    const dataDir = join(folder, 'data');
    const outcome = await run('setpriv', [...nobody, SAGONG, 'up', '--data-dir', dataDir, '--port', String(await freePort())]);
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /containers need root: run with sudo, or take "--runtime simulated"/);
    assert.equal(existsSync(dataDir), false);
  });
});

describe(...suite('bad input to a cluster'), () => {
  let cluster: Cluster;
  let folder = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sagong-bad-'));
    cluster = await Cluster.start();
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster?.stop();
  });
  afterEach((context) => {
    if ('error' in context && context.error) console.error(cluster.logTails());
  });

  test('a second cluster on this machine is refused, with the place of the first', async () => {
    const other = join(folder, 'other');
    const outcome = await run(SAGONG, ['up', '--data-dir', other, '--port', String(await freePort())], { timeoutMs: 20_000 });
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, new RegExp(`another cluster runs on this machine: ${cluster.dataDir}`));
    assert.equal(existsSync(other), false);
  });

  test('up on a running cluster changes nothing', async () => {
    const pid = () => readFileSync(join(cluster.dataDir, 'run/control-plane.pid'), 'utf8');
    const before = pid();
    assert.match(await cluster.sagong('up'), /The cluster is ready/);
    assert.equal(pid(), before);
  });

  test('a broken manifest is refused in the words of kubectl users, and nothing is created', async () => {
    const outcomes: [object, RegExp][] = [
      [podOf('Upper', {}), /is invalid: metadata\.name: Invalid value: "Upper"/],
      [podOf('typo', { imagee: 'x' }), /unknown field "spec\.containers\[0\]\.imagee"/],
      [podOf('none', {}, { containers: [] }), /spec\.containers: Required value/],
    ];
    for (const [object, said] of outcomes) {
      const { code, stderr } = await cluster.tryKubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
      assert.equal(code, 1);
      assert.match(stderr, said);
    }
    const unreadable = await cluster.tryKubectl(['create', '-f', '-'], { input: 'kind: Pod\n  name: [' });
    assert.match(unreadable.stderr, /error converting YAML to JSON|error parsing/);
    assert.equal(await cluster.kubectl('get', 'pods', '-o', 'name'), '');
  });

  test('an image that is not there shows as ErrImagePull, then ImagePullBackOff', async () => {
    const image = `127.0.0.1:${await freePort()}/nothing:1`;
    await cluster.create(podOf('absent', { image }));
    const reason = () => cluster.get('pod/absent', '.status.containerStatuses[0].state.waiting.reason');
    await eventually('a pull that failed', reason, (text) => text === 'ErrImagePull' || text === 'ImagePullBackOff');
    await eventually('backing off', reason, (text) => text === 'ImagePullBackOff');

    assert.match(await cluster.kubectl('get', 'pods'), /absent +0\/1 +(ImagePullBackOff|ErrImagePull)/);
    const describe = () => cluster.kubectl('describe', 'pod', 'absent');
    const described = await eventually('the last event', describe, (text) => text.includes('Back-off pulling image'));
    assert.match(described, /Warning +Failed .*Failed to pull image "127\.0\.0\.1:\d+\/nothing:1"/);
    assert.match(described, /Warning +Failed .*Error: ErrImagePull/);
    assert.match(described, /Normal +BackOff .*Back-off pulling image/);
  });

  test('a command that is not there shows as a container that cannot start', async () => {
    await cluster.create(podOf('nocommand', { command: ['/no/such/program'] }));
    const states = () => cluster.get('pod/nocommand', '.status.containerStatuses[0]');
    await eventually('refused', states, (text) => /RunContainerError|CrashLoopBackOff/.test(text));
    const describe = () => cluster.kubectl('describe', 'pod', 'nocommand');
    await eventually('the event', describe, (text) => /Warning +Failed .*no such file or directory/.test(text));
  });

  test('broken archives and unknown images are refused', async () => {
    const junk = join(folder, 'junk.tar');
    writeFileSync(junk, 'this is no archive'.repeat(100));
    const cut = join(folder, 'cut.tar');
    writeFileSync(cut, readFileSync(join(ROOT, 'dist/images/busybox.tar')).subarray(0, 1_000_000));
    const before = await cluster.sagong('image', 'list');
    for (const args of [
      ['load', junk],
      ['load', cut],
      ['load', join(folder, 'absent.tar')],
      ['rm', 'nothing:1'],
    ]) {
      const { code, stderr } = await run(SAGONG, ['image', ...args], { env: cluster.env });
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, /^sagong: (load|there is no)/m);
      assert.doesNotMatch(stderr, /\n\s+at /);
    }
    assert.equal(await cluster.sagong('image', 'list'), before);
    assert.deepEqual(
      readdirSync(join(cluster.dataDir, 'images'), { recursive: true }).filter((name) => /\.(part|tmp|draft)$/.test(String(name))),
      [],
    );
  });

  test('unknown components and nodes are named', async () => {
    for (const [args, said] of [
      [['stop', 'kubelett'], /there is no component "kubelett"/],
      [['stop', 'kubelet', '--node', 'node-9'], /there is no node "node-9": there are node-1/],
    ] as const) {
      const { code, stderr } = await run(SAGONG, [...args], { env: cluster.env });
      assert.equal(code, 1);
      assert.match(stderr, said);
    }
  });
});
