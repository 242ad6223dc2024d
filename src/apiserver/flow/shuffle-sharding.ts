// SPDX-License-Identifier: Apache-2.0
// Deals each flow a hand of queues: two flows rarely have the same hand, so that one that floods its queues leaves another at
// least one that is free. @source upstream apiserver pkg/util/shufflesharding/dealer.go
import { createHash } from 'node:crypto';

/** The same flow has the same hash in every server. */
export function flowHash(schema: string, distinguisher: string): bigint {
  const digest = createHash('sha256').update(schema).update(Uint8Array.of(0)).update(distinguisher).digest();
  return digest.readBigUInt64LE(0);
}

/** Draws `handSize` different cards of a deck, all hands equally likely. */
export function dealHand(hash: bigint, deckSize: number, handSize: number): number[] {
  const hand: number[] = [];
  let rest = hash;
  for (let drawn = 0; drawn < handSize; drawn++) {
    const left = BigInt(deckSize - drawn);
    let card = Number(rest % left);
    rest /= left;
    // The card counts among those still in the deck: step over the ones in hand, lowest first.
    for (const taken of [...hand].sort((a, b) => a - b)) if (card >= taken) card += 1;
    hand.push(card);
  }
  return hand;
}
