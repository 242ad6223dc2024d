// SPDX-License-Identifier: Apache-2.0
// h2load of nghttp2: a client in C, so that the server is what is measured. One thread, a few connections, many streams.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { TOKEN } from './api-server.ts';

export interface LoadOptions {
  readonly connections?: number;
  readonly streams?: number;
  readonly seconds?: number;
  /** A file whose content is POSTed. */
  readonly dataFile?: string;
}

/** Answers per second. @throws {Error} If h2load is missing or an answer was no 2xx. */
export async function load(url: string, { connections = 4, streams = 32, seconds = 5, dataFile }: LoadOptions = {}): Promise<number> {
  const data = dataFile === undefined ? [] : [`--data=${dataFile}`, '--header=content-type: application/json'];
  const args = [
    `--clients=${connections}`,
    `--max-concurrent-streams=${streams}`,
    '--threads=1',
    `--duration=${seconds}`,
    '--warm-up-time=1',
  ];
  const { stdout } = await promisify(execFile)('h2load', [...args, `--header=authorization: Bearer ${TOKEN}`, ...data, url], {
    maxBuffer: 1 << 24,
  });
  const rate = Number(/finished in [\d.]+\w+, ([\d.]+) req\/s/.exec(stdout)?.[1]);
  const [ok = 0, ...others] = (/status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(stdout)?.slice(1) ?? []).map(Number);
  if (!(rate > 0) || ok === 0 || others.some((count) => count > 0)) throw new Error(`load ${url}: ${stdout}`);
  return rate;
}
