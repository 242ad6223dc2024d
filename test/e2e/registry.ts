// SPDX-License-Identifier: Apache-2.0
// A real registry on loopback (Debian's docker-registry), and an OCI archive pushed into it by the distribution API.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './cluster.ts';
import { eventually, output } from './commands.ts';

export interface Registry extends Disposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
}

interface Descriptor {
  readonly digest: string;
  readonly mediaType: string;
}

/** Runs until disposed. */
export async function startRegistry(): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'sagong-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const settings = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: host },
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(settings));
  const child = spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const stop = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  const answers = () =>
    fetch(`http://${host}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
  await eventually('registry', answers, (ok) => ok, 10_000).catch((error: unknown) => {
    stop();
    throw error;
  });
  return { host, [Symbol.dispose]: stop };
}

/** Pushes the first image of an OCI archive as `name:tag`. */
export async function push({ host }: Registry, archive: string, name: string, tag: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sagong-push-'));
  try {
    await output('tar', ['-xf', archive, '-C', folder]);
    const blob = (digest: string) => readFileSync(join(folder, 'blobs', digest.replace(':', '/')));
    const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { readonly manifests: readonly Descriptor[] };
    const [found] = index.manifests;
    if (found === undefined) throw new Error(`${archive} has no image`);
    const manifest = JSON.parse(blob(found.digest).toString()) as { readonly config: Descriptor; readonly layers: readonly Descriptor[] };
    const base = `http://${host}/v2/${name}`;
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      const { headers } = await expectOk(fetch(`${base}/blobs/uploads/`, { method: 'POST' }));
      const place = new URL(headers.get('location') ?? '', base);
      place.searchParams.set('digest', digest);
      await expectOk(fetch(place, { method: 'PUT', body: blob(digest), headers: { 'Content-Type': 'application/octet-stream' } }));
    }
    await expectOk(
      fetch(`${base}/manifests/${tag}`, { method: 'PUT', body: blob(found.digest), headers: { 'Content-Type': found.mediaType } }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function expectOk(asked: Promise<Response>): Promise<Response> {
  const answer = await asked;
  if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${await answer.text()}`);
  return answer;
}
