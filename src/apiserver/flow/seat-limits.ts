// SPDX-License-Identifier: Apache-2.0
// How the server's seats are divided among priority levels: by shares at first, then by what each wants, within what it may lend
// and borrow. @source upstream apiserver pkg/util/flowcontrol/apf_controller.go, conc_alloc.go; KEP-1040
import type { PriorityLevelConfiguration } from '#api/flowcontrol/v1';
import type { DeepReadonly } from '#machinery';

export interface SeatLimits {
  readonly nominal: number;
  /** After everything lendable is lent. */
  readonly lower: number;
  /** After everything is borrowed that may be. */
  readonly upper: number;
}

type Spec = DeepReadonly<PriorityLevelConfiguration>['spec'];

const DEFAULT_SHARES = 30;

export function sharesOf({ type, limited, exempt }: Spec): number {
  return type === 'Exempt' ? (exempt?.nominalConcurrencyShares ?? 0) : (limited?.nominalConcurrencyShares ?? DEFAULT_SHARES);
}

/** @param total The seats of the server. @param shareSum The shares of all levels. */
export function seatLimitsOf(spec: Spec, total: number, shareSum: number): SeatLimits {
  const nominal = shareSum === 0 ? 0 : Math.ceil((total * sharesOf(spec)) / shareSum);
  const lendable = (spec.type === 'Exempt' ? spec.exempt?.lendablePercent : spec.limited?.lendablePercent) ?? 0;
  const borrowing = spec.limited?.borrowingLimitPercent;
  return {
    nominal,
    lower: nominal - Math.round((nominal * lendable) / 100),
    upper: borrowing === undefined || borrowing === null ? total : nominal + Math.round((nominal * borrowing) / 100),
  };
}

/** One level's wish. */
export interface SeatWish extends SeatLimits {
  readonly exempt: boolean;
  /** Highest demand of the last period. */
  readonly highest: number;
  readonly smoothed: number;
}

export interface Division {
  /** In the order of the wishes. */
  readonly seats: readonly number[];
  /** The part of its target that each level gets. */
  readonly fairFraction: number;
}

/** Divides anew. Exempt levels take what they want; the others share the rest. */
export function divideSeats(wishes: readonly SeatWish[]): Division {
  let remaining = wishes.reduce((sum, { nominal }) => sum + nominal, 0);
  for (const wish of wishes) if (wish.exempt) remaining -= floorOf(wish);
  const limited = wishes.filter(({ exempt }) => !exempt);
  const lowerSum = limited.reduce((sum, { lower }) => sum + lower, 0);
  const floorSum = limited.reduce((sum, wish) => sum + floorOf(wish), 0);
  if (remaining <= lowerSum) return { seats: wishes.map((wish) => (wish.exempt ? floorOf(wish) : wish.lower)), fairFraction: 0 };
  if (remaining <= floorSum) {
    const part = (remaining - lowerSum) / (floorSum - lowerSum);
    const squeezed = (wish: SeatWish) => wish.lower + Math.round((floorOf(wish) - wish.lower) * part);
    return { seats: wishes.map((wish) => (wish.exempt ? floorOf(wish) : squeezed(wish))), fairFraction: 0 };
  }
  const fairFraction = fractionFor(limited, remaining);
  return { seats: wishes.map((wish) => (wish.exempt ? floorOf(wish) : Math.round(given(wish, fairFraction)))), fairFraction };
}

/** What a level keeps whatever the others want: what it used, up to what is its own. */
function floorOf({ exempt, lower, nominal, highest }: SeatWish): number {
  return Math.max(lower, exempt ? highest : Math.min(nominal, highest));
}

function given(wish: SeatWish, fraction: number): number {
  const floor = floorOf(wish);
  return Math.min(Math.max(fraction * Math.max(floor, wish.smoothed), floor), Math.max(floor, wish.upper));
}

/** The fraction at which everything is given away, or the one at which nobody may take more. */
function fractionFor(wishes: readonly SeatWish[], total: number): number {
  const sum = (fraction: number) => wishes.reduce((seats, wish) => seats + given(wish, fraction), 0);
  let low = 0;
  let high = 1;
  while (sum(high) < total && high < 1e6) high *= 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (sum(middle) < total) low = middle;
    else high = middle;
  }
  return high;
}
