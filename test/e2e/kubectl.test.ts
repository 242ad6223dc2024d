// SPDX-License-Identifier: Apache-2.0
// What people do with kubectl, the real one, against the API server and the controllers: apply in both ways, diff, patch, edit,
// explain, wait, auth, tokens, certificates, resources, events.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run } from './commands.ts';
import { ControlPlane, kubectlSuite } from './control-plane.ts';

const DEPLOYMENT = (replicas: number, image = 'registry.example/app:1') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } },
  },
});

describe(...kubectlSuite('kubectl'), () => {
  let plane: ControlPlane;
  before(async () => {
    plane = await ControlPlane.start({ controllers: true });
    await plane.kubectl('wait', '--for=create', 'serviceaccount/default', '--timeout=30s');
  });
  after(() => plane?.[Symbol.asyncDispose]());

  test('apply creates, changes, leaves alone, and prunes what a manifest no longer says', async () => {
    assert.equal(await plane.send(['apply'], DEPLOYMENT(1)), 'deployment.apps/web created');
    assert.equal(await plane.send(['apply'], DEPLOYMENT(1)), 'deployment.apps/web unchanged');
    assert.equal(await plane.send(['apply'], DEPLOYMENT(2)), 'deployment.apps/web configured');
    const { metadata, ...rest } = DEPLOYMENT(2);
    assert.equal(await plane.send(['apply'], { ...rest, metadata: { name: metadata.name } }), 'deployment.apps/web configured');
    assert.equal(await plane.kubectl('get', 'deploy/web', '-o', 'jsonpath={.metadata.labels}'), '');
  });

  test('diff says what an apply would change, and nothing when it would not', async () => {
    const same = await plane.tryKubectl(['diff', '-f', '-'], { input: JSON.stringify({ ...DEPLOYMENT(2), metadata: { name: 'web' } }) });
    const other = await plane.tryKubectl(['diff', '-f', '-'], { input: JSON.stringify(DEPLOYMENT(3, 'registry.example/app:2')) });

    assert.deepEqual([same.code, same.stdout], [0, '']);
    assert.equal(other.code, 1);
    assert.match(other.stdout, /^\+ +- image: registry.example\/app:2$/m);
    assert.match(other.stdout, /^- +replicas: 2$/m);
  });

  test('apply --server-side owns fields, refuses what others own, and takes it with force', async () => {
    const map = (value: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shared' }, data: { key: value } });
    const apply = (value: string, manager: string, ...more: string[]) =>
      plane.tryKubectl(['apply', '--server-side', '--field-manager', manager, ...more, '-f', '-'], { input: JSON.stringify(map(value)) });

    assert.equal((await apply('a', 'one')).stdout, 'configmap/shared serverside-applied\n');
    const refused = await apply('b', 'two');
    const forced = await apply('b', 'two', '--force-conflicts');

    assert.match(refused.stderr, /conflict with "one": \.data\.key/);
    assert.equal(forced.code, 0);
    assert.equal(await plane.kubectl('get', 'cm/shared', '-o', 'jsonpath={.data.key}'), 'b');
  });

  test('patch takes each kind of patch', async () => {
    const read = (path: string) => plane.kubectl('get', 'deploy/web', '-o', `jsonpath={${path}}`);
    await plane.kubectl('patch', 'deploy/web', '--patch', '{"spec":{"template":{"spec":{"containers":[{"name":"main","tty":true}]}}}}');
    assert.equal(await read('.spec.template.spec.containers[0].image'), 'registry.example/app:1');
    assert.equal(await read('.spec.template.spec.containers[0].tty'), 'true');
    await plane.kubectl('patch', 'deploy/web', '--type=merge', '--patch', '{"metadata":{"labels":{"tier":"front"}}}');
    assert.equal(await read('.metadata.labels.tier'), 'front');
    await plane.kubectl('patch', 'deploy/web', '--type=json', '--patch', '[{"op":"remove","path":"/metadata/labels/tier"}]');
    assert.equal(await read('.metadata.labels.tier'), '');
    const refused = await plane.tryKubectl(['patch', 'deploy/web', '--type=merge', '--patch', '{"spec":{"replicas":-1}}']);
    assert.match(refused.stderr, /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/);
  });

  test('edit writes back what the editor made, and shows what was wrong with it', async () => {
    await plane.kubectl('create', 'configmap', 'edited', '--from-literal=key=old');
    const edit = (script: string) => plane.tryKubectl(['edit', 'cm/edited'], { env: { ...plane.env, KUBE_EDITOR: `sed -i ${script}` } });

    assert.equal((await edit("'s/key: old/key: new/'")).stdout.trim(), 'configmap/edited edited');
    assert.equal(await plane.kubectl('get', 'cm/edited', '-o', 'jsonpath={.data.key}'), 'new');
  });

  test('explain describes kinds and fields', async () => {
    assert.match(await plane.kubectl('explain', 'pods.spec.containers.imagePullPolicy'), /FIELD: imagePullPolicy <string>/);
    const deployment = await plane.kubectl('explain', 'deployments', '--recursive');
    assert.match(deployment, /GROUP: +apps/);
    assert.match(deployment, /maxUnavailable\t<IntOrString>/);
    assert.match(await plane.kubectl('explain', 'configmap.immutable'), /DESCRIPTION:\n +Immutable, if set to true, ensures/);
  });

  test('create --validate=strict refuses fields that are not there', async () => {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { contaners: [], containers: [] } });
    const { code, stderr } = await plane.tryKubectl(['create', '--validate=strict', '-f', '-'], { input });

    assert.equal(code, 1);
    assert.match(stderr, /strict decoding error: unknown field "spec\.contaners"/);
  });

  test('wait sees conditions, fields, creation and deletion', async () => {
    await plane.kubectl('create', 'configmap', 'going');
    const waits = [
      plane.kubectl('wait', 'deploy/web', '--for=jsonpath={.status.observedGeneration}', '--timeout=30s'),
      plane.kubectl('wait', 'cm/coming', '--for=create', '--timeout=30s'),
      plane.kubectl('wait', 'cm/going', '--for=delete', '--timeout=30s'),
      plane.kubectl('wait', 'deploy/web', '--for=condition=Progressing', '--timeout=30s'),
    ];
    await plane.kubectl('create', 'configmap', 'coming');
    await plane.kubectl('delete', 'cm/going');

    assert.deepEqual(
      (await Promise.all(waits)).map((text) => text.split(' ').at(-1)),
      ['met', 'met', 'met', 'met'],
    );
  });

  test('auth can-i, whoami and reconcile follow the roles', async () => {
    const bob = ['--as', 'bob', '-n', 'default'];
    assert.equal((await plane.tryKubectl(['auth', 'can-i', 'list', 'pods', ...bob])).stdout, 'no\n');
    await plane.kubectl('create', 'role', 'reader', '--verb=get,list', '--resource=pods');
    await plane.kubectl('create', 'rolebinding', 'bob', '--role=reader', '--user=bob');
    assert.equal((await plane.tryKubectl(['auth', 'can-i', 'list', 'pods', ...bob])).stdout, 'yes\n');
    assert.match(await plane.kubectl('auth', 'can-i', '--list', ...bob), /pods +\[\] +\[\] +\[get list\]/);
    assert.match(await plane.kubectl('auth', 'whoami', '--as', 'bob'), /Username +bob/);
  });

  test('create token makes a token that opens the API', async () => {
    await plane.kubectl('create', 'serviceaccount', 'robot');
    await plane.kubectl('create', 'clusterrolebinding', 'robot', '--clusterrole=view', '--serviceaccount=default:robot');
    const token = await plane.kubectl('create', 'token', 'robot', '--duration=10m');
    const asRobot = ['--kubeconfig=/dev/null', `--server=${plane.server}`, `--certificate-authority=${plane.dataDir}/pki/ca.crt`];

    const whoami = await plane.kubectl('auth', 'whoami', ...asRobot, `--token=${token}`);
    const wrong = await plane.tryKubectl(['get', 'pods', ...asRobot, `--token=${token.slice(0, -8)}AAAAAAAA`]);

    assert.match(whoami, /system:serviceaccount:default:robot/);
    assert.match(wrong.stderr, /You must be logged in to the server/);
  });

  test('a certificate request is approved, signed, and its certificate is a user', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sagong-csr-'));
    try {
      const { request, key } = await certificateRequest('carol', 'dev');
      const object = {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'carol' },
        spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], expirationSeconds: 3600 },
      };
      await plane.send(['create'], object);
      assert.equal(await plane.kubectl('certificate', 'approve', 'carol'), 'certificatesigningrequest.certificates.k8s.io/carol approved');
      await plane.kubectl('wait', 'csr/carol', '--for=jsonpath={.status.certificate}', '--timeout=30s');
      const certificate = Buffer.from(await plane.kubectl('get', 'csr/carol', '-o', 'jsonpath={.status.certificate}'), 'base64');
      writeFileSync(join(folder, 'tls.crt'), certificate);
      writeFileSync(join(folder, 'tls.key'), key);
      const whoami = await plane.kubectl(
        'auth',
        'whoami',
        '--kubeconfig=/dev/null',
        `--server=${plane.server}`,
        `--certificate-authority=${plane.dataDir}/pki/ca.crt`,
        `--client-certificate=${folder}/tls.crt`,
        `--client-key=${folder}/tls.key`,
      );

      assert.match(await plane.kubectl('get', 'csr', 'carol'), /kubernetes-admin +60m +Approved,Issued/);
      assert.match(whoami, /Username +carol\nGroups +\[dev system:authenticated\]/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('a denied certificate request gets no certificate', async () => {
    const { request } = await certificateRequest('mallory', 'system:masters');
    const object = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'mallory' },
      spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
    };
    const refused = await plane.tryKubectl(['create', '-f', '-'], { input: JSON.stringify(object) });
    assert.match(refused.stderr, /use of kubernetes.io\/kube-apiserver-client signer with system:masters group is not allowed/);
    const { request: plain } = await certificateRequest('mallory', 'dev');
    await plane.send(['create'], { ...object, spec: { ...object.spec, request: plain } });
    await plane.kubectl('certificate', 'deny', 'mallory');

    assert.match(await plane.kubectl('get', 'csr', 'mallory'), /Denied$/);
  });

  test('api-resources and api-versions list what is served', async () => {
    const resources = await plane.kubectl('api-resources');
    assert.match(resources, /^deployments +deploy +apps\/v1 +true +Deployment$/m);
    assert.match(resources, /^nodes +no +v1 +false +Node$/m);
    assert.match(await plane.kubectl('api-resources', '--verbs=watch', '--namespaced=false', '-o', 'name'), /^namespaces$/m);
    assert.match(await plane.kubectl('api-versions'), /^apiextensions.k8s.io\/v1$/m);
  });

  test('events tells what the controllers did', async () => {
    const events = await plane.kubectl('events', '--for', 'deployment/web');
    assert.match(events, /Normal +ScalingReplicaSet +Deployment\/web +Scaled up replica set web-\w+ from 0 to 1/);
    assert.match(await plane.kubectl('get', 'events', '--field-selector', 'involvedObject.kind=Deployment'), /ScalingReplicaSet/);
  });

  test('scale, rollout, set and annotate go through', async () => {
    await plane.kubectl('scale', 'deploy/web', '--replicas=3');
    assert.equal(await plane.kubectl('get', 'deploy/web', '-o', 'jsonpath={.spec.replicas}'), '3');
    await plane.kubectl('set', 'image', 'deploy/web', 'main=registry.example/app:9');
    await plane.kubectl('annotate', 'deploy/web', 'note=x');
    assert.match(await plane.kubectl('rollout', 'history', 'deploy/web'), /REVISION/);
    await plane.kubectl('delete', 'deploy/web', '--wait');
    assert.equal(
      (await plane.tryKubectl(['get', 'deploy/web'])).stderr,
      'Error from server (NotFound): deployments.apps "web" not found\n',
    );
  });
});

/** A PKCS#10 request in PEM and base64, and the key in PEM, as openssl makes them. */
async function certificateRequest(name: string, group: string): Promise<{ request: string; key: string }> {
  const make = 'openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - -subj "$0"';
  const { stdout } = await run('sh', ['-c', make, `/O=${group}/CN=${name}`]);
  const [, key = '', request = ''] = /(-----BEGIN PRIVATE KEY-----[\s\S]*KEY-----\n)([\s\S]*)/.exec(stdout) ?? [];
  return { request: Buffer.from(request).toString('base64'), key };
}
