// SPDX-License-Identifier: Apache-2.0
// Field selectors: `metadata.name=a,status.phase!=Running`. Which fields a resource can be selected by is its own matter.

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export class FieldSelector {
  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get isEmpty(): boolean {
    return this.requirements.length === 0;
  }

  /** @param read The value of a field of the object at hand; absent fields are ''. */
  matches(read: (field: string) => string): boolean {
    return this.requirements.every(({ field, operator, value }) => (read(field) === value) === (operator === '='));
  }

  /** The value that an equality demands of `field`, for use of an index. */
  exact(field: string): string | undefined {
    return this.requirements.find((requirement) => requirement.field === field && requirement.operator === '=')?.value;
  }

  toString(): string {
    return this.requirements.map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, '\\$&')}`).join(',');
  }
}

export const ANY_FIELDS = new FieldSelector([]);

/** Parses a `fieldSelector` query value. @throws {SyntaxError} With upstream's text. */
export function parseFieldSelector(text: string): FieldSelector {
  const terms = text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? [];
  return terms.length === 0 ? ANY_FIELDS : new FieldSelector(terms.sort().map((term) => parseTerm(term, text)));
}

function parseTerm(term: string, all: string): FieldRequirement {
  const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
  if (match === null) throw new SyntaxError(`invalid selector: '${all}'; can't understand '${term}'`);
  const [, field = '', operator, value = ''] = match;
  return { field, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value) };
}

/** Only `\\`, `,` and `=` may be escaped, and the last two must be. */
function unescapeValue(value: string): string {
  let text = '';
  for (let at = 0; at < value.length; at++) {
    const character = value[at] ?? '';
    if (character === ',' || character === '=')
      throw new SyntaxError(`invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`);
    if (character !== '\\') {
      text += character;
      continue;
    }
    const next = value[at + 1] ?? '';
    if (next !== '\\' && next !== ',' && next !== '=') throw new SyntaxError(`invalid field selector: invalid escape sequence: \\${next}`);
    text += next;
    at += 1;
  }
  return text;
}
