// SPDX-License-Identifier: Apache-2.0
// An extension API server behind a real API server process: registered, found available, listed, used, watched, and lost again.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ExtensionApiServer, GROUP, startExtensionServer } from './_extension/extension-server.ts';
import { eventually } from './commands.ts';
import { ControlPlane, kubectlSuite, serviceFor } from './control-plane.ts';

const NAME = `v1.${GROUP}`;

describe(...kubectlSuite('the aggregation layer'), () => {
  let api: ControlPlane;
  let fish: ExtensionApiServer;
  before(async () => {
    api = await ControlPlane.start();
    fish = await startExtensionServer(api.frontProxyAuthority);
    await api.apply(serviceFor('fish', 'default'), {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: NAME },
      spec: {
        group: GROUP,
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 10,
        service: { name: 'fish', namespace: 'default', port: fish.port },
        caBundle: fish.caBundle,
      },
    });
    await api.kubectl('wait', '--for=condition=Available', `apiservice/${NAME}`, '--timeout=20s');
  });
  after(async () => {
    await fish?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
  });

  test('an APIService becomes available when its server answers, and local ones always are', async () => {
    const condition = await api.kubectl(
      'get',
      'apiservice',
      NAME,
      '-o',
      'jsonpath={.status.conditions[0].reason} {.status.conditions[0].message}',
    );
    assert.equal(condition, 'Passed all checks passed');
    assert.equal(await api.kubectl('get', 'apiservice', 'v1.apps', '-o', 'jsonpath={.status.conditions[0].reason}'), 'Local');
    assert.equal(
      await api.kubectl('get', 'apiservice', 'v1.apps', '-o', 'jsonpath={.spec.groupPriorityMinimum}/{.spec.versionPriority}'),
      '17800/15',
    );
  });

  test('its resources are listed and can be used by kubectl, as the user', async () => {
    const listed = () => api.kubectl('api-resources', '--api-group', GROUP, '-o', 'name');
    await eventually('discovery lists trouts', listed, (text) => text === `trouts.${GROUP}`, 20_000);
    await api.apply({ apiVersion: `${GROUP}/v1`, kind: 'Trout', metadata: { name: 'one', namespace: 'default' } });
    assert.match(await api.kubectl('get', 'tr'), /^NAME .*\none /);
    assert.equal(await api.kubectl('get', 'trout', 'one', '-o', 'jsonpath={.metadata.annotations.made-by}'), 'kubernetes-admin');
    assert.match((await api.tryKubectl(['get', 'trout', 'none'])).stderr, /trouts\.fish\.example\.com "none" not found/);
    await api.kubectl('delete', 'trout', 'one', '--wait=false');
    assert.equal(await api.kubectl('get', 'trouts', '-o', 'name'), '');
  });

  test('explain reads its OpenAPI document', async () => {
    const explained = async () => (await api.tryKubectl(['explain', 'trout'])).stdout;
    await eventually('explain knows trouts', explained, (text) => text.includes('A fish of clear water.'), 20_000);
  });

  test('a watch streams what happens', async () => {
    const watching = spawn('kubectl', ['get', 'trouts', '--watch', '--output-watch-events', '-o', 'name'], {
      env: { ...process.env, KUBECONFIG: join(api.dataDir, 'admin.conf') },
    });
    try {
      const seen = new Promise<string>((resolve) => watching.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
      await eventually(
        'the watch is open',
        async () => fish.asked,
        (asked) => asked.some(({ line }) => line.includes('watch=')),
      );
      await api.apply({ apiVersion: `${GROUP}/v1`, kind: 'Trout', metadata: { name: 'two', namespace: 'default' } });
      assert.match(await seen, /two/);
    } finally {
      watching.kill('SIGKILL');
    }
  });

  test('an upgraded connection is carried through both ways', async () => {
    const pem = (name: string) => readFileSync(join(api.dataDir, 'pki', name), 'utf8');
    const outgoing = request({
      host: '127.0.0.1',
      port: api.port,
      path: `/apis/${GROUP}/v1/namespaces/default/trouts/one/exec`,
      ca: pem('ca.crt'),
      cert: pem('admin.crt'),
      key: pem('admin.key'),
      headers: { connection: 'Upgrade', upgrade: 'echo' },
    });
    const echoed = new Promise<string>((resolve, reject) => {
      outgoing.on('upgrade', (_answer, socket) => {
        socket.once('data', (chunk: Buffer) => {
          resolve(chunk.toString());
          socket.destroy();
        });
        socket.write('hello');
      });
      outgoing.on('response', (answer) => reject(new Error(`answered ${answer.statusCode}`)));
      outgoing.on('error', reject);
    });
    outgoing.end();
    assert.equal(await echoed, 'hello');
    assert.equal(fish.asked.at(-1)?.user, 'kubernetes-admin');
  });

  test('how to recognise the API server is published', async () => {
    const data = JSON.parse(
      await api.kubectl('get', 'configmap', 'extension-apiserver-authentication', '-n', 'kube-system', '-o', 'json'),
    ).data;
    assert.equal(data['requestheader-client-ca-file'], api.frontProxyAuthority);
    assert.equal(data['requestheader-allowed-names'], '["front-proxy-client"]');
    assert.match(data['client-ca-file'], /BEGIN CERTIFICATE/);
  });

  test('a custom resource gets an APIService, and loses it', async () => {
    const names = { plural: 'pikes', kind: 'Pike' };
    const versions = [{ name: 'v2', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }];
    await api.apply({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'pikes.more.example.com' },
      spec: { group: 'more.example.com', scope: 'Namespaced', names, versions },
    });
    const priorities = async () =>
      (
        await api.tryKubectl([
          'get',
          'apiservice',
          'v2.more.example.com',
          '-o',
          'jsonpath={.spec.groupPriorityMinimum}/{.spec.versionPriority}',
        ])
      ).stdout;
    await eventually('the APIService is there', priorities, (text) => text === '1000/100');
    await api.kubectl('delete', 'crd', 'pikes.more.example.com', '--wait=false');
    await eventually('the APIService is gone', priorities, (text) => text === '');
  });

  test('without its Service, or with one that has no endpoints, the group is unavailable and says so', async () => {
    const unavailable = async (reason: string) => {
      const asked = () =>
        api.kubectl('get', 'apiservice', NAME, '-o', 'jsonpath={.status.conditions[0].status} {.status.conditions[0].reason}');
      await eventually(`the condition says ${reason}`, asked, (text) => text === `False ${reason}`);
    };
    await api.kubectl('delete', 'service', 'fish');
    await unavailable('ServiceNotFound');
    const { stderr } = await api.tryKubectl(['get', '--raw', `/apis/${GROUP}/v1/trouts`]);
    assert.match(stderr, /the server is currently unable to handle the request/);
    await api.kubectl('create', 'service', 'clusterip', 'fish', '--tcp=443:443');
    await unavailable('ServicePortError');
    await api.kubectl('patch', 'apiservice', NAME, '--type=merge', '-p', '{"spec":{"service":{"port":443}}}');
    await unavailable('EndpointsNotFound');
  });
});
