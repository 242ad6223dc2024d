// SPDX-License-Identifier: Apache-2.0
// Audit events as lines of JSON (or of upstream's old short form) in a file that rotates by size, or on standard output.
// @source upstream apiserver plugin/pkg/audit/log/backend.go; rotation as lumberjack: NAME-<time>.EXT, at most so many, so old
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Clock } from '#component';
import type { AuditBackend } from './backend.ts';
import type { AuditEvent } from './event.ts';

export interface AuditLogOptions {
  /** `-` is standard output. */
  readonly path: string;
  readonly format: 'json' | 'legacy';
  /** 0: whatever their age. */
  readonly maxAgeDays: number;
  /** 0: all of them. */
  readonly maxBackups: number;
  readonly maxSizeMegabytes: number;
  readonly compress: boolean;
}

const DAY_MS = 86_400_000;
const MEGABYTE = 1024 * 1024;

export class AuditLog implements AuditBackend {
  readonly name = 'log';
  readonly #options: AuditLogOptions;
  readonly #clock: Clock;
  #file: number;
  #size: number;

  /** Opens the file. @throws {Error} If it cannot be written. */
  constructor(options: AuditLogOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    if (options.path === '-') {
      this.#file = 1;
      this.#size = 0;
      return;
    }
    mkdirSync(dirname(options.path), { recursive: true });
    this.#file = openSync(options.path, 'a', 0o600);
    this.#size = fstatSync(this.#file).size;
  }

  process(events: readonly AuditEvent[]): void {
    const text = events.map((event) => (this.#options.format === 'json' ? `${JSON.stringify(event)}\n` : legacyLine(event))).join('');
    const bytes = Buffer.from(text);
    if (this.#file !== 1 && this.#size > 0 && this.#size + bytes.length > this.#options.maxSizeMegabytes * MEGABYTE) this.#rotate();
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#file, bytes, written);
    this.#size += bytes.length;
  }

  async shutdown(): Promise<void> {
    if (this.#file > 2) closeSync(this.#file);
    this.#file = -1;
  }

  #rotate(): void {
    const { path, compress } = this.#options;
    closeSync(this.#file);
    const extension = extname(path);
    const time = new Date(this.#clock.now()).toISOString().slice(0, 23).replaceAll(':', '-');
    const backup = join(dirname(path), `${basename(path, extension)}-${time}${extension}`);
    renameSync(path, backup);
    if (compress) {
      writeFileSync(`${backup}.gz`, gzipSync(readFileSync(backup)), { mode: 0o600 });
      rmSync(backup);
    }
    this.#file = openSync(path, 'a', 0o600);
    this.#size = 0;
    this.#removeOld();
  }

  #removeOld(): void {
    const { path, maxAgeDays, maxBackups } = this.#options;
    const extension = extname(path);
    const prefix = `${basename(path, extension)}-`;
    const backups = readdirSync(dirname(path))
      .filter((name) => name.startsWith(prefix) && (name.endsWith(extension) || name.endsWith(`${extension}.gz`)))
      .flatMap((name) => {
        const madeAt = timeOf(name.slice(prefix.length, prefix.length + 23));
        return Number.isNaN(madeAt) ? [] : [{ name, madeAt }];
      })
      .sort((a, b) => b.madeAt - a.madeAt);
    const oldest = maxAgeDays > 0 ? this.#clock.now() - maxAgeDays * DAY_MS : Number.NEGATIVE_INFINITY;
    for (const [index, { name, madeAt }] of backups.entries()) {
      if ((maxBackups > 0 && index >= maxBackups) || madeAt < oldest) rmSync(join(dirname(path), name), { force: true });
    }
  }
}

/** Of `2026-01-02T03-04-05.678`. */
function timeOf(text: string): number {
  return Date.parse(`${text.slice(0, 10)}T${text.slice(11).replaceAll('-', ':')}Z`);
}

/** @source upstream apiserver pkg/audit/format.go EventString */
function legacyLine(event: AuditEvent): string {
  const quote = (value: unknown) => JSON.stringify(typeof value === 'string' && value !== '' ? value : '<none>');
  const user = event['user'] as { username?: string; groups?: readonly string[] };
  const as = event['impersonatedUser'] as { username?: string; groups?: readonly string[] } | undefined;
  const reference = event['objectRef'] as { namespace?: string } | undefined;
  const status = event['responseStatus'] as { code?: number } | undefined;
  const groups = (list: readonly string[] | undefined, none: string) =>
    list === undefined ? none : list.map((group) => JSON.stringify(group)).join(',');
  const addresses = (event['sourceIPs'] as readonly string[] | undefined) ?? [];
  return `${event['requestReceivedTimestamp']} AUDIT: id=${JSON.stringify(event.auditID)} stage=${JSON.stringify(event.stage)} ip=${quote(addresses[0])} method=${quote(event['verb'])} user=${quote(user.username)} groups=${groups(user.groups, '"<none>"')} as=${JSON.stringify(as?.username ?? '<self>')} asgroups=${groups(as?.groups, '"<lookup>"')} user-agent=${quote(event['userAgent'])} namespace=${quote(reference?.namespace)} uri=${quote(event['requestURI'])} response=${JSON.stringify(status?.code === undefined ? '<deferred>' : String(status.code))}\n`;
}
