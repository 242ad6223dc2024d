// SPDX-License-Identifier: Apache-2.0
// Helm, where its binary is found: a small chart is installed, changed, rolled back and taken away; releases are Secrets.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hasProgram } from './cluster.ts';
import { output } from './commands.ts';
import { ControlPlane } from './control-plane.ts';

const missing = ['helm', 'kubectl'].filter((name) => !hasProgram(name));
const title = missing.length === 0 ? 'helm' : `helm (skipped: needs ${missing.join(' and ')})`;

const CHART = 'apiVersion: v2\nname: colours\nversion: 0.1.0\n';
const VALUES = 'sea: blue\nreplicas: 1\n';
const TEMPLATES: Readonly<Record<string, string>> = {
  'configmap.yaml': `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-colours
  labels: { app.kubernetes.io/managed-by: {{ .Release.Service }} }
data:
  sea: {{ .Values.sea }}
`,
  'deployment.yaml': `apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [{ name: main, image: registry.example/app:1 }] }
`,
};

describe(title, { skip: missing.length > 0, timeout: 120_000 }, () => {
  let plane: ControlPlane;
  const chart = mkdtempSync(join(tmpdir(), 'sagong-chart-'));
  const helm = (...args: string[]) => output('helm', args, { env: plane.env });
  before(async () => {
    mkdirSync(join(chart, 'templates'));
    writeFileSync(join(chart, 'Chart.yaml'), CHART);
    writeFileSync(join(chart, 'values.yaml'), VALUES);
    for (const [name, text] of Object.entries(TEMPLATES)) writeFileSync(join(chart, 'templates', name), text);
    plane = await ControlPlane.start();
  });
  after(async () => {
    await plane?.[Symbol.asyncDispose]();
    rmSync(chart, { recursive: true, force: true });
  });
  const sea = () => plane.kubectl('get', 'configmap/one-colours', '-o', 'jsonpath={.data.sea}');

  test('a chart is installed, changed, rolled back and taken away', async () => {
    assert.match(await helm('install', 'one', chart), /STATUS: deployed/);
    assert.equal(await sea(), 'blue');
    assert.match(await helm('upgrade', 'one', chart, '--set', 'sea=green,replicas=2'), /REVISION: 2/);
    assert.deepEqual([await sea(), await plane.kubectl('get', 'deploy/one', '-o', 'jsonpath={.spec.replicas}')], ['green', '2']);
    await helm('rollback', 'one', '1');
    assert.equal(await sea(), 'blue');
    assert.equal((await helm('history', 'one')).trim().split('\n').length, 4);
    await helm('uninstall', 'one');
    assert.equal(await plane.kubectl('get', 'configmap,deploy,secret', '-o', 'name'), '');
  });
});
