// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { addressAt, type ClusterSettings, findNode, findSettings, Layout, readSettings, writeSettings } from './layout.ts';
import { UserError } from './user-error.ts';

const SETTINGS: ClusterSettings = {
  port: 6443,
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.96.0.0/16',
  clusterDomain: 'cluster.local',
  dnsIp: '10.96.0.10',
  nodeNetwork: '10.123.0.0/24',
  runtime: 'embedded',
  nodes: [{ name: 'node-1', ip: '10.123.0.1', networkNamespace: undefined }],
};

for (const [network, index, expected] of [
  ['10.123.0.0/24', 1, '10.123.0.1'],
  ['10.96.0.0/16', 10, '10.96.0.10'],
  ['10.244.0.0/16', 513, '10.244.2.1'],
  ['192.168.255.0/24', 255, '192.168.255.255'],
] as const) {
  test(`addressAt() gives ${expected} for number ${index} of ${network}`, () => {
    assert.equal(addressAt(network, index), expected);
  });
}

test('addressAt() refuses a number beyond the network', () => {
  assert.throws(() => addressAt('10.0.0.0/30', 4), UserError);
});

test('findNode() names the nodes there are when it finds none', () => {
  assert.throws(() => findNode(SETTINGS, 'node-9'), /there are node-1/);
});

test('settings come back as they were written, and a broken file is told, not taken for none', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sagong-layout-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const layout = new Layout(folder);
  assert.equal(findSettings(layout), undefined);
  assert.throws(() => readSettings(layout), /run "sagong up"/);

  writeSettings(layout, SETTINGS);
  assert.deepEqual(readSettings(layout), JSON.parse(JSON.stringify(SETTINGS)));

  writeFileSync(layout.settingsFile, '{"port":');
  assert.throws(() => findSettings(layout), UserError);
});
