// SPDX-License-Identifier: Apache-2.0
// `/debug/pprof/`: profiles of this process, in the forms that the tools of its own runtime read: a CPU profile (`.cpuprofile`),
// samples of what the heap holds (`.heapprofile`), and figures of the heap and event loop. Go's profile format is not spoken.
// @source upstream apiserver pkg/server/routes/profiling.go; node:inspector
import { Session } from 'node:inspector/promises';
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { Clock } from '#component';
import { type ApiResult, plainText, type RequestContext } from '../request/context.ts';

const ROOT = '/debug/pprof';
/** @source Go net/http/pprof: 30 s, unless `seconds` says otherwise */
const DEFAULT_SECONDS = 30;
const MAX_SECONDS = 300;

export class Profiler {
  readonly #clock: Clock;
  #busy = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The answer for a path, or undefined if it is none of these. */
  answer(context: RequestContext): ApiResult | Promise<ApiResult> | undefined {
    const { path } = context.info;
    if (path !== ROOT && !path.startsWith(`${ROOT}/`)) return undefined;
    switch (path.slice(ROOT.length + 1)) {
      case '':
        return plainText(200, INDEX);
      case 'cmdline':
        return plainText(200, [process.execPath, ...process.argv.slice(1)].join('\0'));
      case 'profile':
        return this.#alone(() => this.#cpuProfile(context));
      case 'heap':
        return context.query.get('debug') === '1' ? plainText(200, heapText()) : this.#alone(() => this.#heapProfile(context));
      case 'goroutine':
        return plainText(200, `${process.getActiveResourcesInfo().join('\n')}\n`);
      default:
        return plainText(404, 'Unknown profile\n');
    }
  }

  async #alone(take: () => Promise<ApiResult>): Promise<ApiResult> {
    if (this.#busy) return plainText(500, 'Could not enable CPU profiling: a profile is being taken\n');
    this.#busy = true;
    try {
      return await take();
    } finally {
      this.#busy = false;
    }
  }

  async #cpuProfile({ query, request }: RequestContext): Promise<ApiResult> {
    const session = new Session();
    session.connect();
    try {
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
      await this.#clock.sleep(secondsOf(query) * 1000, request.signal);
      const { profile } = await session.post('Profiler.stop');
      return asFile('profile.cpuprofile', JSON.stringify(profile));
    } finally {
      session.disconnect();
    }
  }

  async #heapProfile({ query, request }: RequestContext): Promise<ApiResult> {
    const session = new Session();
    session.connect();
    try {
      await session.post('HeapProfiler.startSampling');
      await this.#clock.sleep((query.has('seconds') ? secondsOf(query) : 1) * 1000, request.signal);
      const { profile } = await session.post('HeapProfiler.stopSampling');
      return asFile('heap.heapprofile', JSON.stringify(profile));
    } finally {
      session.disconnect();
    }
  }
}

function secondsOf(query: URLSearchParams): number {
  const seconds = Number(query.get('seconds') ?? DEFAULT_SECONDS);
  return seconds > 0 ? Math.min(seconds, MAX_SECONDS) : DEFAULT_SECONDS;
}

function asFile(name: string, body: string): ApiResult {
  const headers = { 'content-disposition': `attachment; filename="${name}"`, 'x-content-type-options': 'nosniff' };
  return { type: 'bytes', status: 200, contentType: 'application/octet-stream', body, headers };
}

function heapText(): string {
  const totals = Object.entries(getHeapStatistics()).map(([name, value]) => `${name}: ${value}`);
  const spaces = getHeapSpaceStatistics().map(
    ({ space_name, space_size, space_used_size }) => `${space_name}: ${space_used_size} of ${space_size}`,
  );
  return `${[...totals, '', ...spaces].join('\n')}\n`;
}

const INDEX = `/debug/pprof/
cmdline    command line of the process
profile    CPU profile (.cpuprofile), ?seconds=30
heap       sampled heap profile (.heapprofile), ?seconds=1; ?debug=1 shows figures
goroutine  what the event loop waits for
`;
