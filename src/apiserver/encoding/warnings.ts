// SPDX-License-Identifier: Apache-2.0
// The `Warning` headers of an answer. Many or long ones are shortened, each to 256 characters, once all of them would take more than
// 4,096; those that come when even the short ones do are left out.
// @source RFC 7234 section 5.5; upstream apiserver pkg/endpoints/filters/warning.go, apimachinery pkg/util/net NewWarningHeader

const MOST_CHARACTERS = 4096;
const SHORTENED_CHARACTERS = 256;

export function warningHeaders(texts: readonly string[]): string[] {
  const told = shortened(texts);
  return told.map(headerOf);
}

function shortened(texts: readonly string[]): readonly string[] {
  let size = 0;
  const overflowing = texts.findIndex((text) => {
    size += lengthOf(text);
    return size > MOST_CHARACTERS;
  });
  if (overflowing < 0) return texts;
  const told = texts.slice(0, overflowing + 1).map(cut);
  size = told.reduce((sum, text) => sum + lengthOf(text), 0);
  for (const text of texts.slice(overflowing + 1)) {
    if (size >= MOST_CHARACTERS) break;
    told.push(cut(text));
    size += lengthOf(told.at(-1) ?? '');
  }
  return told;
}

/** In characters, of which some are two of JavaScript's. */
function lengthOf(text: string): number {
  return text.length <= SHORTENED_CHARACTERS && !/[\ud800-\udbff]/.test(text) ? text.length : [...text].length;
}

function cut(text: string): string {
  return text.length <= SHORTENED_CHARACTERS ? text : [...text].slice(0, SHORTENED_CHARACTERS).join('');
}

/** A quoted string, in which nothing but quotes is escaped. No header goes over several lines, or holds other controls. */
function headerOf(text: string): string {
  const quoted = text
    .replace(/["\\]/g, '\\$&')
    .replace(/[\r\n]/g, ' ')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
    .replace(/[\0-\x08\x0b-\x1f\x7f]/g, '');
  return `299 - "${bytesOf(quoted)}"`;
}

/** Header values are written byte by byte: what goes beyond ASCII is UTF-8. */
function bytesOf(text: string): string {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString('latin1');
}
