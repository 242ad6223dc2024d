// SPDX-License-Identifier: Apache-2.0
// Decides what becomes of an event before it is written (client-go's EventCorrelator): the same one again raises a count, more
// than ten that differ only in their message become one, and an object that says too much is cut off.
import type { Event } from '#api/core/v1';
import { type Clock, formatTime } from '#component';

/** Upstream's figures. */
const SPAM_BURST = 25;
const SPAM_QPS = 1 / 300;
const SIMILAR_LIMIT = 10;
const SIMILAR_WINDOW_MS = 600_000;
const MOST_KEYS = 4096;
const COMBINED = '(combined from similar events): ';

export type Verdict =
  | { readonly action: 'drop' }
  | { readonly action: 'create'; readonly event: Event; readonly key: string }
  | { readonly action: 'count'; readonly event: Event; readonly key: string; readonly name: string };

interface Seen {
  readonly name: string;
  readonly firstTimestamp: string;
  count: number;
}

interface Similar {
  readonly messages: Set<string>;
  lastAt: number;
}

export class EventCorrelator {
  readonly #clock: Clock;
  readonly #buckets = new BoundedMap<{ tokens: number; at: number }>();
  readonly #similar = new BoundedMap<Similar>();
  readonly #seen = new BoundedMap<Seen>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  judge(original: Event): Verdict {
    const { event, key } = this.#aggregate(original);
    if (!this.#admits(event)) return { action: 'drop' };
    const seen = this.#seen.get(key);
    if (seen === undefined) return { action: 'create', event, key };
    const counted = {
      ...event,
      metadata: { ...event.metadata, name: seen.name },
      count: seen.count + 1,
      firstTimestamp: seen.firstTimestamp,
    };
    return { action: 'count', event: counted, key, name: seen.name };
  }

  /** Called with what the server has: the next one of the kind counts from there. */
  written(key: string, event: Event): void {
    this.#seen.set(key, { name: event.metadata.name, firstTimestamp: event.firstTimestamp ?? '', count: event.count ?? 1 });
  }

  /** The event is no longer there (events expire): the next one is a new one. */
  forget(key: string): void {
    this.#seen.delete(key);
  }

  #aggregate(event: Event): { event: Event; key: string } {
    const group = keyOfSimilar(event);
    const now = this.#clock.now();
    let similar = this.#similar.get(group);
    if (similar === undefined || now - similar.lastAt > SIMILAR_WINDOW_MS) similar = { messages: new Set(), lastAt: now };
    similar.lastAt = now;
    similar.messages.add(event.message ?? '');
    this.#similar.set(group, similar);
    if (similar.messages.size < SIMILAR_LIMIT) return { event, key: `${group}|${event.message ?? ''}` };
    const [oldest] = similar.messages;
    if (oldest !== undefined) similar.messages.delete(oldest);
    return { event: { ...event, message: `${COMBINED}${event.message ?? ''}`, lastTimestamp: formatTime(now) }, key: group };
  }

  #admits(event: Event): boolean {
    const { source, involvedObject: of } = event;
    const key = [source.component, source.host, of.kind, of.namespace, of.name, of.uid, of.apiVersion].join('|');
    const now = this.#clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: SPAM_BURST, at: now };
    const tokens = Math.min(SPAM_BURST, bucket.tokens + ((now - bucket.at) / 1000) * SPAM_QPS);
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now });
    return tokens >= 1;
  }
}

function keyOfSimilar({ source, involvedObject: of, type, reason, reportingComponent, reportingInstance }: Event): string {
  const object = [of.kind, of.namespace, of.name, of.uid, of.apiVersion, of.fieldPath];
  return [source.component, source.host, ...object, type, reason, reportingComponent, reportingInstance].join('|');
}

/** Forgets what was used longest ago. */
class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>();

  get(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= MOST_KEYS) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
