// SPDX-License-Identifier: Apache-2.0
// How many seats a priority level wanted over a period: average, deviation and highest, from the moments at which it changed; and
// the smoothed figure that decides what it may borrow. @source upstream flowcontrol/max_seats.go, integrator.go, apf_controller.go

/** What an idle level keeps of its smoothed demand per period. @source upstream seatDemandSmoothingCoefficient */
const SMOOTHING = 0.977;

export interface DemandFigures {
  readonly average: number;
  readonly deviation: number;
  readonly highest: number;
}

/** Integrates a value that changes in steps. */
export class SeatDemand {
  #value = 0;
  #since: number;
  #startedAt: number;
  #integral = 0;
  #squares = 0;
  #highest = 0;
  #smoothed = 0;
  #figures: DemandFigures = { average: 0, deviation: 0, highest: 0 };

  /** @param now Milliseconds, of any clock, the same one from then on. */
  constructor(now: number) {
    this.#since = now;
    this.#startedAt = now;
  }

  set(value: number, now: number): void {
    this.#pass(now);
    this.#value = value;
    if (value > this.#highest) this.#highest = value;
  }

  /** A value that was left again at once: it takes no time, but it was reached. */
  touch(value: number): void {
    if (value > this.#highest) this.#highest = value;
  }

  get smoothed(): number {
    return this.#smoothed;
  }

  /** Of the last whole period. */
  get figures(): DemandFigures {
    return this.#figures;
  }

  /** Ends a period and begins the next. */
  endPeriod(now: number): DemandFigures {
    this.#pass(now);
    const length = Math.max(now - this.#startedAt, 1e-6);
    const average = this.#integral / length;
    const deviation = Math.sqrt(Math.max(0, this.#squares / length - average * average));
    this.#figures = { average, deviation, highest: this.#highest };
    const envelope = average + deviation;
    this.#smoothed = envelope >= this.#smoothed ? envelope : SMOOTHING * this.#smoothed + (1 - SMOOTHING) * envelope;
    this.#startedAt = now;
    this.#integral = 0;
    this.#squares = 0;
    this.#highest = this.#value;
    return this.#figures;
  }

  #pass(now: number): void {
    const passed = now - this.#since;
    this.#integral += this.#value * passed;
    this.#squares += this.#value * this.#value * passed;
    this.#since = now;
  }
}
