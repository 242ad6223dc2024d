// SPDX-License-Identifier: Apache-2.0
// Says what is wrong with a text that is no JSON, in the words of Go's scanner. Only runs after `JSON.parse` has refused it.

/** Thrown when a body is no JSON at all, or no object. The message is what Go's decoder says. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

const END = 'unexpected end of JSON input';
const SPACE = new Set([' ', '\t', '\r', '\n']);

/** Escapes of halves of characters: a half that stands alone is none, and replaced. */
const SURROGATE = /\\u[dD][89a-fA-F]/;

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed() : value;
}

/** `JSON.parse` with Go's error texts. @throws {JsonSyntaxError} */
export function parseJson(text: string): unknown {
  try {
    return SURROGATE.test(text) ? JSON.parse(text, wellFormed) : JSON.parse(text);
  } catch (error) {
    throw new JsonSyntaxError(explainJson(Buffer.from(text).toString('latin1')), { cause: error });
  }
}

/** The first fault of a text, given as one character per byte. */
export function explainJson(text: string): string {
  const scanner = new Scanner(text);
  try {
    scanner.document();
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error.message;
    throw error;
  }
  return 'invalid JSON';
}

class Scanner {
  readonly #text: string;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = 0;
  }

  document(): void {
    // Open containers, as the character that closes each: nesting must not become recursion.
    const open: string[] = [];
    this.#value(open);
    while (open.length > 0) this.#next(open);
    this.#skip();
    if (this.#at < this.#text.length) this.#fail('after top-level value');
  }

  /** One value; a container is only opened, up to its first member. */
  #value(open: string[]): void {
    this.#skip();
    const first = this.#peek();
    if (first === '{') {
      this.#at += 1;
      open.push('}');
      this.#skip();
      if (this.#peek() === '}') this.#close(open);
      else this.#key(open);
    } else if (first === '[') {
      this.#at += 1;
      open.push(']');
      this.#skip();
      if (this.#peek() === ']') this.#close(open);
      else this.#value(open);
    } else if (first === '"') this.#string();
    else if (first === '-' || isDigit(first)) this.#number();
    else if (first === 't' || first === 'f' || first === 'n') this.#literal(first === 't' ? 'true' : first === 'f' ? 'false' : 'null');
    else this.#fail('looking for beginning of value');
  }

  /** What follows a member: the next one, or the end of its container. */
  #next(open: string[]): void {
    this.#skip();
    const character = this.#peek();
    const inObject = open.at(-1) === '}';
    if (character === open.at(-1)) this.#close(open);
    else if (character !== ',') this.#fail(inObject ? 'after object key:value pair' : 'after array element');
    else {
      this.#at += 1;
      this.#skip();
      if (inObject) this.#key(open);
      else this.#value(open);
    }
  }

  #close(open: string[]): void {
    open.pop();
    this.#at += 1;
  }

  #key(open: string[]): void {
    if (this.#peek() !== '"') this.#fail('looking for beginning of object key string');
    this.#string();
    this.#skip();
    if (this.#peek() !== ':') this.#fail('after object key');
    this.#at += 1;
    this.#value(open);
  }

  #string(): void {
    this.#at += 1;
    for (;;) {
      const character = this.#peek();
      if (character === '"') break;
      if (character === '\\') this.#escape();
      else if (character < ' ') this.#fail('in string literal');
      else this.#at += 1;
    }
    this.#at += 1;
  }

  #escape(): void {
    this.#at += 1;
    const character = this.#peek();
    if (!'"\\/bfnrtu'.includes(character)) this.#fail('in string escape code');
    this.#at += 1;
    if (character !== 'u') return;
    for (let digit = 0; digit < 4; digit++) {
      if (!/[0-9a-fA-F]/.test(this.#peek())) this.#fail('in \\u hexadecimal character escape');
      this.#at += 1;
    }
  }

  #number(): void {
    if (this.#peek() === '-') {
      this.#at += 1;
      if (!isDigit(this.#peek())) this.#fail('in numeric literal');
    }
    if (this.#peek() === '0') this.#at += 1;
    else this.#digits();
    if (this.#here() === '.') {
      this.#at += 1;
      if (!isDigit(this.#peek())) this.#fail('after decimal point in numeric literal');
      this.#digits();
    }
    if (this.#here() !== 'e' && this.#here() !== 'E') return;
    this.#at += 1;
    if (this.#peek() === '+' || this.#peek() === '-') this.#at += 1;
    if (!isDigit(this.#peek())) this.#fail('in exponent of numeric literal');
    this.#digits();
  }

  #digits(): void {
    while (isDigit(this.#here())) this.#at += 1;
  }

  #literal(word: string): void {
    for (const expected of word) {
      if (this.#peek() !== expected) this.#fail(`in literal ${word} (expecting '${expected}')`);
      this.#at += 1;
    }
  }

  #skip(): void {
    while (SPACE.has(this.#here())) this.#at += 1;
  }

  #here(): string {
    return this.#text[this.#at] ?? '';
  }

  /** @throws {JsonSyntaxError} At the end of the text. */
  #peek(): string {
    if (this.#at >= this.#text.length) throw new JsonSyntaxError(END);
    return this.#here();
  }

  #fail(where: string): never {
    const character = this.#peek();
    throw new JsonSyntaxError(`invalid character ${quoted(character)} ${where}`);
  }
}

function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', "'": "\\'" };

/** As Go quotes one byte; the first byte of what is no ASCII. */
function quoted(character: string): string {
  const known = ESCAPES[character];
  if (known !== undefined) return `'${known}'`;
  const code = character.charCodeAt(0);
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, '0')}'`;
  return code >= 0x80 && (code <= 0xa0 || code === 0xad) ? `'\\u00${code.toString(16)}'` : `'${character}'`;
}
