// SPDX-License-Identifier: Apache-2.0
// What the fuzz tests share: texts that are nearly right, and how many are tried.
import fc from 'fast-check';

/** @param few Where `SAGONG_FUZZ_RUNS` does not say. */
export const fuzzRuns = (few: number): number => Number(process.env['SAGONG_FUZZ_RUNS'] || few);

/** One of `texts` with pieces cut out, doubled, and of `tokens` or anything put in. */
export function damaged(texts: readonly string[], tokens: readonly string[]): fc.Arbitrary<string> {
  const put = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...tokens) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
  );
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat({ max: 6 }), doubled: fc.boolean(), put });
  return fc.tuple(fc.constantFrom(...texts), fc.array(edit, { maxLength: 5 })).map(([text, edits]) => {
    let result = text;
    for (const { at, cut, doubled, put: piece } of edits) {
      const place = Math.floor(at * result.length);
      const kept = doubled ? result.slice(place, place + cut) : '';
      result = result.slice(0, place) + piece + kept + kept + result.slice(place + cut);
    }
    return result;
  });
}

/** Calls; a thrown error of another class than `told` is thrown on: it is one that nobody expects. */
export function quietly(call: () => unknown, ...told: readonly (abstract new (...parts: never[]) => Error)[]): void {
  try {
    call();
  } catch (error) {
    if (!told.some((kind) => error instanceof kind)) throw error;
  }
}
