// SPDX-License-Identifier: Apache-2.0
// Regular expressions in RE2's syntax and linear time: `matches` of CEL, and `find` and `findAll` of Kubernetes (library/regex.go).
import { RE2JS } from 're2js';
import type { Library } from '../declarations.ts';
import { Failure, failure, ListValue, type Value } from '../values.ts';

/** A pattern ready to be used, or what is wrong with it in Go's words. */
export type Pattern = RE2JS | Failure;

export function compileRegex(pattern: string): Pattern {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error));
  }
}

/** What is wrong with a pattern, in Go's words; undefined if nothing is. */
export function regexProblem(pattern: string): string | undefined {
  const compiled = compileRegex(pattern);
  return compiled instanceof Failure ? compiled.message : undefined;
}

export function matchesRegex(text: string, pattern: string): Value {
  return matches(text, compileRegex(pattern));
}

function matches(text: string, pattern: Pattern): Value {
  return pattern instanceof Failure ? pattern : pattern.matcher(text).find();
}

function find(text: string, pattern: Pattern): Value {
  if (pattern instanceof Failure) return failure(`Illegal regex: ${pattern.message}`);
  const matcher = pattern.matcher(text);
  return matcher.find() ? (matcher.group() ?? '') : '';
}

function findAll(text: string, pattern: Pattern, limit: bigint): Value {
  if (pattern instanceof Failure) return failure(`Illegal regex: ${pattern.message}`);
  const matcher = pattern.matcher(text);
  const found: string[] = [];
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return new ListValue(found);
}

/** The function for a pattern that is constant, which is compiled once. */
export function withPattern(name: string, pattern: string): ((text: Value) => Value) | undefined {
  const run = name === 'matches' ? matches : name === 'find' ? find : undefined;
  if (run === undefined) return undefined;
  const compiled = compileRegex(pattern);
  return (text) => (typeof text === 'string' ? run(text, compiled) : failure('no such overload'));
}

export const REGEX: Library = {
  find: [['string_find_string', 'string.(string)->string', (text, pattern) => find(text as string, compileRegex(pattern as string))]],
  findAll: [
    [
      'string_find_all_string',
      'string.(string)->list(string)',
      (text, pattern) => findAll(text as string, compileRegex(pattern as string), -1n),
    ],
    [
      'string_find_all_string_int',
      'string.(string,int)->list(string)',
      (text, pattern, limit) => findAll(text as string, compileRegex(pattern as string), limit as bigint),
    ],
  ],
};
