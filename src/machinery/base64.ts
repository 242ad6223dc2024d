// SPDX-License-Identifier: Apache-2.0
// Base64 as Go's encoding/base64 reads it: line breaks count for nothing, padding has to be there and to be the end, bits that are
// left over are not looked at.

const LETTERS = /^[A-Za-z0-9+/]*$/;
const PADDED = 4;
/** Two, or four, bits of the last letter are left over, and zero. */
const WHOLE = { 1: /[AEIMQUYcgkosw048]=$/, 2: /[AQgw]==$/ } as const;

/** Where a text is no base64, in bytes; undefined where it is. @source Go's Encoding.decodeQuantum */
export function base64Problem(text: string): number | undefined {
  if (text.length % PADDED === 0 && LETTERS.test(text)) return undefined;
  let place = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '\n' || character === '\r') continue;
    if (character === '=') return paddingProblem(text, at, place);
    if (!LETTERS.test(character)) return Buffer.byteLength(text.slice(0, at));
    place = (place + 1) % PADDED;
  }
  return place === 0 ? undefined : text.length - place;
}

/** @param place Of the first `=` in its group of four. */
function paddingProblem(text: string, at: number, place: number): number | undefined {
  if (place < 2) return at;
  let end = skipBreaks(text, at + 1);
  if (place === 2) {
    if (end === text.length) return end;
    if (text[end] !== '=') return end - 1;
    end = skipBreaks(text, end + 1);
  }
  return end < text.length ? end : undefined;
}

function skipBreaks(text: string, start: number): number {
  let at = start;
  while (text[at] === '\n' || text[at] === '\r') at += 1;
  return at;
}

/** The same bytes as they are written. @param text What `base64Problem` finds nothing wrong with. */
export function canonicalBase64(text: string): string {
  const joined = text.replace(/[\r\n]/g, '');
  if (!joined.endsWith('=')) return joined;
  const isWhole = WHOLE[joined.endsWith('==') ? 2 : 1].test(joined);
  return isWhole ? joined : Buffer.from(joined, 'base64').toString('base64');
}
