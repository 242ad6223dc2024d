// SPDX-License-Identifier: Apache-2.0
// The grammar of CEL by recursive descent, with optional syntax (`a.?b`, `a[?k]`, `[?x]`). Its errors, and how it goes on after
// one, are those of upstream's ANTLR parser in the cases people meet: a wrong token, a superfluous one, a missing one.
import type { CallNode, Entry, Expr } from './ast.ts';
import { type Token, tokenize, unquote } from './lexer.ts';
import { expandMacro } from './macros.ts';
import { LIMITS, type Source } from './source.ts';
import { Uint } from './values.ts';

/** Tokens in the order in which messages list them. */
const SYMBOLS =
  '<EOF> == != in < <= >= > && || [ ] { } ( ) . , - ! ? : + * / % true false null NUM_FLOAT NUM_INT NUM_UINT STRING BYTES IDENTIFIER ESC_IDENTIFIER'.split(
    ' ',
  );
const OPERAND = '[ { ( . - ! true false null NUM_FLOAT NUM_INT NUM_UINT STRING BYTES IDENTIFIER'.split(' ');
const RELATIONS = new Set(['<', '<=', '>=', '>', '==', '!=', 'in']);
const AFTER_UNARY = [...RELATIONS, '*', '/', '%', '+', '-', '&&', '||', '?'];
const AFTER_VALUE = new Set([...AFTER_UNARY, '.', '[']);
const RESERVED = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(' '),
);
const PRECEDENCE: readonly ReadonlySet<string>[] = [RELATIONS, new Set(['+', '-']), new Set(['*', '/', '%'])];
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

/** Thrown where a rule cannot go on; caught by the rule that recovers. Its issue is already reported. */
class Unparsable extends Error {}
/** Thrown past the depth limit: ends the parse. */
class TooDeep extends Error {
  constructor(message = `expression recursion limit exceeded: ${LIMITS.depth}`) {
    super(message);
  }
}

/** How many steps and operators `expr` has on its left, one in another: upstream visits them recursively. */
function leftDepth(expr: Expr): number {
  let depth = 0;
  for (let at: Expr | undefined = expr; at !== undefined; depth += 1) {
    if (at.kind === 'select') at = at.operand;
    else if (at.kind === 'call') at = at.target ?? (OPERATORS.test(at.function) ? at.args[0] : undefined);
    else break;
  }
  return depth;
}

const OPERATORS = /^(@in|_.+_)$/;

/** @throws {TooDeep} */
function checkChain(length: number): void {
  if (length > LIMITS.depth) throw new TooDeep('max recursion depth exceeded');
}

function quoted(symbol: string): string {
  return /^[A-Z_]+$/.test(symbol) || symbol === '<EOF>' ? symbol : `'${symbol}'`;
}

function expecting(symbols: Iterable<string>): string {
  const list = [...new Set(symbols)].sort((a, b) => SYMBOLS.indexOf(a) - SYMBOLS.indexOf(b)).map(quoted);
  return list.length === 1 ? (list[0] ?? '') : `{${list.join(', ')}}`;
}

export class Parser {
  readonly #source: Source;
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  /** An error was reported and no token was matched since: no further reports. */
  #recovering = false;
  #failedAt = -1;
  /** Tokens that may follow what is being parsed: the closers of the brackets around it. */
  readonly #closers: string[][] = [['<EOF>']];

  readonly #hasBindings: boolean;

  /** @param options.hasBindings Whether `cel.bind` is known. @default false */
  constructor(source: Source, { hasBindings = false }: { readonly hasBindings?: boolean } = {}) {
    this.#source = source;
    this.#hasBindings = hasBindings;
    this.#tokens = tokenize(source);
  }

  /** @returns The tree, meaningful only if the source has no issues. */
  parse(): Expr {
    try {
      const expr = this.#expr();
      if (this.#next.symbol !== '<EOF>') this.#match('<EOF>');
      return expr;
    } catch (error) {
      if (error instanceof TooDeep) this.#source.report(-1, error.message);
      else if (!(error instanceof Unparsable)) throw error;
      return { kind: 'const', at: 0, value: null };
    }
  }

  get #next(): Token {
    return this.#tokens[this.#index] as Token;
  }

  #peek(ahead: number): Token {
    return (this.#tokens[this.#index + ahead] ?? this.#tokens.at(-1)) as Token;
  }

