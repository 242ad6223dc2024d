// SPDX-License-Identifier: Apache-2.0
// The learner's first steps, as README.md has them: a Pod looked at from all sides, a Deployment, a Service, and what else kubectl
// does with a Pod.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Cluster, hasProgram, podOf, ROOT, serviceOf, suite, webPodOf } from './cluster.ts';
import { eventually, output, run } from './commands.ts';
import { push, startRegistry } from './registry.ts';

describe(...suite('first steps'), () => {
  let cluster: Cluster;
  let folder = '';
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sagong-steps-'));
    cluster = await Cluster.start();
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await cluster?.stop();
  });
  afterEach((context) => {
    if ('error' in context && context.error) console.error(cluster.logTails());
  });
  const curl = (...args: string[]) => run('curl', ['-sS', '--max-time', '3', ...args]);

  test('a Pod is created, listed, described, logged and entered', async () => {
    await cluster.kubectl('create', '-f', 'examples/nginx-pod.yaml');
    await cluster.ready('pod/nginx-pod');

    assert.match(await cluster.kubectl('get', 'pods', '-o', 'wide'), /nginx-pod +1\/1 +Running +0 .* 10\.244\.0\.\d+ +node-1/);
    assert.match(await cluster.kubectl('get', 'pods', '--all-namespaces'), /default +nginx-pod/);
    const describe = () => cluster.kubectl('describe', 'pod', 'nginx-pod');
    for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started']) {
      await eventually(reason, describe, (text) => new RegExp(`Normal +${reason}`).test(text));
    }
    const ip = await cluster.get('pod/nginx-pod', '.status.podIP');
    assert.match((await curl(`http://${ip}`)).stdout, /Welcome to nginx/);
    await eventually(
      'the request in the log',
      () => cluster.kubectl('logs', 'nginx-pod'),
      (text) => /GET \/ HTTP/.test(text),
    );
  });

  test('exec gives a terminal where one is asked for, and the exit code always', async () => {
    const input = 'tty; echo answer=$((40+2)); exit 3\n';
    const terminal = await run('script', ['-qec', 'kubectl exec -it nginx-pod -- sh', '/dev/null'], { env: cluster.env, input });
    assert.match(terminal.stdout, /\/dev\/(pts\/|console)/);
    assert.match(terminal.stdout, /answer=42/);
    assert.equal(terminal.code, 3);

    const plain = await cluster.tryKubectl(['exec', '-i', 'nginx-pod', '--', 'sh', '-c', 'cat; exit 7'], { input: 'through\n' });
    assert.equal(plain.stdout, 'through\n');
    assert.equal(plain.code, 7);
  });

  test('a Deployment is scaled, rolled and undone', async () => {
    await cluster.kubectl('create', '-f', 'examples/web.yaml', '-f', 'examples/shell.yaml');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await cluster.kubectl('scale', 'deployment/web', '--replicas', '4');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.equal(await cluster.get('deployment/web', '.status.readyReplicas'), '4');

    await cluster.kubectl('set', 'image', 'deployment/web', 'nginx=nginx:1.27');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    await cluster.kubectl('rollout', 'undo', 'deployment/web');
    await cluster.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    assert.equal(await cluster.get('deployment/web', '.spec.template.spec.containers[0].image'), 'nginx');
    assert.match(await cluster.kubectl('rollout', 'history', 'deployment/web'), /3/);
  });

  test('a Service is reached by cluster address, node port, and name from a Pod', async () => {
    await cluster.ready('pod/shell');
    const address = await cluster.get('service/web', '.spec.clusterIP');
    const answers = (outcome: { readonly stdout: string }) => outcome.stdout.includes('Welcome to nginx');

    await eventually('cluster address', () => curl(`http://${address}`), answers);
    await eventually('node port', () => curl('http://10.123.0.1:30080'), answers);
    for (const name of ['web', 'web.default.svc.cluster.local'])
      assert.match(await cluster.kubectl('exec', 'shell', '--', 'wget', '-qO-', '-T', '5', `http://${name}`), /Welcome to nginx/);
    await cluster.kubectl('delete', '-f', 'examples/web.yaml', '--timeout=60s');
    await eventually(
      'no more answer',
      () => curl(`http://${address}`),
      (outcome) => !answers(outcome),
    );
  });

  test('port-forward carries a connection', async () => {
    const forward = spawn('kubectl', ['port-forward', 'pod/nginx-pod', ':80'], { env: { ...process.env, ...cluster.env } });
    try {
      const port = await new Promise<string>((resolve, reject) => {
        forward.stdout.on('data', (text: Buffer) => {
          const found = /127\.0\.0\.1:(\d+)/.exec(String(text));
          if (found?.[1] !== undefined) resolve(found[1]);
        });
        forward.on('exit', (code) => reject(new Error(`port-forward ended with ${code}`)));
      });
      const answer = await curl(`http://127.0.0.1:${port}`);
      assert.match(answer.stdout, /Welcome to nginx/);
    } finally {
      forward.kill('SIGKILL');
    }
  });

  test('cp copies into a container and back', async () => {
    const [out, back] = [join(folder, 'out'), join(folder, 'back')];
    writeFileSync(out, 'x'.repeat(300_000));
    await cluster.kubectl('cp', out, 'nginx-pod:/tmp/copied');
    await cluster.kubectl('cp', 'nginx-pod:/tmp/copied', back);
    assert.equal(readFileSync(back, 'utf8'), readFileSync(out, 'utf8'));
  });

  test('attach joins the input and output of a container', async () => {
    await cluster.create(
      podOf('listener', { stdin: true, stdinOnce: true, command: ['sh', '-c', 'read line; echo "heard $line"; sleep 1'] }),
    );
    await cluster.ready('pod/listener');
    const attached = await cluster.tryKubectl(['attach', '-i', 'listener'], { input: 'hello\n' });
    assert.match(attached.stdout, /heard hello/);
  });

  test('a failing liveness probe restarts a container, a failed init container delays a Pod', async () => {
    const state = { volumes: [{ name: 'state', emptyDir: {} }] };
    const volumeMounts = [{ name: 'state', mountPath: '/state' }];
    const onceMore = 'if [ -e /state/again ]; then touch /tmp/alive; fi; touch /state/again; exec sleep infinity';
    const livenessProbe = {
      exec: { command: ['test', '-e', '/tmp/alive'] },
      periodSeconds: 1,
      failureThreshold: 1,
      initialDelaySeconds: 1,
    };
    const init = {
      name: 'first',
      image: 'busybox',
      imagePullPolicy: 'IfNotPresent',
      command: ['sh', '-c', 'echo made >/state/file'],
      volumeMounts,
    };
    await cluster.create(
      podOf('liveness', { command: ['sh', '-c', onceMore], livenessProbe, volumeMounts }, state),
      podOf(
        'initial',
        { command: ['sh', '-c', 'cat /state/file; exec sleep infinity'], volumeMounts },
        { ...state, initContainers: [init] },
      ),
    );

    await cluster.kubectl('wait', '--for=jsonpath={.status.containerStatuses[0].restartCount}=1', '--timeout=60s', 'pod/liveness');
    await cluster.ready('pod/liveness', 'pod/initial');
    assert.equal(await cluster.kubectl('logs', 'initial'), 'made');
    // Events are written beside, not before, what they tell of.
    await eventually(
      'the events',
      () => cluster.kubectl('describe', 'pod', 'liveness'),
      (text) => /Warning +Unhealthy[\s\S]*Normal +Killing/.test(text),
    );
  });

  test('configuration reaches a Pod as files and variables, and files follow changes', async () => {
    await cluster.kubectl('create', 'configmap', 'settings', '--from-literal=colour=red');
    await cluster.kubectl('create', 'secret', 'generic', 'hidden', '--from-literal=word=boatman');
    const volumes = [
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'hidden', secret: { secretName: 'hidden' } },
      { name: 'about', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    ];
    const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
    const env = [
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'COLOUR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'colour' } } },
    ];
    await cluster.create(podOf('configured', { command: ['sleep', 'infinity'], env, volumeMounts }, { volumes }));
    await cluster.ready('pod/configured');
    const inside = (script: string) => cluster.kubectl('exec', 'configured', '--', 'sh', '-c', script);

    assert.equal(await inside('echo $NODE $COLOUR; cat /settings/colour; echo; cat /hidden/word'), 'node-1 red\nred\nboatman');
    assert.match(await inside('cat /about/labels'), /app="configured"/);
    await cluster.kubectl('patch', 'configmap', 'settings', '-p', '{"data":{"colour":"blue"}}');
    await eventually(
      'changed file',
      () => inside('cat /settings/colour'),
      (text) => text === 'blue',
      90_000,
    );
    await cluster.kubectl('label', 'pod', 'configured', 'more=yes');
    await eventually(
      'changed labels',
      () => inside('cat /about/labels'),
      (text) => text.includes('more="yes"'),
      90_000,
    );
  });

  test('a static Pod comes and goes with its file', async () => {
    const file = join(cluster.dataDir, 'nodes/node-1/manifests/static.json');
    writeFileSync(file, JSON.stringify(podOf('static', { command: ['sleep', 'infinity'] })));
    await cluster.kubectl('wait', '--for=create', 'pod/static-node-1', '--timeout=30s');
    await cluster.ready('pod/static-node-1');
    rmSync(file);
    await cluster.kubectl('wait', '--for=delete', 'pod/static-node-1', '--timeout=60s');
  });

  test('a host port leads to its container, and a Service with affinity always to the same Pod', async () => {
    const container = { image: 'nginx', ports: [{ containerPort: 80, hostPort: 18080 }] };
    const shared = { app: 'pair' };
    await cluster.create(
      podOf('ported', container),
      webPodOf('pair-1', {}, shared),
      webPodOf('pair-2', {}, shared),
      serviceOf('any', 'pair'),
      serviceOf('same', 'pair', { sessionAffinity: 'ClientIP' }),
    );
    await cluster.ready('pod/ported', 'pod/pair-1', 'pod/pair-2');

    await eventually(
      'host port',
      () => curl('http://10.123.0.1:18080'),
      ({ stdout }) => stdout.includes('Welcome'),
    );
    const askers = async (name: string) => {
      const address = await cluster.get(`service/${name}`, '.spec.clusterIP');
      await eventually(
        name,
        () => curl(`http://${address}`),
        ({ stdout }) => stdout.startsWith('pair-'),
      );
      const answers: string[] = [];
      for (let asked = 0; asked < 20; asked++) answers.push((await curl(`http://${address}`)).stdout.trim());
      return new Set(answers);
    };
    await eventually(
      'both Pods',
      () => askers('any'),
      (found) => found.size === 2,
    );
    assert.equal((await askers('same')).size, 1);
  });

  const noRegistry = !hasProgram('docker-registry');
  test(`an image is pulled from a registry${noRegistry ? ' (skipped: needs docker-registry)' : ''}`, { skip: noRegistry }, async () => {
    using registry = await startRegistry();
    await push(registry, join(ROOT, 'dist/images/busybox.tar'), 'tools/pulled', '1');
    const image = `${registry.host}/tools/pulled:1`;
    await cluster.create(podOf('pulled', { image, imagePullPolicy: 'Always', command: ['sleep', 'infinity'] }));
    await cluster.ready('pod/pulled').catch(async (error: unknown) => {
      throw new Error(await cluster.kubectl('describe', 'pod', 'pulled'), { cause: error });
    });
    assert.match(await cluster.get('pod/pulled', '.status.containerStatuses[0].imageID'), /sha256:/);
    const pulled = /Successfully pulled image "127\.0\.0\.1:\d+\/tools\/pulled:1" in /;
    await eventually(
      'the event',
      () => cluster.kubectl('describe', 'pod', 'pulled'),
      (text) => pulled.test(text),
    );
    assert.match(await cluster.sagong('image', 'list'), /tools\/pulled:1/);
  });

  test('every command of the examples also deletes again', async () => {
    await cluster.kubectl('delete', '-f', 'examples/nginx-pod.yaml', '-f', 'examples/shell.yaml', '--timeout=60s');
    assert.equal((await cluster.tryKubectl(['get', 'pod', 'nginx-pod'])).code, 1);
    assert.match(await output(join(ROOT, 'bin/sagong'), ['status'], { env: cluster.env }), /node-1 +True/);
  });
});
