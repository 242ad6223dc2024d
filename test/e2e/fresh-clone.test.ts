// SPDX-License-Identifier: Apache-2.0
// A fresh clone: `npm start` ends with the node Ready and prints the next step; the first commands of README.md work as written.
// The packages are linked from this tree, as installing them is npm's work and slow.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clusterEnv, freePort, ROOT, suite } from './cluster.ts';
import { output, run } from './commands.ts';
import { leftBehind, snapshotOf } from './machine.ts';

describe(...suite('a fresh clone'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'sagong-clone-'));
  const clone = join(folder, 'sagong');
  const dataDir = join(folder, 'data');
  let env: Record<string, string> = {};
  let snapshot: string[] = [];
  before(async () => {
    snapshot = snapshotOf(dataDir);
    await output('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone]);
    const [packages, linked] = [realpathSync(join(ROOT, 'node_modules')), join(clone, 'node_modules')];
    const { code } = await run('cp', ['-al', packages, linked]);
    if (code !== 0) await output('cp', ['-a', packages, linked]); // Another file system.
    // A new file, not a link: the set-up compares its time with the clone's lock file.
    rmSync(join(linked, '.package-lock.json'));
    copyFileSync(join(packages, '.package-lock.json'), join(linked, '.package-lock.json'));
    env = { ...clusterEnv(dataDir), SAGONG_PORT: String(await freePort()) };
    env['PATH'] = [join(clone, 'bin'), env['PATH']].join(delimiter);
  });
  after(async () => {
    await run(join(clone, 'bin/sagong'), ['down'], { env });
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual(leftBehind(snapshot, snapshotOf(dataDir)), []);
  });
  const inClone = (command: string, ...args: string[]) => output(command, args, { env, cwd: clone, timeoutMs: 120_000 });

  test('npm start ends with the node Ready and the next step', async () => {
    const said = await inClone('npm', 'start');
    assert.match(said, /node node-1 is Ready/);
    assert.match(said, /export KUBECONFIG=.*admin\.conf\n\s+kubectl get nodes/);
    assert.match(await inClone('kubectl', 'get', 'nodes'), /node-1 +Ready/);
    assert.match(await inClone('npm', 'start'), /The cluster is ready/, 'it can be repeated');
  });

  test('the first steps work as written', async () => {
    const script = `set -e
      npm run -s images
      kubectl get pods --all-namespaces
      kubectl create -f examples/nginx-pod.yaml
      kubectl wait --for=condition=Ready --timeout=60s pod/nginx-pod
      kubectl get pods -o wide
      kubectl describe pod nginx-pod
      kubectl logs nginx-pod
      kubectl exec nginx-pod -- hostname
      kubectl delete -f examples/nginx-pod.yaml`;
    const said = await inClone('sh', '-c', script);
    assert.match(said, /nginx-pod +1\/1 +Running/);
    assert.match(said, /pod "nginx-pod" deleted/);
  });
});
