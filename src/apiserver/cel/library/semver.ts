// SPDX-License-Identifier: Apache-2.0
// Semantic versions in expressions (apiserver pkg/cel/library/semverlib.go). With `normalize` a leading v, missing parts and
// leading zeros are forgiven.
import type { Library } from '../declarations.ts';
import { failure, type Opaque, type Value } from '../values.ts';

class SemverValue implements Opaque {
  readonly opaque = 'kubernetes.Semver';
  readonly parts: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];
  constructor(parts: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    this.parts = parts;
    this.pre = pre;
  }
  equals(other: unknown): boolean {
    return other instanceof SemverValue && compare(this, other) === 0;
  }
}

const LARGEST = 2n ** 64n - 1n;

/** @returns What is wrong with it. */
function parse(text: string): SemverValue | string {
  if (text === '') return 'Version string empty';
  const [, core = '', pre, build] = /^([^-+]*)(?:-([^+]*))?(?:\+(.*))?$/s.exec(text) ?? [];
  const numbers = core.split('.');
  if (numbers.length !== 3) return 'No Major.Minor.Patch elements found';
  for (const [index, part] of numbers.entries()) {
    const name = ['major', 'minor', 'patch'][index];
    if (!/^\d+$/.test(part)) return `Invalid character(s) found in ${name} number ${JSON.stringify(part)}`;
    if (part.length > 1 && part.startsWith('0')) {
      const shown = `${(name ?? '').charAt(0).toUpperCase()}${(name ?? '').slice(1)}`;
      return `${shown} number must not contain leading zeroes ${JSON.stringify(part)}`;
    }
    if (BigInt(part) > LARGEST) return `strconv.ParseUint: parsing ${JSON.stringify(part)}: value out of range`;
  }
  const identifiers = pre === undefined ? [] : pre.split('.');
  for (const part of identifiers) {
    if (part === '') return 'Prerelease is empty';
    if (!/^[0-9A-Za-z-]+$/.test(part)) return `Invalid character(s) found in prerelease ${JSON.stringify(part)}`;
    if (/^0\d+$/.test(part)) return `Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(part)}`;
  }
  for (const part of build === undefined ? [] : build.split('.')) {
    if (part === '') return 'Build meta data is empty';
    if (!/^[0-9A-Za-z-]+$/.test(part)) return `Invalid character(s) found in build meta data ${JSON.stringify(part)}`;
  }
  const [major = '0', minor = '0', patch = '0'] = numbers;
  return new SemverValue([BigInt(major), BigInt(minor), BigInt(patch)], identifiers);
}

function normalized(text: string): string {
  const bare = text.replace(/^v/, '');
  const end = bare.search(/[-+]/);
  const core = end < 0 ? bare : bare.slice(0, end);
  const parts = core.split('.').map((part) => (part.length > 1 ? part.replace(/^0+(?=\d)/, '') : part));
  while (parts.length < 3) parts.push('0');
  return `${parts.join('.')}${end < 0 ? '' : bare.slice(end)}`;
}

function comparePart(a: string, b: string): number {
  const numeric = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numeric[0] && numeric[1]) return BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0;
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function compare(a: SemverValue, b: SemverValue): number {
  for (const index of [0, 1, 2] as const) if (a.parts[index] !== b.parts[index]) return a.parts[index] < b.parts[index] ? -1 : 1;
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length);
  for (const [index, part] of a.pre.entries()) {
    const other = b.pre[index];
    if (other === undefined) return 1;
    const order = comparePart(part, other);
    if (order !== 0) return order;
  }
  return a.pre.length < b.pre.length ? -1 : 0;
}

function made(text: string): Value {
  const parsed = parse(text);
  return typeof parsed === 'string' ? failure(parsed) : parsed;
}

const of = (value: Value | undefined) => value as unknown as SemverValue;
const text = (value: Value | undefined, normalize: Value | undefined) =>
  normalize === true ? normalized(value as string) : (value as string);

export const SEMVER: Library = {
  semver: [
    ['string_to_semver', '(string)->Semver', (value) => made(value as string)],
    ['string_bool_to_semver', '(string,bool)->Semver', (value, normalize) => made(text(value, normalize))],
  ],
  isSemver: [
    ['is_semver_string', '(string)->bool', (value) => typeof parse(value as string) !== 'string'],
    ['is_semver_string_bool', '(string,bool)->bool', (value, normalize) => typeof parse(text(value, normalize)) !== 'string'],
  ],
  isGreaterThan: [['semver_is_greater_than', 'Semver.(Semver)->bool', (a, b) => compare(of(a), of(b)) > 0]],
  isLessThan: [['semver_is_less_than', 'Semver.(Semver)->bool', (a, b) => compare(of(a), of(b)) < 0]],
  compareTo: [['semver_compare_to', 'Semver.(Semver)->int', (a, b) => BigInt(compare(of(a), of(b)))]],
  major: [['semver_major', 'Semver.()->int', (value) => of(value).parts[0]]],
  minor: [['semver_minor', 'Semver.()->int', (value) => of(value).parts[1]]],
  patch: [['semver_patch', 'Semver.()->int', (value) => of(value).parts[2]]],
};
