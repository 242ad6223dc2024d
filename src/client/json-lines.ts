// SPDX-License-Identifier: Apache-2.0
// Watch frames: JSON values one after the other, each ended by a newline (a newline inside a string is always escaped).
// Values are parsed as they arrive; a value that spans chunks is kept in pieces until its end, so nothing is scanned twice.

/** The values of a byte stream. @throws {SyntaxError} If one is no JSON, or the stream ends inside one. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void, void> {
  let pending: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pending.push(chunk.subarray(start, end));
      start = end + 1;
      const text = textOf(pending);
      pending = [];
      if (text.trim() !== '') yield JSON.parse(text);
    }
    if (start < chunk.length) pending.push(chunk.subarray(start));
  }
  const rest = textOf(pending).trim();
  if (rest !== '') yield JSON.parse(rest);
}

function textOf(pieces: readonly Uint8Array[]): string {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return Buffer.from(only.buffer, only.byteOffset, only.byteLength).toString('utf8');
  return Buffer.concat(pieces).toString('utf8');
}
