// SPDX-License-Identifier: Apache-2.0
// The rules that names, label keys and label values obey, as functions that return upstream's messages (apimachinery's
// util/validation), and the suffix that `generateName` asks for. An empty list means that the text is right.
import { randomInt } from 'node:crypto';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const LABEL_1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED})?`;
const whole = (pattern: string) => new RegExp(`^(?:${pattern})$`);
const LABEL_RE = whole(LABEL);
const SUBDOMAIN_RE = whole(SUBDOMAIN);
const LABEL_1035_RE = whole(LABEL_1035);
const QUALIFIED_RE = whole(QUALIFIED);
const LABEL_VALUE_RE = whole(LABEL_VALUE);
const PATH_SEGMENT_RE = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

export const MAX_LABEL_LENGTH = 63;
export const MAX_SUBDOMAIN_LENGTH = 253;

const tooLong = (most: number) => `must be no more than ${most} characters`;
/** The same of label keys and values, and of the domains before keys. */
const tooManyBytes = (most: number) => `must be no more than ${most} bytes`;
const byteLength = (text: string) => Buffer.byteLength(text);

/** Upstream's `RegexError`: the rule, then examples and the expression. */
function ruleText(rule: string, pattern: string, ...examples: readonly string[]): string {
  const quoted = examples.map((example) => `'${example}'`).join(', or ');
  // Upstream puts a second blank after the comma between examples.
  const list = quoted.replaceAll(', or ', ',  or ');
  return `${rule} (e.g. ${list}, regex used for validation is '${pattern}')`;
}

const LABEL_RULE = ruleText(
  `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character`,
  LABEL,
  'my-name',
  '123-abc',
);
const SUBDOMAIN_RULE = ruleText(
  `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`,
  SUBDOMAIN,
  'example.com',
);
const LABEL_1035_RULE = ruleText(
  `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character`,
  LABEL_1035,
  'my-name',
  'abc-123',
);
const QUALIFIED_RULE = ruleText(
  `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  QUALIFIED,
  'MyName',
  'my.name',
  '123-abc',
);
const LABEL_VALUE_RULE = ruleText(
  `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  LABEL_VALUE,
  'MyValue',
  'my_value',
  '12345',
);

function check(text: string, most: number, pattern: RegExp, rule: string, long = tooLong): string[] {
  const problems: string[] = [];
  if (byteLength(text) > most) problems.push(long(most));
  if (!pattern.test(text)) problems.push(rule);
  return problems;
}

/** A DNS-1123 label: Pods' host names, namespaces, container and port names. Those who wrote dots are told so. */
export function checkDns1123Label(text: string): string[] {
  const problems = byteLength(text) > MAX_LABEL_LENGTH ? [tooLong(MAX_LABEL_LENGTH)] : [];
  if (!LABEL_RE.test(text)) problems.push(SUBDOMAIN_RE.test(text) ? 'must not contain dots' : LABEL_RULE);
  return problems;
}

/** A DNS-1123 subdomain: the name of most objects. */
export function checkDns1123Subdomain(text: string): string[] {
  return check(text, MAX_SUBDOMAIN_LENGTH, SUBDOMAIN_RE, SUBDOMAIN_RULE);
}

/** A DNS-1035 label: Service names. */
export function checkDns1035Label(text: string): string[] {
  return check(text, MAX_LABEL_LENGTH, LABEL_1035_RE, LABEL_1035_RULE);
}

/** `[prefix/]name`: label and annotation keys, resource names, condition types. */
export function checkQualifiedName(text: string): string[] {
  const parts = text.split('/');
  const problems: string[] = [];
  const name = parts.at(-1) ?? '';
  if (parts.length > 2) {
    const rule = `a valid label key ${QUALIFIED_RULE.replace(/\)$/, '')}`;
    return [`${rule}) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') problems.push('prefix part must be non-empty');
    else {
      const wrong = check(prefix, MAX_SUBDOMAIN_LENGTH, SUBDOMAIN_RE, SUBDOMAIN_RULE, tooManyBytes);
      problems.push(...wrong.map((problem) => `prefix part ${problem}`));
    }
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (byteLength(name) > MAX_LABEL_LENGTH) problems.push(`name part ${tooManyBytes(MAX_LABEL_LENGTH)}`);
  if (!QUALIFIED_RE.test(name)) problems.push(`name part ${QUALIFIED_RULE}`);
  return problems;
}

/** The value of a label. */
export function checkLabelValue(text: string): string[] {
  return check(text, MAX_LABEL_LENGTH, LABEL_VALUE_RE, LABEL_VALUE_RULE, tooManyBytes);
}

/** What no name may contain, since it becomes a segment of a path: used where a name is free otherwise (RBAC). */
export function checkPathSegmentName(text: string): string[] {
  if (text === '.' || text === '..') return [`may not be '${text}'`];
  return ['/', '%'].filter((found) => text.includes(found)).map((found) => `may not contain '${found}'`);
}

/** Whether a text may stand in a URL path unescaped. */
export function isPathSafe(text: string): boolean {
  return PATH_SEGMENT_RE.test(text);
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const LONGEST_BASE = MAX_LABEL_LENGTH - SUFFIX_LENGTH;

/** `length` characters of the alphabet without vowels and look-alikes. */
export function randomSuffix(length = SUFFIX_LENGTH, pick: (below: number) => number = randomInt): string {
  let text = '';
  for (let index = 0; index < length; index++) text += ALPHABET[pick(ALPHABET.length)] ?? '';
  return text;
}

/** The name that `generateName: base` becomes. The base is cut so that the whole stays within 63 characters. */
export function generateName(base: string, pick?: (below: number) => number): string {
  return `${base.slice(0, LONGEST_BASE)}${randomSuffix(SUFFIX_LENGTH, pick)}`;
}

/** Maps a number to letters of the same alphabet, one for one digit: how hashes become parts of names. */
export function safeEncode(text: string): string {
  return [...text].map((character) => ALPHABET[character.charCodeAt(0) % ALPHABET.length] ?? '').join('');
}