  #consume(): Token {
    const token = this.#next;
    if (token.symbol !== '<EOF>') this.#index += 1;
    this.#recovering = false;
    return token;
  }

  #isNext(...symbols: readonly string[]): boolean {
    return symbols.includes(this.#next.symbol);
  }

  #accept(symbol: string): Token | undefined {
    return this.#next.symbol === symbol ? this.#consume() : undefined;
  }

  #fail(message: string): void {
    if (!this.#recovering) this.#source.report(this.#next.at, `Syntax error: ${message}`);
    this.#recovering = true;
  }

  #display(): string {
    return this.#next.symbol === '<EOF>' ? "'<EOF>'" : `'${this.#next.text.replaceAll('\n', '\\n')}'`;
  }

  /** Before a choice: one superfluous token is passed over, else the rule cannot go on. */
  #sync(symbols: readonly string[]): void {
    if (symbols.includes(this.#next.symbol)) return;
    if (symbols.includes(this.#peek(1).symbol) && this.#next.symbol !== '<EOF>') {
      this.#fail(`extraneous input ${this.#display()} expecting ${expecting(symbols)}`);
      this.#consume();
      return;
    }
    this.#fail(`mismatched input ${this.#display()} expecting ${expecting(symbols)}`);
    throw new Unparsable();
  }

  #match(symbol: string): Token {
    const token = this.#next;
    if (token.symbol === symbol) return this.#consume();
    if (this.#peek(1).symbol === symbol && token.symbol !== '<EOF>') {
      this.#fail(`extraneous input ${this.#display()} expecting ${expecting([symbol])}`);
      this.#consume();
      return this.#consume();
    }
    const closes = ')]}'.includes(symbol);
    const follows = closes
      ? AFTER_VALUE.has(token.symbol) || this.#isCloser(token.symbol)
      : symbol === ':' && OPERAND.includes(token.symbol);
    if (follows) {
      this.#fail(`missing ${expecting([symbol])} at ${this.#display()}`);
      return { kind: 'op', text: symbol, at: token.at, symbol };
    }
    this.#fail(`mismatched input ${this.#display()} expecting ${expecting([symbol])}`);
    throw new Unparsable();
  }

  #isCloser(symbol: string): boolean {
    return this.#closers.at(-1)?.includes(symbol) ?? false;
  }

  /** Skips to where the rule that failed may end. */
  #recover(also: readonly string[]): void {
    if (this.#failedAt === this.#index && this.#next.symbol !== '<EOF>') this.#index += 1;
    this.#failedAt = this.#index;
    while (
      this.#next.symbol !== '<EOF>' &&
      !also.includes(this.#next.symbol) &&
      !this.#closers.some((set) => set.includes(this.#next.symbol))
    )
      this.#index += 1;
  }

  #within<T>(closers: readonly string[], rule: () => T): T {
    this.#closers.push([...closers]);
    try {
      return rule();
    } finally {
      this.#closers.pop();
    }
  }

  #nested<T>(rule: () => T): T {
    this.#depth += 1;
    if (this.#depth > LIMITS.depth) throw new TooDeep();
    try {
      return rule();
    } finally {
      this.#depth -= 1;
    }
  }

  #expr(): Expr {
    return this.#nested(() => {
      const condition = this.#logical('||');
      const op = this.#accept('?');
      if (op === undefined) return condition;
      const whenTrue = this.#within([':', ...(this.#closers.at(-1) ?? [])], () => this.#logical('||'));
      this.#match(':');
      return call('_?_:_', op.at, [condition, whenTrue, this.#expr()]);
    });
  }

  #logical(operator: '||' | '&&'): Expr {
    const terms = [this.#logicalTerm(operator)];
    const places: number[] = [];
    for (let op = this.#accept(operator); op !== undefined; op = this.#accept(operator)) {
      places.push(op.at);
      terms.push(this.#logicalTerm(operator));
    }
    return balanced(`_${operator}_`, terms, places, 0, terms.length - 1);
  }

  #logicalTerm(operator: '||' | '&&'): Expr {
    return operator === '||' ? this.#logical('&&') : this.#binary(0);
  }

  /** Relations, sums and products, each left-associative. */
  #binary(level: number): Expr {
    const operators = PRECEDENCE[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    if (!operators.has(this.#next.symbol)) return left;
    for (let depth = leftDepth(left) + 1; operators.has(this.#next.symbol); depth += 1) {
      checkChain(depth);
      const op = this.#consume();
      left = call(op.symbol === 'in' ? '@in' : `_${op.symbol}_`, op.at, [left, this.#binary(level + 1)]);
    }
    return left;
  }

  #unary(): Expr {
    try {
      this.#sync(OPERAND);
      const first = this.#next;
      if (first.symbol === '!') {
        let count = 0;
        for (; this.#isNext('!'); count += 1) this.#consume();
        if (!OPERAND.includes(this.#next.symbol)) this.#fail(`extraneous input ${this.#display()} expecting ${expecting(OPERAND)}`);
        const operand = this.#member();
        return count % 2 === 0 ? operand : call('!_', first.at, [operand]);
      }
      // The last minus before a number belongs to the number.
      const startsNumber = () => this.#isNext('-') && ['NUM_INT', 'NUM_FLOAT'].includes(this.#peek(1).symbol);
      if (first.symbol === '-' && !startsNumber()) {
        let count = 0;
        for (; this.#isNext('-'); count += 1) this.#consume();
        if (count === 1 && (this.#isNext('!') || !OPERAND.includes(this.#next.symbol))) this.#notViable('-');
        const operand = this.#member();
        return count % 2 === 0 ? operand : call('-_', first.at, [operand]);
      }
      return this.#member();
    } catch (error) {
      if (!(error instanceof Unparsable)) throw error;
      this.#recover(AFTER_UNARY);
      return { kind: 'const', at: this.#next.at, value: null };
    }
  }

  #member(): Expr {
    let expr = this.#primary();
    for (let count = 1; this.#isNext('.', '['); count += 1) {
      checkChain(count);
      expr = this.#isNext('.') ? this.#select(expr) : this.#subscript(expr);
    }
    return expr;
  }

  /** Several rules begin with `text`, and none goes on with what follows. */
  #notViable(text: string): never {
    const { symbol, text: next } = this.#next;
    this.#fail(`no viable alternative at input '${text}${symbol === '<EOF>' ? '' : next.replaceAll('\n', '\\n')}'`);
    throw new Unparsable();
  }

  #select(operand: Expr): Expr {
    const op = this.#next;
    const optional = this.#peek(1).symbol === '?';
    const name = this.#peek(optional ? 2 : 1);
    if (name.symbol !== 'IDENTIFIER' && name.symbol !== 'ESC_IDENTIFIER') {
      this.#consume();
      if (optional) this.#consume();
      this.#notViable(optional ? '.?' : '.');
    }
    this.#consume();
    if (optional) this.#consume();
    this.#consume();
    if (name.symbol === 'ESC_IDENTIFIER') this.#source.report(name.at, "unsupported syntax: '`'");
    if (optional) return call('_?._', op.at, [operand, { kind: 'const', at: op.at, value: name.text }]);
    if (name.symbol === 'IDENTIFIER' && this.#isNext('(')) return this.#arguments(name.text, operand);
    return { kind: 'select', at: op.at, operand, field: name.text, testOnly: false };
  }

  #subscript(operand: Expr): Expr {
    const op = this.#consume();
    this.#sync([...OPERAND, '?']);
    const optional = this.#accept('?') !== undefined;
    const index = this.#within([']'], () => this.#expr());
    this.#match(']');
    return call(optional ? '_[?_]' : '_[_]', op.at, [operand, index]);
  }

  #arguments(name: string, target: Expr | undefined): Expr {
    const open = this.#consume();
    const args = this.#within([')', ','], () => {
      const list: Expr[] = [];
      this.#sync([...OPERAND, ')']);
      if (this.#isNext(')')) return list;
      list.push(this.#expr());
      while (this.#accept(',') !== undefined) list.push(this.#expr());
      return list;
    });
    this.#match(')');
    const node: CallNode = { kind: 'call', at: open.at, function: name, target, args };
    return expandMacro(node, this.#source, this.#hasBindings) ?? node;
  }

  #primary(): Expr {
    const token = this.#next;
    this.#sync(OPERAND.filter((symbol) => symbol !== '!'));
    switch (this.#next.symbol) {
      case '(': {
        this.#consume();
        const inner = this.#within([')'], () => this.#expr());
        this.#match(')');
        return inner;
      }
      case '[':
        return this.#list();
      case '{':
        return this.#map();
      case '.':
      case 'IDENTIFIER':
        return this.#name();
      default:
        return this.#literal(token);
    }
  }

  #list(): Expr {
    const open = this.#consume();
    const elements: Expr[] = [];
    const optional = new Set<number>();
    this.#within([']', ','], () => {
      this.#sync([...OPERAND, ']', '?', ',']);
      while (!this.#isNext(']', ',')) {
        if (this.#accept('?') !== undefined) optional.add(elements.length);
        elements.push(this.#expr());
        if (!this.#continues(']')) break;
        this.#consume();
      }
      this.#sync([',', ']']);
      this.#accept(',');
    });
    this.#match(']');
    return { kind: 'list', at: open.at, elements, optional };
  }

  /** Whether a comma leads to another element; else it is the last one's own. */
  #continues(closer: string): boolean {
    const after = this.#peek(1).symbol;
    return this.#isNext(',') && after !== closer && (after === '?' || OPERAND.includes(after));
  }

  #map(): Expr {
    const open = this.#consume();
    const entries: Entry[] = [];
    this.#within(['}', ',', ':'], () => {
      this.#sync([...OPERAND, '}', '?', ',']);
      while (!this.#isNext('}', ',')) {
        const optional = this.#accept('?') !== undefined;
        const key = this.#expr();
        const { at } = this.#match(':');
        entries.push({ at, key, value: this.#expr(), optional });
        if (!this.#continues('}')) break;
        this.#consume();
      }
      this.#sync([',', '}']);
      this.#accept(',');
    });
    this.#match('}');
    return { kind: 'map', at: open.at, entries };
  }

  /** An identifier, a global call, or the beginning of a message. */
  #name(): Expr {
    const start = this.#index;
    const dot = this.#accept('.') === undefined ? '' : '.';
    if (dot !== '' && !this.#isNext('IDENTIFIER')) this.#notViable('.');
    const id = this.#match('IDENTIFIER');
    if (this.#isNext('(')) {
      this.#checkReserved(id);
      return this.#arguments(`${dot}${id.text}`, undefined);
    }
    // `a.b.C{`: only a brace after the names makes them one.
    let end = this.#index;
    while (this.#tokens[end]?.symbol === '.' && this.#tokens[end + 1]?.symbol === 'IDENTIFIER') end += 2;
    if (this.#tokens[end]?.symbol === '{') {
      this.#index = end;
      const text = this.#tokens
        .slice(start, end)
        .map((token) => token.text)
        .join('');
      return this.#message(text);
    }
    this.#checkReserved(id);
    return { kind: 'ident', at: id.at, name: `${dot}${id.text}` };
  }

  #checkReserved(id: Token): void {
    if (RESERVED.has(id.text)) this.#source.report(id.at, `reserved identifier: ${id.text}`);
  }

  #message(name: string): Expr {
    const open = this.#consume();
    const fields: { at: number; name: string; value: Expr; optional: boolean }[] = [];
    this.#within(['}', ','], () => {
      this.#sync(['}', ',', '?', 'IDENTIFIER', 'ESC_IDENTIFIER']);
      while (!this.#isNext('}', ',')) {
        const optional = this.#accept('?') !== undefined;
        const id = this.#isNext('ESC_IDENTIFIER') ? this.#consume() : this.#match('IDENTIFIER');
        if (id.symbol === 'ESC_IDENTIFIER') this.#source.report(id.at, "unsupported syntax: '`'");
        const { at } = this.#match(':');
        fields.push({ at, name: id.text, value: this.#expr(), optional });
        if (!this.#isNext(',') || this.#peek(1).symbol === '}') break;
        this.#consume();
      }
      this.#sync([',', '}']);
      this.#accept(',');
    });
    this.#match('}');
    return { kind: 'struct', at: open.at, name, fields };
  }

  #literal(first: Token): Expr {
    const negative = this.#isNext('-') && ['NUM_INT', 'NUM_FLOAT'].includes(this.#peek(1).symbol);
    const at = first.at;
    if (negative) this.#consume();
    else if (this.#isNext('-')) {
      this.#consume();
      this.#fail(`mismatched input ${this.#display()} expecting {NUM_FLOAT, NUM_INT}`);
      throw new Unparsable();
    }
    const token = this.#consume();
    switch (token.symbol) {
      case 'NUM_INT': {
        const value = negative ? -BigInt(token.text) : BigInt(token.text);
        if (value < INT_MIN || value > INT_MAX) this.#source.report(at, 'invalid int literal');
        return { kind: 'const', at, value };
      }
      case 'NUM_UINT': {
        const value = BigInt(token.text.slice(0, -1));
        if (value > 2n ** 64n - 1n) this.#source.report(at, 'invalid uint literal');
        return { kind: 'const', at, value: new Uint(value) };
      }
      case 'NUM_FLOAT': {
        const value = Number(token.text);
        if (!Number.isFinite(value)) this.#source.report(at, 'invalid double literal');
        return { kind: 'const', at, value: negative ? -value : value };
      }
      case 'STRING':
      case 'BYTES': {
        const value = unquote(token.text, token.symbol === 'BYTES');
        if (value === undefined) this.#source.report(at, 'invalid unicode code point');
        return { kind: 'const', at, value: value ?? '' };
      }
      case 'null':
        return { kind: 'const', at, value: null };
      default:
        return { kind: 'const', at, value: token.symbol === 'true' };
    }
  }
}

export function call(name: string, at: number, args: readonly Expr[], target?: Expr): CallNode {
  return { kind: 'call', at, function: name, target, args };
}

/** `a || b || c` as a tree of least depth. */
function balanced(name: string, terms: readonly Expr[], places: readonly number[], low: number, high: number): Expr {
  if (low === high) return terms[low] as Expr;
  const middle = Math.floor((low + high + 1) / 2) - 1;
  return call(name, places[middle] ?? 0, [balanced(name, terms, places, low, middle), balanced(name, terms, places, middle + 1, high)]);
}
