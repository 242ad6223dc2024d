// SPDX-License-Identifier: Apache-2.0
// How many short requests run, and how many were told to come back; and the moment at which none runs any more, for a server that stops.
import type { RequestContext } from '../request/context.ts';
import { type InFlight, kindOf } from './max-in-flight.ts';

export class RequestsInFlight implements InFlight {
  #reading = 0;
  #mutating = 0;
  readonly dropped: InFlight = { reading: 0, mutating: 0 };
  #idle: (() => void) | undefined;

  get reading(): number {
    return this.#reading;
  }

  set reading(count: number) {
    this.#reading = count;
    if (this.#idle !== undefined) this.#announce();
  }

  get mutating(): number {
    return this.#mutating;
  }

  set mutating(count: number) {
    this.#mutating = count;
    if (this.#idle !== undefined) this.#announce();
  }

  drop(context: RequestContext): void {
    this.dropped[kindOf(context)] += 1;
  }

  /** Resolves once nothing runs. */
  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#announce();
    });
  }

  #announce(): void {
    if (this.#reading + this.#mutating > 0) return;
    this.#idle?.();
    this.#idle = undefined;
  }
}
