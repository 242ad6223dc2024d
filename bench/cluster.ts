// SPDX-License-Identifier: Apache-2.0
// A one-node cluster by `sagong up`, under its own folder and on a port of its own; down again at the end of the block. The
// networks are the usual ones: another cluster on this machine stands in the way, and `up` says so.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './process.ts';

const run = promisify(execFile);
const SAGONG = join(ROOT, 'bin/sagong');
export const IMAGE_ARCHIVE = join(ROOT, 'dist/images/busybox.tar');

export interface Cluster extends AsyncDisposable {
  readonly folder: string;
  /** How long `sagong up` took: until the node was Ready. */
  readonly upMs: number;
  /** As the administrator. */
  readonly session: ClientHttp2Session;
}

export async function startCluster(folder: string): Promise<Cluster> {
  if (process.getuid?.() !== 0) throw new Error('start a cluster: needs root');
  if (!existsSync(IMAGE_ARCHIVE)) throw new Error('start a cluster: no image to run; "npm run images" makes it');
  const port = await freePort();
  const down = () => run(SAGONG, ['down', '--data-dir', folder]);
  try {
    const start = performance.now();
    await run(SAGONG, ['up', '--data-dir', folder, '--port', String(port)]);
    const upMs = performance.now() - start;
    await run(SAGONG, ['image', 'load', '--data-dir', folder, IMAGE_ARCHIVE]);
    const config = readFileSync(join(folder, 'admin.conf'), 'utf8');
    const data = (field: string) => Buffer.from(new RegExp(`${field}: (\\S+)`).exec(config)?.[1] ?? '', 'base64').toString();
    const certificate = { ca: data('certificate-authority-data'), cert: data('client-certificate-data'), key: data('client-key-data') };
    const session = connect(`https://127.0.0.1:${port}`, certificate);
    const stop = async () => {
      session.destroy();
      await down();
    };
    return { folder, upMs, session, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await down().catch(() => undefined);
    throw error;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
