// SPDX-License-Identifier: Apache-2.0
// Named formats of strings (apiserver pkg/cel/library/format.go): `format.dns1123Label().validate(s)` gives what is wrong, if
// anything is.
import { checkDns1035Label, checkDns1123Label, checkDns1123Subdomain, checkLabelValue, checkQualifiedName } from '#machinery';
import type { Library } from '../declarations.ts';
import { parseTimestamp } from '../time.ts';
import { ListValue, type Opaque, OptionalValue } from '../values.ts';
import { urlProblem } from './urls.ts';

class FormatValue implements Opaque {
  readonly opaque = 'kubernetes.NamedFormat';
  readonly name: string;
  readonly validate: (text: string) => readonly string[];
  /** The length of the regular expression that upstream reckons with. */
  readonly regexLength: number;
  constructor(name: string, regexLength: number, validate: (text: string) => readonly string[]) {
    this.name = name;
    this.regexLength = regexLength;
    this.validate = validate;
  }
  equals(other: unknown): boolean {
    return other instanceof FormatValue && other.name === this.name;
  }
}

/** A prefix may end with dashes, which name generation fills up. */
function prefix(check: (text: string) => readonly string[]): (text: string) => readonly string[] {
  return (text) => check(text.endsWith('-') && text.length > 1 ? `${text.slice(0, -1)}a` : text);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;

function matching(test: (text: string) => boolean, problem: string): (text: string) => readonly string[] {
  return (text) => (test(text) ? [] : [problem]);
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined;
}

const FORMATS: Readonly<Record<string, FormatValue>> = {
  dns1123Label: new FormatValue('DNS1123Label', 30, checkDns1123Label),
  dns1123Subdomain: new FormatValue('DNS1123Subdomain', 60, checkDns1123Subdomain),
  dns1035Label: new FormatValue('DNS1035Label', 30, checkDns1035Label),
  qualifiedName: new FormatValue('QualifiedName', 60, checkQualifiedName),
  dns1123LabelPrefix: new FormatValue('DNS1123LabelPrefix', 30, prefix(checkDns1123Label)),
  dns1123SubdomainPrefix: new FormatValue('DNS1123SubdomainPrefix', 60, prefix(checkDns1123Subdomain)),
  dns1035LabelPrefix: new FormatValue('DNS1035LabelPrefix', 30, prefix(checkDns1035Label)),
  labelValue: new FormatValue('LabelValue', 40, checkLabelValue),
  uri: new FormatValue('URI', 1185, (text) => {
    const problem = urlProblem(text);
    return problem === undefined ? [] : [problem];
  }),
  uuid: new FormatValue(
    'uuid',
    70,
    matching((text) => UUID.test(text), 'does not match the UUID format'),
  ),
  byte: new FormatValue(
    'byte',
    84,
    matching((text) => BASE64.test(text), 'invalid base64'),
  ),
  date: new FormatValue('date', 71, matching(isDate, 'invalid date')),
  datetime: new FormatValue(
    'datetime',
    71,
    matching((text) => parseTimestamp(text) !== undefined, 'invalid datetime'),
  ),
};

export const FORMAT: Library = {
  'format.named': [
    [
      'format-named',
      '(string)->optional(Format)',
      (name) => {
        const found = Object.hasOwn(FORMATS, name as string) ? FORMATS[name as string] : undefined;
        return found === undefined ? OptionalValue.NONE : new OptionalValue(found);
      },
    ],
  ],
  validate: [
    [
      'format-validate',
      'Format.(string)->optional(list(string))',
      (format, text) => {
        const problems = (format as unknown as FormatValue).validate(text as string);
        return problems.length === 0 ? OptionalValue.NONE : new OptionalValue(new ListValue(problems));
      },
    ],
  ],
  ...Object.fromEntries(
    Object.entries(FORMATS).map(([name, format]) => [`format.${name}`, [[`format.${name}`, '()->Format', () => format] as const]]),
  ),
};
