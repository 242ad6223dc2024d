// SPDX-License-Identifier: Apache-2.0
// Tokens of CEL (cel-go's CEL.g4). What is no token is reported as ANTLR's lexer does, and skipped.
import type { Source } from './source.ts';

export type TokenKind = 'op' | 'IDENTIFIER' | 'ESC_IDENTIFIER' | 'NUM_INT' | 'NUM_UINT' | 'NUM_FLOAT' | 'STRING' | 'BYTES' | '<EOF>';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset in code points. */
  readonly at: number;
  /** The kind, or the text of an operator or keyword: what grammar rules ask for. */
  readonly symbol: string;
}

const ESCAPE = `\\\\(?:[abfnrtv"'\\\\?\`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})`;
const QUOTED = [
  `"""(?:${ESCAPE}|[^\\\\])*?"""`,
  `'''(?:${ESCAPE}|[^\\\\])*?'''`,
  `"(?:${ESCAPE}|[^\\\\"\\n\\r])*"`,
  `'(?:${ESCAPE}|[^\\\\'\\n\\r])*'`,
  `[rR]"""[\\s\\S]*?"""`,
  `[rR]'''[\\s\\S]*?'''`,
  `[rR]"[^"\\n\\r]*"`,
  `[rR]'[^'\\n\\r]*'`,
].join('|');
const TOKENS: readonly (readonly [TokenKind | 'skip', RegExp])[] = [
  ['skip', /(?:[ \t\r\n\f]+|\/\/[^\n]*)/y],
  ['BYTES', new RegExp(`[bB](?:${QUOTED})`, 'y')],
  ['STRING', new RegExp(`(?:${QUOTED})`, 'y')],
  ['NUM_FLOAT', /(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)/y],
  ['NUM_UINT', /(?:0x[0-9a-fA-F]+|\d+)[uU]/y],
  ['NUM_INT', /(?:0x[0-9a-fA-F]+|\d+)/y],
  ['IDENTIFIER', /[A-Za-z_]\w*/y],
  ['ESC_IDENTIFIER', /`[\w.\-/ ]+`/y],
  ['op', /(?:==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%])/y],
];
const KEYWORDS = new Set(['true', 'false', 'null', 'in']);
/** What begins like a token but is none ends where the lexer could not go on, and that character is skipped too. */
const BROKEN = [
  new RegExp(`[bB]?(?:"""|''')(?:${ESCAPE}|[^\\\\])*(?:\\\\[\\s\\S]?)?`, 'y'),
  new RegExp(`[bB]?"(?:${ESCAPE}|[^\\\\"\\n\\r])*(?:\\\\[xXuU]?[0-9a-fA-F]*)?[\\s\\S]?`, 'y'),
  new RegExp(`[bB]?'(?:${ESCAPE}|[^\\\\'\\n\\r])*(?:\\\\[xXuU]?[0-9a-fA-F]*)?[\\s\\S]?`, 'y'),
  /`[\w.\-/ ]*[\s\S]?/y,
  /[=&|][\s\S]?/y,
];

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function tokenAt(text: string, at: number): { readonly kind: TokenKind | 'skip'; readonly value: string } | undefined {
  for (const [kind, pattern] of TOKENS) {
    const value = matchAt(pattern, text, at);
    if (value !== undefined) return { kind, value };
  }
  return undefined;
}

function brokenAt(text: string, at: number): string {
  for (const pattern of BROKEN) {
    const found = matchAt(pattern, text, at);
    if (found !== undefined) return found;
  }
  return String.fromCodePoint(text.codePointAt(at) ?? 0);
}

function display(text: string): string {
  return text.replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r');
}

/** The tokens of a text, the last one `<EOF>`. */
export function tokenize(source: Source): Token[] {
  const { text } = source;
  const tokens: Token[] = [];
  let index = 0;
  let at = 0;
  while (index < text.length) {
    const found = tokenAt(text, index);
    const value = found?.value ?? brokenAt(text, index);
    if (found === undefined) source.report(at, `Syntax error: token recognition error at: '${display(value)}'`);
    else if (found.kind !== 'skip') {
      const isSymbol = found.kind === 'op' || (found.kind === 'IDENTIFIER' && KEYWORDS.has(value));
      tokens.push({ kind: found.kind, text: value, at, symbol: isSymbol ? value : found.kind });
    }
    index += value.length;
    at += countPoints(value);
  }
  tokens.push({ kind: '<EOF>', text: '<EOF>', at, symbol: '<EOF>' });
  return tokens;
}

function countPoints(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit >= 0xd800 && unit <= 0xdbff && index + 1 < text.length) index += 1;
    count += 1;
  }
  return count;
}

const SIMPLE: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** The value of a string or bytes literal. Bytes: `\x` and octal escapes are single bytes, the rest is UTF-8. */
export function unquote(literal: string, asBytes: boolean): string | Uint8Array | undefined {
  let text = asBytes ? literal.slice(1) : literal;
  const raw = text[0] === 'r' || text[0] === 'R';
  if (raw) text = text.slice(1);
  const quotes = text.startsWith('"""') || text.startsWith("'''") ? 3 : 1;
  const inner = text.slice(quotes, -quotes).replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  const parts: (string | number)[] = raw ? [inner] : [];
  if (!raw) {
    for (const match of inner.matchAll(
      /\\(?:([xX])([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))|[^\\]+/g,
    )) {
      const [whole, , hex, short, long, octal, simple] = match;
      const unicode = short ?? long;
      const byte = hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : undefined;
      if (byte !== undefined) parts.push(asBytes ? byte : String.fromCodePoint(byte));
      else if (unicode !== undefined) {
        const point = Number.parseInt(unicode, 16);
        if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return undefined;
        parts.push(String.fromCodePoint(point));
      } else if (simple !== undefined) parts.push(SIMPLE[simple] ?? simple);
      else parts.push(whole);
    }
  }
  if (!asBytes) return parts.join('');
  return Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...Buffer.from(part)])));
}
