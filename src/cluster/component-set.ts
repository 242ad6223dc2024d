// SPDX-License-Identifier: Apache-2.0
// The components of one process, each started and stopped by name while the others go on: what lets a learner stop a kubelet.
import type { Logger } from '#component';
import { UserError } from './user-error.ts';

export type ComponentState = 'running' | 'stopped' | 'failed';

export interface ComponentSpec {
  readonly name: string;
  /** Runs until the signal, then drains. */
  run(signal: AbortSignal): Promise<void>;
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

  /** Nothing happens if it runs. @throws {UserError} If there is no such component. */
  start(name: string): void {
    const slot = this.#slot(name);
    if (slot.abort !== undefined) return;
    const abort = new AbortController();
    slot.abort = abort;
    slot.failure = undefined;
    this.#logger.info({ started: name }, 'Component starts');
    slot.ended = slot.spec.run(abort.signal).then(
      () => this.#ended(slot, undefined),
      (error: unknown) => this.#ended(slot, abort.signal.aborted ? undefined : error),
    );
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

  startAll(): void {
    for (const name of this.#slots.keys()) this.start(name);
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
