// SPDX-License-Identifier: Apache-2.0
// Writes core/v1 Events about objects (client-go's tools/record). Recording never waits and never throws: events go through a
// bounded queue, the newest are dropped when it is full, and a server that cannot be reached is tried again for a while.

import type { Event, ObjectReference } from '#api/core/v1';
import { events } from '#api/resources';
import { type Clock, formatTime, type Logger, systemClock } from '#component';
import { type DeepReadonly, isNotFound, type KubeObject, reasonOf } from '#machinery';
import type { Client } from './client.ts';
import { EventCorrelator } from './event-correlator.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  /** The source: `kubelet`, `replicaset-controller`. */
  readonly component: string;
  /** The node's name, where the component belongs to one. */
  readonly host?: string;
  readonly logger: Logger;
  /** @default systemClock */
  readonly clock?: Clock;
}

export type EventType = 'Normal' | 'Warning';
/** An object, or a reference where there is none at hand or a part of it is meant (`fieldPath`). */
export type EventSubject = DeepReadonly<KubeObject> | DeepReadonly<ObjectReference>;

export interface EventExtras {
  readonly annotations?: Readonly<Record<string, string>>;
  /** `spec.containers{NAME}`. */
  readonly fieldPath?: string;
  readonly action?: string;
  readonly related?: EventSubject;
}

const QUEUE_LIMIT = 1000;
const MOST_TRIES = 12;
/** The first try again comes soon, for a connection that broke; later ones as far apart as client-go's. */
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 10_000;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #correlator: EventCorrelator;
  readonly #queue: Event[] = [];
  #wake: (() => void) | undefined;
  #serial: number;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#correlator = new EventCorrelator(this.#clock);
    this.#wake = undefined;
    this.#serial = 0;
  }

  /** Records that something happened to an object. `reason` is one CamelCase word, `message` a sentence for people. */
  event(subject: EventSubject, type: EventType, reason: string, message: string, extras: EventExtras = {}): void {
    if (this.#queue.length >= QUEUE_LIMIT) {
      this.#options.logger.warn({ reason }, 'Event dropped: too many wait');
      return;
    }
    this.#queue.push(this.#make(subject, type, reason, message, extras));
    this.#wake?.();
  }

  /** Writes events until the signal aborts, then what is left, without waiting for an unreachable server. */
  async run(signal: AbortSignal): Promise<void> {
    const wake = () => this.#wake?.();
    signal.addEventListener('abort', wake, { once: true });
    for (;;) {
      const event = this.#queue.shift();
      if (event !== undefined) await this.#record(event, signal);
      else if (signal.aborted) break;
      else await this.#more();
    }
    signal.removeEventListener('abort', wake);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  #make(subject: EventSubject, type: EventType, reason: string, message: string, extras: EventExtras): Event {
    const { component, host } = this.#options;
    const { annotations, fieldPath, action, related } = extras;
    const involvedObject = referenceTo(subject, fieldPath);
    const now = formatTime(this.#clock.now());
    return {
      kind: 'Event',
      apiVersion: 'v1',
      metadata: {
        name: this.#name(involvedObject.name ?? ''),
        namespace: involvedObject.namespace || 'default',
        ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
      } as Event['metadata'],
      involvedObject,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      type,
      ...(action === undefined ? {} : { action }),
      ...(related === undefined ? {} : { related: referenceTo(related, undefined) }),
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }

  /** `object.hex`: unique for as long as events live. */
  #name(object: string): string {
    this.#serial = (this.#serial + 1) % 1_000_000;
    return `${object}.${(BigInt(this.#clock.now()) * 1_000_000n + BigInt(this.#serial)).toString(16)}`;
  }

  async #record(event: Event, signal: AbortSignal): Promise<void> {
    const verdict = this.#correlator.judge(event);
    if (verdict.action === 'drop') return;
    for (let attempt = 1; ; attempt++) {
      try {
        const written = verdict.action === 'count' ? await this.#count(verdict.event, verdict.name) : await this.#create(verdict.event);
        return this.#correlator.written(verdict.key, written);
      } catch (error) {
        // The server's no is final; silence is not.
        if (reasonOf(error) !== '' || attempt === MOST_TRIES || signal.aborted) {
          if (reasonOf(error) !== 'Forbidden' && reasonOf(error) !== 'NotFound')
            this.#options.logger.warn({ err: error, event: event.reason }, 'Event could not be written');
          return;
        }
        this.#options.logger.warn({ err: error, event: event.reason }, 'Event is tried again');
        await this.#clock.sleep(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1)), signal).catch(() => undefined);
      }
    }
  }

  async #create(event: Event): Promise<Event> {
    return (await this.#options.client.create(events, event)) as Event;
  }

  async #count(event: Event, name: string): Promise<Event> {
    const { count, lastTimestamp, message } = event;
    const ref = { namespace: event.metadata.namespace, name };
    try {
      return (await this.#options.client.patch(events, ref, 'strategic', { count, lastTimestamp, message })) as Event;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      // It expired: a new one starts, with the count so far, as upstream has it.
      return await this.#create({ ...event, metadata: { ...event.metadata, name: this.#name(event.involvedObject.name ?? '') } });
    }
  }
}

function referenceTo(subject: EventSubject, fieldPath: string | undefined): ObjectReference {
  const path = fieldPath === undefined ? {} : { fieldPath };
  if (!('metadata' in subject)) return { ...subject, ...path };
  const { kind, apiVersion, metadata } = subject;
  return {
    kind,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    name: metadata.name,
    uid: metadata.uid,
    apiVersion,
    resourceVersion: metadata.resourceVersion,
    ...path,
  };
}
