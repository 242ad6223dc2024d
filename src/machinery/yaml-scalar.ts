// SPDX-License-Identifier: Apache-2.0
// How one text is written in YAML: plain, quoted, or as a block, and where it is folded. Texts that a reader would take for something
// else are in double quotes, those that the syntax forbids as they are in single ones; lines are broken at the first space past the
// 80th column. @source go-yaml v2, which upstream writes YAML with: resolve.go, encode.go stringv, emitterc.go
import { readYamlNumber } from './yaml-number.ts';

/** A place in the document: where the text begins, and where its further lines do. */
export interface ScalarPlace {
  readonly column: number;
  readonly indent: number;
  /** Keys stand on one line. */
  readonly isKey: boolean;
}

const WIDTH = 80;

export function writeText(text: string, place: ScalarPlace): string {
  const found = analyze(text);
  if (text.includes('\n') && found.allowsBlock && !place.isKey) return block(text, place.indent);
  const isPlain = !text.includes('\n') && !meansOther(text);
  if (isPlain && found.allowsPlain) return plain(text, place);
  return isPlain && found.allowsSingle ? single(text, place) : double(text, place);
}

const WORDS = new Set([
  ...['', '~', 'null', 'Null', 'NULL', '<<'],
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'],
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'],
  ...['.nan', '.NaN', '.NAN', ...['', '+', '-'].flatMap((sign) => [`${sign}.inf`, `${sign}.Inf`, `${sign}.INF`])],
]);
const BASE_60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const TIME = /^\d{4}-\d{1,2}-\d{1,2}(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?(?:Z|[-+]\d{2}:\d{2})| \d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?)?$/;

/** Whether a text would be read as a number, a time, a boolean or null. */
function meansOther(text: string): boolean {
  if (WORDS.has(text)) return true;
  if (!/^[-+.0-9]/.test(text)) return false;
  if (BASE_60.test(text) || TIME.test(text)) return true;
  return readYamlNumber(text) !== undefined;
}

interface Analysis {
  readonly allowsPlain: boolean;
  readonly allowsSingle: boolean;
  readonly allowsBlock: boolean;
}

/** What go-yaml prints as it is: no tabs, and nothing beyond the basic plane. */
const UNPRINTABLE = /[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;
const SYNTAX = /^(?:---|\.\.\.)|^[#,[\]{}&*!|>'"%@`]|^[?:](?:\s|$)|^-(?:\s|$)|:(?:\s|$)|\s#/;

function analyze(text: string): Analysis {
  const isSpecial = UNPRINTABLE.test(text) || / \n/.test(text);
  const hasEdge = /^[ \n]|[ \n]$/.test(text);
  return {
    allowsPlain: !isSpecial && !hasEdge && !SYNTAX.test(text),
    allowsSingle: !isSpecial && !/\n /.test(text),
    allowsBlock: !isSpecial && !text.endsWith(' '),
  };
}

function block(text: string, indent: number): string {
  const hint = /^[ \n]/.test(text) ? '2' : '';
  const chomp = !text.endsWith('\n') ? '-' : text === '\n' || text.endsWith('\n\n') ? '+' : '';
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  const lines = body.split('\n').map((line) => (line === '' ? '' : ' '.repeat(indent) + line));
  return `|${hint}${chomp}\n${lines.join('\n')}`;
}

function plain(text: string, place: ScalarPlace): string {
  if (place.column + text.length <= WIDTH) return text;
  return folded([...text], place, 0, (character) => character);
}

function single(text: string, place: ScalarPlace): string {
  return `'${folded([...text], { ...place, column: place.column + 1 }, 1, (character) => (character === "'" ? "''" : character))}'`;
}

/** @param inner Characters at both ends at which no line is broken. */
function folded(characters: readonly string[], place: ScalarPlace, inner: number, write: (character: string) => string): string {
  let { column } = place;
  if (place.isKey || column + characters.length <= WIDTH) return characters.map(write).join('');
  const margin = ' '.repeat(place.indent);
  let out = '';
  let afterSpace = false;
  for (const [at, character] of characters.entries()) {
    const mayBreak = character === ' ' && !afterSpace && column > WIDTH && at >= inner && at < characters.length - inner;
    if (mayBreak && characters[at + 1] !== ' ') {
      out += `\n${margin}`;
      column = place.indent;
    } else {
      const written = write(character);
      out += written;
      column += written.length;
    }
    afterSpace = character === ' ';
  }
  return out;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\u2028': 'L',
  '\u2029': 'P',
};

function double(text: string, place: ScalarPlace): string {
  const characters = [...text];
  const margin = ' '.repeat(place.indent);
  let column = place.column + 1;
  let out = '"';
  let afterSpace = false;
  for (const [at, character] of characters.entries()) {
    const mayBreak = !place.isKey && character === ' ' && !afterSpace && column > WIDTH && at > 0 && at < characters.length - 1;
    if (mayBreak) {
      const next = characters[at + 1] === ' ' ? '\\' : '';
      out += `\n${margin}${next}`;
      column = place.indent + next.length;
    } else {
      const written = escaped(character);
      out += written;
      column += written.length;
    }
    afterSpace = character === ' ';
  }
  return `${out}"`;
}

function escaped(character: string): string {
  const known = ESCAPES[character];
  if (known !== undefined) return `\\${known}`;
  if (!UNPRINTABLE.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  const [letter, digits] = code <= 0xff ? ['x', 2] : code <= 0xffff ? ['u', 4] : ['U', 8];
  return `\\${letter}${code
    .toString(16)
    .toUpperCase()
    .padStart(digits as number, '0')}`;
}
