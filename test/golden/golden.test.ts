// SPDX-License-Identifier: Apache-2.0
// Plays the recordings of a real Kubernetes 1.36 API server against ours and compares every answer. `floors.json` holds how many
// steps of each area pass: fewer is a regression; where more pass, raise the floor. Prints the closing table.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { CERTIFICATE_DAYS, createAuthority, createCertificate } from '#component/pki';
import floors from './floors.json' with { type: 'json' };

interface Area {
  readonly scenarios: number;
  readonly scenariosPassed: number;
  readonly steps: number;
  readonly stepsPassed: number;
}

interface Report {
  readonly passed: number;
  readonly failed: number;
  readonly areas: Readonly<Record<string, Area>>;
}

const ROOT = join(import.meta.dirname, '../..');
const MINUTE_MS = 60_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** Certificates and keys as a cluster's administrator would make them. @returns The path of each file. */
async function writeFiles(folder: string): Promise<Readonly<Record<string, string>>> {
  const now = Date.now();
  const authority = await createAuthority('golden', now);
  const sign = (request: Omit<Parameters<typeof createCertificate>[1], 'validDays'>) =>
    createCertificate(authority, { ...request, validDays: CERTIFICATE_DAYS }, now);
  const serving = await sign({ commonName: 'kube-apiserver', usages: ['server'], dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
  const admin = await sign({ commonName: 'golden-admin', organizations: ['system:masters'], usages: ['client'] });
  const tokens = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const contents = {
    'ca.crt': authority.certificate,
    'serving.crt': serving.certificate,
    'serving.key': serving.key,
    'admin.crt': admin.certificate,
    'admin.key': admin.key,
    'sa.key': tokens.privateKey,
    'sa.pub': tokens.publicKey,
  };
  return Object.fromEntries(
    Object.entries(contents).map(([name, text]) => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o600 });
      return [name, path];
    }),
  );
}

function serverArguments(folder: string, port: number, files: Readonly<Record<string, string>>): string[] {
  return [
    '--disable-warning=ExperimentalWarning',
    join(ROOT, 'src/main.ts'),
    'kube-apiserver',
    `--data-dir=${join(folder, 'data')}`,
    `--secure-port=${port}`,
    '--bind-address=127.0.0.1',
    `--tls-cert-file=${files['serving.crt']}`,
    `--tls-private-key-file=${files['serving.key']}`,
    `--client-ca-file=${files['ca.crt']}`,
    `--service-account-key-file=${files['sa.pub']}`,
    `--service-account-signing-key-file=${files['sa.key']}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--service-node-port-range=30000-32767',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
  ];
}

/** Resolves when the server says that it is ready. */
async function ready(server: ChildProcess): Promise<void> {
  assert.ok(server.stderr); // Logs.
  for await (const line of createInterface({ input: server.stderr })) {
    if (!line.includes('"Ready"')) continue;
    server.stderr.resume();
    return;
  }
  throw new Error('start the API server: it ended before it was ready');
}

async function play(port: number, files: Readonly<Record<string, string>>): Promise<Report> {
  const flags = [
    '--server',
    `https://127.0.0.1:${port}`,
    '--ca',
    files['ca.crt'],
    '--cert',
    files['admin.crt'],
    '--key',
    files['admin.key'],
    '--json',
  ];
  const tool = spawn(process.execPath, [join(import.meta.dirname, 'replay.mjs'), ...flags.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  tool.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(tool, 'close');
  return JSON.parse(Buffer.concat(chunks).toString()) as Report;
}

function tableOf({ passed, failed, areas }: Report): string {
  const rows = Object.entries(areas)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, area]) =>
        `${name.padEnd(16)}${`${area.scenariosPassed}/${area.scenarios}`.padStart(10)}${`${area.stepsPassed}/${area.steps}`.padStart(12)}`,
    );
  return [...rows, `${passed} passed, ${failed} failed`].join('\n');
}

test('no area answers fewer recorded steps exactly than its floor', { timeout: 8 * MINUTE_MS }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'golden-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = await writeFiles(folder);
  const port = await freePort();
  const server = spawn(process.execPath, serverArguments(folder, port, files), { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(async () => {
    if (server.exitCode !== null) return;
    server.kill('SIGTERM');
    await once(server, 'exit');
  });
  await ready(server);

  const report = await play(port, files);

  t.diagnostic(`\n${tableOf(report)}`);
  const below = Object.entries(floors).filter(([area, floor]) => (report.areas[area]?.stepsPassed ?? 0) < floor);
  assert.deepEqual(
    below.map(([area, floor]) => `${area}: ${report.areas[area]?.stepsPassed ?? 0} of at least ${floor}`),
    [],
  );
});
