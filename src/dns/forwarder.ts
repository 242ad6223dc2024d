// SPDX-License-Identifier: Apache-2.0
// Asks the node's own resolvers what is not the cluster's, one after the other, and remembers answers for a while. Each query has a
// socket of its own, so that port and ID are both random. Queries that are under way are shared.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '#component';
import { isTruncated, lowestTtl, type Query, rcodeOf, reuse, sameQuestion } from './message.ts';

export interface Resolver {
  readonly address: string;
  readonly port: number;
}

export interface ForwarderOptions {
  readonly resolvers: readonly Resolver[];
  readonly clock: Clock;
  /** @default 2000 */
  readonly timeoutMs?: number;
  /** @default 10000 */
  readonly cacheSize?: number;
  /** @default 1000 */
  readonly maxConcurrent?: number;
}

interface Entry {
  readonly bytes: Buffer;
  readonly storedAt: number;
  readonly expiresAt: number;
}

const MAX_CACHE_SECONDS = 30;
const ATTEMPTS = 2;
const NXDOMAIN = 3;
const DNS_PORT = 53;

export class Forwarder {
  readonly #options: ForwarderOptions;
  /** Oldest use first. */
  readonly #cache = new Map<string, Entry>();
  readonly #underWay = new Map<string, Promise<Buffer | undefined>>();
  hits = 0;
  misses = 0;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** The answer for this very query, or undefined if no resolver gave one. */
  async resolve(query: Query, protocol: 'udp' | 'tcp', signal: AbortSignal): Promise<Buffer | undefined> {
    const key = `${query.name.toLowerCase()} ${query.type} ${query.edns ? 'e' : ''}${query.dnssec ? 'd' : ''}`;
    const cached = this.#cached(key);
    if (cached !== undefined) return reuse(cached.bytes, query, Math.floor((this.#options.clock.now() - cached.storedAt) / 1000));
    const flight = `${protocol} ${key}`;
    let asking = this.#underWay.get(flight);
    if (asking === undefined) {
      if (this.#underWay.size >= (this.#options.maxConcurrent ?? 1000)) return undefined;
      this.misses++;
      asking = this.#ask(query, protocol, signal).finally(() => this.#underWay.delete(flight));
      this.#underWay.set(flight, asking);
    }
    const answer = await asking;
    if (answer === undefined) return undefined;
    this.#store(key, answer);
    return reuse(answer, query, 0);
  }

  #cached(key: string): Entry | undefined {
    const entry = this.#cache.get(key);
    if (entry === undefined) return undefined;
    this.#cache.delete(key);
    if (entry.expiresAt <= this.#options.clock.now()) return undefined;
    this.#cache.set(key, entry);
    this.hits++;
    return entry;
  }

  #store(key: string, bytes: Buffer): void {
    const { clock, cacheSize = 10_000 } = this.#options;
    const code = rcodeOf(bytes);
    const ttl = Math.min(MAX_CACHE_SECONDS, lowestTtl(bytes) ?? 0);
    if (isTruncated(bytes) || (code !== 0 && code !== NXDOMAIN) || ttl === 0) return;
    const now = clock.now();
    this.#cache.set(key, { bytes, storedAt: now, expiresAt: now + ttl * 1000 });
    const oldest = this.#cache.keys().next();
    if (this.#cache.size > cacheSize && !oldest.done) this.#cache.delete(oldest.value);
  }

  async #ask(query: Query, protocol: 'udp' | 'tcp', signal: AbortSignal): Promise<Buffer | undefined> {
    const { resolvers, clock, timeoutMs = 2000 } = this.#options;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++)
      for (const resolver of resolvers) {
        const late = new AbortController();
        using _timer = clock.after(timeoutMs, () => late.abort());
        const stop = AbortSignal.any([signal, late.signal]);
        const message = Buffer.from(query.bytes);
        message.writeUInt16BE(randomInt(0x10000), 0);
        const answer = await (protocol === 'udp' ? askByUdp : askByTcp)(message, resolver, stop).catch(() => undefined);
        if (answer !== undefined) return answer;
        if (signal.aborted) return undefined;
      }
    return undefined;
  }
}

function isAnswerTo(message: Buffer, answer: Buffer): boolean {
  try {
    if (answer.length < 12 || answer.readUInt16BE(0) !== message.readUInt16BE(0) || ((answer[2] ?? 0) & 0x80) === 0) return false;
    lowestTtl(answer); // Also shows that it is whole.
    return sameQuestion(message, answer);
  } catch {
    return false;
  }
}

function askByUdp(message: Buffer, { address, port }: Resolver, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const end = (finish: () => void): void => {
      signal.removeEventListener('abort', abort);
      socket.close();
      finish();
    };
    const abort = (): void => end(() => reject(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', (error) => end(() => reject(error)));
    socket.on('message', (answer) => {
      if (isAnswerTo(message, answer)) end(() => resolve(answer)); // Anything else may be forged: go on waiting.
    });
    socket.connect(port, address, () => socket.send(message));
  });
}

function askByTcp(message: Buffer, { address, port }: Resolver, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const abort = (): void => void socket.destroy(new Error('timed out'));
    signal.addEventListener('abort', abort, { once: true });
    let received = Buffer.alloc(0);
    socket.once('connect', () => socket.write(framed(message)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = received.subarray(2, 2 + received.readUInt16BE(0));
      socket.destroy();
      if (isAnswerTo(message, answer)) resolve(answer);
      else reject(new Error('unexpected answer'));
    });
    socket.once('error', reject);
    socket.once('close', () => {
      signal.removeEventListener('abort', abort);
      reject(new Error('closed without an answer'));
    });
  });
}

/** With the length TCP puts before a message. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** The name servers of a resolv.conf, without those in `own`: a server must not ask itself. Pure. */
export function resolversOf(text: string, own: readonly string[] = []): Resolver[] {
  const found = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] ?? '');
  return found.filter((address) => !own.includes(address)).map((address) => ({ address, port: DNS_PORT }));
}
