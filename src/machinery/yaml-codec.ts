// SPDX-License-Identifier: Apache-2.0
// YAML bodies, read and written as upstream's converter to JSON does: YAML 1.1 (`yes` and `on` are booleans), the first document
// of several, keys sorted on output. Duplicate keys are reported, the last wins. Anchors are limited against expansion attacks.

import {
  Composer,
  type Document,
  isMap,
  isScalar,
  LineCounter,
  type ParsedNode,
  Parser,
  type ScalarTag,
  type Tags,
  visit,
  type YAMLError,
} from 'yaml';
import { quote } from './field-error.ts';
import { type Decoded, objectOf } from './json-decode.ts';
import { JsonSyntaxError } from './json-syntax.ts';
import { normalize } from './normalize.ts';
import type { StructSchema } from './schema.ts';
import { emitYaml } from './yaml-emit.ts';
import { MAY_BE_NUMBER, readYamlNumber } from './yaml-number.ts';

const MAX_ALIASES = 100;
const MAX_DEPTH = 500;

export interface ParsedYaml {
  readonly value: unknown;
  /** `line 7: key "k" already set in map`. */
  readonly duplicates: readonly string[];
}

/** Parses the first document of a text. @throws {JsonSyntaxError} With `yaml: line N: ...`. */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  if (nestsTooDeep(text)) throw new JsonSyntaxError('yaml: exceeded max depth');
  const composer = new Composer({
    version: '1.1',
    customTags: upstreamTags,
    uniqueKeys: false,
    merge: true,
    logLevel: 'silent',
    lineCounter: lines,
  });
  const document = firstDocument(composer.compose(new Parser(lines.addNewLine).parse(text), true, text.length));
  if (document === undefined) return { value: null, duplicates: [] };
  const [fault] = document.errors;
  if (fault !== undefined) throw new JsonSyntaxError(explain(fault, text, lines), { cause: fault });
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const [, anchor] = /^Unresolved alias .*: (.*)$/.exec(error instanceof ReferenceError ? error.message : '') ?? [];
    const what = anchor === undefined ? 'document contains excessive aliasing' : `unknown anchor '${anchor}' referenced`;
    throw new JsonSyntaxError(`yaml: ${what}`, { cause: error });
  }
  return { value: jsonOf(value, 0), duplicates: duplicatesIn(document, lines) };
}

const NUMBERS: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: MAY_BE_NUMBER,
  resolve: (text) => readYamlNumber(text) ?? text,
};
/** Where it is asked for: `!!int "1"`. */
const INTEGERS: ScalarTag = { tag: 'tag:yaml.org,2002:int', resolve: NUMBERS.resolve };

/** As upstream's parser has them: times are text, and so are numbers to the base of 60. */
function upstreamTags(tags: Tags): Tags {
  const others = tags.filter((tag) => typeof tag === 'string' || tag.tag.endsWith(':float') === false || isNotFinite(tag));
  return [...others.filter((tag) => typeof tag === 'string' || !/:(?:timestamp|int)$/.test(tag.tag)), NUMBERS, INTEGERS];
}

/** Of the tags for floats, the one for `.inf` and `.nan`. */
function isNotFinite(tag: object): boolean {
  return 'test' in tag && tag.test instanceof RegExp && tag.test.test('.inf');
}

/** Flow collections within each other: the parser recurses. */
function nestsTooDeep(text: string): boolean {
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x7b || code === 0x5b) open += 1;
    else if (code === 0x7d || code === 0x5d) open = Math.max(0, open - 1);
    if (open > MAX_DEPTH) return true;
  }
  return false;
}

function firstDocument(documents: Iterable<Document.Parsed>): Document.Parsed | undefined {
  for (const document of documents) return document;
  return undefined;
}

/** Decodes a YAML body into an object. @throws {JsonSyntaxError | DecodeError} */
export function decodeYaml(body: Uint8Array | string, schema: StructSchema, { strict }: { strict: boolean }): Decoded {
  const { value: parsed, duplicates } = parseYaml(typeof body === 'string' ? body : new TextDecoder().decode(body));
  const value = objectOf(parsed);
  const unknown: string[] = [];
  const object = normalize(value, schema, { strictErrors: strict ? unknown : undefined });
  if (!strict) return { object, strictErrors: [], warnings: [], given: value };
  const joined = duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n${duplicates.map((line) => `  ${line}`).join('\n')}`];
  return { object, strictErrors: [...joined, ...unknown], warnings: [...duplicates, ...unknown], given: value };
}

/** An object as upstream writes it. */
export function formatYaml(value: unknown): string {
  return emitYaml(value);
}

function duplicatesIn(document: Document.Parsed, lines: LineCounter): string[] {
  const found: string[] = [];
  visit(document, {
    Map(_key, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const { line } = lines.linePos((key as ParsedNode).range[0]);
        if (seen.has(name) && name !== '<<') found.push(`line ${line}: key ${quote(name)} already set in map`);
        seen.add(name);
      }
      return isMap(map) ? undefined : visit.SKIP;
    },
  });
  return found;
}

function goFloat(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** What JSON can hold: numbers that it lacks are refused. */
function jsonOf(value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new JsonSyntaxError('yaml: exceeded max depth');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (value instanceof Set) return Object.fromEntries([...value].map((key) => [String(key), null]));
  if (typeof value === 'number' && !Number.isFinite(value)) throw new JsonSyntaxError(`json: unsupported value: ${goFloat(value)}`);
  if (Array.isArray(value)) return value.map((item) => jsonOf(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, jsonOf(inner, depth + 1)]));
}

const NO_TOKEN = 'found character that cannot start any token';
/** What the scanner finds, before there are tokens. */
const SCANNED: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: NO_TOKEN,
  BAD_SCALAR_START: NO_TOKEN,
  BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
  MULTILINE_IMPLICIT_KEY: "could not find expected ':'",
  BAD_DQ_ESCAPE: 'found unknown escape character',
};
const PARSED: Readonly<Record<string, string>> = {
  MISSING_CHAR: "did not find expected ',' or ']'",
  BAD_INDENT: "did not find expected ',' or ']'",
  UNEXPECTED_TOKEN: 'did not find expected key',
};

/**
 * The faults have other places and words in upstream's parser; the usual ones are mapped. It counts lines from 0 for what is wrong
 * with tokens, from 1 for what is none, and does not speak of the first one.
 */
function explain({ code, pos, message }: YAMLError, text: string, lines: LineCounter): string {
  const isQuote = code === 'MISSING_CHAR' && message.includes('quote');
  const scanned = isQuote ? 'found unexpected end of stream' : SCANNED[code];
  const { line } = lines.linePos(isQuote ? text.length : Math.min(pos[0], Math.max(0, text.trimEnd().length - 1)));
  if (scanned !== undefined) return line === 1 ? `yaml: ${scanned}` : `yaml: line ${line}: ${scanned}`;
  const what = PARSED[code] ?? 'did not find expected node content';
  const before = text.slice(0, pos[0]);
  const inMap = what.includes(']') && before.lastIndexOf('{') > before.lastIndexOf('[');
  const shown = inMap ? "did not find expected ',' or '}'" : what;
  const index = text.trimEnd() === before.trimEnd() ? lines.linePos(text.length).line - 1 : line - 1;
  return index === 0 ? `yaml: ${shown}` : `yaml: line ${index}: ${shown}`;
}
