// SPDX-License-Identifier: Apache-2.0
// The components of one process, each started and stopped by name while the others go on: what lets a learner stop a kubelet.
import type { Logger } from '#component';
import { UserError } from './user-error.ts';

export type ComponentState = 'running' | 'stopped' | 'failed';

export interface ComponentSpec {
  readonly name: string;
  /** Runs until the signal, then drains. @param ready To be called once it works, if `announces` says that it will be. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  /** @default false: it counts as working at once. */
  readonly announces?: boolean;
}

interface Slot {
  readonly spec: ComponentSpec;
  abort: AbortController | undefined;
  ended: Promise<void>;
  failure: string | undefined;
}

export class ComponentSet {
  readonly #slots: ReadonlyMap<string, Slot>;
  readonly #logger: Logger;

  constructor(specs: readonly ComponentSpec[], logger: Logger) {
    this.#slots = new Map(specs.map((spec) => [spec.name, { spec, abort: undefined, ended: Promise.resolve(), failure: undefined }]));
    this.#logger = logger;
  }

  /** In the order they were given. */
  get states(): Readonly<Record<string, ComponentState>> {
    return Object.fromEntries(
      [...this.#slots].map(([name, slot]) => [
        name,
        slot.abort === undefined ? (slot.failure === undefined ? 'stopped' : 'failed') : 'running',
      ]),
    );
  }

  /** Resolves once it works; at once if it runs. @throws {UserError} If there is no such component, or with why it failed. */
  async start(name: string): Promise<void> {
    const slot = this.#slot(name);
    if (slot.abort !== undefined) return;
    const abort = new AbortController();
    slot.abort = abort;
    slot.failure = undefined;
    this.#logger.info({ started: name }, 'Component starts');
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    slot.ended = slot.spec.run(abort.signal, resolve).then(
      () => this.#ended(slot, undefined),
      (error: unknown) => this.#ended(slot, abort.signal.aborted ? undefined : error),
    );
    if (slot.spec.announces !== true) return;
    await Promise.race([ready, slot.ended]);
    if (slot.failure !== undefined) throw new UserError(`${name} failed: ${slot.failure}`);
  }

  #ended(slot: Slot, error: unknown): void {
    slot.abort = undefined;
    if (error === undefined) return;
    slot.failure = error instanceof Error ? error.message : String(error);
    this.#logger.error({ failed: slot.spec.name, error: error instanceof Error ? error.stack : String(error) }, 'Component failed');
  }

  /** Resolves once it has drained. */
  async stop(name: string): Promise<void> {
    const slot = this.#slot(name);
    slot.abort?.abort();
    await slot.ended;
  }

  /** Failures show in `states`. */
  startAll(): void {
    for (const name of this.#slots.keys()) this.start(name).catch(() => undefined);
  }

  /** Last started, first stopped. */
  async stopAll(): Promise<void> {
    for (const name of [...this.#slots.keys()].reverse()) await this.stop(name);
  }

  #slot(name: string): Slot {
    const found = this.#slots.get(name);
    if (found === undefined)
      throw new UserError(`there is no component ${JSON.stringify(name)} here: there are ${[...this.#slots.keys()].join(', ')}`);
    return found;
  }
}
